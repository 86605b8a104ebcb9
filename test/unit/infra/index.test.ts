import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { parse } from "yaml";
import { parseConfig } from "../../../infra/config";
import { stackSchema } from "../../../infra/config-schema";
import { platformParts } from "../../../local/engine/status";
import { ADMISSION_POLICIES } from "../../../policies/admission";
import { find, names, secret, valueOf, type MockOptions } from "../../support/mocks";
import { projectDefaults, registerStack as run, stackConfig } from "../../support/rendered";

const ROOT = path.resolve(__dirname, "../../..");

const project = readYaml("Pulumi.yaml") as { config: Record<string, { type?: string; default?: unknown }> };

function readYaml(file: string): unknown {
  return parse(readFileSync(path.join(ROOT, file), "utf8"));
}

const existing = (cluster: object = {}) => ({
  cluster: { kind: "existing", kubeconfig: "absent", agents: 10, ...cluster },
});

/** An issuer whose file of keys is not needed. */
const OWN_ISSUER = {
  authorization: {
    jwt: { issuer: "https://id.example.com/", audience: "shop", keys: [{ kty: "OKP", crv: "Ed25519", x: "eA" }] },
  },
};

/** A Gatekeeper whose certificate needs no file. */
const OWN_WEBHOOK = { admission: { webhook: { kind: "service" } } };

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
  "kubernetes:scheduling.k8s.io/v1:PriorityClass wasm-runtime-platform-priority",
  "pulumi:providers:kubernetes cluster",
  "wasm-functions:runtime:WasmRuntime wasm-runtime",
];
const WAY_IN = [
  "kubernetes:apps/v1:Deployment authorizer",
  "kubernetes:apps/v1:Deployment gateway",
  "kubernetes:autoscaling/v2:HorizontalPodAutoscaler authorizer-autoscaler",
  "kubernetes:autoscaling/v2:HorizontalPodAutoscaler gateway-autoscaler",
  "kubernetes:core/v1:ConfigMap authorizer-program-*",
  "kubernetes:core/v1:ConfigMap gateway-endpoints-*",
  "kubernetes:core/v1:ConfigMap gateway-routes",
  "kubernetes:core/v1:ConfigMap traefik-static-*",
  "kubernetes:core/v1:Namespace gateway-namespace",
  "kubernetes:core/v1:Service authorizer",
  "kubernetes:core/v1:Service authorizer-peers",
  "kubernetes:core/v1:Service gateway-service",
  "kubernetes:core/v1:ServiceAccount authorizer-account",
  "kubernetes:core/v1:ServiceAccount gateway-account",
  "kubernetes:networking.k8s.io/v1:NetworkPolicy authorizer-from-gateway",
  "kubernetes:networking.k8s.io/v1:NetworkPolicy gateway-allow-dns",
  "kubernetes:networking.k8s.io/v1:NetworkPolicy gateway-default-deny",
  "kubernetes:networking.k8s.io/v1:NetworkPolicy gateway-from-anywhere",
  "kubernetes:networking.k8s.io/v1:NetworkPolicy gateway-to-upstreams",
  "kubernetes:policy/v1:PodDisruptionBudget authorizer-budget",
  "kubernetes:policy/v1:PodDisruptionBudget gateway-budget",
  "kubernetes:rbac.authorization.k8s.io/v1:Role gateway-endpoints-shop",
  "kubernetes:rbac.authorization.k8s.io/v1:Role gateway-routes",
  "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding gateway-endpoints-shop",
  "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding gateway-routes",
  "wasm-functions:authorization:Authorizer authorizer",
  "wasm-functions:gateway:ApiGateway gateway",
  "wasm-functions:platform:PlatformNamespace gateway",
];
/** What watches; the components' own tests look at each. */
const WATCHING = [
  "kubernetes:apps/v1:DaemonSet collector",
  "kubernetes:apps/v1:DaemonSet node-exporter",
  "kubernetes:apps/v1:Deployment grafana",
  "kubernetes:apps/v1:Deployment kube-state-metrics",
  "kubernetes:apps/v1:StatefulSet alertmanager",
  "kubernetes:apps/v1:StatefulSet loki",
  "kubernetes:apps/v1:StatefulSet prometheus",
  "kubernetes:core/v1:ConfigMap alertmanager-config-*",
  "kubernetes:core/v1:ConfigMap collector-config-*",
  "kubernetes:core/v1:ConfigMap grafana-config-*",
  "kubernetes:core/v1:ConfigMap grafana-dashboard-control-plane-*",
  "kubernetes:core/v1:ConfigMap grafana-dashboard-function-*",
  "kubernetes:core/v1:ConfigMap grafana-dashboard-gateway-*",
  "kubernetes:core/v1:ConfigMap grafana-dashboard-logs-*",
  "kubernetes:core/v1:ConfigMap grafana-dashboard-nodes-*",
  "kubernetes:core/v1:ConfigMap grafana-dashboard-overview-*",
  "kubernetes:core/v1:ConfigMap loki-config-*",
  "kubernetes:core/v1:ConfigMap prometheus-config",
  "kubernetes:core/v1:Namespace monitoring-hosts-namespace",
  "kubernetes:core/v1:Namespace monitoring-namespace",
  "kubernetes:core/v1:Secret grafana-secrets",
  "kubernetes:core/v1:Service alertmanager-pods",
  "kubernetes:core/v1:Service alertmanager-service",
  "kubernetes:core/v1:Service grafana",
  "kubernetes:core/v1:Service loki",
  "kubernetes:core/v1:Service loki-peers",
  "kubernetes:core/v1:Service prometheus-pods",
  "kubernetes:core/v1:Service prometheus-service",
  "kubernetes:core/v1:ServiceAccount alertmanager-account",
  "kubernetes:core/v1:ServiceAccount collector-account",
  "kubernetes:core/v1:ServiceAccount grafana-account",
  "kubernetes:core/v1:ServiceAccount kube-state-metrics-account",
  "kubernetes:core/v1:ServiceAccount loki-account",
  "kubernetes:core/v1:ServiceAccount node-exporter-account",
  "kubernetes:core/v1:ServiceAccount prometheus-account",
  "kubernetes:networking.k8s.io/v1:NetworkPolicy alertmanager-from-clients",
  "kubernetes:networking.k8s.io/v1:NetworkPolicy authorizer-from-prometheus",
  "kubernetes:networking.k8s.io/v1:NetworkPolicy collector-policy",
  "kubernetes:networking.k8s.io/v1:NetworkPolicy gateway-from-prometheus",
  "kubernetes:networking.k8s.io/v1:NetworkPolicy grafana-from-prometheus",
  "kubernetes:networking.k8s.io/v1:NetworkPolicy grafana-to-sources",
  "kubernetes:networking.k8s.io/v1:NetworkPolicy kube-state-metrics-from-prometheus",
  "kubernetes:networking.k8s.io/v1:NetworkPolicy kube-state-metrics-to-api",
  "kubernetes:networking.k8s.io/v1:NetworkPolicy loki-from-clients",
  "kubernetes:networking.k8s.io/v1:NetworkPolicy monitoring-allow-dns",
  "kubernetes:networking.k8s.io/v1:NetworkPolicy monitoring-default-deny",
  "kubernetes:networking.k8s.io/v1:NetworkPolicy monitoring-hosts-allow-dns",
  "kubernetes:networking.k8s.io/v1:NetworkPolicy monitoring-hosts-default-deny",
  "kubernetes:networking.k8s.io/v1:NetworkPolicy prometheus-from-readers",
  "kubernetes:networking.k8s.io/v1:NetworkPolicy prometheus-to-targets",
  "kubernetes:policy/v1:PodDisruptionBudget alertmanager-budget",
  "kubernetes:policy/v1:PodDisruptionBudget kube-state-metrics-budget",
  "kubernetes:policy/v1:PodDisruptionBudget loki-budget",
  "kubernetes:policy/v1:PodDisruptionBudget prometheus-budget",
  "kubernetes:rbac.authorization.k8s.io/v1:ClusterRole kube-state-metrics-watch",
  "kubernetes:rbac.authorization.k8s.io/v1:ClusterRole prometheus-metrics",
  "kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding kube-state-metrics-watch",
  "kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding prometheus-metrics",
  "kubernetes:rbac.authorization.k8s.io/v1:Role prometheus-targets-api",
  "kubernetes:rbac.authorization.k8s.io/v1:Role prometheus-targets-gateway",
  "kubernetes:rbac.authorization.k8s.io/v1:Role prometheus-targets-monitoring",
  "kubernetes:rbac.authorization.k8s.io/v1:Role prometheus-targets-monitoring-hosts",
  "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding prometheus-targets-api",
  "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding prometheus-targets-gateway",
  "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding prometheus-targets-monitoring",
  "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding prometheus-targets-monitoring-hosts",
  "wasm-functions:observability:Alertmanager alertmanager",
  "wasm-functions:observability:Grafana grafana",
  "wasm-functions:observability:KubeStateMetrics kube-state-metrics",
  "wasm-functions:observability:LogCollector collector",
  "wasm-functions:observability:Loki loki",
  "wasm-functions:observability:NodeExporter node-exporter",
  "wasm-functions:observability:Observability observability",
  "wasm-functions:observability:Prometheus prometheus",
  "wasm-functions:platform:PlatformNamespace monitoring",
  "wasm-functions:platform:PlatformNamespace monitoring-hosts",
];
const GRAFANA_SECRETS = [
  "random:index/randomPassword:RandomPassword grafana-admin-password",
  "random:index/randomPassword:RandomPassword grafana-secret-key",
];
/** Where the issuer publishes its keys. */
const PUBLISHED_KEYS = ["kubernetes:networking.k8s.io/v1:NetworkPolicy authorizer-to-issuer-and-store"];
/** What admits objects: its kinds, its pods and what they are given, and of each policy a template and a constraint. */
const GUARDING = [
  "kubernetes:admissionregistration.k8s.io/v1:ValidatingWebhookConfiguration admission-webhook",
  ...[
    "assign.mutations",
    "assignimage.mutations",
    "assignmetadata.mutations",
    "configs.config",
    "constraintpodstatuses.status",
    "constrainttemplatepodstatuses.status",
    "constrainttemplates.templates",
    "expansiontemplate.expansion",
    "expansiontemplatepodstatuses.status",
    "modifyset.mutations",
    "mutatorpodstatuses.status",
    "providers.externaldata",
    "syncsets.syncset",
  ].map((kind) => `kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition admission-${kind}.gatekeeper.sh`),
  "kubernetes:apps/v1:Deployment admission-gatekeeper-audit",
  "kubernetes:apps/v1:Deployment admission-gatekeeper-controller-manager",
  "kubernetes:config.gatekeeper.sh/v1alpha1:Config admission-config",
  "kubernetes:core/v1:Namespace admission-gatekeeper-system",
  "kubernetes:core/v1:ResourceQuota admission-gatekeeper-critical-pods",
  "kubernetes:core/v1:Secret admission-gatekeeper-webhook-server-cert",
  "kubernetes:core/v1:Service admission-gatekeeper-webhook-service",
  "kubernetes:core/v1:ServiceAccount admission-gatekeeper-admin",
  "kubernetes:networking.k8s.io/v1:NetworkPolicy admission-default-deny",
  "kubernetes:networking.k8s.io/v1:NetworkPolicy admission-from-api",
  "kubernetes:networking.k8s.io/v1:NetworkPolicy admission-from-prometheus",
  "kubernetes:networking.k8s.io/v1:NetworkPolicy admission-to-api",
  "kubernetes:policy/v1:PodDisruptionBudget admission-gatekeeper-audit-budget",
  "kubernetes:policy/v1:PodDisruptionBudget admission-gatekeeper-controller-manager-budget",
  "kubernetes:rbac.authorization.k8s.io/v1:ClusterRole admission-gatekeeper-manager-role",
  "kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding admission-gatekeeper-manager-rolebinding",
  "kubernetes:rbac.authorization.k8s.io/v1:Role admission-gatekeeper-manager-role",
  "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding admission-gatekeeper-manager-rolebinding",
  "kubernetes:rbac.authorization.k8s.io/v1:Role prometheus-targets-gatekeeper-system",
  "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding prometheus-targets-gatekeeper-system",
  "wasm-functions:admission:Admission admission",
  ...ADMISSION_POLICIES.flatMap(({ name, kind }) => [
    `kubernetes:templates.gatekeeper.sh/v1:ConstraintTemplate admission-${name}-template`,
    `kubernetes:constraints.gatekeeper.sh/v1beta1:${kind} admission-${name}`,
  ]),
];
/** Whoever gives the gateway its address; the component's own test looks at each. */
const METALLB = [
  "kubernetes:admissionregistration.k8s.io/v1:ValidatingWebhookConfiguration metallb-metallb-webhook-configuration",
  "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition metallb-bfdprofiles.metallb.io",
  "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition metallb-bgpadvertisements.metallb.io",
  "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition metallb-bgppeers.metallb.io",
  "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition metallb-communities.metallb.io",
  "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition metallb-configurationstates.metallb.io",
  "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition metallb-ipaddresspools.metallb.io",
  "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition metallb-l2advertisements.metallb.io",
  "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition metallb-servicebgpstatuses.metallb.io",
  "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition metallb-servicel2statuses.metallb.io",
  "kubernetes:apps/v1:DaemonSet metallb-speaker",
  "kubernetes:apps/v1:Deployment metallb-controller",
  "kubernetes:core/v1:ConfigMap metallb-metallb-excludel2",
  "kubernetes:core/v1:Namespace metallb-metallb-system",
  "kubernetes:core/v1:Secret metallb-metallb-webhook-cert",
  "kubernetes:core/v1:Service metallb-metallb-webhook-service",
  "kubernetes:core/v1:ServiceAccount metallb-controller",
  "kubernetes:core/v1:ServiceAccount metallb-speaker",
  "kubernetes:metallb.io/v1beta1:IPAddressPool metallb-pool",
  "kubernetes:metallb.io/v1beta1:L2Advertisement metallb-advertisement",
  "kubernetes:networking.k8s.io/v1:NetworkPolicy metallb-controller",
  "kubernetes:rbac.authorization.k8s.io/v1:ClusterRole metallb-metallb-system:controller",
  "kubernetes:rbac.authorization.k8s.io/v1:ClusterRole metallb-metallb-system:speaker",
  "kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding metallb-metallb-system:controller",
  "kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding metallb-metallb-system:speaker",
  "kubernetes:rbac.authorization.k8s.io/v1:Role metallb-controller",
  "kubernetes:rbac.authorization.k8s.io/v1:Role metallb-pod-lister",
  "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding metallb-controller",
  "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding metallb-pod-lister",
  "wasm-functions:gateway:MetalLb metallb",
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
const anyHash = (list: string[]) => list.map((name) => name.replace(/-[0-9a-f]{10}$/, "-*"));

describe("Pulumi.yaml", () => {
  it("describes every key of the config, and no other", () => {
    expect(Object.keys(project.config).sort()).toEqual(Object.keys(stackSchema.in.shape).sort());
  });

  it("has defaults that are the program's own", () => {
    const { kubeconfig, ...defaults } = projectDefaults();
    expect(kubeconfig).toBe("");
    expect(parseConfig({ ...defaults, ...existing() })).toEqual(parseConfig(existing()));
  });
});

describe("the program", () => {
  it("registers the local stack", async () => {
    const { resources } = await run("local");
    expect(anyHash(names(resources))).toEqual(
      [
        ...TENANT,
        ...RUNTIME,
        ...GUARDING,
        ...WAY_IN,
        ...WATCHING,
        ...GRAFANA_SECRETS,
        ...fnNames("serverless-function"),
      ].sort(),
    );
  });

  it("registers the dev stack", async () => {
    const { resources } = await run("dev");
    expect(names(resources).filter(isHosts).length).toBeGreaterThan(10);
    expect(objects(names(resources))).toEqual(
      [
        ...TENANT,
        ...GROUP,
        ...RUNTIME,
        ...GUARDING,
        ...WAY_IN,
        ...WATCHING,
        ...PUBLISHED_KEYS,
        ...fnNames("serverless-function"),
      ].sort(),
    );
  });

  it("registers the prod stack, its tenant protected and its image pinned by digest", async () => {
    const { resources, result } = await run("prod");
    expect(objects(names(resources))).toEqual(
      [
        ...TENANT,
        ...GROUP,
        ...RUNTIME,
        ...GUARDING,
        ...WAY_IN,
        ...WATCHING,
        ...PUBLISHED_KEYS,
        "kubernetes:networking.k8s.io/v1:NetworkPolicy alertmanager-to-receivers",
        ...METALLB,
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

  it("makes no workload of the platform's that a status does not know", async () => {
    const { resources } = await run("local");
    const made = resources
      .filter(({ type, name }) => type.startsWith("kubernetes:apps/") && name !== "serverless-function")
      .map(({ type, inputs }) => {
        const { name, namespace } = inputs["metadata"] as { name: string; namespace: string };
        return [type.split(":").at(-1)?.toLowerCase(), name, namespace].join(" ");
      });
    const known = platformParts(parseConfig({ ...stackConfig("local"), kubeconfig: undefined }));
    expect(known.map(({ kind, name, namespace }) => [kind, name, namespace].join(" ")).sort()).toEqual(made.sort());
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
    expect({ ...rest.gateway, service: await valueOf(rest.gateway.service) }).toEqual({
      namespace: "gateway",
      service: "api-gateway",
      httpsPort: 30_443,
    });
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
    const cluster = { kind: "existing", agents: 10 };
    await run("local", { kubeconfig: "content", cluster, ...OWN_ISSUER, ...OWN_WEBHOOK }, { preview: false });
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
    expect(Object.fromEntries(namespaces)).toEqual({
      checkout: "shop",
      basket: "shop",
      suggest: "search",
      gateway: "gateway",
      authorizer: "gateway",
      "kube-state-metrics": "monitoring",
      grafana: "monitoring",
      "admission-gatekeeper-controller-manager": "gatekeeper-system",
      "admission-gatekeeper-audit": "gatekeeper-system",
    });
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

/** What production has besides where its clients' budgets are kept in a store. */
function budgetsInStore() {
  const { authorization } = stackConfig("prod") as { authorization: object };
  const budgets = { kind: "shared", host: "valkey.example.com", addresses: ["198.51.100.30/32"] };
  return { authorization: { ...authorization, budgets } };
}

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
      gatewayTls: { certificate: "-----BEGIN CERTIFICATE-----", key: "geheim-4" },
      budgetStore: { password: "geheim-5" },
      ...budgetsInStore(),
    });
    expect(find(resources, "command:remote:Command", "k3s-server-1-k3s").inputs["connection"]).toEqual(
      secret(expect.objectContaining({ privateKey: "geheim-1" })),
    );
    expect(find(resources, "kubernetes:core/v1:Secret", "serverless-function-database").inputs["stringData"]).toEqual(
      secret({ url: "postgres://shop:geheim-2@198.51.100.10/shop" }),
    );
    expect(find(resources, "kubernetes:core/v1:Secret", "gateway-certificate").inputs["stringData"]).toEqual(
      secret({ "tls.crt": "-----BEGIN CERTIFICATE-----", "tls.key": "geheim-4" }),
    );
    expect(find(resources, "kubernetes:core/v1:Secret", "authorizer-store").inputs["stringData"]).toEqual(
      secret({ password: "geheim-5" }),
    );
    const plain = JSON.stringify(resources, (key, value: unknown) => (key === "secret" ? "…" : value));
    expect(plain).not.toContain("geheim");
    expect(plain).not.toContain(Buffer.from("bob:geheim-3").toString("base64"));
    expect([...warnings, ...infos].join("\n")).not.toContain("geheim");
  });

  it.each([
    ["databaseUrls", { databaseUrls: { "serverless-function": "geheim" } }],
    ["gatewayTls", { gatewayTls: { certificate: "-----BEGIN CERTIFICATE-----", key: "geheim" } }],
    ["budgetStore", { budgetStore: { password: "geheim" }, ...budgetsInStore() }],
  ])("refuses a secret in plain text, without telling it: %s", async (key, overrides) => {
    const failure = await run("prod", overrides, { secretKeys: [] }).catch((error: unknown) => error as Error);
    expect((failure as Error).message).toContain(`${key}: (not shown): is a secret and stands in plain text`);
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
    const cluster = existing({ kubeconfig, identifier: "mine", context: "admin" });
    const { inputs } = await provider({ ...cluster, ...OWN_ISSUER, ...OWN_WEBHOOK }, { preview: false });
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
    expect(warnings).toContainEqual(expect.stringContaining("Previewed without a cluster"));
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

describe("the issuer's keys", () => {
  let folder = "";
  let keysFile = "";
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), "keys-"));
    keysFile = path.join(folder, "jwks.json");
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const issuer = () => ({ authorization: { jwt: { issuer: "https://id.example.com/", audience: "shop", keysFile } } });
  const up = () =>
    run(
      "local",
      { kubeconfig: "content", cluster: { kind: "existing", agents: 10 }, ...issuer(), ...OWN_WEBHOOK },
      { preview: false },
    );

  it("are read from their file, and come to the authorizer", async () => {
    const key = { kty: "OKP", crv: "Ed25519", x: "cHVibGlj", kid: "first" };
    writeFileSync(keysFile, JSON.stringify({ keys: [key] }));
    const { resources } = await up();
    const program = resources.find(({ name }) => /^authorizer-program-/.test(name));
    const { data } = program?.inputs as { data: Record<string, string> };
    expect(JSON.parse(data["settings.json"] ?? "")).toMatchObject({ tokens: { keys: [key] } });
  });

  it("that are not there stop an up, and leave a preview without them, which says so", async () => {
    const missing = `authorization.jwt.keysFile: ${keysFile}: is not there`;
    await expect(up()).rejects.toThrow(missing);
    await run("local", issuer());
    expect(warnings).toContainEqual(expect.stringMatching(/Previewed without keys$/));
    expect(warnings.join("\n")).toContain(missing);
  });

  it.each([
    ["no set of keys", "[]"],
    ["none", '{"keys": []}'],
    ["cut off", '{"keys": [{"kty": "OK'],
    ["a private one", '{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "eA", "d": "geheim"}]}'],
    ["a shared secret", '{"keys": [{"kty": "oct", "k": "geheim"}]}'],
  ])("are refused where the file has %s, without telling it", async (_, text) => {
    writeFileSync(keysFile, text);
    const failure = await up().catch((error: unknown) => error as Error);
    expect((failure as Error).message).toContain(`${keysFile}: must be a JSON Web Key Set of public keys`);
    expect((failure as Error).message).not.toContain("geheim");
  });
});
