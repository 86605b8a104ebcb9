import * as fs from "node:fs";
import * as path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parseImage } from "../../../../infra/addresses";
import { DEFAULT_IMAGES, TOOL_VERSIONS } from "../../../../infra/versions";
import { IMAGES, readFiles, type AssembledImage } from "../../../../local/images/table";
import { createWorkshop, type Workshop } from "../../../support/tool-workshop";

const ROWS = Object.entries<AssembledImage>(IMAGES);

describe("the table of assembled images", () => {
  it.each(ROWS)("%s is named in full, pinned, and runs as a user that is not root", (_, image) => {
    expect(parseImage(image.reference)).toHaveProperty("ok");
    expect(image.user).toMatch(/^[1-9]\d*:[1-9]\d*$/);
    expect(image.entrypoint[0]).toMatch(/^\//);
    expect(image.source).not.toBe("");
  });

  it("names each image once", () => {
    expect(new Set(ROWS.map(([, { reference }]) => reference)).size).toBe(ROWS.length);
  });

  it("has the versions that are built, under the names that their publishers give them", () => {
    expect(ROWS.map(([name, { reference, entrypoint }]) => [name, reference, entrypoint])).toEqual([
      ["pause", "docker.io/rancher/mirrored-pause:3.6", ["/pause", "-P"]],
      ["coredns", `registry.k8s.io/coredns/coredns:v${TOOL_VERSIONS.coredns}`, ["/coredns"]],
      [
        "metricsServer",
        `registry.k8s.io/metrics-server/metrics-server:v${TOOL_VERSIONS["metrics-server"]}`,
        ["/metrics-server"],
      ],
      ["traefik", `docker.io/library/traefik:v${TOOL_VERSIONS.traefik}`, ["/usr/local/bin/traefik"]],
      ["node", DEFAULT_IMAGES.node, ["/usr/local/bin/node"]],
    ]);
  });
});

describe("files of an image", () => {
  let shop: Workshop;
  beforeEach(() => (shop = createWorkshop()));
  afterEach(() => shop.remove());

  it("of a program are the program itself in the cache, where its entrypoint looks for it", async () => {
    const env = { ...shop.env, FAKE_GO_PRINTS: `CoreDNS-${TOOL_VERSIONS.coredns}\n${TOOL_VERSIONS.coredns}` };
    const files = await IMAGES.coredns.files(shop.options({ env }));
    expect(Object.keys(files)).toEqual(IMAGES.coredns.entrypoint);
    const [file = ""] = Object.values(files);
    expect(fs.lstatSync(file).isFile()).toBe(true);
    expect(file.startsWith(fs.realpathSync(shop.paths.cache))).toBe(true);
  });

  it("are read by their paths in the image", () => {
    const file = path.join(shop.folder, "program");
    fs.writeFileSync(file, "bytes");
    expect(readFiles({ "/bin/program": file })).toEqual([{ path: "/bin/program", content: Buffer.from("bytes") }]);
  });
});
