import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, expect, it } from "vitest";
import type { SuiteReport } from "../reporter";

const folder = mkdtempSync(join(tmpdir(), "summary-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function summaryOf(...reports: readonly SuiteReport[]): string[] {
  const files = reports.map((report, index) => {
    const file = join(folder, `${index}.json`);
    writeFileSync(file, JSON.stringify(report));
    return file;
  });
  const summary = resolve(__dirname, "../summary.ts");
  return execFileSync(process.execPath, ["--import", require.resolve("tsx"), summary, ...files], { encoding: "utf8" })
    .trimEnd()
    .split("\n");
}

const FINE: SuiteReport = {
  passed: 3,
  failed: 0,
  skipped: 1,
  files: [{ file: "a.test.ts", seconds: 1 }],
  failures: [],
};

it("ends with what failed and where, and how many passed, whatever comes before", () => {
  const reason =
    "\x1b[31mAssertionError: expected 1 to be 2\x1b[0m\n    at other.ts:3:1\n    at /x/b.test.ts:84:12\n    at /x/b.test.ts:9:1";
  const lines = summaryOf(FINE, {
    ...{ passed: 2, failed: 2, skipped: 0, files: [{ file: "b.test.ts", seconds: 20 }] },
    failures: [
      { file: "b.test.ts", name: "a pod > is placed", reason },
      { file: "b.test.ts", name: "a pod > leaves", reason: "Error: too late" },
      { name: "what nobody caught", reason: "Error: nobody's" },
    ],
  });
  expect(lines.slice(-3)).toEqual([
    "b.test.ts: 2 failed, first is placed (line 84): AssertionError: expected 1 to be 2",
    "nobody knows where: 1 failed, first what nobody caught: Error: nobody's",
    "5 passed, 2 failed, 1 skipped",
  ]);
  expect(lines).toContain("failed: a pod > leaves");
  expect(lines.slice(1, 4)).toEqual(["slowest files:", "    20 s  b.test.ts", "     1 s  a.test.ts"]);
});

it("of what went well says the count alone", () => {
  expect(summaryOf(FINE).slice(-2)).toEqual(["", "3 passed, 0 failed, 1 skipped"]);
});
