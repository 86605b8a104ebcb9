import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { projectPaths } from "../../local/paths";
import { silentProgress } from "../../local/progress";
import { ensureTools } from "../../local/tools/resolve";
import { buildPolicy, POLICY_FILE } from "../../policies/authorization/build";
import { coverRego, lintRego, testRego } from "../support/opa";

describe("the request policy", () => {
  const folder = dirname(POLICY_FILE);
  let opa: string;

  beforeAll(async () => {
    const paths = projectPaths(resolve(__dirname, "../.."));
    ({ opa } = await ensureTools(["opa"], { paths, progress: silentProgress }));
  });

  it("passes its own tests", async () => {
    const results = await testRego(opa, folder);
    expect(results.length).toBeGreaterThan(0);
    expect(results.filter(({ fail, skip }) => fail === true || skip === true)).toEqual([]);
  });

  it("has no line that its tests do not reach", async () => {
    const report = await coverRego(opa, folder);
    expect(Object.keys(report.files)).toContain(resolve(folder, "serverless.rego"));
    expect(report.coverage).toBe(100);
  });

  it("is formatted, and strict about what it names and imports", async () => {
    expect(await lintRego(opa, folder)).toBe("");
  });

  it("is what is committed as Wasm", async () => {
    const built = await buildPolicy(opa);
    expect(built.equals(readFileSync(POLICY_FILE)), "policy.wasm is of another source: run make policy").toBe(true);
  });
});
