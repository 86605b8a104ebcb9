import * as path from "node:path";
import { runCommand } from "../command";
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

runCommand(main);
