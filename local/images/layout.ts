import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { pack } from "tar-stream";

/** A file in an image's only layer. */
export interface ImageFile {
  /** Absolute, as the container sees it. */
  readonly path: string;
  readonly content: Buffer;
  /** Permissions. @default 0o555 */
  readonly mode?: number;
}

export interface Image {
  readonly files: readonly ImageFile[];
  readonly entrypoint: readonly string[];
  /** `uid:gid`; images here run as nobody's root. */
  readonly user: string;
  readonly architecture: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** Digest and size in bytes of a thing that an OCI layout holds. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

/** What a layout's `index.json` leads to. */
export interface Layout {
  /** What a pod pins: the image's manifest, or the index where there are several architectures. */
  readonly digest: string;
  /** Bytes that a node pulls: the largest of the images with its layer and config. */
  readonly size: number;
}

const TYPE = {
  index: "application/vnd.oci.image.index.v1+json",
  manifest: "application/vnd.oci.image.manifest.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  // Not compressed: what a compressor writes depends on its version, and a digest must not.
  layer: "application/vnd.oci.image.layer.v1.tar",
} as const;

/** The beginning of time: the same files are the same image whenever and wherever it is made. */
const EPOCH = new Date(0);

/** Writes an OCI image layout (https://github.com/opencontainers/image-spec) that holds one image, tagged. */
export async function writeLayout(folder: string, images: readonly Image[], tag: string): Promise<Layout> {
  const blobs = join(folder, "blobs", "sha256");
  mkdirSync(blobs, { recursive: true });
  const put = (content: Buffer, mediaType: string): Descriptor => {
    const hex = createHash("sha256").update(content).digest("hex");
    writeFileSync(join(blobs, hex), content);
    return { mediaType, digest: `sha256:${hex}`, size: content.length };
  };
  const manifests = [];
  for (const image of images) manifests.push(await putImage(image, put));
  const described = manifests.map(({ manifest, platform }) => ({ ...manifest, platform }));
  const [only, ...others] = described;
  if (!only) throw new Error("An image layout needs an image");
  const top =
    others.length === 0
      ? only
      : put(json({ schemaVersion: 2, mediaType: TYPE.index, manifests: described }), TYPE.index);
  const entry = { ...top, annotations: { "org.opencontainers.image.ref.name": tag } };
  writeFileSync(join(folder, "oci-layout"), json({ imageLayoutVersion: "1.0.0" }));
  writeFileSync(join(folder, "index.json"), json({ schemaVersion: 2, mediaType: TYPE.index, manifests: [entry] }));
  return { digest: top.digest, size: Math.max(...manifests.map(({ pulled }) => pulled)) };
}

async function putImage(image: Image, put: (content: Buffer, mediaType: string) => Descriptor) {
  const { architecture } = image;
  const layer = put(await tar(image.files), TYPE.layer);
  const config = put(
    json({
      created: EPOCH.toISOString(),
      architecture,
      os: "linux",
      config: { Entrypoint: image.entrypoint, User: image.user, WorkingDir: "/", Labels: image.labels },
      rootfs: { type: "layers", diff_ids: [layer.digest] },
    }),
    TYPE.config,
  );
  const manifest = put(json({ schemaVersion: 2, mediaType: TYPE.manifest, config, layers: [layer] }), TYPE.manifest);
  const pulled = layer.size + config.size + manifest.size;
  return { manifest, platform: { architecture, os: "linux" }, pulled };
}

/** A tar of these files and their folders, owned by root, in the order of their names. */
async function tar(files: readonly ImageFile[]): Promise<Buffer> {
  const archive = pack();
  const common = { mtime: EPOCH, uid: 0, gid: 0 };
  const folders = new Set(files.flatMap(({ path }) => parents(path)));
  for (const name of [...folders].sort())
    archive.entry({ ...common, name: `${name}/`, type: "directory", mode: 0o755 });
  for (const file of [...files].sort((a, b) => (a.path < b.path ? -1 : 1))) {
    archive.entry({ ...common, name: file.path.slice(1), mode: file.mode ?? 0o555 }, file.content);
  }
  archive.finalize();
  return buffer(archive);
}

function parents(path: string): string[] {
  const parts = path.split("/").slice(1, -1);
  return parts.map((_, i) => parts.slice(0, i + 1).join("/"));
}

function json(value: unknown): Buffer {
  return Buffer.from(`${JSON.stringify(value)}\n`);
}
