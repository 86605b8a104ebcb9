import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, relative } from "node:path";
import type { SerializedError } from "vitest";
import type { Reporter, TestModule, TestSuite } from "vitest/node";

/** What a suite has come to, for the table at the end of `make test`. */
export interface SuiteReport {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** How long each file of tests took, hooks included. */
  readonly files: readonly { readonly file: string; readonly seconds: number }[];
  /** What failed, file by file, what went wrong around the tests of one before them. */
  readonly failures: readonly Failure[];
}

/** A test, a file, a hook, or something that nobody caught (whose file is not known). */
export interface Failure {
  readonly file?: string;
  readonly name: string;
  readonly reason: string;
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
    const report: SuiteReport = {
      passed: count("passed"),
      failed: count("failed"),
      skipped: count("skipped"),
      files: modules.map((module) => ({ file: fileOf(module), seconds: module.diagnostic().duration / 1000 })),
      failures: [
        ...modules.flatMap(failuresOf),
        ...unhandled.map((error) => ({ name: "what nobody caught", reason: reasonOf(error) })),
      ],
    };
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, JSON.stringify(report));
  }
}

function failuresOf(module: TestModule): Failure[] {
  const file = fileOf(module);
  const outside: readonly (TestModule | TestSuite)[] = [module, ...module.children.allSuites()];
  return [
    ...outside.flatMap((one) => one.errors().map((error) => ({ file, name: nameOf(one), reason: reasonOf(error) }))),
    ...[...module.children.allTests("failed")].map((test) => ({
      ...{ file, name: test.fullName, reason: reasonOf(test.result().errors?.[0]) },
    })),
  ];
}

const fileOf = (module: TestModule) => relative(module.project.config.root, module.moduleId);

function nameOf(one: TestModule | TestSuite): string {
  return one.type === "module" ? "the file itself" : `${one.fullName} (before or after its tests)`;
}

function reasonOf(error: { readonly message: string; readonly stack?: string | undefined } | undefined): string {
  return error?.stack ?? error?.message ?? "";
}
