import { createHash } from "node:crypto";
import { z } from "zod";
import { parseJson } from "./json";

/** Formats of https://github.com/opencontainers/image-spec and their older twins of Docker's, as far as images are copied. */

const descriptor = z.object({
  mediaType: z.string(),
  digest: z.string().regex(/^sha256:[0-9a-f]{64}$/),
  size: z.int().min(0),
});

/** What one thing says of another: what it is, its digest and its size in bytes. */
export type Descriptor = Readonly<z.output<typeof descriptor>>;

const INDEX = new Set([
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
]);
const MANIFEST = new Set([
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.v2+json",
]);

/** What a registry is asked for. */
export const MANIFEST_TYPES: readonly string[] = [...INDEX, ...MANIFEST];

/** Larger manifests than this are refused, as registries do. */
export const MOST_MANIFEST_BYTES = 4 * 1024 * 1024;

export function isManifest(mediaType: string): boolean {
  return INDEX.has(mediaType) || MANIFEST.has(mediaType);
}

const manifestSchema = z.object({ config: descriptor, layers: z.array(descriptor) });
const indexSchema = z.object({ manifests: z.array(descriptor) });

/**
 * All that a manifest consists of: an index of its manifests, an image of its config and layers. Of an index that is each
 * architecture's, also of those that no host has: without one of them the digest would be another, and a registry takes no
 * index whose manifests it lacks.
 *
 * @throws Error when it is none
 */
export function partsOf(content: Buffer, mediaType: string): readonly Descriptor[] {
  const parsed = parseJson(content.toString());
  if (INDEX.has(mediaType)) {
    const result = indexSchema.safeParse(parsed);
    if (result.success) return result.data.manifests;
  } else if (MANIFEST.has(mediaType)) {
    const result = manifestSchema.safeParse(parsed);
    if (result.success) return [result.data.config, ...result.data.layers];
  }
  throw new Error(`is no image's manifest, but ${mediaType || "something without a media type"}`);
}

/** Its media type: the one that it names, or by what is in it, as OCI's own may leave it out. */
export function mediaTypeOf(content: Buffer): string {
  const parsed = parseJson(content.toString());
  const named = z.object({ mediaType: z.string() }).safeParse(parsed);
  if (named.success) return named.data.mediaType;
  if (indexSchema.safeParse(parsed).success) return "application/vnd.oci.image.index.v1+json";
  return manifestSchema.safeParse(parsed).success ? "application/vnd.oci.image.manifest.v1+json" : "";
}

export function digestOf(content: Buffer): string {
  return `sha256:${createHash("sha256").update(content).digest("hex")}`;
}
