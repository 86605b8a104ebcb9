import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { SuiteReport } from "../reporter";

const REPOSITORY = resolve(__dirname, "../..");
const TESTS = `
import { afterAll, beforeAll, describe, expect, it } from "vitest";
describe("does not begin", () => {
  beforeAll(() => { throw new Error("no begin"); });
  it("one", () => undefined);
  it("two", () => undefined);
});
describe("does not end", () => {
  afterAll(() => { throw new Error("no end"); });
  it("passes", () => undefined);
  it("fails", () => expect(1).toBe(2));
});
it("lets go", async () => {
  void Promise.reject(new Error("nobody's"));
  await new Promise((passed) => setTimeout(passed, 50));
});
`;

describe("a suite's report", () => {
  let folder: string;
  let report: SuiteReport;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "reporter-"));
    writeFileSync(join(folder, "some.test.mts"), TESTS);
    writeFileSync(join(folder, "broken.test.mts"), 'throw new Error("no file");');
    const file = join(folder, "deeper/report.json");
    const args = [join(REPOSITORY, "node_modules/vitest/vitest.mjs"), "run", "--root", folder];
    const reporter = ["--reporter", join(REPOSITORY, "test/reporter.ts")];
    const env = { ...process.env, SUITE_REPORT: file };
    await new Promise<void>((ended) => {
      execFile(process.execPath, [...args, ...reporter], { env }, () => ended());
    });
    report = JSON.parse(readFileSync(file, "utf8")) as SuiteReport;
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("counts its tests", () => {
    expect(report).toMatchObject({ passed: 2, failed: 1, skipped: 2 });
  });

  it("has all that failed, also outside of tests", () => {
    expect(report.failures.map(({ file, name, reason }) => [file, name, reason.split("\n")[0]]).sort()).toEqual(
      [
        ["some.test.mts", "does not begin (before or after its tests)", "Error: no begin"],
        ["some.test.mts", "does not end (before or after its tests)", "Error: no end"],
        ["some.test.mts", "does not end > fails", expect.stringContaining("expected 1 to be 2")],
        ["broken.test.mts", "the file itself", "Error: no file"],
        [undefined, "what nobody caught", "Error: nobody's"],
      ].sort(),
    );
  });

  it("tells how long each file took", () => {
    expect(report.files.map(({ file }) => file).sort()).toEqual(["broken.test.mts", "some.test.mts"]);
    expect(report.files.find(({ file }) => file === "some.test.mts")?.seconds).toBeGreaterThan(0.05);
  });
});
