import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { stopControlPlane } from "../../local/control-plane/control-plane";
import { readStackFile, type StackFile } from "../../local/engine/stack-file";
import { withLock } from "../../local/lock";
import { nodePlaces } from "../../local/node/cluster";
import { stopNode } from "../../local/node/node";
import { projectPaths, type Paths } from "../../local/paths";
import type { Progress } from "../../local/progress";
import { TOOL_GROUPS } from "../../local/tools/catalog";
import { ensureTools } from "../../local/tools/resolve";

/** What every measurement works with. */
export interface Bench {
  /** A home of the bench's own; the cache of tools is the user's. */
  readonly paths: Paths;
  readonly file: StackFile;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

type Args = Pick<Bench, "progress" | "signal"> & { readonly root: string };

/**
 * Works in a home beside the user's stack, and leaves nothing of it, whatever happens. The home is always the same
 * folder, so that the next bench finds and ends what a killed one left running.
 */
export async function inBenchHome<T>({ root, progress, signal }: Args, work: (paths: Paths) => Promise<T>): Promise<T> {
  const user = projectPaths(root);
  const paths = projectPaths(root, process.env, join(user.home, "bench"));
  const waitingMessage = "Waiting for another bench";
  return withLock(join(user.home, "bench.lock"), { waitingMessage, onWait: progress.note, signal }, async () => {
    await clear(paths);
    try {
      return await work(paths);
    } finally {
      const task = progress.task("bench", "stopping its cluster");
      await clear(paths);
      task.done("stopped, and what it kept is deleted");
    }
  });
}

/** The same, for what is measured on the embedded control plane alone. */
export async function withBenchHome<T>(args: Args, work: (bench: Bench) => Promise<T>): Promise<T> {
  const { root, progress, signal } = args;
  return inBenchHome(args, async (paths) => {
    // Made here, so that downloads and builds are part of no measurement.
    await ensureTools(TOOL_GROUPS.local, { paths, progress, signal });
    return work({ paths, progress, signal, file: readStackFile(root, "local") });
  });
}

/** Of whichever bench it was. */
async function clear(paths: Paths): Promise<void> {
  const { folder, cgroup } = nodePlaces(paths);
  if (existsSync(folder)) await stopNode(folder, cgroup);
  await stopControlPlane(paths);
  rmSync(paths.home, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
}
