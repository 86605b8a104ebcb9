import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ReleaseManifest } from "../../../../infra/versions";
import { renewManifest } from "../../../../local/manifests/renew";
import {
  createPublisher,
  createWorkshop,
  UNREACHABLE,
  type Publisher,
  type Workshop,
} from "../../../support/tool-workshop";

const TEXT = "kind: Namespace # é\n";

let shop: Workshop;
let publisher: Publisher;
let answer: string | undefined;
beforeEach(async () => {
  shop = createWorkshop();
  answer = TEXT;
  publisher = await createPublisher((_, response) => {
    if (answer === undefined) response.writeHead(404).end();
    else response.end(answer);
  });
});
afterEach(async () => {
  await publisher.close();
  shop.remove();
});

const withoutModule = (): ReleaseManifest => ({
  version: "1.2.3",
  url: `${publisher.urls.github}/v1.2.3/it.yaml`,
  sha256: createHash("sha256").update(TEXT).digest("hex"),
  file: "components/it/it.yaml",
});
const manifest = (): ReleaseManifest => ({
  ...withoutModule(),
  module: { path: "example.invalid/it", file: "config/it.yaml" },
});
const copy = () => join(shop.folder, "components/it/it.yaml");
const renew = (of: ReleaseManifest = manifest()) =>
  renewManifest(of, { paths: shop.paths, env: { ...shop.env, FAKE_GO_MODULE: module() } });

/** Where the stand-in for Go says that the module is. */
const module = () => join(shop.folder, "module");
function fillModule(text: string) {
  mkdirSync(join(module(), "config"), { recursive: true });
  writeFileSync(join(module(), "config/it.yaml"), text);
}

describe.runIf(process.platform === "linux")("renewing a manifest's copy", () => {
  it("takes it from its URL, and writes only what is not there yet", async () => {
    const { url } = manifest();
    expect(await renew()).toEqual({ from: url, changed: true });
    expect(readFileSync(copy(), "utf8")).toBe(TEXT);
    expect(await renew()).toEqual({ from: url, changed: false });
  });

  it.each([
    ["the server is out of reach", { url: `${UNREACHABLE.github}/v1.2.3/it.yaml` }],
    ["the server does not have it", {}],
  ])("takes it from the Go module where %s", async (_, changes) => {
    answer = undefined;
    fillModule(TEXT);
    expect(await renew({ ...manifest(), ...changes })).toEqual({
      from: "example.invalid/it@v1.2.3/config/it.yaml",
      changed: true,
    });
    expect(readFileSync(copy(), "utf8")).toBe(TEXT);
  });

  it("refuses what is of another sum, from either, and leaves the copy as it was", async () => {
    await renew();
    answer = "kind: Other\n";
    const { url } = manifest();
    const refused = (from: string) =>
      new RegExp(
        `^The manifests were not renewed \\(1 problem\\):\\n {2}- ${from}: SHA-256 [0-9a-f]{64}: infra/versions.ts has ` +
          `[0-9a-f]{64} for ${url}; look at what has changed; if it is the one you want, set that sum in infra/versions.ts$`,
      );
    await expect(renew()).rejects.toThrow(refused(url));
    answer = undefined;
    fillModule("kind: Other\n");
    await expect(renew()).rejects.toThrow(refused("example.invalid/it@v1.2.3/config/it.yaml"));
    expect(readFileSync(copy(), "utf8")).toBe(TEXT);
  });

  it("puts the parts of one after another, from either", async () => {
    const whole = `---\n${TEXT}---\n${TEXT}`;
    const ofParts: ReleaseManifest = {
      ...manifest(),
      url: `${publisher.urls.github}/v1.2.3/config`,
      parts: ["it.yaml", "other/it.yaml"],
      sha256: createHash("sha256").update(whole).digest("hex"),
      module: { path: "example.invalid/it", file: "config" },
    };
    expect(await renew(ofParts)).toEqual({ from: ofParts.url, changed: true });
    expect(readFileSync(copy(), "utf8")).toBe(whole);
    answer = undefined;
    fillModule(`---\n${TEXT}`);
    mkdirSync(join(module(), "config/other"));
    writeFileSync(join(module(), "config/other/it.yaml"), TEXT);
    expect(await renew(ofParts)).toEqual({ from: "example.invalid/it@v1.2.3/config", changed: false });
  });

  it("tells both reasons where neither can be had", async () => {
    answer = undefined;
    shop.onPath("go", '#!/bin/sh\necho \'{"Error": "no such version"}\'\nexit 1\n');
    const { url } = manifest();
    await expect(renew()).rejects.toThrow(
      `${url}: ${url} answers 404: nor can the Go module example.invalid/it@v1.2.3: no such version; run it where`,
    );
    await expect(renew(withoutModule())).rejects.toThrow(
      `${url}: ${url} answers 404: no Go module has it; run it where one of them can be reached`,
    );
    expect(existsSync(dirname(copy()))).toBe(false);
  });
});
