import { readFileSync } from "node:fs";
import type { SuiteReport } from "./reporter";

/** Of a reason, so much is shown: its text, and where it was thrown. */
const LINES = 8;
const LONGEST = 300;

/**
 * Ends `make test`: what failed, each with the start of its reason, since of a long run often only the end is kept; then
 * how many tests there were. Its arguments are the reports of the suites.
 */
function main(files: readonly string[]): void {
  const reports = files.map((file) => JSON.parse(readFileSync(file, "utf8")) as SuiteReport);
  for (const { name, reason } of reports.flatMap(({ failures }) => failures)) {
    console.log(`\nfailed: ${name}\n${shortened(reason)}`);
  }
  const sum = (key: "passed" | "failed" | "skipped") => reports.reduce((total, report) => total + report[key], 0);
  console.log(`\n${sum("passed")} passed, ${sum("failed")} failed, ${sum("skipped")} skipped`);
}

function shortened(reason: string): string {
  return reason
    .replaceAll(COLOUR, "")
    .split("\n")
    .filter((line) => line.trim() !== "" && !line.includes("node_modules") && !line.includes("at new Promise"))
    .slice(0, LINES)
    .map((line) => `  ${line.trimEnd().slice(0, LONGEST)}`)
    .join("\n");
}

const COLOUR = /\x1b\[[0-9;]*m/g;

main(process.argv.slice(2));
