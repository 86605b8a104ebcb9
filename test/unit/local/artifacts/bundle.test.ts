import { execFileSync } from "node:child_process";
import { appendFileSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseConfig, type StackConfig } from "../../../../infra/config";
import { DEFAULT_K3S_VERSION } from "../../../../infra/versions";
import { checkBundle, makeBundle, readBundle } from "../../../../local/artifacts/bundle";
import { bundleFiles } from "../../../../local/artifacts/bundle-plan";
import { silentProgress } from "../../../../local/progress";
import { filesOf } from "../../../../local/artifacts/archive";
import { k3s, problemsOf, rawConfig } from "../../infra/support";
import { failure, newFolder, newOptions, newRegistry, publish, serveFolder, SHIM, shimPath, sum } from "./support";

/** A stack whose hosts download from there, with one function. */
async function configOf(url: string, cluster: object = {}): Promise<StackConfig> {
  const registry = await newRegistry();
  registry.put("shop/checkout", "1.0.0", "a function");
  return parseConfig({
    cluster: k3s(1, 1, {
      k3s: { url: `${url}/k3s` },
      shim: { url: `${url}/shim`, sha256: { amd64: sum(SHIM) } },
      ...cluster,
    }),
    functions: [{ name: "checkout", image: `${registry.host}/shop/checkout:1.0.0` }],
  });
}

const bundle = (config: StackConfig, folder: string) => makeBundle("prod", config, folder, {}, newOptions());
const check = (folder: string) => checkBundle(folder, silentProgress.task("bundle"));

describe("what a bundle holds", () => {
  it("is every file that hosts download, laid out as where they download it", () => {
    const hosts = k3s(1, 2, {
      version: "v1.31.2+k3s1",
      k3s: { url: "https://mirror.example.com/k3s", sha256: { amd64: "a".repeat(64) } },
      shim: { url: "https://mirror.example.com/shim", sha256: { amd64: "b".repeat(64), arm64: "c".repeat(64) } },
    });
    const [first, second] = hosts["agents"] as object[];
    const config = parseConfig(
      rawConfig({ cluster: { ...hosts, agents: [first, { ...second, architecture: "arm64" }] } }),
    );
    const release = "https://mirror.example.com/k3s/v1.31.2%2Bk3s1";
    const shim = "https://mirror.example.com/shim/containerd-shim-wasmedge%2Fv0.6.0";
    expect(bundleFiles(config).map(({ path, url, sum }) => [path, url, sum])).toEqual([
      ["k3s/v1.31.2+k3s1/sha256sum-amd64.txt", `${release}/sha256sum-amd64.txt`, undefined],
      ["k3s/v1.31.2+k3s1/k3s", `${release}/k3s`, { sha256: "a".repeat(64) }],
      [
        "k3s/v1.31.2+k3s1/k3s-airgap-images-amd64.tar.zst",
        `${release}/k3s-airgap-images-amd64.tar.zst`,
        { list: "k3s/v1.31.2+k3s1/sha256sum-amd64.txt" },
      ],
      ["k3s/v1.31.2+k3s1/sha256sum-arm64.txt", `${release}/sha256sum-arm64.txt`, undefined],
      ["k3s/v1.31.2+k3s1/k3s-arm64", `${release}/k3s-arm64`, { list: "k3s/v1.31.2+k3s1/sha256sum-arm64.txt" }],
      [
        "k3s/v1.31.2+k3s1/k3s-airgap-images-arm64.tar.zst",
        `${release}/k3s-airgap-images-arm64.tar.zst`,
        { list: "k3s/v1.31.2+k3s1/sha256sum-arm64.txt" },
      ],
      [shimPath("x86_64"), `${shim}/containerd-shim-wasmedge-x86_64-linux-musl.tar.gz`, { sha256: "b".repeat(64) }],
      [shimPath("aarch64"), `${shim}/containerd-shim-wasmedge-aarch64-linux-musl.tar.gz`, { sha256: "c".repeat(64) }],
    ]);
  });

  it("is refused where nothing says which shim is the right one, and how it is verified is told", () => {
    const config = parseConfig(rawConfig({ cluster: k3s(1, 1) }));
    const [problem, ...others] = problemsOf(() => bundleFiles(config));
    expect(others).toEqual([]);
    expect(problem).toMatch(/^cluster\.shim\.sha256\.amd64: missing: no sums of the shim are published/);
    expect(problem).toContain("cosign verify-blob containerd-shim-wasmedge-v1 --signature");
  });

  it("is refused where there are no hosts", () => {
    expect(problemsOf(() => bundleFiles(parseConfig(rawConfig())))[0]).toMatch(/^cluster\.kind: existing: /);
  });
});

describe("a bundle", () => {
  it("is whole, names where all came from, and its sums are what sha256sum takes", async () => {
    const { url } = await publish();
    const folder = newFolder();
    const told = await bundle(await configOf(url), folder);
    expect(execFileSync("sha256sum", ["--check", "--strict", "SHA256SUMS"], { cwd: folder, encoding: "utf8" })).toMatch(
      /^bundle\.json: OK\n/,
    );
    expect(await check(folder)).toEqual({ files: 10, sha256: told });
    const { files, functions } = readBundle(folder);
    expect(files).toContainEqual({
      path: `k3s/${DEFAULT_K3S_VERSION}/k3s`,
      sha256: sum(`K3s ${DEFAULT_K3S_VERSION}`),
      size: 16,
      what: "K3s for amd64",
      source: `${url}/k3s/${encodeURIComponent(DEFAULT_K3S_VERSION)}/k3s`,
    });
    expect(functions).toMatchObject([{ name: "checkout", repository: "shop/checkout" }]);
    expect(existsSync(join(folder, "images/blobs", functions[0]?.digest.replace(":", "/") ?? ""))).toBe(true);
  });

  it("serves hosts in the place of where it came from", async () => {
    const { url } = await publish();
    const first = newFolder();
    await bundle(await configOf(url), first);
    const server = await serveFolder(first);
    const second = newFolder();
    await bundle(await configOf(server.url), second);
    const files = (folder: string) => readBundle(folder).files.map(({ path, sha256, size }) => [path, sha256, size]);
    expect(files(second)).toEqual(files(first));
  });

  it("is not loaded again where it is right, and is mended where it is not", async () => {
    const { url, requests } = await publish();
    const config = await configOf(url);
    const folder = newFolder();
    const first = await bundle(config, folder);
    const loaded = () => requests.filter((path) => !path.endsWith(".txt"));
    expect(loaded()).toHaveLength(3);
    writeFileSync(join(folder, `k3s/${DEFAULT_K3S_VERSION}/k3s`), "damaged");
    rmSync(join(folder, shimPath("x86_64")));
    expect(await bundle(config, folder)).toBe(first);
    expect(loaded().slice(3)).toEqual([`GET /k3s/${DEFAULT_K3S_VERSION}/k3s`, `GET /${shimPath("x86_64")}`]);
    await bundle(config, folder);
    expect(loaded()).toHaveLength(5);
  });

  it("goes without what an earlier version of the stack needed, and leaves alone what is somebody else's", async () => {
    const { url } = await publish();
    const folder = newFolder();
    await bundle(await configOf(url), folder);
    writeFileSync(join(folder, "notes.txt"), "not of the bundle");
    const next = await publish("v1.31.2+k3s1");
    await bundle(await configOf(next.url, { version: "v1.31.2+k3s1" }), folder);
    const files = filesOf(folder);
    expect(files.some((path) => path.includes(DEFAULT_K3S_VERSION))).toBe(false);
    expect(files).toContain("k3s/v1.31.2+k3s1/k3s");
    expect(files).toContain("notes.txt");
    expect(await failure(check(folder))).toContain("notes.txt: not listed");
  });

  it("is refused with all that is wrong at once, and what is refused is not kept", async () => {
    const { url, write } = await publish();
    write(`k3s/${DEFAULT_K3S_VERSION}/k3s`, "another program");
    write(shimPath("x86_64"), "another shim");
    const folder = newFolder();
    const message = await failure(bundle(await configOf(url), folder));
    const right = sum(`K3s ${DEFAULT_K3S_VERSION}`);
    expect(message).toContain("The bundle is not whole (2 problems)");
    expect(message).toContain(`has SHA-256 ${sum("another program")}, not ${right}: refused`);
    expect(message).toMatch(new RegExp(`cluster\\.shim\\.url: .*has SHA-256 ${sum("another shim")}`));
    expect(filesOf(folder)).toEqual([
      `k3s/${DEFAULT_K3S_VERSION}/k3s-airgap-images-amd64.tar.zst`,
      `k3s/${DEFAULT_K3S_VERSION}/sha256sum-amd64.txt`,
    ]);
  });

  it("is refused where a file is missing, or the release's list does not know it", async () => {
    const { url, write } = await publish();
    write(`k3s/${DEFAULT_K3S_VERSION}/sha256sum-amd64.txt`, `${sum("K3s")}  k3s-of-another-name\n`);
    const config = await configOf(url, { shim: { url: `${url}/nowhere`, sha256: { amd64: sum(SHIM) } } });
    const message = await failure(bundle(config, newFolder()));
    expect(message).toContain("sha256sum-amd64.txt has no sum of k3s: refused, not downloaded");
    expect(message).toContain("answers 404");
  });

  it("whose files were changed, removed or added is found out, each by its name", async () => {
    const { url } = await publish();
    const folder = newFolder();
    await bundle(await configOf(url), folder);
    appendFileSync(join(folder, "bundle.json"), " ");
    rmSync(join(folder, shimPath("x86_64")));
    writeFileSync(join(folder, "k3s/extra"), "");
    const message = await failure(check(folder));
    expect(message).toContain("The bundle is not as it was made (3 problems)");
    expect(message).toMatch(/bundle\.json: [0-9a-f]{64}: must have SHA-256/);
    expect(message).toMatch(/linux-musl\.tar\.gz: is missing: must have SHA-256/);
    expect(message).toContain("k3s/extra: not listed");
  });

  it("is none without its sums, or with sums that lead out of it", async () => {
    const folder = newFolder();
    expect(await failure(check(folder))).toContain("SHA256SUMS: missing");
    writeFileSync(join(folder, "SHA256SUMS"), `${sum("")}  ../outside\n`);
    expect(await failure(check(folder))).toContain("SHA256SUMS: its content");
    expect(readFileSync(join(folder, "SHA256SUMS"), "utf8")).toContain("outside");
  });
});
