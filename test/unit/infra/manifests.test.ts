import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { readManifest } from "../../../infra/manifests";
import { MANIFESTS, type ReleaseManifest } from "../../../infra/versions";

const ROOT = join(__dirname, "../../..");
const folder = mkdtempSync(join(tmpdir(), "manifests-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const METALLB: ReleaseManifest = MANIFESTS.metallb;

describe.each(Object.entries<ReleaseManifest>(MANIFESTS))("the copy of %s's manifest", (_, manifest) => {
  it("is the release's", () => {
    expect(readManifest(manifest, ROOT)).toContain("kind: Deployment");
  });

  it("comes from the version that is pinned", () => {
    expect(manifest.url).toContain(`/v${manifest.version}/`);
  });

  it("reads the same by YAML 1.1, which Kubernetes takes, and by 1.2, which the parser does", () => {
    const text = readManifest(manifest, ROOT);
    const read = (version: "1.1" | "1.2") => parseAllDocuments(text, { version }).map((it) => it.toJS() as unknown);
    expect(read("1.1")).toEqual(read("1.2"));
  });
});

describe("readManifest", () => {
  it("refuses a copy that was changed", () => {
    const file = join(folder, METALLB.file);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, `${readManifest(METALLB, ROOT)}# by hand\n`);
    expect(() => readManifest(METALLB, folder)).toThrow(
      /^A controller's manifest cannot be used \(1 problem\):\n {2}- components\/gateway\/metallb\/metallb-native\.yaml: SHA-256 [0-9a-f]{64}: infra\/versions\.ts has 84b4e102\S+ for https:\S+metallb-native\.yaml; run make manifests; the component is where objects are changed$/,
    );
  });

  it("tells that a copy is missing, and how it comes back", () => {
    expect(() => readManifest(METALLB, join(folder, "nowhere"))).toThrow(
      "components/gateway/metallb/metallb-native.yaml: missing: it is the copy of " +
        `${METALLB.url}; run make manifests`,
    );
  });
});
