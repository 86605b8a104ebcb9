import { describe, expect, it } from "vitest";
import { parseConfig } from "../../../infra/config";
import { caught, existing, k3s, problemsOf, rawConfig, withFunction } from "./support";

type Case = readonly [behaviour: string, raw: Record<string, unknown>, problem: string];

const fn = "functions.checkout";

/** Budgets in a store. */
const store = (changes: Record<string, unknown>) => {
  const budgets = { kind: "shared", host: "valkey.example.com", addresses: ["10.9.0.0/24"], ...changes };
  return rawConfig({ authorization: { budgets }, budgetStore: { password: "<secret>" } });
};

const CASES: readonly Case[] = [
  [
    "a min above max",
    withFunction({ scaling: { min: 120, max: 110 } }),
    `${fn}.scaling.min: 120: is above max 110; lower min or raise max`,
  ],
  [
    "an initial count above max",
    withFunction({ scaling: { max: 40 } }),
    `${fn}.scaling.initial: 100: is above max 40; lower initial or raise max`,
  ],
  [
    "an initial count below min",
    withFunction({ scaling: { min: 200 } }),
    `${fn}.scaling.initial: 100: is below min 200; raise initial or lower min`,
  ],
  [
    "a CPU target above the request",
    withFunction({ scaling: { cpuTarget: "170%" } }),
    `${fn}.scaling.cpuTarget: 170%: must be from 1% to 100% of the request; for example "70%"`,
  ],
  [
    "a store of budgets whose host is a URL",
    store({ host: "redis://valkey.example.com" }),
    'authorization.budgets.host: "redis://valkey.example.com": must be a host\'s name or IPv4 address alone; for example "valkey.example.com"; the port has a key of its own',
  ],
  [
    "an authority of a store that is asked in clear",
    store({ ca: "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n" }),
    "authorization.budgets.ca: set: the store is asked without TLS, so that nothing is verified by it; set tls: true, or drop it",
  ],
  [
    "a lease of a whole budget",
    store({ lease: "100%" }),
    'authorization.budgets.lease: 100%: must be from 1% to 50%: what one replica has leased, the others refuse; for example "10%"',
  ],
  [
    "an unknown gateway",
    rawConfig({ gateway: { kind: "traefick" } }),
    'gateway.kind: "traefick": must be one of traefik, kong; did you mean traefik?',
  ],
  [
    "a size without a unit",
    withFunction({ resources: { requests: { cpu: "10m", memory: 32 } } }),
    `${fn}.resources.requests.memory: 32: has no unit; write "32Mi" or "32Gi"`,
  ],
  [
    "a duration without a unit",
    withFunction({ server: { timeout: "30" } }),
    `${fn}.server.timeout: "30": must be a duration with a unit; write it as "30s", "10ms" or "5m"`,
  ],
  [
    "a quantity that is neither text nor number",
    withFunction({ resources: { requests: { cpu: true } } }),
    `${fn}.resources.requests.cpu: true: must be a text or a number; correct it`,
  ],
  [
    "a memory request of nothing",
    withFunction({ resources: { requests: { cpu: "10m", memory: "0" } } }),
    `${fn}.resources.requests.memory: 0: must be above 0, or nothing holds a pod to its node; for example "32Mi"`,
  ],
  [
    "a request above its limit",
    withFunction({ resources: { requests: { cpu: "200m", memory: "32Mi" } } }),
    `${fn}.resources.requests.cpu: 200m: is above its limit 100m; lower the request or raise the limit`,
  ],
  [
    "overlapping networks",
    rawConfig({ cluster: existing({ network: { serviceCidr: "10.42.128.0/17" } }) }),
    'cluster.network.serviceCidr: 10.42.128.0/17: overlaps podCidr 10.42.0.0/16; use apart networks, for example "10.42.0.0/16" and "10.43.0.0/16"',
  ],
  [
    "a node's share wider than the whole",
    rawConfig({ cluster: existing({ network: { podCidr: "10.42.0.0/20", nodeCidrMaskSize: 18 } }) }),
    "cluster.network.nodeCidrMaskSize: 18: is wider than podCidr 10.42.0.0/20; leave it out, or widen podCidr",
  ],
  [
    "a function's name used twice",
    rawConfig({ functions: [{ name: "checkout" }, { name: "checkout" }] }),
    "functions.checkout.name: checkout: names two functions; give each a name of its own",
  ],
  [
    "two functions that both go by the default name",
    rawConfig({ functions: [{}, { scaling: { max: 200 } }] }),
    `functions.serverless-function.name: serverless-function: names two functions; give each a name of its own`,
  ],
  [
    "a tenant's name used twice",
    rawConfig({ tenants: [{ name: "shop" }, { name: "shop" }] }),
    "tenants.shop.name: shop: names two tenants; give each a name of its own",
  ],
  [
    "a tenant that is not there",
    withFunction({ tenant: "shopp" }),
    `${fn}.tenant: shopp: is no tenant of this stack; did you mean shop?`,
  ],
  [
    "a tenant in the gateway's namespace",
    rawConfig({ tenants: [{ name: "shop" }, { name: "gateway" }] }),
    "tenants.gateway.name: gateway: is the gateway's namespace; use another name, or another gateway.namespace",
  ],
  [
    "an image without a tag",
    withFunction({ image: "registry.example.com/fn" }),
    `${fn}.image: "registry.example.com/fn": has no tag and no digest; pin it: "registry.example.com/fn:1.0.0" or "registry.example.com/fn@sha256:…"`,
  ],
  [
    "the tag latest",
    withFunction({ image: "registry.example.com/fn:latest" }),
    `${fn}.image: "registry.example.com/fn:latest": \`latest\` can be neither reproduced nor rolled back; pin a version tag or a digest`,
  ],
  [
    "a K3s version that is no release",
    rawConfig({ cluster: existing({ version: "latest" }) }),
    'cluster.version: "latest": must be a K3s release, which is a semantic version with its K3s build; for example "v1.30.4+k3s1"',
  ],
  [
    "a name that is no DNS label",
    withFunction({ name: "Check_Out" }),
    'functions.Check_Out.name: "Check_Out": must be a DNS label: lower-case letters, digits and dashes, at most 63; for example "checkout-v2"',
  ],
  [
    "an unknown key at the top",
    rawConfig({ gatway: {} }),
    "gatway: unknown key: the keys here are platform, cluster, runtime, gateway, authorization, tenants, functions, routes, autoscaling, observability, admission, controlPlane, cost, kubeconfig, databaseUrls, pullCredentials, sshKeys, snapshotStorage, gatewayTls, budgetStore, alertReceivers, logStorage; did you mean gateway?",
  ],
  [
    "an unknown key deep down",
    withFunction({ resources: { ephemeralStorage: { limt: "16Mi" } } }),
    `${fn}.resources.ephemeralStorage.limt: unknown key: the keys here are request, limit; did you mean limit?`,
  ],
  [
    "an unknown key that resembles none",
    rawConfig({ gateway: { tls: { kind: "certificate", issuer: "letsencrypt" } } }),
    "gateway.tls.issuer: unknown key: the keys here are kind, secretName; use one of kind, secretName",
  ],
  [
    "a wrong kind of cluster",
    rawConfig({ cluster: { kind: "eks" } }),
    'cluster.kind: "eks": must say which cluster this is: existing (a kubeconfig) or k3s (hosts); set kind: existing or kind: k3s',
  ],
  [
    "an existing cluster without a kubeconfig",
    { cluster: { kind: "existing" } },
    "cluster.kubeconfig: missing: an existing cluster is reached by one kubeconfig; set its path here, or its content as secret key kubeconfig",
  ],
  [
    "two kubeconfigs",
    rawConfig({ kubeconfig: "<secret>" }),
    "cluster.kubeconfig: set twice: an existing cluster is reached by one kubeconfig; drop either the path or the secret key kubeconfig",
  ],
  [
    "an even number of servers",
    { cluster: k3s(2, 1) },
    "cluster.servers: 2 servers: etcd needs an odd number to hold a majority when one is lost; use 1 for a disposable cluster, 3 or 5 for one that must survive",
  ],
  [
    "images of K3s in a word",
    { cluster: k3s(1, 1, { k3s: { airgapImages: "yes" } }) },
    'cluster.k3s.airgapImages: "yes": must be true or false; correct it',
  ],
  [
    "a password in a URL, which is not told",
    { cluster: k3s(1, 1, { mirrors: { "*": ["https://user:hunter2@mirror.example.com"] } }) },
    "cluster.mirrors.*[0]: (not shown): a URL must not hold a user and a password: it shows in previews and on hosts; serve it to the hosts without one",
  ],
  [
    "another name of a bucket's keys",
    {
      cluster: k3s(1, 1, { snapshots: { s3: { bucket: "etcd-snapshots" } } }),
      snapshotStorage: { accessKey: "<secret>", secretKey: "<secret>", secret: "<secret>" },
    },
    "snapshotStorage.secret: set: the names here are accessKey, secretKey; use one of accessKey, secretKey",
  ],
  [
    "keys of a bucket that there is not",
    { cluster: k3s(1, 1), snapshotStorage: { accessKey: "<secret>" } },
    "snapshotStorage.accessKey: set: there is no cluster.snapshots.s3 to write to; drop it, or name the bucket",
  ],
  [
    "a drain of less than a second",
    { cluster: k3s(1, 1, { rollout: { drainTimeout: "500ms" } }) },
    'cluster.rollout.drainTimeout: 500ms: must be whole seconds, from 1s on; write it as "300s"',
  ],
  ["K3s without agents", { cluster: k3s(1, 0) }, "cluster.agents: a list of 0: must be at least 1; raise it"],
  [
    "a port out of range",
    withFunction({ server: { port: 70_000 } }),
    `${fn}.server.port: 70000: must be at most 65535; lower it`,
  ],
  [
    "a fraction of a replica",
    withFunction({ scaling: { max: 200.5 } }),
    `${fn}.scaling.max: 200.5: must be a whole number; correct it`,
  ],
  [
    "draining on the port that clients reach",
    withFunction({ drain: { port: 8080 } }),
    `${fn}.drain.port: 8080: is the server's port, which clients reach; give draining a port of its own`,
  ],
  [
    "one path for both probes",
    withFunction({ health: { liveness: "/readyz" } }),
    `${fn}.health.readiness: /readyz: is also the liveness path, so a pod that is only busy would be killed; use two paths`,
  ],
  [
    "a rollout that cannot take a step",
    withFunction({ rollout: { maxSurge: 0 } }),
    `${fn}.rollout.maxSurge: 0: with maxUnavailable 0 no rollout can take a step; raise one of them`,
  ],
  [
    "a budget under which no node drains",
    withFunction({ disruption: { maxUnavailable: "0%" } }),
    `${fn}.disruption.maxUnavailable: 0: no node could ever be drained; leave room, for example "10%"`,
  ],
  [
    "a request that outlives the server",
    withFunction({ requestTimeout: "1m" }),
    `${fn}.requestTimeout: 1m: the server closes after 30s; lower requestTimeout or raise server.timeout`,
  ],
  [
    "a burst below its rate",
    withFunction({ rateLimit: { burst: 50 } }),
    `${fn}.rateLimit.burst: 50: is below requestsPerSecond 100; raise burst`,
  ],
  [
    "more reserved than an agent has",
    rawConfig({ cluster: existing({ agentShape: { cpu: "500m" } }) }),
    "cluster.agentShape.reserved.cpu: 500m: nothing is left of the agent's 500m; reserve less or use larger agents",
  ],
  [
    "a step period that Kubernetes does not take",
    withFunction({ scaling: { up: { period: "500ms" } } }),
    `${fn}.scaling.up.period: 500ms: Kubernetes takes whole seconds from 1s to 30m; write it as "15s"`,
  ],
  [
    "a node lost by one late lease",
    rawConfig({ controlPlane: { nodeMonitorGracePeriod: "10s" } }),
    'controlPlane.nodeMonitorGracePeriod: 10s: leases are renewed every 10 s, so under 20s one late renewal loses a node; use "20s" or more',
  ],
  [
    "a baseline that uses nothing",
    rawConfig({ cost: { baseline: { utilization: "0%" } } }),
    'cost.baseline.utilization: 0%: must be from 1% to 100%; for example "20%"',
  ],
  [
    "a database URL of no function",
    rawConfig({ databaseUrls: { checkout: "<secret>" } }),
    "databaseUrls.checkout: checkout: is no function of this stack; use one of serverless-function",
  ],
  [
    "a database URL where the address is not known",
    withFunction({}, { databaseUrls: { checkout: "<secret>" } }),
    `${fn}.database: missing: databaseUrls has its connection, but its address is not known; set database.addresses, so that the network lets it through`,
  ],
];

const HOST_KEY = `ssh-ed25519 ${"A".repeat(68)}`;

describe("parseConfig rejects", () => {
  it.each(CASES)("%s", (_, raw, problem) => {
    expect(problemsOf(() => parseConfig(raw))).toEqual([problem]);
  });

  it("two hosts of one name", () => {
    const twin = { name: "server-0", host: "192.0.2.9", hostKeyUnchecked: true };
    expect(problemsOf(() => parseConfig({ cluster: k3s(1, 1, { agents: [twin] }) }))).toEqual([
      "cluster.agents: server-0: names two hosts; give each host a name of its own",
    ]);
  });

  it.each([
    [{ hostKey: undefined }, "hostKey: missing: a host proves itself by its key, or is believed on purpose"],
    [{ hostKey: HOST_KEY, hostKeyUnchecked: true }, "hostKey: set beside hostKeyUnchecked"],
    [{ hostKey: `${HOST_KEY} root@agent` }, "without a comment; take it from"],
    [{ hostKey: HOST_KEY, host: "agent.example.com" }, "address: missing: nodes reach each other by IPv4 addresses"],
    [{ hostKey: HOST_KEY, address: "agent.internal" }, "address: agent.internal: nodes reach each other by IPv4"],
    [{ hostKey: HOST_KEY, user: "Root User" }, "user: "],
    [{ hostKey: HOST_KEY, bastion: { host: "192.0.2.1" } }, "bastion.hostKey: missing"],
  ])("a host with %j", (given, problem) => {
    const agent = { name: "agent-0", host: "192.0.2.9", ...given };
    const [only, ...others] = problemsOf(() => parseConfig({ cluster: k3s(1, 0, { agents: [agent] }) }));
    expect(others).toEqual([]);
    expect(only).toContain(`cluster.agents.agent-0.`);
    expect(only).toContain(problem);
  });

  it("what is no config at all", () => {
    expect(problemsOf(() => parseConfig("prod"))).toEqual(['config: "prod": must be an object; correct it']);
  });
});

describe("an error of parseConfig", () => {
  it("tells every problem at once", () => {
    const error = caught(() =>
      parseConfig(
        rawConfig({
          gateway: { kind: "nginx" },
          functions: [
            { name: "cart", image: "registry.example.com/cart:latest" },
            { name: "cart", scaling: { max: 8, initial: 10 } },
          ],
        }),
      ),
    );
    expect(error.message).toBe(
      [
        "The config is not valid (5 problems):",
        '  - gateway.kind: "nginx": must be one of traefik, kong; use one of traefik, kong',
        '  - functions.cart.image: "registry.example.com/cart:latest": `latest` can be neither reproduced nor rolled back; pin a version tag or a digest',
        "  - functions.cart.scaling.min: 10: is above max 8; lower min or raise max",
        "  - functions.cart.scaling.initial: 10: is above max 8; lower initial or raise max",
        "  - functions.cart.name: cart: names two functions; give each a name of its own",
      ].join("\n"),
    );
  });

  it.each([
    ["kubeconfig", { cluster: { kind: "existing" }, kubeconfig: "token: hunter2" }],
    ["a database URL", rawConfig({ databaseUrls: { "serverless-function": "postgres://shop:hunter2@db/shop" } })],
    ["all database URLs", rawConfig({ databaseUrls: "postgres://shop:hunter2@db/shop" })],
    ["pull credentials", rawConfig({ pullCredentials: { "registry.example.com": "hunter2" } })],
    ["a certificate's key", rawConfig({ gatewayTls: { certificate: "<secret>", key: "hunter2" } })],
    ["a store's password", rawConfig({ budgetStore: { password: "hunter2" } })],
  ])("never shows a secret that was given for its marker: %s", (_, raw) => {
    const { message } = caught(() => parseConfig(raw));
    expect(message).toContain("(hidden)");
    expect(message).not.toContain("hunter2");
  });
});
