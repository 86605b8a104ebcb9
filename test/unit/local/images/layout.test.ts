import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { writeLayout, type Image } from "../../../../local/images/layout";
import { readImage, readLayout, untar, type Entry, type Index, type Manifest } from "./support";

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "layout-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const TINY: Image = {
  files: [
    { path: "/app.wasm", content: Buffer.from("\0asm") },
    { path: "/etc/app/settings.json", content: Buffer.from("{}"), mode: 0o444 },
  ],
  entrypoint: ["/app.wasm", "--quiet"],
  user: "65532:65532",
  architecture: "amd64",
  labels: { "org.opencontainers.image.title": "tiny" },
};

let layouts = 0;
const write = (images: readonly Image[], tag = "image") => writeLayout(join(folder, String(layouts++)), images, tag);
const last = () => join(folder, String(layouts - 1));

describe("an image's digest", () => {
  it("is the same on every machine and at any time", async () => {
    expect(await write([TINY])).toEqual({
      digest: "sha256:cdf8c87cad558f18d38535f8bf3b268df2233228a1a95aebd48b5955c99df34a",
      size: 4820,
    });
  });

  it.each<[string, Image]>([
    ["its files come in another order", { ...TINY, files: [...TINY.files].reverse() }],
    ["a mode is given that is the usual one", { ...TINY, files: TINY.files.map((file) => ({ mode: 0o555, ...file })) }],
  ])("does not change when %s", async (_, image) => {
    const { digest } = await write([TINY]);
    expect((await write([image])).digest).toBe(digest);
  });

  it("does not change with its tag", async () => {
    const { digest } = await write([TINY], "one");
    expect((await write([TINY], "other")).digest).toBe(digest);
  });

  const file = TINY.files[0];
  it.each<[string, Partial<Image>]>([
    ["content", { files: [{ path: "/app.wasm", content: Buffer.from("\0asm2") }] }],
    ["a file's mode", { files: [{ path: "/app.wasm", content: Buffer.from("\0asm"), mode: 0o755 }] }],
    ["a file's name", { files: [{ path: "/app2.wasm", content: Buffer.from("\0asm") }] }],
    ["entrypoint", { entrypoint: ["/app.wasm", "--loud"] }],
    ["user", { user: "65535:65535" }],
    ["architecture", { architecture: "arm64" }],
    ["labels", { labels: {} }],
  ])("changes with %s", async (_, more) => {
    const one: Image = { ...TINY, files: file ? [file] : [] };
    const { digest } = await write([one]);
    expect((await write([{ ...one, ...more }])).digest).not.toBe(digest);
  });
});

describe("an image's layer", () => {
  it("holds each folder before what is in it, and files of the modes that were asked for, all root's", async () => {
    await write([TINY]);
    const { entries } = await readImage(last());
    expect(entries.map(({ header, content }) => [header.type, header.name, header.mode.toString(8), content])).toEqual([
      ["directory", "etc/", "755", ""],
      ["directory", "etc/app/", "755", ""],
      ["file", "app.wasm", "555", "\0asm"],
      ["file", "etc/app/settings.json", "444", "{}"],
    ]);
    for (const { header } of entries) {
      expect([header.uid, header.gid, header.uname, header.gname]).toEqual([0, 0, "", ""]);
      expect(header.mtime).toEqual(new Date(0));
    }
  });

  it("holds a folder once that several files are in", async () => {
    const files = ["/usr/bin/b", "/usr/bin/a", "/usr-local/c"].map((path) => ({ path, content: Buffer.from(path) }));
    await write([{ ...TINY, files }]);
    const { entries } = await readImage(last());
    expect(entries.map(({ header }) => header.name)).toEqual([
      "usr/",
      "usr-local/",
      "usr/bin/",
      "usr-local/c",
      "usr/bin/a",
      "usr/bin/b",
    ]);
  });

  it("holds files with long names and with names beyond ASCII", async () => {
    const paths = [`/${"deep/".repeat(40)}file`, "/größe"];
    await write([{ ...TINY, files: paths.map((path) => ({ path, content: Buffer.from("x") })) }]);
    const { entries } = await readImage(last());
    const files = entries.filter(({ header }) => header.type === "file").map(({ header }) => `/${header.name}`);
    expect(files.sort()).toEqual([...paths].sort());
  });
});

describe("a layout", () => {
  it("leads from its index to config and layer of the one image", async () => {
    const { digest, size } = await write([TINY], "0.1.0");
    const { index, json, blobs } = readLayout(last());
    expect(readFileSync(join(last(), "oci-layout"), "utf8").trim()).toBe('{"imageLayoutVersion":"1.0.0"}');
    const manifest = json(index.manifests[0] as Entry) as Manifest;
    expect(index).toEqual({
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.index.v1+json",
      manifests: [
        {
          mediaType: "application/vnd.oci.image.manifest.v1+json",
          digest,
          size: expect.any(Number) as number,
          platform: { architecture: "amd64", os: "linux" },
          annotations: { "org.opencontainers.image.ref.name": "0.1.0" },
        },
      ],
    });
    expect(manifest).toMatchObject({
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      config: { mediaType: "application/vnd.oci.image.config.v1+json" },
      layers: [{ mediaType: "application/vnd.oci.image.layer.v1.tar" }],
    });
    expect(json(manifest.config)).toEqual({
      created: "1970-01-01T00:00:00.000Z",
      architecture: "amd64",
      os: "linux",
      config: {
        Entrypoint: ["/app.wasm", "--quiet"],
        User: "65532:65532",
        WorkingDir: "/",
        Labels: { "org.opencontainers.image.title": "tiny" },
      },
      rootfs: { type: "layers", diff_ids: manifest.layers.map((layer) => layer.digest) },
    });
    const pulled = [index.manifests[0], manifest.config, ...manifest.layers];
    expect(size).toBe(pulled.reduce((sum, part) => sum + (part?.size ?? 0), 0));
    expect(blobs()).toHaveLength(pulled.length);
  });

  it("of several architectures leads to an index of them, and counts the largest", async () => {
    const big: Image = { ...TINY, architecture: "arm64", files: [{ path: "/app", content: Buffer.alloc(100_000) }] };
    const [small, large] = [await write([TINY]), await write([big])];
    const both = await write([TINY, big]);
    const { index, json } = readLayout(last());
    expect(index.manifests).toMatchObject([
      { mediaType: "application/vnd.oci.image.index.v1+json", digest: both.digest },
    ]);
    expect(index.manifests[0]).not.toHaveProperty("platform");
    const inner = json(index.manifests[0] as Entry) as Index;
    expect(inner.manifests.map(({ platform, digest }) => [platform, digest])).toEqual([
      [{ architecture: "amd64", os: "linux" }, small.digest],
      [{ architecture: "arm64", os: "linux" }, large.digest],
    ]);
    expect([both.size, large.size > small.size]).toEqual([large.size, true]);
    for (const entry of inner.manifests)
      expect(Object.keys(entry).sort()).toEqual(["digest", "mediaType", "platform", "size"]);
  });

  it("keeps a layer once that several architectures have", async () => {
    await write([TINY, { ...TINY, architecture: "arm64" }]);
    // One layer; config and manifest of each; the index.
    expect(readLayout(last()).blobs()).toHaveLength(6);
  });

  it("holds an image at least", async () => {
    await expect(write([])).rejects.toThrow("needs an image");
  });

  it("has a layer of whole records that ends as a tar must", async () => {
    await write([TINY]);
    const { index, json, blob } = readLayout(last());
    const [layer] = (json(index.manifests[0] as Entry) as Manifest).layers;
    const archive = blob(layer ?? { digest: "", size: 0 });
    // Whole records, and the two empty ones that end a tar.
    expect(archive.length % 512).toBe(0);
    expect(archive.subarray(-1024).every((byte) => byte === 0)).toBe(true);
    expect(await untar(archive)).toHaveLength(4);
  });
});
