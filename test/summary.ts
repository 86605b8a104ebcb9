import { readFileSync } from "node:fs";

/** Of a reason, so much is shown: its text, and where it was thrown. */
const LINES = 8;
const LONGEST = 300;

/** What is read of vitest's own report. */
interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly testResults: readonly {
    readonly name: string;
    /** Set where the file itself failed, outside of its tests. */
    readonly message: string;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: string;
      readonly failureMessages: readonly string[] | null;
    }[];
  }[];
}

/**
 * Ends `make test`: what failed, each with the start of its reason, since of a long run often only the end is kept; then
 * how many tests there were. Its arguments are vitest's reports.
 */
function main(files: readonly string[]): void {
  const reports = files.map((file) => JSON.parse(readFileSync(file, "utf8")) as Report);
  for (const { name, reason } of reports.flatMap(failures)) console.log(`\nfailed: ${name}\n${shortened(reason)}`);
  const sum = (key: "numPassedTests" | "numFailedTests" | "numPendingTests") =>
    reports.reduce((total, report) => total + report[key], 0);
  console.log(`\n${sum("numPassedTests")} passed, ${sum("numFailedTests")} failed, ${sum("numPendingTests")} skipped`);
}

function failures({ testResults }: Report): { readonly name: string; readonly reason: string }[] {
  return testResults.flatMap(({ name, message, assertionResults }) => [
    ...(message === "" ? [] : [{ name, reason: message }]),
    ...assertionResults
      .filter(({ status }) => status === "failed")
      .map(({ fullName, failureMessages }) => ({ name: fullName, reason: failureMessages?.[0] ?? "" })),
  ]);
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
