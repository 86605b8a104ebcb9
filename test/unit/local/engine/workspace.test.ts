import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { parse, stringify } from "yaml";
import { formatProblem, ProblemsError } from "../../../../infra/problems";
import { NAMED_PORTS } from "../../../../local/control-plane/ports";
import { readStackFile, type StackSettings } from "../../../../local/engine/stack-file";
import { hasDeadLock, openStack, openStackForPreview } from "../../../../local/engine/workspace";
import { projectPaths, type Paths } from "../../../../local/paths";

const REPOSITORY = resolve(__dirname, "../../../..");

/** In place of the engine: notes how it is called, and knows the stacks that a file names. */
const ENGINE = `#!/bin/bash
here=$(dirname "$0")
[ "$1" = version ] && { echo v3.248.0; exit; }
{
  echo "$* in $PWD"
  echo "PULUMI_BACKEND_URL=$PULUMI_BACKEND_URL"
  echo "PULUMI_CONFIG_PASSPHRASE=$PULUMI_CONFIG_PASSPHRASE"
  echo "PULUMI_CONFIG_PASSPHRASE_FILE=$PULUMI_CONFIG_PASSPHRASE_FILE"
  echo "PULUMI_HOME=$PULUMI_HOME"
} >> "$here/calls"
[ "$1 $2" = "stack ls" ] && { cat "$here/stacks"; exit; }
[ "$1 $2" = "stack select" ] && ! grep -q "$4"'"' "$here/stacks" && { echo "error: no stack named '$4' found" >&2; exit 255; }
exit 0
`;

let root: string;
let paths: Paths;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "workspace-"));
  paths = projectPaths(root, {});
  for (const name of readdirSync(REPOSITORY).filter((file) => /^Pulumi\..*yaml$/.test(file)))
    cpSync(join(REPOSITORY, name), join(root, name));
  mkdirSync(paths.bin, { recursive: true });
  writeFileSync(join(paths.bin, "pulumi"), ENGINE, { mode: 0o755 });
  knownStacks();
  for (const name of Object.keys(process.env).filter((key) => key.startsWith("PULUMI_"))) vi.stubEnv(name, undefined);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(root, { recursive: true, force: true });
});

const program = () => Promise.resolve({});
const open = (stack: string) => openStack(readStackFile(root, stack), paths, program);
const knownStacks = (...names: string[]) =>
  writeFileSync(join(paths.bin, "stacks"), JSON.stringify(names.map((name) => ({ name }))));
const calls = () => (existsSync(join(paths.bin, "calls")) ? readFileSync(join(paths.bin, "calls"), "utf8") : "");
const workFile = () => join(paths.state, "work", "Pulumi.local.yaml");
const settingsIn = (file: string) => parse(readFileSync(file, "utf8")) as StackSettings;

async function refused(action: Promise<unknown>): Promise<string[]> {
  const error: unknown = await action.catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(ProblemsError);
  expect((error as ProblemsError).summary).toBe("The stack's state has no home");
  return (error as ProblemsError).problems.map(formatProblem);
}

describe("a disposable stack", () => {
  it("has its backend, its passphrase and its work directory in a folder of ours", async () => {
    await open("local");
    const passphrase = readFileSync(join(paths.state, "passphrase"), "utf8");
    expect(passphrase).toMatch(/^[\w-]{32}$/);
    expect((statSync(join(paths.state, "passphrase")).mode & 0o777).toString(8)).toBe("600");
    expect((statSync(join(paths.state, "backend")).mode & 0o777).toString(8)).toBe("700");
    expect(calls().split("\n")).toEqual(
      expect.arrayContaining([
        `stack init local --non-interactive in ${join(paths.state, "work")}`,
        `PULUMI_BACKEND_URL=file://${join(paths.state, "backend")}`,
        `PULUMI_CONFIG_PASSPHRASE=${passphrase}`,
        `PULUMI_HOME=${paths.pulumiHome}`,
      ]),
    );
  });

  it("keeps its passphrase over runs, and takes none of the user's", async () => {
    await open("local");
    const passphrase = readFileSync(join(paths.state, "passphrase"), "utf8");
    rmSync(join(paths.bin, "calls"));
    vi.stubEnv("PULUMI_CONFIG_PASSPHRASE", "of-another-stack");
    await open("local");
    expect(readFileSync(join(paths.state, "passphrase"), "utf8")).toBe(passphrase);
    expect(new Set(calls().match(/^PULUMI_CONFIG_PASSPHRASE=.*/gm))).toEqual(
      new Set([`PULUMI_CONFIG_PASSPHRASE=${passphrase}`]),
    );
  });

  it("has the project's settings but for `main`, and the kubeconfig and keys that were moved with its home", async () => {
    paths = { ...paths, kubeconfig: "/elsewhere/kubeconfig" };
    await open("local");
    const { main, ...project } = parse(readFileSync(join(root, "Pulumi.yaml"), "utf8")) as Record<string, unknown>;
    expect(main).toBe("infra/index.ts");
    expect(parse(readFileSync(join(paths.state, "work", "Pulumi.yaml"), "utf8"))).toEqual(project);
    const tracked = settingsIn(join(root, "Pulumi.local.yaml")).config ?? {};
    expect(settingsIn(workFile())).toEqual({
      config: {
        ...tracked,
        "wasm-functions:cluster": {
          ...(tracked["wasm-functions:cluster"] as object),
          kubeconfig: "/elsewhere/kubeconfig",
        },
        "wasm-functions:authorization": {
          jwt: {
            ...(tracked["wasm-functions:authorization"] as { jwt: object }).jwt,
            keysFile: join(paths.state, "tokens", "jwks.json"),
          },
        },
      },
    });
  });

  it("is told where the Gatekeeper is that was started for it, once it was", async () => {
    const admission = () => settingsIn(workFile()).config?.["wasm-functions:admission"] as { webhook: object };
    await open("local");
    const tracked = settingsIn(join(root, "Pulumi.local.yaml")).config?.["wasm-functions:admission"];
    expect(admission()).toEqual(tracked);

    const folder = join(paths.state, "control-plane");
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "ports.json"), JSON.stringify({ etcd: 20_002, gatekeeperWebhook: 20_008 }));
    await open("local");
    expect(admission()).toEqual({
      ...(tracked as object),
      webhook: {
        kind: "url",
        url: "https://127.0.0.1:20008/v1/admit",
        caFile: join(folder, "clusters", "wasm-functions", "gatekeeper", "ca.crt"),
      },
    });
    // One whose pods run has no such process.
    await open("real");
    const real = settingsIn(join(paths.state, "work", "Pulumi.real.yaml")).config?.["wasm-functions:admission"];
    expect(real).toEqual(settingsIn(join(root, "Pulumi.real.yaml")).config?.["wasm-functions:admission"]);
  });

  it("names in the tracked file where that Gatekeeper is by default, for who runs the official CLI", async () => {
    const folder = join(paths.state, "control-plane");
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "ports.json"), JSON.stringify(NAMED_PORTS));
    await open("local");
    const webhookIn = (file: string) =>
      (settingsIn(file).config?.["wasm-functions:admission"] as { webhook: { url: string; caFile: string } }).webhook;
    const tracked = webhookIn(join(root, "Pulumi.local.yaml"));
    expect(webhookIn(workFile())).toEqual({ ...tracked, caFile: join(root, tracked.caFile) });
  });

  it("is told where KEDA and Prometheus are that were started for it, as the tracked file has it by default", async () => {
    const scaling = (file: string) =>
      settingsIn(file).config?.["wasm-functions:autoscaling"] as { keda: { caFile: string } };
    const folder = join(paths.state, "control-plane");
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "ports.json"), JSON.stringify(NAMED_PORTS));
    await open("local");
    const { keda } = scaling(join(root, "Pulumi.local.yaml"));
    expect(scaling(workFile())).toEqual({ keda: { ...keda, caFile: join(root, keda.caFile) } });
    writeFileSync(join(folder, "ports.json"), JSON.stringify({ kedaAdapter: 20_001, prometheus: 20_002 }));
    await open("local");
    expect(scaling(workFile())).toMatchObject({ keda: { port: 20_001, prometheus: "http://127.0.0.1:20002" } });
  });

  it("keeps the salt that the engine wrote there, and takes over what changed in the tracked file", async () => {
    const tracked = join(root, "Pulumi.local.yaml");
    const before = readFileSync(tracked, "utf8");
    await open("local");
    writeFileSync(workFile(), stringify({ ...settingsIn(workFile()), encryptionsalt: "v1:salt" }));
    expect(readFileSync(tracked, "utf8")).toBe(before);
    writeFileSync(tracked, `${before}  wasm-functions:gateway: { kind: kong }\n`);
    await open("local");
    expect(settingsIn(workFile())).toMatchObject({
      encryptionsalt: "v1:salt",
      config: { "wasm-functions:gateway": { kind: "kong" } },
    });
    expect(readFileSync(tracked, "utf8")).not.toContain("salt");
  });

  it.each(["", "encryptionsalt: 'v1:", "text"])(
    "makes its file anew where a full disk left %j of it",
    async (content) => {
      await open("local");
      const whole = readFileSync(workFile(), "utf8");
      writeFileSync(workFile(), content);
      await open("local");
      expect(readFileSync(workFile(), "utf8")).toBe(whole);
    },
  );
});

it("leaves the engine no folder for its logs, also where there is one from before", async () => {
  const logs = join(paths.pulumiHome, "logs");
  mkdirSync(logs, { recursive: true });
  writeFileSync(join(logs, "pulumi-20260101T000000-1-up.log"), "");
  for (let time = 0; time < 2; time++) {
    await openStack(readStackFile(root, "local"), paths, () => Promise.resolve({}));
    expect(statSync(logs).isFile()).toBe(true);
  }
});

describe("a stack that lasts", () => {
  const BACKEND =
    'PULUMI_BACKEND_URL: not set: this stack\'s state must outlive this machine, so it needs a backend of yours; set it, for example to "s3://my-pulumi-state" or "https://api.pulumi.com" (pulumi whoami --verbose prints the one you are logged in to)';
  const PASSPHRASE =
    "PULUMI_CONFIG_PASSPHRASE: not set: this stack's secrets are encrypted with a passphrase; set it or PULUMI_CONFIG_PASSPHRASE_FILE, or give the stack file a secretsprovider";
  const TOKEN =
    "PULUMI_ACCESS_TOKEN: not set: https://api.pulumi.com asks who you are; set it to an access token of yours";

  it.each([
    ["nothing", {}, [BACKEND, PASSPHRASE]],
    ["empty values", { PULUMI_BACKEND_URL: "", PULUMI_CONFIG_PASSPHRASE: "" }, [BACKEND, PASSPHRASE]],
    ["a passphrase alone", { PULUMI_CONFIG_PASSPHRASE: "x" }, [BACKEND]],
    ["a bucket alone", { PULUMI_BACKEND_URL: "s3://state" }, [PASSPHRASE]],
    ["a service alone, which encrypts itself", { PULUMI_BACKEND_URL: "https://api.pulumi.com" }, [TOKEN]],
  ])("is refused where the user has set %s, and nothing is run or written", async (_, env, problems) => {
    for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
    for (const stack of ["dev", "prod"]) {
      expect(await refused(open(stack))).toEqual(problems);
      const preview = openStackForPreview(readStackFile(root, stack), paths, program, join(root, "scratch"));
      expect(await refused(preview)).toEqual(problems);
    }
    expect(calls()).toBe("");
    expect([existsSync(paths.state), existsSync(join(root, "scratch"))]).toEqual([false, false]);
  });

  it("needs no passphrase where its file names another provider of secrets", async () => {
    const file = join(root, "Pulumi.prod.yaml");
    writeFileSync(file, `secretsprovider: awskms://alias/state\n${readFileSync(file, "utf8")}`);
    expect(await refused(open("prod"))).toEqual([BACKEND]);
  });

  it.each([
    ["a bucket and a passphrase", { PULUMI_BACKEND_URL: "s3://state", PULUMI_CONFIG_PASSPHRASE: "x" }],
    ["a bucket and a file with one", { PULUMI_BACKEND_URL: "s3://state", PULUMI_CONFIG_PASSPHRASE_FILE: "/secret" }],
    ["a service and a token", { PULUMI_BACKEND_URL: "https://api.pulumi.com", PULUMI_ACCESS_TOKEN: "x" }],
  ])("is opened with %s, in the project's own folder", async (_, env) => {
    for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
    await open("prod");
    expect(calls()).toContain(`stack init prod --non-interactive in ${root}\n`);
    for (const [name, value] of Object.entries(env).filter(([key]) => key !== "PULUMI_ACCESS_TOKEN"))
      expect(calls()).toContain(`${name}=${value}\n`);
    expect(existsSync(paths.state)).toBe(false);
  });
});

describe("a preview", () => {
  const preview = (stack: string) => {
    const scratch = join(root, "scratch");
    return openStackForPreview(readStackFile(root, stack), paths, program, scratch);
  };
  const commands = () => calls().match(/^stack .*/gm);
  beforeEach(() => {
    vi.stubEnv("PULUMI_BACKEND_URL", "s3://state");
    vi.stubEnv("PULUMI_CONFIG_PASSPHRASE", "of-the-user");
  });

  it.each(["prod", "organization/wasm-functions/prod"])(
    "selects a stack that its backend knows as %s",
    async (name) => {
      knownStacks("dev", name);
      expect((await preview("prod")).known).toBe(true);
      expect(commands()).toEqual([
        `stack ls --json --non-interactive in ${root}`,
        `stack select --stack prod --non-interactive in ${root}`,
      ]);
    },
  );

  it("plans an unknown stack against an empty state, and makes it in no backend of the user's", async () => {
    knownStacks("preprod", "dev");
    const before = readFileSync(join(root, "Pulumi.prod.yaml"), "utf8");
    expect((await preview("prod")).known).toBe(false);
    expect(commands()).toEqual([
      `stack ls --json --non-interactive in ${root}`,
      `stack init prod --non-interactive in ${join(root, "scratch", "work")}`,
    ]);
    expect(calls().match(/^PULUMI_BACKEND_URL=.*/gm)).toEqual([
      "PULUMI_BACKEND_URL=s3://state",
      `PULUMI_BACKEND_URL=file://${join(root, "scratch", "backend")}`,
    ]);
    expect(readFileSync(join(root, "Pulumi.prod.yaml"), "utf8")).toBe(before);
    expect(settingsIn(join(root, "scratch", "work", "Pulumi.prod.yaml"))).toEqual(parse(before));
    expect(existsSync(paths.state)).toBe(false);
  });

  it("opens an unknown stack's secrets with the user's own passphrase", async () => {
    await preview("prod");
    expect(
      calls()
        .match(/^PULUMI_CONFIG_PASSPHRASE=.*/gm)
        ?.at(-1),
    ).toBe("PULUMI_CONFIG_PASSPHRASE=of-the-user");
  });

  it("opens them with the passphrase in the user's file, if that is what there is", async () => {
    vi.stubEnv("PULUMI_CONFIG_PASSPHRASE", undefined);
    vi.stubEnv("PULUMI_CONFIG_PASSPHRASE_FILE", "/secret");
    await preview("prod");
    expect(
      calls()
        .match(/^PULUMI_CONFIG_PASSPHRASE(_FILE)?=.*/gm)
        ?.slice(-2),
    ).toEqual(["PULUMI_CONFIG_PASSPHRASE=", "PULUMI_CONFIG_PASSPHRASE_FILE=/secret"]);
  });

  it("has a passphrase of its own where the user needs none", async () => {
    vi.stubEnv("PULUMI_CONFIG_PASSPHRASE", undefined);
    vi.stubEnv("PULUMI_BACKEND_URL", "https://api.pulumi.com");
    vi.stubEnv("PULUMI_ACCESS_TOKEN", "x");
    await preview("prod");
    const passphrase = readFileSync(join(root, "scratch", "passphrase"), "utf8");
    expect(
      calls()
        .match(/^PULUMI_CONFIG_PASSPHRASE=.*/gm)
        ?.at(-1),
    ).toBe(`PULUMI_CONFIG_PASSPHRASE=${passphrase}`);
  });
});

describe("the engine's lock", () => {
  const dead = () => spawnSync("true").pid;
  const lock = (name: string, content: object | string) => {
    const folder = join(paths.state, "backend", ".pulumi", "locks", "organization", "wasm-functions", "local");
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, name), typeof content === "string" ? content : JSON.stringify(content));
  };

  it("is not there in a new home, and not where its folder is empty", () => {
    expect(hasDeadLock(paths, "local")).toBe(false);
    lock("notes.txt", "");
    expect(hasDeadLock(paths, "local")).toBe(false);
  });

  it("is dead when the process that took it is gone", () => {
    lock("1.json", { pid: dead(), username: "u", hostname: "h" });
    expect(hasDeadLock(paths, "local")).toBe(true);
    expect(hasDeadLock(paths, "other")).toBe(false);
  });

  it("is not dead while one of those who took it lives", () => {
    lock("1.json", { pid: dead() });
    lock("2.json", { pid: process.pid });
    expect(hasDeadLock(paths, "local")).toBe(false);
  });

  it.each(["", "{", "{}", "null"])("is dead where a kill left %j of it", (content) => {
    lock("1.json", content);
    expect(hasDeadLock(paths, "local")).toBe(true);
  });
});
