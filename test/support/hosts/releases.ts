import { createHash } from "node:crypto";
import { createWriteStream, mkdirSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { pack } from "tar-stream";
import { architecture } from "../../../local/images/assemble";
import { IMAGES } from "../../../local/images/table";
import { ensureShim, SHIM } from "../../../local/node/shim";
import type { ToolName } from "../../../local/tools/catalog";
import { ensureTools } from "../../../local/tools/resolve";
import type { ToolsOptions } from "../../../local/tools/session";

/** The stand-in for K3s: test/hosts/k3s. */
const STAND_IN = resolve(__dirname, "../../hosts/k3s");

/** The real programs that K3s has within itself. */
const PARTS = [
  ...["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl"],
  ...["kubelet", "kube-proxy", "kube-router"],
] as const satisfies readonly ToolName[];

/** Of a published file. */
export interface Published {
  /** Its path under the folder that is served. */
  readonly path: string;
  readonly sha256: string;
}

/**
 * Publishes a release of K3s under `k3s/<version>`, as K3s does: the binary and the list of its sum. The binary is the
 * stand-in, in one file; that its parts are on the hosts already is what `hostParts` is for.
 */
export async function publishK3s(folder: string, version: string): Promise<Published> {
  const path = join("k3s", version, binaryName());
  mkdirSync(join(folder, "k3s", version), { recursive: true });
  await bundle(join(folder, path), version);
  const sha256 = sumOf(join(folder, path));
  writeFileSync(join(folder, "k3s", version, `sha256sum-${architecture()}.txt`), `${sha256}  ${binaryName()}\n`);
  return { path, sha256 };
}

/**
 * Publishes a release of the shim under `shim/containerd-shim-wasmedge/<version>`, as runwasi does: an archive that holds
 * one program. Ours is not static: `hostParts` has the libraries that it looks for.
 */
export async function publishShim(folder: string, version: string, options: ToolsOptions): Promise<Published> {
  const shim = await ensureShim(options);
  const machine = process.arch === "x64" ? "x86_64" : "aarch64";
  const release = join("shim/containerd-shim-wasmedge", version);
  const path = join(release, `containerd-shim-wasmedge-${machine}-linux-musl.tar.gz`);
  mkdirSync(join(folder, release), { recursive: true });
  const archive = pack();
  archive.entry({ name: SHIM, mode: 0o755, mtime: new Date(0) }, readFileSync(join(shim, "bin", SHIM)));
  archive.finalize();
  await pipeline(archive, createGzip(), createWriteStream(join(folder, path)));
  return { path, sha256: sumOf(join(folder, path)) };
}

/** What hosts are given beside their image, since what is published is not whole: files here by their path there. */
export async function hostParts(options: ToolsOptions): Promise<Record<string, string>> {
  const tools = await ensureTools(PARTS, options);
  const parts = PARTS.map((name): [string, string] => [`/opt/k3s-parts/${name}`, realpathSync(tools[name])]);
  // The shim looks for its libraries in ../lib, seen from where it is installed.
  return { ...Object.fromEntries(parts), "/usr/local/lib": join(await ensureShim(options), "lib") };
}

async function bundle(file: string, version: string): Promise<void> {
  const { build } = await import("vite");
  const { pause, coredns, metricsServer } = IMAGES;
  const images = { pause: pause.reference, coredns: coredns.reference, metricsServer: metricsServer.reference };
  const result = await build({
    configFile: false,
    logLevel: "error",
    define: { STAND_IN: JSON.stringify({ version, images }) },
    ssr: { noExternal: true, target: "node" },
    build: {
      ssr: join(STAND_IN, "main.ts"),
      target: "node20",
      write: false,
      rollupOptions: { output: { format: "cjs", inlineDynamicImports: true } },
    },
  });
  const outputs = Array.isArray(result) ? result : [result];
  const [code] = outputs.flatMap((each) => ("output" in each ? [each.output[0].code] : []));
  if (code === undefined) throw new Error("The stand-in for K3s was not bundled");
  writeFileSync(file, `#!/usr/bin/node\n${code}`, { mode: 0o755 });
}

function binaryName(): string {
  return architecture() === "amd64" ? "k3s" : `k3s-${architecture()}`;
}

function sumOf(file: string): string {
  return createHash("sha256").update(readFileSync(file)).digest("hex");
}
