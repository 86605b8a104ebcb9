import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { formatProblem, ProblemsError } from "../../../../infra/problems";
import { charts } from "../../../../local/charts/command";
import { projectPaths } from "../../../../local/paths";
import { recordingProgress } from "../engine/support";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "charts-"));
  vi.stubEnv("SINCE", undefined);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(root, { recursive: true, force: true });
});

/** What the command refuses of a stack, a line each; nothing may have been written. */
async function refused(stack: string): Promise<string[]> {
  const { signal } = new AbortController();
  const session = { paths: projectPaths(root, {}), progress: recordingProgress(), print: () => undefined };
  const error = await charts({ ...session, signal, engineSignal: signal }, stack).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(ProblemsError);
  expect(existsSync(join(root, ".local/charts"))).toBe(false);
  return (error as ProblemsError).problems.map(formatProblem);
}

it("needs a stack that measures", async () => {
  writeFileSync(
    join(root, "Pulumi.own.yaml"),
    'config: { "wasm-functions:cluster": { kind: existing, kubeconfig: k }, "wasm-functions:observability": { enabled: false } }',
  );
  expect(await refused("own")).toEqual([
    "observability.enabled: false: nothing of stack own is measured; set it to true, then make up",
  ]);
});

it("needs pods that run", async () => {
  cpSync("Pulumi.local.yaml", join(root, "Pulumi.local.yaml"));
  expect((await refused("local"))[0]).toMatch(/its pods are simulated.*make charts STACK=real/);
});

it("needs a stack that is up", async () => {
  cpSync("Pulumi.real.yaml", join(root, "Pulumi.real.yaml"));
  expect((await refused("real"))[0]).toMatch(/is not up: there is no .*kubeconfig; make up STACK=real/);
  mkdirSync(join(root, ".local/state"), { recursive: true });
  writeFileSync(join(root, ".local/state/stack"), "local");
  expect((await refused("real"))[0]).toMatch(/control plane runs stack local/);
});

it("needs a time to look at", async () => {
  vi.stubEnv("SINCE", "soon");
  expect((await refused("real"))[0]).toMatch(/^SINCE: soon: must be a duration/);
});
