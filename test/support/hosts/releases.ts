import { createHash } from "node:crypto";
import { createWriteStream, mkdirSync, readdirSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { buffer } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { pack } from "tar-stream";
import { architecture, type ReadyImage } from "../../../local/images/assemble";
import { IMAGES } from "../../../local/images/table";
import { ensureShim, SHIM } from "../../../local/node/shim";
import type { ToolName } from "../../../local/tools/catalog";
import { ensureTools } from "../../../local/tools/resolve";
import type { ToolsOptions } from "../../../local/tools/session";

/** The stand-in for K3s: test/hosts/k3s. */
const STAND_IN = resolve(__dirname, "../../hosts/k3s");

/** The real programs that K3s has within itself. */
const PARTS = [
  ...["etcd", "etcdutl", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl"],
  ...["kubelet", "kube-proxy", "kube-router"],
] as const satisfies readonly ToolName[];

/** Of a published file. */
export interface Published {
  /** Its path under the folder that is served. */
  readonly path: string;
  readonly sha256: string;
}

export interface PublishedK3s extends Published {
  /** The archive of the images that K3s itself starts, where it was published. */
  readonly images?: Published;
}

/**
 * Publishes a release of K3s under `k3s/<version>`, as K3s does: the binary and the list of its sum. The binary is the
 * stand-in, in one file; that its parts are on the hosts already is what `hostParts` is for.
 *
 * @param images - what its archive of images holds: the project's own in place of K3s's. @default none, and no archive
 */
export async function publishK3s(
  folder: string,
  version: string,
  images: readonly ReadyImage[] = [],
): Promise<PublishedK3s> {
  const path = join("k3s", version, binaryName());
  mkdirSync(join(folder, "k3s", version), { recursive: true });
  await bundle(join(folder, path), version);
  const sha256 = sumOf(join(folder, path));
  const archive = images.length > 0 ? await publishImages(folder, version, images) : undefined;
  const sums = [{ path, sha256 }, ...(archive ? [archive] : [])].map((one) => `${one.sha256}  ${basename(one.path)}\n`);
  writeFileSync(join(folder, "k3s", version, `sha256sum-${architecture()}.txt`), sums.join(""));
  return { path, sha256, ...(archive && { images: archive }) };
}

/** As K3s's releases have it: a tar of images by their names, compressed as Zstandard. */
async function publishImages(folder: string, version: string, images: readonly ReadyImage[]): Promise<Published> {
  const path = join("k3s", version, `k3s-airgap-images-${architecture()}.tar.zst`);
  const archive = pack();
  archive.entry({ name: "oci-layout" }, JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  const blobs = new Map<string, Buffer>();
  const manifests = images.map(({ folder: layout, reference }) => {
    for (const name of readdirSync(join(layout, "blobs/sha256")))
      blobs.set(name, readFileSync(join(layout, "blobs/sha256", name)));
    const index = JSON.parse(readFileSync(join(layout, "index.json"), "utf8")) as { manifests: [object] };
    return { ...index.manifests[0], annotations: { "io.containerd.image.name": reference } };
  });
  archive.entry({ name: "index.json" }, JSON.stringify({ schemaVersion: 2, manifests }));
  for (const [name, content] of blobs) archive.entry({ name: `blobs/sha256/${name}` }, content);
  archive.finalize();
  writeFileSync(join(folder, path), zstd(await buffer(archive)));
  return { path, sha256: sumOf(join(folder, path)) };
}

/** Largest that a block of Zstandard may be. */
const BLOCK = 128 * 1024;

/** As Zstandard (RFC 8878), in blocks that are stored as they are: this Node has no compressor for it. */
function zstd(content: Buffer): Buffer {
  // The magic number; a frame of unknown size, whose window is as large as a block.
  const header = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x38]);
  const parts: Buffer[] = [header];
  for (let at = 0; at < content.length || at === 0; at += BLOCK) {
    const block = content.subarray(at, at + BLOCK);
    const head = Buffer.alloc(3);
    head.writeUIntLE((block.length << 3) | (at + BLOCK >= content.length ? 1 : 0), 0, 3);
    parts.push(head, block);
  }
  return Buffer.concat(parts);
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
