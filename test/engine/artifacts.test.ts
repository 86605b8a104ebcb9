import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { stringify } from "yaml";
import { filesOf } from "../../local/artifacts/archive";
import { readStackFile } from "../../local/engine/stack-file";
import { silentProgress } from "../../local/progress";
import { run } from "../../local/run";
import { ensureTools } from "../../local/tools/resolve";
import { LocalStack } from "../support/local-stack";
import { TestRegistry } from "../support/test-registry";

const STACK = "prod";
const PASSWORD = "pull-and-push-of-the-test";
const CREDENTIAL = `ci:${PASSWORD}`;

/** The commands as users run them, on a stack whose registries ask who comes: the engine decrypts what lets in. */
describe("functions of a stack with pull credentials", () => {
  const stack = new LocalStack();
  const backend = join(stack.root, "own-backend");
  const archive = join(stack.root, "backup.tar.gz");
  const env = { PULUMI_BACKEND_URL: `file://${backend}`, PULUMI_CONFIG_PASSPHRASE: "of this test" };
  const said: string[] = [];
  let old: TestRegistry;
  let next: TestRegistry;
  let digest: string;

  beforeAll(async () => {
    [old, next] = [
      await TestRegistry.start({ credential: CREDENTIAL }),
      await TestRegistry.start({ credential: CREDENTIAL }),
    ];
    digest = old.putIndex("shop/checkout", "1.0.0", "a function");
    mkdirSync(backend);
    await ensureTools(["pulumi"], { paths: stack.paths, progress: silentProgress });
    const config = {
      "wasm-functions:cluster": { kind: "existing", kubeconfig: "kubeconfig.yaml" },
      "wasm-functions:functions": [{ name: "checkout", image: `${old.host}/shop/checkout:1.0.0` }],
    };
    stack.writeStackFile(stringify({ config }), STACK);
    await pulumi(["stack", "init", STACK]);
    for (const { host } of [old, next])
      await pulumi(["config", "set", "--stack", STACK, "--secret", "--path", `pullCredentials["${host}"]`], CREDENTIAL);
  });
  afterAll(async () => {
    await next.close();
    stack.dispose();
  });

  async function pulumi(args: readonly string[], input = ""): Promise<void> {
    const own = { ...env, PULUMI_HOME: stack.paths.pulumiHome, PULUMI_SKIP_UPDATE_CHECK: "true", NO_COLOR: "1" };
    await run(join(stack.paths.bin, "pulumi"), [...args, "--non-interactive"], {
      cwd: stack.root,
      env: { ...process.env, ...own },
      input,
    });
  }

  /** A command of ours, with what it said kept. */
  async function command(name: string, settings: NodeJS.ProcessEnv) {
    const outcome = await stack.run(name, STACK, { ...env, ...settings });
    said.push(outcome.stdout, outcome.stderr);
    return outcome;
  }

  it("are backed up by one command, which tells that the credentials are not in it", async () => {
    const { code, stdout, stderr } = await command("backup", { ARCHIVE: archive });
    expect(stderr).toContain("Secrets are not in it, keep them elsewhere: wasm-functions:pullCredentials");
    expect(code).toBe(0);
    expect(stdout).toContain(`checkout  ${old.host}/shop/checkout@${digest}`);
    expect(stdout).toMatch(/Sum: +[0-9a-f]{64}/);
  });

  it("are in another registry after a restore, with theirs gone", async () => {
    await old.close();
    const { code, stdout, stderr } = await command("restore-functions", { ARCHIVE: archive, REGISTRY: next.host });
    expect(stderr).not.toMatch(/\n\s+at .*:\d+:\d+/);
    expect(code).toBe(0);
    expect(stdout).toContain(`${next.host}/shop/checkout@${digest}`);
    expect(next.content.has(`shop/checkout/manifests/${digest}`)).toBe(true);
  });

  it("come with the stack's file, where that is lost, too", async () => {
    rmSync(join(stack.root, `Pulumi.${STACK}.yaml`));
    const open = await TestRegistry.start();
    const { code, stdout } = await command("restore-functions", { ARCHIVE: archive, REGISTRY: open.host });
    await open.close();
    expect(code).toBe(0);
    expect(stdout).toContain(`make up STACK=${STACK}`);
    const [fn] = readStackFile(stack.root, STACK).config.functions;
    expect(fn?.image.text).toBe(`${open.host}/shop/checkout@${digest}`);
  });

  it("are not restored from nothing, nor to nowhere", async () => {
    const nothing = await command("restore-functions", { REGISTRY: next.host });
    expect(nothing.stderr).toContain("ARCHIVE: missing: images come from one backup or one bundle");
    const nowhere = await command("restore-functions", { ARCHIVE: archive });
    expect(nowhere.stderr).toContain("REGISTRY: missing");
    expect([nothing.code, nowhere.code]).toEqual([1, 1]);
  });

  it("leave the password in no output and in no file", () => {
    const encoded = Buffer.from(CREDENTIAL).toString("base64");
    const files = filesOf(stack.root).map((name) => join(stack.root, name));
    const texts = [
      ...said,
      gunzipSync(readFileSync(archive)),
      ...files.filter(isFile).map((file) => readFileSync(file)),
    ];
    expect(texts.length).toBeGreaterThan(10);
    for (const secret of [PASSWORD, encoded]) expect(texts.filter((text) => text.includes(secret))).toEqual([]);
    const scratch = join(stack.paths.home, "tmp");
    expect(existsSync(scratch) ? readdirSync(scratch) : []).toEqual([]);
  });
});

/** Not the repository's folders, which are linked. */
function isFile(file: string): boolean {
  return /\.(?:ya?ml|json|log|gz|bak|attrs|txt)$/.test(file);
}
