import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { parse } from "yaml";
import program from "../../../infra/index";
import { parseConfig } from "../../../infra/config";
import { stackSchema } from "../../../infra/config-schema";
import { find, names, register, secret, valueOf, type MockOptions } from "../../support/mocks";

const ROOT = path.resolve(__dirname, "../../..");
const SECRETS = ["kubeconfig", "databaseUrls", "pullCredentials", "sshKeys"];

const project = readYaml("Pulumi.yaml") as { config: Record<string, { type?: string; default?: unknown }> };

function readYaml(file: string): unknown {
  return parse(readFileSync(path.join(ROOT, file), "utf8"));
}

/** A stack's config as the engine hands it on: the project's defaults under the stack's own values. */
function stackConfig(stack: string, overrides: object = {}): Record<string, unknown> {
  const { config } = readYaml(`Pulumi.${stack}.yaml`) as { config: Record<string, unknown> };
  const own = Object.fromEntries(
    Object.entries(config).map(([key, value]) => [key.replace("wasm-functions:", ""), value]),
  );
  const defaults = Object.fromEntries(
    Object.entries(project.config).flatMap(([key, { default: value }]) => (value === undefined ? [] : [[key, value]])),
  );
  return { ...defaults, ...own, ...overrides };
}

function run(stack: string, overrides: object = {}, options: MockOptions = {}) {
  return register(program, {
    stack,
    config: stackConfig(stack, overrides),
    secretKeys: SECRETS,
    preview: true,
    ...options,
  });
}

const existing = (cluster: object = {}) => ({
  cluster: { kind: "existing", kubeconfig: "absent", agents: 10, ...cluster },
});

let warnings: string[] = [];
let infos: string[] = [];

beforeEach(() => {
  warnings = [];
  infos = [];
  vi.spyOn(pulumi.log, "warn").mockImplementation((text) => Promise.resolve(void warnings.push(text)));
  vi.spyOn(pulumi.log, "info").mockImplementation((text) => Promise.resolve(void infos.push(text)));
});
afterEach(() => vi.restoreAllMocks());

const TENANT = [
  "kubernetes:core/v1:LimitRange shop-limits",
  "kubernetes:core/v1:Namespace shop",
  "kubernetes:core/v1:ResourceQuota shop-quota",
  "kubernetes:core/v1:ServiceAccount shop-functions",
  "kubernetes:networking.k8s.io/v1:NetworkPolicy shop-allow-dns",
  "kubernetes:networking.k8s.io/v1:NetworkPolicy shop-default-deny",
  "wasm-functions:tenancy:Tenant shop",
];
const GROUP = [
  "kubernetes:rbac.authorization.k8s.io/v1:Role shop-developer",
  "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding shop-developer",
];
const RUNTIME = [
  "kubernetes:node.k8s.io/v1:RuntimeClass wasm-runtime-runtime-class",
  "kubernetes:scheduling.k8s.io/v1:PriorityClass wasm-runtime-function-priority",
  "pulumi:providers:kubernetes cluster",
  "wasm-functions:runtime:WasmRuntime wasm-runtime",
];
const fnNames = (name: string) => [
  `kubernetes:apps/v1:Deployment ${name}`,
  `kubernetes:autoscaling/v2:HorizontalPodAutoscaler ${name}-hpa`,
  `kubernetes:core/v1:ConfigMap ${name}-config-*`,
  `kubernetes:core/v1:Service ${name}`,
  `kubernetes:networking.k8s.io/v1:NetworkPolicy ${name}-from-gateway`,
  `kubernetes:policy/v1:PodDisruptionBudget ${name}`,
  `wasm-functions:functions:WasmFunction ${name}`,
];
/** What makes the nodes; the component's own test looks at each. */
const isHosts = (name: string) => /^(?:command|random|wasm-functions:cluster):/.test(name);
const objects = (list: string[]) => anyHash(list).filter((name) => !isHosts(name));
const anyHash = (list: string[]) => list.map((name) => name.replace(/-config-[0-9a-f]{10}$/, "-config-*"));

describe("Pulumi.yaml", () => {
  it("describes every key of the config, and no other", () => {
    expect(Object.keys(project.config).sort()).toEqual(Object.keys(stackSchema.shape).sort());
  });

  it("has defaults that are the program's own", () => {
    const { kubeconfig, ...defaults } = stackConfig("local", existing());
    expect(kubeconfig).toBe("");
    const fromProject = parseConfig({ ...defaults, platform: {} });
    expect(fromProject).toEqual(parseConfig(existing()));
  });
});

describe("the program", () => {
  it("registers the local stack", async () => {
    const { resources } = await run("local");
    expect(anyHash(names(resources))).toEqual([...TENANT, ...RUNTIME, ...fnNames("serverless-function")].sort());
  });

  it("registers the dev stack", async () => {
    const { resources } = await run("dev");
    expect(names(resources).filter(isHosts).length).toBeGreaterThan(10);
    expect(objects(names(resources))).toEqual(
      [...TENANT, ...GROUP, ...RUNTIME, ...fnNames("serverless-function")].sort(),
    );
  });

  it("registers the prod stack, its tenant protected and its image pinned by digest", async () => {
    const { resources, result } = await run("prod");
    expect(objects(names(resources))).toEqual(
      [
        ...TENANT,
        ...GROUP,
        ...RUNTIME,
        ...fnNames("serverless-function"),
        "kubernetes:networking.k8s.io/v1:NetworkPolicy serverless-function-to-database",
      ].sort(),
    );
    expect(find(resources, "kubernetes:core/v1:Namespace", "shop").options.protect).toBe(true);
    expect(await valueOf(result.functions["serverless-function"]!.image)).toMatch(/@sha256:[0-9a-f]{64}$/);
  });

  it("registers the same again when it is run twice in one process", async () => {
    const first = names((await run("local")).resources);
    const second = names((await run("local")).resources);
    expect(second).toEqual(first);
  });

  it("puts every object on the stack's own cluster, and never on the user's default one", async () => {
    const { resources } = await run("prod");
    const objects = resources.filter((resource) => resource.type.startsWith("kubernetes:"));
    expect(new Set(objects.map((resource) => resource.options.provider))).toEqual(new Set(["cluster"]));
  });

  it("starts no pod before its tenant is isolated", async () => {
    const { resources } = await run("local");
    const { dependencies } = find(resources, "wasm-functions:functions:WasmFunction", "serverless-function");
    const isolation = TENANT.filter((name) => name.startsWith("kubernetes:"));
    expect(
      dependencies.map((urn) => urn.replace("wasm-functions:tenancy:Tenant$", "").replace("::", " ")).sort(),
    ).toEqual(isolation);
    const order = resources.map((resource) => `${resource.type} ${resource.name}`);
    const pods = order.indexOf("kubernetes:apps/v1:Deployment serverless-function");
    for (const object of isolation) expect(order.indexOf(object)).toBeLessThan(pods);
  });

  it("exports where functions are and what the plan came to", async () => {
    const { result } = await run("local");
    const { functions, tenants, ...rest } = result;
    expect(Object.keys(functions)).toEqual(["serverless-function"]);
    expect(await valueOf(functions["serverless-function"]!.url)).toBe(
      "http://serverless-function.shop.svc.cluster.local",
    );
    expect(await valueOf(tenants["shop"]!.namespace)).toBe("shop");
    expect(rest.environment).toBe("local");
    expect(rest.plan.agents).toBe(10);
    expect(rest.plan.podsAtPeak).toBeLessThanOrEqual(rest.plan.podsOffered);
    expect(Object.keys(rest.plan.secondsToMax)).toEqual(["serverless-function"]);
  });

  it("tells the plan's figures in a preview only, and its warnings always", async () => {
    await run("local");
    expect(infos.join("\n")).toMatch(/^Agents: 10/);
    expect(warnings.join("\n")).toContain("cluster.version: v1.30.4+k3s1");
    infos = [];
    warnings = [];
    await run("local", { kubeconfig: "content", cluster: { kind: "existing", agents: 10 } }, { preview: false });
    expect(infos).toEqual([]);
    expect(warnings.join("\n")).toContain("cluster.version: v1.30.4+k3s1");
  });

  it("runs two functions of one tenant and one of another", async () => {
    const scaling = { min: 2, initial: 2, max: 50 };
    const workload = { peakRequestsPerSecond: 500 };
    const fn = (name: string, tenant: string) => ({ name, tenant, scaling, workload });
    const { resources } = await run("local", {
      tenants: [{ name: "shop" }, { name: "search", group: "search-developers" }],
      functions: [fn("checkout", "shop"), fn("basket", "shop"), fn("suggest", "search")],
    });
    const namespaces = resources
      .filter((resource) => resource.type === "kubernetes:apps/v1:Deployment")
      .map((resource) => [resource.name, (resource.inputs["metadata"] as { namespace: string }).namespace]);
    expect(Object.fromEntries(namespaces)).toEqual({ checkout: "shop", basket: "shop", suggest: "search" });
    expect(names(resources)).toEqual(
      expect.arrayContaining([
        "kubernetes:rbac.authorization.k8s.io/v1:Role search-developer",
        "kubernetes:core/v1:ResourceQuota search-quota",
        "kubernetes:core/v1:ResourceQuota shop-quota",
      ]),
    );
    expect(names(resources)).not.toContain("kubernetes:rbac.authorization.k8s.io/v1:Role shop-developer");
  });
});

describe("the program's config", () => {
  it("is refused with everything that is wrong in one readable error", async () => {
    const failure = await run("local", {
      platfrom: {},
      functions: [{ name: "checkout", scaling: { min: 20, initial: 20, max: 10 } }],
    }).catch((error: unknown) => error);
    expect(pulumi.RunError.isInstance(failure)).toBe(true);
    expect((failure as Error).message).toMatch(/^The config is not valid \(3 problems\):/);
    expect((failure as Error).message).toContain("functions.checkout.scaling.min: 20: is above max 10");
    expect((failure as Error).message).toContain("platfrom: unknown key");
  });

  it("fails when the plan cannot hold it", async () => {
    await expect(run("local", existing({ agents: 1 }))).rejects.toThrow(/^The plan cannot hold/);
  });

  it("keeps secrets secret: each in its own object, none in plain", async () => {
    const { resources } = await run("prod", {
      sshKeys: { default: "geheim-1" },
      databaseUrls: { "serverless-function": "postgres://shop:geheim-2@198.51.100.10/shop" },
      pullCredentials: { "registry.example.com": "bob:geheim-3" },
    });
    expect(find(resources, "command:remote:Command", "k3s-server-1-k3s").inputs["connection"]).toEqual(
      secret(expect.objectContaining({ privateKey: "geheim-1" })),
    );
    expect(find(resources, "kubernetes:core/v1:Secret", "serverless-function-database").inputs["stringData"]).toEqual(
      secret({ url: "postgres://shop:geheim-2@198.51.100.10/shop" }),
    );
    const plain = JSON.stringify(resources, (key, value: unknown) => (key === "secret" ? "…" : value));
    expect(plain).not.toContain("geheim");
    expect(plain).not.toContain(Buffer.from("bob:geheim-3").toString("base64"));
    expect([...warnings, ...infos].join("\n")).not.toContain("geheim");
  });

  it("refuses a secret in plain text, without telling it", async () => {
    const failure = await run("prod", { databaseUrls: { "serverless-function": "geheim" } }, { secretKeys: [] }).catch(
      (error: unknown) => error as Error,
    );
    expect((failure as Error).message).toContain("databaseUrls: (not shown): is a secret and stands in plain text");
    expect((failure as Error).message).not.toContain("geheim");
  });

  it.each([["geheim"], [["geheim"]], [{ "serverless-function": { url: "geheim" } }], [{ "serverless-function": "" }]])(
    "refuses database connections of another form, without telling them: %j",
    async (databaseUrls) => {
      const failure = await run("prod", { databaseUrls }).catch((error: unknown) => error as Error);
      expect((failure as Error).message).toContain("databaseUrls: (secret): must have a text for each name");
      expect((failure as Error).message).not.toContain("geheim");
    },
  );

  it("tells problems of secrets and of the rest together", async () => {
    await expect(run("prod", { databaseUrls: "geheim", platform: { protect: "yes" } })).rejects.toThrow(/2 problems/);
  });
});

describe("the cluster's kubeconfig", () => {
  let folder = "";
  beforeEach(() => void (folder = mkdtempSync(path.join(tmpdir(), "kubeconfig-"))));
  afterEach(() => rmSync(folder, { recursive: true }));

  const provider = async (overrides: object, options: MockOptions = {}) =>
    find((await run("local", overrides, options)).resources, "pulumi:providers:kubernetes", "cluster");

  it("is read from its file, and the cluster known by its identifier", async () => {
    const kubeconfig = path.join(folder, "kubeconfig");
    writeFileSync(kubeconfig, "content");
    const { inputs } = await provider(existing({ kubeconfig, identifier: "mine", context: "admin" }), {
      preview: false,
    });
    expect(inputs).toEqual({
      kubeconfig: secret("content"),
      context: "admin",
      clusterIdentifier: "mine",
      enableServerSideApply: "true",
      enableSecretMutable: "true",
    });
  });

  it.each([
    ["an embedded cluster", existing({ embedded: "simulated-nodes" }), /`make up` starts the cluster/],
    ["another cluster", existing(), /correct the path/],
  ])("that is not there stops an up of %s, naming path and fix", async (_, overrides, fix) => {
    const failure = await run("local", overrides, { preview: false }).catch((error: unknown) => error as Error);
    expect(pulumi.RunError.isInstance(failure)).toBe(true);
    expect((failure as Error).message).toContain(`cluster.kubeconfig: ${path.join(ROOT, "absent")}: is not there`);
    expect((failure as Error).message).toMatch(fix);
  });

  it("that is not there leaves a preview without server and credentials, and says so", async () => {
    const { inputs } = await provider(existing());
    const { secret: text } = inputs["kubeconfig"] as { secret: string };
    expect(JSON.parse(text)).toEqual({
      apiVersion: "v1",
      kind: "Config",
      "current-context": "unreachable",
      clusters: [{ name: "unreachable", cluster: {} }],
      contexts: [{ name: "unreachable", context: { cluster: "unreachable", user: "unreachable" } }],
      users: [{ name: "unreachable", user: {} }],
    });
    expect(warnings.at(-1)).toContain("Previewed without a cluster");
  });

  it("of K3s hosts is what the first server has, with the address by which the servers are reached", async () => {
    const { resources } = await run("dev", { sshKeys: { default: "key" } }, { preview: false });
    expect(find(resources, "pulumi:providers:kubernetes", "cluster").inputs).toMatchObject({
      kubeconfig: secret("stdout of k3s-kubeconfig\n"),
      clusterIdentifier: "k3s",
    });
  });

  it("of K3s hosts is one of its own: another is refused", async () => {
    await expect(run("dev", { kubeconfig: "content" })).rejects.toThrow(/kubeconfig: set: a cluster of hosts/);
  });

  it("needs the keys that hosts are entered by for an up, and a preview says that they are missing", async () => {
    const missing = "sshKeys.default: missing: hosts are entered by it";
    await expect(run("dev", {}, { preview: false })).rejects.toThrow(missing);
    await run("dev");
    expect(warnings.join("\n")).toContain(missing);
  });

  it("goes from one version of K3s to the next alone: a preview already says so", async () => {
    const lastOutputs = { k3sVersion: "v1.28.9+k3s1" };
    await expect(run("dev", {}, { lastOutputs })).rejects.toThrow("skips a minor version; go by each version between");
    const { result } = await run("dev", {}, { lastOutputs: { k3sVersion: "v1.29.9+k3s1" } });
    expect(result.k3sVersion).toBe("v1.30.4+k3s1");
  });
});
