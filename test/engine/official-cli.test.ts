import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse, stringify } from "yaml";
import { run, type CommandError } from "../../local/run";
import { tokenKeysFile } from "../../local/tokens/keys";
import { LocalStack } from "../support/local-stack";

/**
 * The official CLI on the project as it is checked out: `pulumi up` with the nodejs runtime, no `make`. The language
 * host is the official one where this machine has it, else the stand-in that is named for it.
 */
const stack = new LocalStack({ watched: true });
afterAll(() => stack.dispose());

const REPOSITORY = resolve(__dirname, "../..");
const STAND_IN = join(REPOSITORY, "test/support/pulumi-language-nodejs/pulumi-language-nodejs");
const RUNNER = realpathSync(join(REPOSITORY, "node_modules/@pulumi/pulumi/cmd/run/index.js"));
/** All that `pulumi` reads of a checkout, beside the stack's own file. */
const PROJECT_FILES = ["Pulumi.yaml", "package.json", "tsconfig.json", "infra", "components", "programs", "policies"];

const checkout = join(stack.root, "checkout");
const bin = join(stack.root, "cli");
/** Of the CLI alone: `make up` asks Go for its version, and Go counts that in the home that it is given. */
const home = join(stack.root, "cli-home");
/** ts-node keeps what it has compiled here: a checkout that is new to the machine has its types checked. */
const temp = join(stack.root, "cli-temp");
const started = join(stack.root, "node-commands");

/** State that `make up` left, and state of the user's own. */
const MADE = {
  PULUMI_BACKEND_URL: `file://${stack.paths.state}/backend`,
  PULUMI_CONFIG_PASSPHRASE_FILE: join(stack.paths.state, "passphrase"),
};
const OWN = { PULUMI_BACKEND_URL: `file://${stack.root}/own-backend`, PULUMI_CONFIG_PASSPHRASE: "of a test" };

interface State {
  readonly deployment: { readonly resources?: readonly { readonly urn: string }[] };
}

async function pulumi(backend: object, ...args: string[]): Promise<string> {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("PULUMI_")));
  return run(join(stack.paths.bin, "pulumi"), [...args, "--non-interactive"], {
    cwd: checkout,
    env: {
      ...env,
      PATH: `${bin}:${process.env["PATH"]}`,
      HOME: home,
      TMPDIR: temp,
      // With the provider that `make up` installed into it, where a user's has the downloaded one.
      PULUMI_HOME: stack.paths.pulumiHome,
      PULUMI_SKIP_UPDATE_CHECK: "true",
      NO_COLOR: "1",
      ...backend,
    },
  });
}

const urns = async (backend: object) => {
  const state = JSON.parse(await pulumi(backend, "stack", "export")) as State;
  return (state.deployment.resources ?? []).map(({ urn }) => urn).sort();
};

/** As summaries count: a provider that nobody named, as that of Grafana's password, is in the state alone. */
const counted = (of: readonly string[]) => of.filter((urn) => !/::pulumi:providers:\w+::default_/.test(urn)).length;

const outputs = async (backend: object): Promise<unknown> =>
  JSON.parse(await pulumi(backend, "stack", "output", "--json"));

/** How often the SDK's runner ran the program since this was last asked, checked to be what a language host starts. */
function programRuns(): number {
  const commands = existsSync(started) ? readFileSync(started, "utf8").trimEnd().split("\n") : [];
  writeFileSync(started, "");
  const runs = commands.filter((command) => command.includes(`${RUNNER} --monitor`));
  for (const command of runs) {
    expect(command).toContain("PULUMI_NODEJS_TYPESCRIPT=true PULUMI_NODEJS_TSCONFIG_PATH=../tsconfig.json");
    expect(command).toContain(" --project wasm-functions ");
    expect(command).toContain(` --stack local --pwd ${checkout}/infra `);
    expect(command).toMatch(/ index\.ts$/);
  }
  return runs.length;
}

/**
 * The stack's file as it is tracked, with the kubeconfig and the issuer of this test's cluster. Without Gatekeeper, whose
 * process is `make`'s: it ends with the first stack that is deleted, and nobody would start it for the second.
 */
function writeStackFile(salt: object): void {
  const name = "Pulumi.local.yaml";
  const settings = parse(readFileSync(join(REPOSITORY, name), "utf8")) as { config: Record<string, object> };
  const cluster = { ...settings.config["wasm-functions:cluster"], kubeconfig: stack.paths.kubeconfig };
  const { jwt } = settings.config["wasm-functions:authorization"] as { jwt: object };
  const authorization = { jwt: { ...jwt, keysFile: tokenKeysFile(stack.paths) } };
  const config = {
    ...settings.config,
    "wasm-functions:cluster": cluster,
    "wasm-functions:authorization": authorization,
    "wasm-functions:admission": { enabled: false },
  };
  writeFileSync(join(checkout, name), stringify({ ...salt, config }));
}

beforeAll(async () => {
  for (const folder of [checkout, bin, home, temp, join(stack.root, "own-backend")]) mkdirSync(folder);
  for (const name of PROJECT_FILES) cpSync(join(REPOSITORY, name), join(checkout, name), { recursive: true });
  symlinkSync(join(REPOSITORY, "node_modules"), join(checkout, "node_modules"));
  // Language hosts take `node` from PATH: this one writes down what it is started with.
  const env = ["TYPESCRIPT", "TSCONFIG_PATH"].map((name) => `PULUMI_NODEJS_${name}=$PULUMI_NODEJS_${name}`).join(" ");
  writeFileSync(join(bin, "node"), `#!/bin/sh\necho "${env} $*" >>'${started}'\nexec '${process.execPath}' "$@"\n`);
  chmodSync(join(bin, "node"), 0o755);

  await stack.ok("up");
  const official = [dirname(realpathSync(join(stack.paths.bin, "pulumi"))), ...(process.env["PATH"] ?? "").split(":")]
    .map((folder) => join(folder, "pulumi-language-nodejs"))
    .find((file) => existsSync(file));
  symlinkSync(official ?? STAND_IN, join(bin, "pulumi-language-nodejs"));
});

describe("the official CLI on the unchanged program", () => {
  let made: { readonly urns: readonly string[]; readonly outputs: unknown };

  it("has nothing to change in what `make up` brought up", async () => {
    const { encryptionsalt } = parse(readFileSync(join(stack.paths.state, "work/Pulumi.local.yaml"), "utf8")) as {
      encryptionsalt: string;
    };
    writeStackFile({ encryptionsalt });
    await pulumi(MADE, "stack", "select", "local");
    made = { urns: await urns(MADE), outputs: await outputs(MADE) };
    const said = await pulumi(MADE, "preview", "--expect-no-changes");
    expect(said).toMatch(new RegExp(`\\b${counted(made.urns)} unchanged`));
    expect(programRuns()).toBe(1);
  });

  it("deletes it", async () => {
    await pulumi(MADE, "destroy", "--yes", "--skip-preview");
    expect(await urns(MADE)).toEqual([]);
  });

  it("previews the same resources on a backend of the user's own", async () => {
    writeStackFile({});
    programRuns();
    await pulumi(OWN, "stack", "init", "local");
    const said = await pulumi(OWN, "preview");
    expect(said).toMatch(new RegExp(`\\+ ${counted(made.urns)} to create`));
    expect(programRuns()).toBe(1);
  });

  it("holds them to the policy pack's sources, at an environment's levels", async () => {
    const pack = ["--policy-pack", "policies/stack"];
    const levels = ["--policy-pack-config", "policies/stack/levels/local.json"];
    const said = await pulumi(OWN, "preview", ...pack, ...levels);
    expect(said).toMatch(/✅ wasm-functions@v1\.0\.0/);
    const strict = await pulumi(OWN, "preview", ...pack).then(
      String,
      (error: unknown) => (error as CommandError).output,
    );
    expect(strict).toMatch(/❌ wasm-functions@v1\.0\.0/);
    expect(strict).toMatch(/\[mandatory\] {2}protected-state .*Namespace: shop/);
    expect(strict).toContain("a tenant's functions would be gone with it; set platform.protect to true");
    programRuns();
  });

  it("creates the same resources with the same outputs", async () => {
    const said = await pulumi(OWN, "up", "--yes", "--skip-preview");
    expect(said).toMatch(new RegExp(`\\+ ${counted(made.urns)} created`));
    expect({ urns: await urns(OWN), outputs: await outputs(OWN) }).toEqual(made);
    expect(programRuns()).toBe(1);
  });

  it("changes nothing the second time, and takes an autoscaler's replicas for no drift", async () => {
    await stack.kubectl(["-n", "shop", "scale", "deployment", "serverless-function", "--replicas=120"]);
    await pulumi(OWN, "up", "--yes", "--skip-preview", "--refresh", "--expect-no-changes");
    expect(programRuns()).toBe(1);
  });

  it("fails on drift, and leaves the state as it was: as the workflow drift.yml asks", async () => {
    const before = await urns(OWN);
    await stack.kubectl(["-n", "shop", "delete", "poddisruptionbudget", "serverless-function"]);
    const look = pulumi(OWN, "preview", "--refresh", "--expect-no-changes");
    const said = await look.then(String, (error: unknown) => (error as CommandError).output);
    expect(said).toContain("error: no changes were expected for preview but changes were proposed");
    expect(said).toMatch(/\+ 1 to create/);
    expect(await urns(OWN)).toEqual(before);
    programRuns();
  });

  it("destroys everything it made", async () => {
    await pulumi(OWN, "destroy", "--yes", "--skip-preview");
    expect(await urns(OWN)).toEqual([]);
    expect(await stack.kubectl(["get", "namespace", "shop", "--ignore-not-found"])).toBe("");
  });

  it("fails on a wrong config with the program's own words alone", async () => {
    const file = join(checkout, "Pulumi.local.yaml");
    writeFileSync(file, readFileSync(file, "utf8").replace("agents: 10", "agents: many"));
    const said = await pulumi(OWN, "preview").then(String, (error: unknown) => (error as CommandError).output);
    expect(said).toMatch(/error: The config is not valid.*\s+- cluster\.agents: /);
    expect(said).not.toMatch(/exited|at .*\.ts:\d+/);
  });

  it("writes to the stack's file alone, and nothing into the user's home", () => {
    for (const name of ["Pulumi.yaml", "package.json", "tsconfig.json"])
      expect(readFileSync(join(checkout, name))).toEqual(readFileSync(join(REPOSITORY, name)));
    expect(readdirSync(home)).toEqual([]);
  });
});
