import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach } from "vitest";
import { stringify } from "yaml";
import { DEFAULT_K3S_VERSION, DEFAULT_SHIM_VERSION } from "../../../../infra/versions";
import { readStackFile, type StackFile } from "../../../../local/engine/stack-file";
import { writeFileAtomic } from "../../../../local/files";
import { projectPaths } from "../../../../local/paths";
import { silentProgress } from "../../../../local/progress";
import type { ToolsOptions } from "../../../../local/tools/session";
import { serve, type HostServer } from "../../../support/hosts/server";
import { TestRegistry, type TestRegistryOptions } from "../../../support/test-registry";

const folders: string[] = [];
const registries: TestRegistry[] = [];
const servers: HostServer[] = [];

afterEach(async () => {
  for (const registry of registries.splice(0)) await registry.close();
  for (const server of servers.splice(0)) await server.close();
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

export const sum = (text: string) => createHash("sha256").update(text).digest("hex");

export const SHIM = "a shim's archive";

/** A server that has a release of K3s and of the shim for one architecture, as the real ones lay it out. */
export async function publish(version = DEFAULT_K3S_VERSION) {
  const folder = newFolder();
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  };
  const files = { k3s: `K3s ${version}`, "k3s-airgap-images-amd64.tar.zst": `images of ${version}` };
  for (const [name, text] of Object.entries(files)) write(`k3s/${version}/${name}`, text);
  const lines = Object.entries(files).map(([name, text]) => `${sum(text)}  ${name}\n`);
  write(`k3s/${version}/sha256sum-amd64.txt`, lines.join(""));
  write(shimPath("x86_64"), SHIM);
  return { write, ...(await serveFolder(folder)) };
}

export async function serveFolder(folder: string): Promise<HostServer> {
  const server = await serve("127.0.0.1", folder, []);
  servers.push(server);
  return server;
}

export const shimPath = (machine: string) =>
  `shim/containerd-shim-wasmedge/${DEFAULT_SHIM_VERSION}/containerd-shim-wasmedge-${machine}-linux-musl.tar.gz`;
