import * as fs from "node:fs";
import * as path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { architecture, assembleImage } from "../../../../local/images/assemble";
import type { AssembledImage } from "../../../../local/images/table";
import { createWorkshop, type Workshop } from "../../../support/tool-workshop";
import { readImage, readLayout } from "./support";

let shop: Workshop;
let program: string;
beforeEach(() => {
  shop = createWorkshop({ go: false });
  program = path.join(shop.folder, "catatonit");
  fs.writeFileSync(program, "a program", { mode: 0o755 });
});
afterEach(() => shop.remove());

const pause = (more: Partial<AssembledImage> = {}): AssembledImage => ({
  reference: "docker.io/rancher/mirrored-pause:3.6",
  source: "Debian's catatonit",
  entrypoint: ["/pause", "-P"],
  user: "65535:65535",
  files: () => Promise.resolve({ "/pause": program }),
  ...more,
});

const assemble = (more?: Partial<AssembledImage>) => assembleImage(pause(more), shop.options());

describe("an assembled image", () => {
  it("holds the files of this machine, and says what it is made of", async () => {
    const image = await assemble();
    expect([image.reference, image.source]).toEqual(["docker.io/rancher/mirrored-pause:3.6", "Debian's catatonit"]);
    const { config, entries } = await readImage(image.folder);
    expect(entries.map(({ header, content }) => [header.name, header.mode, content])).toEqual([
      ["pause", 0o555, "a program"],
    ]);
    expect(config).toMatchObject({
      architecture: architecture(),
      config: {
        Entrypoint: ["/pause", "-P"],
        User: "65535:65535",
        Labels: {
          "org.opencontainers.image.ref.name": "docker.io/rancher/mirrored-pause:3.6",
          "wasm-functions.dev/assembled-from": "Debian's catatonit",
        },
      },
    });
    expect(readLayout(image.folder).index.manifests[0]).toMatchObject({
      digest: image.digest,
      annotations: { "org.opencontainers.image.ref.name": "image" },
    });
  });

  it("is assembled once, then found", async () => {
    const first = await assemble();
    expect(await assemble()).toEqual(first);
    expect(shop.told()).toMatch(/^- image mirrored-pause: assembling\n✓ image mirrored-pause: made in \d+\.\d s\n$/);
  });

  it("has the same digest where the same files lie elsewhere", async () => {
    const { digest } = await assemble();
    const copy = path.join(shop.folder, "copy");
    fs.copyFileSync(program, copy);
    expect((await assemble({ files: () => Promise.resolve({ "/pause": copy }) })).digest).toBe(digest);
  });

  it("is assembled anew when its program was replaced", async () => {
    const { digest } = await assemble();
    fs.writeFileSync(program, "b program");
    fs.utimesSync(program, new Date(), new Date(1_000_000_000_000));
    expect((await assemble()).digest).not.toBe(digest);
  });

  it.each<[string, Partial<AssembledImage>]>([
    ["reference", { reference: "docker.io/rancher/mirrored-pause:3.7" }],
    ["entrypoint", { entrypoint: ["/pause"] }],
    ["user", { user: "0:0" }],
    ["source, which a label tells", { source: "another program" }],
    ["files' places", { files: () => Promise.resolve({ "/bin/pause": program }) }],
  ])("is another with another %s", async (_, more) => {
    const { digest } = await assemble();
    expect((await assemble(more)).digest).not.toBe(digest);
  });

  it("is named after its repository in the cache, also where it is pinned by a digest or a port is in its name", async () => {
    const names = ["reg.example.com:5000/a/coredns", "reg.example.com/coredns@sha256:0", "reg.example.com/coredns:v1"];
    for (const reference of names) {
      expect(path.basename((await assemble({ reference })).folder)).toMatch(/^image-coredns-[0-9a-f]{16}$/);
    }
  });
});

it("names architectures as images do", () => {
  expect(architecture()).toBe(process.arch === "x64" ? "amd64" : process.arch);
});
