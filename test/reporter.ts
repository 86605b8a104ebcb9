import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { SerializedError } from "vitest";
import type { Reporter, TestModule, TestSuite } from "vitest/node";

/** What a suite has come to, for the table at the end of `make test`. */
export interface SuiteReport {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** Tests that failed, and what failed outside of them: a file, a hook, or something that nobody caught. */
  readonly failures: readonly { readonly name: string; readonly reason: string }[];
}

/**
 * Writes a `SuiteReport` to the file of SUITE_REPORT. Vitest's own JSON leaves out hooks that fail, and with them why
 * tests were skipped.
 */
export default class SuiteReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    const file = process.env["SUITE_REPORT"];
    if (file === undefined) return;
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const count = (state: string) => tests.filter((test) => test.result().state === state).length;
    const outside: readonly (TestModule | TestSuite)[] = modules.flatMap((module) => [
      module,
      ...module.children.allSuites(),
    ]);
    const report: SuiteReport = {
      passed: count("passed"),
      failed: count("failed"),
      skipped: count("skipped"),
      failures: [
        ...outside.flatMap((one) => one.errors().map((error) => ({ name: nameOf(one), reason: reasonOf(error) }))),
        ...tests
          .filter((test) => test.result().state === "failed")
          .map((test) => ({ name: test.fullName, reason: reasonOf(test.result().errors?.[0]) })),
        ...unhandled.map((error) => ({ name: "what nobody caught", reason: reasonOf(error) })),
      ],
    };
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, JSON.stringify(report));
  }
}

function nameOf(one: TestModule | TestSuite): string {
  return one.type === "module" ? one.moduleId : `${one.fullName} (before or after its tests)`;
}

function reasonOf(error: { readonly message: string; readonly stack?: string | undefined } | undefined): string {
  return error?.stack ?? error?.message ?? "";
}
