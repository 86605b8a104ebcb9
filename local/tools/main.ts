import * as path from "node:path";
import { ProblemsError } from "../../infra/problems";
import { claimPulumiHome, projectPaths } from "../paths";
import { createProgress } from "../progress";
import { wantedTools } from "./names";
import { formatTools, prepareTools } from "./resolve";

/** `make tools`: what the embedded default needs, or the tools and groups that are named. */
async function main(names: readonly string[], signal: AbortSignal): Promise<void> {
  const paths = projectPaths(path.resolve(__dirname, "..", ".."));
  claimPulumiHome(paths);
  const ready = await prepareTools(wantedTools(names), { paths, progress: createProgress(process.stderr), signal });
  process.stdout.write(`${formatTools(ready)}\n`);
}

class Stopped extends Error {
  override readonly name = "Stopped";
}

const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort(new Stopped(signal)));

main(process.argv.slice(2), stop.signal).catch((error: unknown) => {
  if (stop.signal.aborted) {
    process.stderr.write("Stopped. What is ready is kept: run it again to go on.\n");
    process.exitCode = 130;
    return;
  }
  // A problem is told as it is; anything else is a mistake of ours, which its stack helps to find.
  process.stderr.write(
    `${error instanceof ProblemsError ? error.message : ((error as Error).stack ?? String(error))}\n`,
  );
  process.exitCode = 1;
});
