import { createServer, type Server } from "node:net";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { LocalStack } from "../support/local-stack";

/** Bad input through the commands, as a user meets it: one clear error, nothing started, nothing written. */
const stack = new LocalStack();
afterAll(() => stack.dispose());

const localFile = readFileSync(join(stack.root, "Pulumi.local.yaml"), "utf8");
afterEach(() => stack.writeStackFile(localFile));

async function refused(command = "up", name = "local", env: NodeJS.ProcessEnv = {}): Promise<string> {
  const { code, stderr } = await stack.run(command, name, env);
  expect(code).toBe(1);
  expect(stderr).not.toMatch(/\n\s+at .*:\d+:\d+/);
  return stderr;
}

describe("a config that is not valid", () => {
  afterEach(() => {
    // Config and plan come before everything else: not even a folder is made.
    expect(stack.homeEntries()).toEqual([]);
    expect(stack.processes()).toEqual([]);
  });

  it("refuses malformed YAML with its place", async () => {
    stack.writeStackFile("config:\n  wasm-functions:cluster: {kind: existing\n");
    const error = await refused();
    expect(error).toMatch(/The stack's file cannot be read:\n {2}- .*Pulumi\.local\.yaml: .*; correct the YAML/);
  });

  it("refuses a stack that does not exist and names those that do", async () => {
    expect(await refused("up", "staging")).toContain(
      "STACK: staging: Pulumi.staging.yaml does not exist; use one of dev, local, prod",
    );
  });

  it("tells every problem of a config in one error", async () => {
    stack.configure("gateway", { kind: "nginx" });
    stack.configure("functions", [
      { name: "checkout", image: "registry.example.com/checkout", scaling: { min: 20, max: 10, initial: 10 } },
      { name: "checkout", resources: { requests: { memory: 32 } } },
    ]);
    const error = await refused();
    for (const path of [
      "gateway.kind",
      "functions.checkout.image",
      "functions.checkout.scaling.min",
      "functions.checkout.resources.requests.memory",
      "functions.checkout.name",
    ]) {
      expect(error).toContain(`  - ${path}: `);
    }
  });

  it("refuses 5,000 replicas on one agent with every limit that they break", async () => {
    stack.configure("cluster", {
      kind: "existing",
      embedded: "simulated-nodes",
      kubeconfig: ".local/kubeconfig",
      agents: 1,
    });
    const error = await refused();
    expect(error).toContain("The plan cannot hold");
    expect(error).toMatch(/1,023|1023/);
    expect(error).toMatch(/add|agents/);
  });

  it("refuses another Kubernetes than the embedded control plane is", async () => {
    stack.configure("cluster", {
      kind: "existing",
      embedded: "simulated-nodes",
      kubeconfig: ".local/kubeconfig",
      version: "v1.34.1+k3s1",
    });
    expect(await refused()).toContain("cluster.version: v1.34.1+k3s1: it is Kubernetes v1.30.4");
  });
});

describe("a cluster that is not there", () => {
  it("keeps dev from coming up, before its backend or file is touched", async () => {
    const file = join(stack.root, "Pulumi.dev.yaml");
    const before = readFileSync(file, "utf8");
    const backend = join(stack.root, "backend-untouched");
    const env = { PULUMI_BACKEND_URL: `file://${backend}?create_dir=true`, PULUMI_CONFIG_PASSPHRASE: "for this test" };
    expect(await refused("up", "dev", env)).toContain("The hosts cannot be entered:\n  - sshKeys.default: missing: ");
    expect(readFileSync(file, "utf8")).toBe(before);
    expect(existsSync(backend)).toBe(false);
  });

  it("has no status, and the user's own cluster is not asked instead", async () => {
    const error = await refused("status", "prod", { KUBECONFIG: join(stack.root, "nowhere") });
    expect(error).toContain("The cluster cannot be asked");
  });

  it("refuses a kubeconfig that points nowhere, before the engine is asked", async () => {
    stack.writeStackFile(
      "config:\n  wasm-functions:cluster:\n    kind: existing\n    kubeconfig: nowhere/kubeconfig\n",
      "elsewhere",
    );
    const backend = { PULUMI_BACKEND_URL: `file://${stack.root}`, PULUMI_CONFIG_PASSPHRASE: "for this test" };
    const error = await refused("up", "elsewhere", backend);
    expect(error).toContain("The cluster cannot be reached:\n  - cluster.kubeconfig: ");
    expect(error).toContain(join(stack.root, "nowhere/kubeconfig"));
    expect(existsSync(join(stack.root, ".pulumi"))).toBe(false);
  });

  it("refuses to work without the user's backend, naming each thing that is missing", async () => {
    const without = { PULUMI_BACKEND_URL: "", PULUMI_CONFIG_PASSPHRASE: "", PULUMI_CONFIG_PASSPHRASE_FILE: "" };
    const error = await refused("preview", "prod", without);
    expect(error).toContain("PULUMI_BACKEND_URL: not set: ");
    expect(error).toContain("PULUMI_CONFIG_PASSPHRASE: not set: ");
  });

  it.each(["dev", "prod"])("previews %s all the same, and changes neither its file nor its backend", async (name) => {
    const file = join(stack.root, `Pulumi.${name}.yaml`);
    const before = readFileSync(file, "utf8");
    const backend = join(stack.root, `backend-${name}`);
    const env = { PULUMI_BACKEND_URL: `file://${backend}?create_dir=true`, PULUMI_CONFIG_PASSPHRASE: "for this test" };
    const { stdout } = await stack.ok("preview", name, env);
    expect(stdout).toContain("+  Deployment serverless-function");
    expect(stdout).toMatch(/^would be \d+ created$/m);
    expect(readFileSync(file, "utf8")).toBe(before);
    expect(existsSync(join(backend, ".pulumi", "stacks"))).toBe(false);
  });
});

describe("a stack that is up", () => {
  let server: Server | undefined;
  afterAll(() => server?.close());

  it("refuses a port that another program has taken, and goes on once it is free", async () => {
    await stack.ok("up");
    const port = portOf("kubeScheduler");
    await stack.kill("kube-scheduler");
    server = await listenOn(port);

    const error = await refused();
    expect(error).toContain(`kubeScheduler: ${port}: another program listens on this port`);
    await new Promise((closed) => server?.close(closed));
    server = undefined;
    expect((await stack.ok("up")).stderr).toMatch(/stack: 0 changes/);
  });

  it("is the only one of its kind: a second is refused, and cannot take the first down", async () => {
    stack.writeStackFile(localFile, "second");
    for (const command of ["up", "down"]) {
      expect(await refused(command, "second")).toContain("the embedded control plane runs stack local");
    }
    expect((await stack.ok("status")).stdout).toMatch(/kube-apiserver +running/);
  });

  it("previews against the last known state while its cluster is down, and says so", async () => {
    await stack.kill();
    const { stdout } = await stack.ok("preview");
    expect(stdout).toContain("The cluster does not answer: compared with its last known state");
    expect(stdout).toMatch(/^0 changes$/m);
  });

  it("goes down all the same, while a port is taken and half of it runs", async () => {
    await stack.ok("up");
    await stack.kill("kube-scheduler");
    server = await listenOn(portOf("kubeScheduler"));
    expect((await stack.ok("down")).stderr).toContain("Not all of the cluster runs");
    expect(stack.processes()).toEqual([]);
    expect(stack.homeEntries()).toEqual([]);
  });
});

function portOf(name: string): number {
  const file = join(stack.paths.state, "control-plane", "ports.json");
  return (JSON.parse(readFileSync(file, "utf8")) as Record<string, number>)[name]!;
}

function listenOn(port: number): Promise<Server> {
  const server = createServer();
  return new Promise((ready, failed) => {
    server.once("error", failed);
    server.listen(port, "127.0.0.1", () => ready(server));
  });
}
