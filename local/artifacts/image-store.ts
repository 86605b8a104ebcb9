import { createHash } from "node:crypto";
import {
  createReadStream,
  createWriteStream,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { join } from "node:path";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { writeFileAtomic } from "../files";
import { digestOf, isManifest, mediaTypeOf, partsOf, type Descriptor } from "./oci";
import type { Manifest } from "./registry";
import { sumOf } from "./sums";

/** Where an image is copied from: a registry's repository, or a layout on this machine. */
export interface ImageSource {
  /** How it is called in messages. */
  readonly text: string;
  readonly manifest: (reference: string) => Promise<Manifest>;
  /** Gives a blob's bytes to `take`, which sees to it that they are the right ones. */
  readonly blob: (descriptor: Descriptor, take: (bytes: Readable) => Promise<void>) => Promise<void>;
}

/** Something of an image is not what its digest says, or is not there. */
export class ImageError extends Error {
  override readonly name = "ImageError";
}

/** Images by digest in one folder, an OCI image layout: what they share is there once. */
export class ImageStore implements ImageSource {
  readonly text: string;

  constructor(private readonly folder: string) {
    this.text = folder;
  }

  /** The file of what has this digest. */
  file(digest: string): string {
    return join(this.folder, "blobs", ...digest.split(":"));
  }

  /**
   * Copies an image with all that it consists of; what is there with the right digest is not copied again.
   *
   * @throws ImageError where the source gives something else than it was asked for
   */
  async copy(source: ImageSource, reference: string): Promise<Manifest> {
    const manifest = await source.manifest(reference);
    if (reference.startsWith("sha256:") && manifest.digest !== reference)
      throw new ImageError(`${source.text} gives ${manifest.digest} for ${reference}: refused`);
    for (const part of parts(manifest, source.text)) {
      if (isManifest(part.mediaType)) await this.copy(source, part.digest);
      else await this.copyBlob(source, part);
    }
    // Last: where a manifest is, all of it is.
    await this.write(manifest, Readable.from([manifest.content]), source.text);
    return manifest;
  }

  private async copyBlob(source: ImageSource, part: Descriptor): Promise<void> {
    if (await this.holds(part)) return;
    await source.blob(part, (bytes) => this.write(part, bytes, source.text));
  }

  /** Whole and right, or not at all. */
  private async write({ digest, size }: Descriptor, bytes: Readable, from: string): Promise<void> {
    const file = this.file(digest);
    const draft = `${file}.part`;
    mkdirSync(join(file, ".."), { recursive: true });
    const hash = createHash("sha256");
    let length = 0;
    const watch = new Transform({
      transform(chunk: Buffer, _encoding, next) {
        hash.update(chunk);
        length += chunk.length;
        next(
          length > size ? new ImageError(`${from} gives more than the ${size} bytes of ${digest}: refused`) : null,
          chunk,
        );
      },
    });
    const out = createWriteStream(draft);
    try {
      await pipeline(bytes, watch, out);
      const actual = `sha256:${hash.digest("hex")}`;
      if (actual !== digest) throw new ImageError(`${from} gives ${actual} for ${digest}: refused`);
      if (length !== size) throw new ImageError(`${from} gives ${length} bytes of ${digest}, not ${size}: refused`);
      renameSync(draft, file);
    } catch (error) {
      // What broke off at once may have the file made only now: removed before that, it would stay.
      if (!out.closed) await new Promise<void>((closed) => out.once("close", closed));
      rmSync(draft, { force: true });
      throw error;
    }
  }

  private async holds({ digest, size }: Descriptor): Promise<boolean> {
    const file = this.file(digest);
    return existsSync(file) && statSync(file).size === size && `sha256:${await sumOf(file)}` === digest;
  }

  /** Names the images in the layout's index, as tools for OCI layouts look for them. */
  name(images: ReadonlyMap<string, Manifest>): void {
    const manifests = [...images].map(([name, { mediaType, digest, size }]) => ({
      mediaType,
      digest,
      size,
      annotations: { "org.opencontainers.image.ref.name": name },
    }));
    const write = (file: string, value: unknown) =>
      writeFileAtomic(join(this.folder, file), `${JSON.stringify(value)}\n`, 0o644);
    write("oci-layout", { imageLayoutVersion: "1.0.0" });
    write("index.json", {
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.index.v1+json",
      manifests,
    });
  }

  manifest(digest: string): Promise<Manifest> {
    const file = this.file(digest);
    if (!existsSync(file)) throw new ImageError(`${digest} is missing`);
    const content = readFileSync(file);
    if (digestOf(content) !== digest) throw new ImageError(`${digest} was changed`);
    return Promise.resolve({ content, digest, size: content.length, mediaType: mediaTypeOf(content) });
  }

  async blob({ digest }: Descriptor, take: (bytes: Readable) => Promise<void>): Promise<void> {
    await take(createReadStream(this.file(digest)));
  }

  /**
   * All that an image consists of, each after what it names.
   *
   * @throws ImageError where something is missing or was changed
   */
  async contents(digest: string): Promise<readonly (Descriptor | Manifest)[]> {
    const manifest = await this.manifest(digest);
    const all: (Descriptor | Manifest)[] = [];
    for (const part of parts(manifest, this.text)) {
      if (isManifest(part.mediaType)) all.push(...(await this.contents(part.digest)));
      else if (await this.holds(part)) all.push(part);
      else throw new ImageError(`${part.digest} ${existsSync(this.file(part.digest)) ? "was changed" : "is missing"}`);
    }
    return [...all, manifest];
  }
}

function parts({ content, mediaType, digest }: Manifest, from: string): readonly Descriptor[] {
  try {
    return partsOf(content, mediaType);
  } catch (error) {
    throw new ImageError(`${from}: ${digest} ${(error as Error).message}`);
  }
}
