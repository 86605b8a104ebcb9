import { spawn, type ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readBackup, writeBackup } from "../../local/artifacts/backup";
import { parseTarget, pushImages, verifyImages } from "../../local/artifacts/restore";
import { readStackFile } from "../../local/engine/stack-file";
import { writeLayout } from "../../local/images/layout";
import { ensureRootFs } from "../../local/node/root-fs";
import { projectPaths } from "../../local/paths";
import { createProgress } from "../../local/progress";
import { run } from "../../local/run";
import { CANNOT_RUN } from "../support/real-stack";

const CREDENTIAL = "tester:of-the-test";
/** The same, as a registry keeps it (bcrypt). */
const HTPASSWD = "tester:$2b$05$abcdefghijklmnopqrstuuZQDFqlfhxikusxVp2uYfh7fKmiQU08a\n";

/** Debian's docker-registry on loopback, one that asks who comes; and Debian's skopeo, which is none of our code. */
describe.skipIf(CANNOT_RUN)("a real registry", () => {
  const folder = mkdtempSync(join(tmpdir(), "registry-"));
  const options = { paths: projectPaths(resolve(__dirname, "../..")), progress: createProgress(process.stderr) };
  const running: ChildProcess[] = [];
  let root: string;

  beforeAll(async () => void (root = await ensureRootFs("node", options)));
  afterAll(async () => {
    await Promise.all(running.map(end));
    rmSync(folder, { recursive: true, force: true });
  });

  /** A program of the node's root file system, with the libraries that it has there. */
  function program(name: string, args: readonly string[]): [string, string[]] {
    const libraries = join(root, "usr/lib", process.arch === "x64" ? "x86_64-linux-gnu" : "aarch64-linux-gnu");
    const loader = process.arch === "x64" ? "lib64/ld-linux-x86-64.so.2" : "lib/ld-linux-aarch64.so.1";
    return [join(root, loader), ["--library-path", libraries, join(root, "usr/bin", name), ...args]];
  }

  async function start(name: string): Promise<{ host: string; stop: () => Promise<void> }> {
    const home = join(folder, name);
    mkdirSync(home);
    writeFileSync(join(home, "users"), HTPASSWD);
    writeFileSync(
      join(home, "config.yaml"),
      [
        "version: 0.1",
        "log: { level: info, accesslog: { disabled: true } }",
        `storage: { filesystem: { rootdirectory: ${home}/data } }`,
        `auth: { htpasswd: { realm: test, path: ${home}/users } }`,
        "http: { addr: '127.0.0.1:0' }\n",
      ].join("\n"),
    );
    const [file, args] = program("docker-registry", ["serve", join(home, "config.yaml")]);
    const child = spawn(file, args, { stdio: ["ignore", "ignore", "pipe"] });
    running.push(child);
    let text = "";
    const host = await new Promise<string>((listens, ended) => {
      child.once("exit", () => ended(new Error(`docker-registry ended: ${text}`)));
      child.stderr.on("data", (chunk: Buffer) => {
        text += chunk.toString();
        const [, address] = /listening on (127\.0\.0\.1:\d+)/.exec(text) ?? [];
        if (address !== undefined) listens(address);
      });
    });
    return { host, stop: () => end(child) };
  }

  async function skopeo(...args: string[]): Promise<string> {
    const [file, all] = program("skopeo", ["--insecure-policy", ...args]);
    return run(file, all, { env: { HOME: folder, PATH: "/usr/bin", TMPDIR: folder }, timeout: 60_000 });
  }

  /** Where skopeo finds the credential. */
  function authFile(...hosts: readonly string[]): string {
    const auth = Buffer.from(CREDENTIAL).toString("base64");
    const file = join(folder, "auth.json");
    writeFileSync(file, JSON.stringify({ auths: Object.fromEntries(hosts.map((host) => [host, { auth }])) }));
    return file;
  }

  it("gives what a backup keeps and takes it back elsewhere, whole by another client's judgement", async () => {
    const [old, next] = [await start("old"), await start("next")];
    const auth = ["--authfile", authFile(old.host, next.host)];
    const layout = join(folder, "layout");
    const image = { entrypoint: ["/app"], user: "65532:65532", labels: {} };
    const { digest } = await writeLayout(
      layout,
      ["amd64", "arm64"].map((architecture) => {
        const files = [{ path: "/app", content: Buffer.alloc(300_000, architecture) }];
        return { ...image, architecture, files };
      }),
      "image",
    );
    const flags = ["--all", "--preserve-digests", "--dest-tls-verify=false", "--src-tls-verify=false", ...auth];
    await skopeo("copy", ...flags, `oci:${layout}:image`, `docker://${old.host}/shop/checkout:1.0.0`);

    const config = {
      "wasm-functions:cluster": { kind: "existing", kubeconfig: "kubeconfig.yaml" },
      "wasm-functions:functions": [{ name: "checkout", image: `${old.host}/shop/checkout:1.0.0` }],
    };
    writeFileSync(join(folder, "Pulumi.kept.yaml"), JSON.stringify({ config }));
    const archive = join(folder, "backup.tar.gz");
    const file = readStackFile(folder, "kept");
    const { functions } = await writeBackup(file, archive, join(folder, "work"), { [old.host]: CREDENTIAL }, options);
    expect(functions).toMatchObject([{ digest }]);
    await old.stop();

    const kept = await readBackup(archive, join(folder, "restored"));
    await verifyImages(kept.functions, kept.images);
    const push = () =>
      pushImages(kept.functions, kept.images, parseTarget(next.host), { [next.host]: CREDENTIAL }, options);
    await push();
    // Again, with all of it there.
    await push();
    const copy = join(folder, "copy");
    await skopeo("copy", ...flags, `docker://${next.host}/shop/checkout@${digest}`, `oci:${copy}:image`);
    expect(await run("diff", ["-r", join(layout, "blobs"), join(copy, "blobs")])).toBe("");
  });
});

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((done) => child.once("exit", done));
  child.kill("SIGKILL");
  await ended;
}
