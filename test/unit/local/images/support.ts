import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { extract, type Header } from "tar-stream";
import type { Descriptor } from "../../../../local/images/layout";

export interface Manifest {
  readonly schemaVersion: number;
  readonly mediaType: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

/** What an OCI index lists. */
export interface Entry extends Descriptor {
  readonly platform?: { readonly architecture: string; readonly os: string };
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface Index {
  readonly schemaVersion: number;
  readonly mediaType: string;
  readonly manifests: readonly Entry[];
}

/** The image's config, as far as it is looked at. */
export interface Config {
  readonly architecture: string;
  readonly config: {
    readonly Entrypoint: readonly string[];
    readonly User: string;
    readonly Labels: Readonly<Record<string, string>>;
  };
}

export interface TarEntry {
  readonly header: Header;
  readonly content: string;
}

/** Reads a layout as a registry's client does: by digests alone, each of which must be true. */
export function readLayout(folder: string) {
  const blob = ({ digest, size }: Pick<Descriptor, "digest" | "size">): Buffer => {
    const content = readFileSync(join(folder, "blobs", "sha256", digest.replace("sha256:", "")));
    const real = `sha256:${createHash("sha256").update(content).digest("hex")}`;
    if (real !== digest || content.length !== size) throw new Error(`${digest} of ${size} bytes is ${real}`);
    return content;
  };
  const json = (descriptor: Pick<Descriptor, "digest" | "size">) => JSON.parse(blob(descriptor).toString()) as unknown;
  const index = JSON.parse(readFileSync(join(folder, "index.json"), "utf8")) as Index;
  return { index, blob, json, blobs: () => readdirSync(join(folder, "blobs", "sha256")) };
}

/** The only image of a layout with its config and files. */
export async function readImage(folder: string) {
  const { index, json, blob } = readLayout(folder);
  const [entry] = index.manifests;
  const manifest = json(entry as Entry) as Manifest;
  const [layer] = manifest.layers;
  return { manifest, config: json(manifest.config) as Config, entries: await untar(blob(layer as Descriptor)) };
}

export async function untar(archive: Buffer): Promise<TarEntry[]> {
  const entries: TarEntry[] = [];
  for await (const entry of Readable.from([archive]).pipe(extract())) {
    entries.push({ header: entry.header, content: (await buffer(entry)).toString() });
  }
  return entries;
}
