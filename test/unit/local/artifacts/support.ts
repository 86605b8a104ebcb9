import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach } from "vitest";
import { stringify } from "yaml";
import { readStackFile, type StackFile } from "../../../../local/engine/stack-file";
import { writeFileAtomic } from "../../../../local/files";
import { projectPaths } from "../../../../local/paths";
import { silentProgress } from "../../../../local/progress";
import type { ToolsOptions } from "../../../../local/tools/session";
import { TestRegistry, type TestRegistryOptions } from "../../../support/test-registry";

const folders: string[] = [];
const registries: TestRegistry[] = [];

afterEach(async () => {
  for (const registry of registries.splice(0)) await registry.close();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** An empty folder, until the test ends. */
export function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "artifacts-"));
  folders.push(folder);
  return folder;
}

export async function newRegistry(options: TestRegistryOptions = {}): Promise<TestRegistry> {
  const registry = await TestRegistry.start(options);
  registries.push(registry);
  return registry;
}

/** What work on artifacts is given, in an empty project. */
export function newOptions(): ToolsOptions {
  return { paths: projectPaths(newFolder(), {}), progress: silentProgress };
}

/** A stack's file with this config in a project of its own. */
export function stackOf(config: Readonly<Record<string, unknown>>, more: object = {}): StackFile {
  const root = newFolder();
  const named = Object.fromEntries(Object.entries(config).map(([key, value]) => [`wasm-functions:${key}`, value]));
  writeFileAtomic(join(root, "Pulumi.prod.yaml"), stringify({ ...more, config: named }));
  return readStackFile(root, "prod");
}

/** The message of what a promise fails with. */
export async function failure(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => "it did not fail",
    (error: unknown) => (error as Error).message,
  );
}
