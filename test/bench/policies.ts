import { join } from "node:path";
import { HOME_VARIABLE } from "../../local/paths";
import { run } from "../../local/run";
import type { Bench } from "./home";
import { compared, seconds, type Measurement } from "./measure";

const ROUNDS = 5;
const AIM = { ratio: 1.5 };

/** Previews of the stack that `make up` has made, held to the policies and not, in turns. */
export async function measurePolicies({ paths, progress, signal }: Bench): Promise<Measurement[]> {
  const task = progress.task("policies", "previewing");
  const preview = (kind: "held" | "free") => {
    signal.throwIfAborted();
    const script = join(paths.root, "test/bench/preview-once.ts");
    return run(process.execPath, ["--import", require.resolve("tsx"), script, kind], {
      cwd: paths.root,
      env: { ...process.env, [HOME_VARIABLE]: paths.home },
      timeout: 300_000,
    });
  };
  const samples = { held: [] as number[], free: [] as number[] };
  for (let round = 1; round <= ROUNDS; round++) {
    task.update(`${round} of ${ROUNDS}`);
    for (const kind of ["held", "free"] as const) samples[kind].push(await seconds(() => preview(kind)));
  }
  task.done(`${ROUNDS} previews with policies, and without`);
  return [compared("preview with policies / without", samples.held, samples.free, "s", AIM)];
}
