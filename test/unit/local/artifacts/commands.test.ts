import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { backup, bundle, bundleCheck } from "../../../../local/artifacts/commands";
import type { StackFile } from "../../../../local/engine/stack-file";
import { k3s, rawConfig } from "../../infra/support";
import { recordingProgress } from "../engine/support";
import { projectPaths } from "../../../../local/paths";
import { failure, newFolder, newRegistry, publish, SHIM, stackOf, sum } from "./support";

afterEach(() => void vi.unstubAllEnvs());

/** A command's session in the project of a stack's file, with what it prints and tells. */
function sessionOf({ path }: StackFile) {
  const { signal } = new AbortController();
  const printed: string[] = [];
  const progress = recordingProgress();
  const paths = projectPaths(dirname(path), {});
  return { paths, progress, signal, engineSignal: signal, printed, print: (text: string) => void printed.push(text) };
}

async function stackFile(shim: object = {}): Promise<StackFile> {
  const { url } = await publish();
  const registry = await newRegistry();
  registry.put("shop/checkout", "1.0.0", "a function");
  const cluster = k3s(1, 1, {
    k3s: { url: `${url}/k3s` },
    shim: { url: `${url}/shim`, sha256: { amd64: sum(SHIM) }, ...shim },
  });
  return stackOf({ cluster, functions: [{ name: "checkout", image: `${registry.host}/shop/checkout:1.0.0` }] });
}

describe("the commands for artifacts", () => {
  it("make a bundle where it is asked for, and tell the sum that a check finds again", async () => {
    const folder = join(newFolder(), "deep/bundle");
    vi.stubEnv("BUNDLE", folder);
    const session = sessionOf(await stackFile());
    await bundle(session, "prod");
    expect(session.progress.lines).toContain("image of checkout begins: copying " + readImage(folder));
    await bundleCheck(session, "prod");
    const [told, found] = session.printed.map((text) => /Sum: +([0-9a-f]{64})/.exec(text)?.[1]);
    expect(told).toBe(sum(readFileSync(join(folder, "SHA256SUMS"), "utf8")));
    expect(found).toBe(told);
    writeFileSync(join(folder, "bundle.json"), "{}");
    expect(await failure(bundleCheck(session, "prod"))).toContain("The bundle is not as it was made");
    expect(session.progress.lines.at(-1)).toBe("bundle failed: is not as it was made");
  });

  it("keep what they are not told a place for in the project's own folder", async () => {
    const file = await stackFile();
    const session = sessionOf(file);
    await bundle(session, "prod");
    await bundleCheck(session, "prod");
    await backup(session, "prod");
    expect(session.printed.at(-1)).toMatch(/Backup: +.*\/\.local\/backup\/prod-\d{4}-\d\d-\d\dT[\d-]+\.tar\.gz/);
  });

  it("refuse credentials that stand in plain text, and do not tell them", async () => {
    const session = sessionOf(stackOf(rawConfig({ pullCredentials: { "registry.example.com": "user:hunter2" } })));
    const message = await failure(backup(session, "prod"));
    expect(message).toContain("pullCredentials: (not shown): stands in plain text in the stack's file");
    expect(message).not.toContain("hunter2");
  });

  it("tell a place that cannot be written to", async () => {
    const place = join(newFolder(), "file");
    writeFileSync(place, "");
    vi.stubEnv("ARCHIVE", join(place, "backup.tar.gz"));
    const session = sessionOf(await stackFile());
    const message = await failure(backup(session, "prod"));
    expect(message).toMatch(/cannot be written \(E\w+\): what is kept goes to .*backup\.tar\.gz/);
  });
});

function readImage(folder: string): string {
  const { functions } = JSON.parse(readFileSync(join(folder, "bundle.json"), "utf8")) as {
    functions: [{ registry: string; repository: string }];
  };
  return `${functions[0].registry}/${functions[0].repository}:1.0.0`;
}
