import * as path from "node:path";
import { closest, distance } from "fastest-levenshtein";
import { ProblemsError } from "../../infra/problems";
import { claimPulumiHome, projectPaths } from "../paths";
import { createProgress } from "../progress";
import { TOOL_NAMES, type ToolName } from "./catalog";
import { toolsError } from "./failures";
import { formatTools, prepareTools } from "./resolve";

/** `make tools`: all tools, or those that are named. */
async function main(names: readonly string[], signal: AbortSignal): Promise<void> {
  const paths = projectPaths(path.resolve(__dirname, "..", ".."));
  claimPulumiHome(paths);
  const wanted = names.length === 0 ? TOOL_NAMES : names.map(toolName);
  const ready = await prepareTools(wanted, { paths, progress: createProgress(process.stderr), signal });
  process.stdout.write(`${formatTools(ready)}\n`);
}

function toolName(name: string): ToolName {
  const known = TOOL_NAMES.find((tool) => tool === name);
  if (known) return known;
  const near = closest(name, [...TOOL_NAMES]);
  const hint = distance(name, near) <= 3 ? `did you mean ${near}?` : "leave names out to get all";
  throw toolsError([{ path: "tools", value: name, limit: `known are ${TOOL_NAMES.join(", ")}`, fix: hint }]);
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
