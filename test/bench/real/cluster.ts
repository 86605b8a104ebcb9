import { parseConfig, type StackConfig } from "../../../infra/config";
import { planStack } from "../../../infra/plan";
import { kubectlFor, type Kubectl } from "../../../local/control-plane/kubectl";
import { PROJECT, readStackFile } from "../../../local/engine/stack-file";
import { buildFunction } from "../../../local/images/function";
import type { ReadyImage } from "../../../local/images/assemble";
import { nodePlaces, realNode } from "../../../local/node/cluster";
import { runningMachine, type Machine } from "../../../local/node/machine";
import { pushImages } from "../../../local/node/node";
import { ensureRootFs } from "../../../local/node/root-fs";
import type { Progress } from "../../../local/progress";
import { ensureTools } from "../../../local/tools/resolve";
import type { ToolsOptions } from "../../../local/tools/session";
import { inBenchHome } from "../home";

/** A real node of the bench's own, with both builds of the function in its registry. */
export interface RealBench {
  readonly kubectl: Kubectl;
  readonly machine: Machine;
  readonly cgroup: string;
  readonly testRoot: string;
  readonly config: StackConfig;
  readonly images: { readonly compiled: ReadyImage; readonly portable: ReadyImage; readonly native: ReadyImage };
  readonly options: ToolsOptions;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

/** The most pods that are measured at once, with room for the system's. */
const MOST_PODS = 250;

export async function withRealNode<T>(
  args: { root: string; progress: Progress; signal: AbortSignal },
  work: (bench: RealBench) => Promise<T>,
): Promise<T> {
  const { root, progress, signal } = args;
  return inBenchHome(args, async (paths) => {
    const options: ToolsOptions = { paths, progress, signal };
    const config = benchConfig(root);
    const cluster = realNode({ paths, config, plan: planStack(config), progress, signal });
    await cluster.check();
    await ensureTools(cluster.tools, options);
    await cluster.prepare();
    const images = {
      compiled: await buildFunction("checkout", options, "compiled"),
      portable: await buildFunction("checkout", options, "portable"),
      native: await buildFunction("checkout", options, "native"),
    };
    const testRoot = await ensureRootFs("test", options);
    const task = progress.task("node", "starting");
    try {
      await cluster.start((step) => task.update(step));
      const { folder, cgroup } = nodePlaces(paths);
      const machine = runningMachine(folder);
      if (!machine) throw new Error("the node does not run");
      const native = { ...images.native, reference: `functions.local/checkout-native@${images.native.digest}` };
      await pushImages(machine, folder, [images.compiled, native]);
      task.done("ready");
      const own = { kubectl: kubectlFor(paths), machine, cgroup, testRoot, config, images: { ...images, native } };
      return await work({ ...own, options, progress, signal });
    } catch (error) {
      task.fail("failed");
      throw error;
    }
  });
}

/** That of the stack `real`, with room for more pods. */
function benchConfig(root: string): StackConfig {
  const { settings } = readStackFile(root, "real");
  const raw = Object.fromEntries(
    Object.entries(settings.config ?? {}).map(([key, value]) => [key.replace(`${PROJECT}:`, ""), value]),
  );
  return parseConfig({ ...raw, cluster: { ...(raw["cluster"] as object), maxPodsPerAgent: MOST_PODS } });
}
