import { readFileSync } from "node:fs";
import type { Failure, SuiteReport } from "./reporter";

/** Of a reason, so much is shown: its text, and where it was thrown. */
const LINES = 8;
const LONGEST = 300;

/** So many files are told that took longest. */
const SLOWEST = 8;

/**
 * Ends `make test`: which files took longest; what failed, each with the start of its reason; and, since of a long run often only
 * the very end is kept, last of all a line for each file with failures, and how many tests there were. Its arguments are the
 * reports of the suites.
 */
function main(reportFiles: readonly string[]): void {
  const reports = reportFiles.map((file) => JSON.parse(readFileSync(file, "utf8")) as SuiteReport);
  const slowest = reports.flatMap((report) => report.files).sort((one, other) => other.seconds - one.seconds);
  console.log("\nslowest files:");
  for (const { file, seconds } of slowest.slice(0, SLOWEST)) {
    console.log(`${seconds.toFixed(0).padStart(6)} s  ${file}`);
  }

  const failures = reports.flatMap((report) => report.failures);
  for (const { name, reason } of failures) console.log(`\nfailed: ${name}\n${shortened(reason)}`);

  console.log("");
  for (const file of new Set(failures.map(({ file }) => file))) {
    const own = failures.filter((failure) => failure.file === file);
    console.log(`${file ?? "nobody knows where"}: ${own.length} failed, first ${inOneLine(own[0])}`);
  }
  const sum = (key: "passed" | "failed" | "skipped") => reports.reduce((total, report) => total + report[key], 0);
  console.log(`${sum("passed")} passed, ${sum("failed")} failed, ${sum("skipped")} skipped`);
}

/** `is placed (line 84): AssertionError: expected 1 to be 2`. */
function inOneLine(failure: Failure | undefined): string {
  if (failure === undefined) return "";
  const [reason = "", ...stack] = failure.reason.replaceAll(COLOUR, "").split("\n");
  const line = failure.file && stack.join("\n").split(`${failure.file}:`)[1]?.match(/^\d+/)?.[0];
  const where = line === undefined ? "" : ` (line ${line})`;
  return `${failure.name.split(" > ").at(-1)?.slice(0, 60)}${where}: ${reason.slice(0, 100)}`;
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
