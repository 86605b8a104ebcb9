import { AsyncLocalStorage } from "node:async_hooks";
import * as fs from "node:fs";
import * as path from "node:path";
import { withLock } from "../lock";
import type { Task } from "../progress";
import { ProblemsError } from "../../infra/problems";
import { contentKey, removeLeftovers, stage } from "./cache";
import { explain } from "./failures";
import type { ToolsOptions } from "./session";

/** A folder that is made by a recipe and kept in the cache of tools: a root file system, a function's image. */
export interface Artifact {
  /** How it is called in messages, and the start of its folder's name. */
  readonly name: string;
  /** Everything that determines what is in it. */
  readonly key: readonly string[];
  /** What is done while it is made, as in "building". */
  readonly doing: string;
  /** Fills the folder; it is admitted to the cache, whole, when this ends well. */
  readonly make: (folder: string, task: Task) => Promise<void>;
}

/** Says that the lock of the cache is held by whoever is asking: an artifact may be made of another one. */
const holding = new AsyncLocalStorage<boolean>();

/** Its folder's name in the cache. */
export function artifactFolder(artifact: Pick<Artifact, "name" | "key">, cache: string): string {
  return path.join(cache, `${artifact.name.replace(/[^a-z0-9]+/gi, "-")}-${contentKey(artifact.key)}`);
}

/**
 * The artifact's folder, from the cache or newly made.
 *
 * @throws ProblemsError when it cannot be made or the disk is full; what the signal was aborted with
 */
export async function ensureArtifact(artifact: Artifact, options: ToolsOptions): Promise<string> {
  const { cache } = options.paths;
  const folder = artifactFolder(artifact, cache);
  if (fs.existsSync(folder)) return folder;
  const lock = {
    waitingMessage: "another run is making tools ready: waiting for it",
    onWait: options.progress.note,
    signal: options.signal,
  };
  if (holding.getStore()) {
    await make(artifact, folder, options);
    return folder;
  }
  try {
    await withLock(path.join(cache, "lock"), lock, async () => {
      if (fs.existsSync(folder)) return;
      removeLeftovers(cache);
      await holding.run(true, () => make(artifact, folder, options));
    });
  } catch (error) {
    throw options.signal?.aborted ? error : explain(error, cache);
  }
  return folder;
}

async function make(artifact: Artifact, folder: string, { paths, progress, signal }: ToolsOptions): Promise<void> {
  const task = progress.task(artifact.name, artifact.doing);
  let staging: string | undefined;
  try {
    staging = stage(paths.cache, "artifact");
    await artifact.make(staging, task);
    fs.chmodSync(staging, 0o755);
    fs.renameSync(staging, folder);
    task.done("made");
  } catch (error) {
    const told = signal?.aborted ? error : explain(error, paths.cache);
    task.fail(
      signal?.aborted ? "stopped" : told instanceof ProblemsError ? (told.problems[0]?.value ?? "failed") : "failed",
    );
    throw told;
  } finally {
    if (staging !== undefined) fs.rmSync(staging, { recursive: true, force: true });
  }
}
