import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { Authorizer, type AuthorizerArgs } from "../../../../components/authorization/authorizer";
import { routeName } from "../../../../components/route-name";
import { bundle } from "../../../../components/bundle";
import { parseConfig } from "../../../../infra/config";
import type { AuthorizerSettings } from "../../../../programs/authorizer/settings";
import { find, names, register, RESOURCE_VERSION, secret, valueOf, type Registered } from "../../../support/mocks";
import { rawConfig, type Raw } from "../../infra/support";

const SELECTOR = {
  "app.kubernetes.io/name": "authorizer",
  "app.kubernetes.io/component": "authorizer",
  "app.kubernetes.io/part-of": "wasm-functions",
};
const COMMON = { ...SELECTOR, "app.kubernetes.io/managed-by": "pulumi", environment: "test" };
const GATEWAY = { "app.kubernetes.io/name": "traefik", "app.kubernetes.io/component": "gateway" };
const metadata = (name: string) => ({ name, namespace: "way-in", labels: COMMON });

const KEY = { kty: "EC", crv: "P-256", x: "abc", y: "def", kid: "one" };
const jwt = (more: Raw) => ({ jwt: { issuer: "https://id.example.com/", audience: "shop", ...more } });
const PUBLISHED = jwt({
  keysUrl: "https://id.example.com/.well-known/jwks.json",
  keysAddresses: ["198.51.100.20/32", "198.51.100.21/32"],
});
/** Budgets in a store; a config that has them has its password as well. */
const SHARED = { budgets: { kind: "shared", host: "valkey.example.com", port: 6380, addresses: ["10.9.0.0/24"] } };

function create(raw: Raw = {}, more: Partial<AuthorizerArgs> = {}) {
  const config = parseConfig(
    rawConfig({ gateway: { namespace: "way-in" }, functions: [{ name: "checkout" }], ...raw }),
  );
  const { authorization, gateway, routes, functions } = config;
  return register(
    () =>
      new Authorizer("authorizer", {
        ...{ authorization, gateway, routes, functions },
        environment: "test",
        namespace: "way-in",
        namespaceName: "way-in",
        gatewayLabels: GATEWAY,
        image: "docker.io/library/node:22.21.1-bookworm-slim",
        maxReplicas: 76,
        priorityClassName: "wasm-platform",
        remembered: 10_000,
        seesAddresses: true,
        ...more,
      }),
  );
}
const shared = (password = "hunter2") =>
  create(
    { authorization: { ...PUBLISHED, ...SHARED }, budgetStore: { password: "<secret>" } },
    { storePassword: password },
  );

const only = (resources: readonly Registered[], type: string) => resources.filter((each) => each.type === type);
const program = (resources: readonly Registered[]) => only(resources, "kubernetes:core/v1:ConfigMap")[0]!;
const settings = (resources: readonly Registered[]) =>
  JSON.parse((program(resources).inputs["data"] as Record<string, string>)["settings.json"]!) as AuthorizerSettings;

interface PodTemplate {
  readonly metadata: { readonly annotations: Readonly<Record<string, string>> };
  readonly spec: {
    readonly containers: readonly (Record<string, unknown> & { readonly command: readonly string[] })[];
    readonly volumes: readonly object[];
  } & Readonly<Record<string, unknown>>;
}
const deployment = (resources: readonly Registered[]) =>
  find(resources, "kubernetes:apps/v1:Deployment", "authorizer").inputs["spec"] as {
    readonly replicas: number;
    readonly selector: object;
    readonly strategy: object;
    readonly template: PodTemplate;
  };
const policy = (resources: readonly Registered[], name: string) =>
  find(resources, "kubernetes:networking.k8s.io/v1:NetworkPolicy", name).inputs;

describe("the authorizer", () => {
  it("is these objects", async () => {
    const { resources } = await create();
    expect(names(resources).map((name) => name.replace(/-[0-9a-f]{10}$/, "-*"))).toEqual([
      "kubernetes:apps/v1:Deployment authorizer",
      "kubernetes:autoscaling/v2:HorizontalPodAutoscaler authorizer-autoscaler",
      "kubernetes:core/v1:ConfigMap authorizer-program-*",
      "kubernetes:core/v1:Service authorizer",
      "kubernetes:core/v1:Service authorizer-peers",
      "kubernetes:core/v1:ServiceAccount authorizer-account",
      "kubernetes:networking.k8s.io/v1:NetworkPolicy authorizer-from-gateway",
      "kubernetes:policy/v1:PodDisruptionBudget authorizer-budget",
      "wasm-functions:authorization:Authorizer authorizer",
    ]);
  });

  it("is also these where it reaches an issuer and a store", async () => {
    const { resources: least } = await create();
    const { resources } = await shared();
    const had = names(least).map((name) => name.replace(/-[0-9a-f]{10}$/, "-*"));
    expect(
      names(resources)
        .map((name) => name.replace(/-[0-9a-f]{10}$/, "-*"))
        .filter((name) => !had.includes(name)),
    ).toEqual([
      "kubernetes:core/v1:Secret authorizer-store",
      "kubernetes:networking.k8s.io/v1:NetworkPolicy authorizer-to-issuer-and-store",
    ]);
  });

  it("tells where it is asked, and by whom it is known", async () => {
    const { result } = await create();
    expect([await valueOf(result.deploymentName), result.url, result.port, result.podLabels]).toEqual([
      "authorizer",
      "http://authorizer.way-in.svc.cluster.local:9000",
      9000,
      SELECTOR,
    ]);
  });
});

describe("the authorizer's program", () => {
  it("is script, settings and policy in one ConfigMap, named by what it holds, for good", async () => {
    const { resources } = await create();
    const { name, inputs } = program(resources);
    expect(name).toMatch(/^authorizer-program-[0-9a-f]{10}$/);
    expect(inputs).toEqual({
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: metadata(name),
      immutable: true,
      data: { "authorizer.js": bundle("authorizer"), "settings.json": expect.any(String) as string },
      binaryData: {
        "policy.wasm": readFileSync(resolve(__dirname, "../../../../policies/authorization/policy.wasm")).toString(
          "base64",
        ),
      },
    });
    expect(deployment(resources).template.spec.volumes).toEqual([{ name: "program", configMap: { name } }]);
  });

  it.each<[string, Raw]>([
    ["another route", { routes: [{ path: "/other" }] }],
    ["another budget", { functions: [{ name: "checkout", rateLimit: { burst: 400 } }] }],
    ["another issuer", { authorization: jwt({ keys: [KEY] }) }],
  ])("has another name with %s", async (_, raw) => {
    expect(program((await create(raw)).resources).name).not.toBe(program((await create()).resources).name);
  });

  it.each<[string, Raw]>([
    ["the same again", {}],
    [
      "another image of a function",
      { functions: [{ name: "checkout", image: "registry.example.com/checkout:2.0.0" }] },
    ],
    ["another bound of replicas", { authorization: { replicas: { max: 99 } } }],
  ])("has the same name with %s", async (_, raw) => {
    expect(program((await create(raw)).resources).name).toBe(program((await create()).resources).name);
  });

  it("is told of routes, each with its first function's budget, and how it is reached", async () => {
    const { resources } = await create(
      {
        gateway: { namespace: "way-in", trustedProxies: ["192.0.2.1/32"] },
        functions: [{ name: "checkout" }, { name: "next", rateLimit: { requestsPerSecond: 5, burst: 7 } }],
        routes: [
          { host: "shop.example.com", path: "/api", match: "prefix", methods: ["GET"], roles: ["user", "admin"] },
          { path: "/open", auth: "none", to: [{ function: "next" }, { function: "checkout" }] },
        ],
        authorization: { logSampling: 50 },
      },
      { remembered: 20_000, seesAddresses: false },
    );
    expect(settings(resources)).toEqual({
      port: 9000,
      adminPort: 9001,
      routes: [
        {
          name: routeName({ host: "shop.example.com", path: "/api", match: "prefix" }),
          host: "shop.example.com",
          path: "/api",
          match: "prefix",
          methods: ["GET"],
          public: false,
          roles: ["user", "admin"],
          limit: { name: "checkout", requestsPerSecond: 100, burst: 200 },
        },
        {
          name: routeName({ path: "/open", match: "exact" }),
          path: "/open",
          match: "exact",
          methods: ["POST"],
          public: true,
          roles: ["user"],
          limit: { name: "next", requestsPerSecond: 5, burst: 7 },
        },
      ],
      trustedProxies: ["192.0.2.1/32"],
      seesAddresses: false,
      budgets: { kind: "divided", peers: "authorizer-peers.way-in.svc.cluster.local" },
      remembered: 20_000,
      logSampling: 50,
      propagation: 5000,
      replicas: 2,
    });
  });

  it.each<[string, Raw, AuthorizerArgs["keys"], unknown]>([
    ["in the config", jwt({ keys: [KEY] }), undefined, [KEY]],
    ["in a file", jwt({ keysFile: "keys.json" }), [{ ...KEY, kid: "of the file" }], [{ ...KEY, kid: "of the file" }]],
    ["in a file that a preview does without", jwt({ keysFile: "keys.json" }), [], []],
    ["published", PUBLISHED, undefined, { url: "https://id.example.com/.well-known/jwks.json" }],
  ])("is told whose tokens are believed, with keys %s", async (_, authorization, keys, expected) => {
    const { resources } = await create({ authorization }, { keys });
    expect(settings(resources).tokens).toEqual({
      issuer: "https://id.example.com/",
      audience: "shop",
      algorithms: ["RS256", "ES256", "EdDSA"],
      rolesClaim: "role",
      clockToleranceSeconds: 5,
      keys: expected,
    });
  });

  it("is told of an issuer's own ways", async () => {
    const own = { algorithms: ["PS512"], rolesClaim: "realm_access.roles", clockTolerance: "1m", keys: [KEY] };
    expect(settings((await create({ authorization: jwt(own) })).resources).tokens).toMatchObject({
      algorithms: ["PS512"],
      rolesClaim: "realm_access.roles",
      clockToleranceSeconds: 60,
    });
  });

  it("is told of nobody's tokens where there is no issuer", async () => {
    expect(settings((await create()).resources)).not.toHaveProperty("tokens");
  });
});

describe("the authorizer's network", () => {
  it("lets in the gateway of its namespace alone, at the port where it asks", async () => {
    const { resources } = await create();
    expect(policy(resources, "authorizer-from-gateway")).toEqual({
      apiVersion: "networking.k8s.io/v1",
      kind: "NetworkPolicy",
      metadata: metadata("authorizer-from-gateway"),
      spec: {
        podSelector: { matchLabels: SELECTOR },
        policyTypes: ["Ingress"],
        ingress: [{ from: [{ podSelector: { matchLabels: GATEWAY } }], ports: [{ protocol: "TCP", port: 9000 }] }],
      },
    });
  });

  const to = (port: number, ...cidrs: string[]) => ({
    to: cidrs.map((cidr) => ({ ipBlock: { cidr } })),
    ports: [{ protocol: "TCP", port }],
  });
  const issuer = to(443, "198.51.100.20/32", "198.51.100.21/32");
  const atPort = jwt({ keysUrl: "https://id.example.com:8443/keys", keysAddresses: ["198.51.100.20/32"] });

  it.each<[string, Raw, object[]]>([
    ["the issuer", PUBLISHED, [issuer]],
    ["the issuer at its port", atPort, [to(8443, "198.51.100.20/32")]],
    ["the store", SHARED, [to(6380, "10.9.0.0/24")]],
    ["both", { ...PUBLISHED, ...SHARED }, [issuer, to(6380, "10.9.0.0/24")]],
  ])("lets it out to %s and nowhere else", async (_, authorization, egress) => {
    const budgetStore = "budgets" in authorization ? { password: "<secret>" } : {};
    const { resources } = await create({ authorization, budgetStore });
    expect(policy(resources, "authorizer-to-issuer-and-store")["spec"]).toEqual({
      podSelector: { matchLabels: SELECTOR },
      policyTypes: ["Egress"],
      egress,
    });
  });

  it.each<[string, Raw]>([
    ["there is no issuer", {}],
    ["the config has its keys, whatever addresses it names", jwt({ keys: [KEY], keysAddresses: ["198.51.100.20/32"] })],
    ["a file has its keys", jwt({ keysFile: "keys.json" })],
  ])("lets it out nowhere where %s", async (_, authorization) => {
    const { resources } = await create({ authorization });
    expect(only(resources, "kubernetes:networking.k8s.io/v1:NetworkPolicy").map(({ name }) => name)).toEqual([
      "authorizer-from-gateway",
    ]);
  });
});

describe("the authorizer's pods", () => {
  it("are restricted, hold no credential, and say when they serve", async () => {
    const { resources } = await create();
    const { name } = program(resources);
    expect(find(resources, "kubernetes:core/v1:ServiceAccount", "authorizer-account").inputs).toEqual({
      apiVersion: "v1",
      kind: "ServiceAccount",
      metadata: metadata("authorizer"),
      automountServiceAccountToken: false,
    });
    expect(deployment(resources).template).toEqual({
      metadata: { labels: COMMON, annotations: {} },
      spec: {
        serviceAccountName: "authorizer",
        automountServiceAccountToken: false,
        enableServiceLinks: false,
        priorityClassName: "wasm-platform",
        terminationGracePeriodSeconds: 15,
        securityContext: {
          runAsNonRoot: true,
          runAsUser: 65532,
          runAsGroup: 65532,
          fsGroup: 65532,
          seccompProfile: { type: "RuntimeDefault" },
        },
        topologySpreadConstraints: [
          {
            maxSkew: 1,
            topologyKey: "kubernetes.io/hostname",
            whenUnsatisfiable: "ScheduleAnyway",
            labelSelector: { matchLabels: SELECTOR },
            matchLabelKeys: ["pod-template-hash"],
          },
        ],
        containers: [
          {
            name: "authorizer",
            image: "docker.io/library/node:22.21.1-bookworm-slim",
            imagePullPolicy: "IfNotPresent",
            securityContext: {
              allowPrivilegeEscalation: false,
              capabilities: { drop: ["ALL"] },
              privileged: false,
              readOnlyRootFilesystem: true,
              runAsNonRoot: true,
            },
            command: [
              "node",
              "--max-old-space-size=230",
              "/app/authorizer.js",
              "/app/settings.json",
              "/app/policy.wasm",
            ],
            ports: [
              { name: "gate", containerPort: 9000, protocol: "TCP" },
              { name: "admin", containerPort: 9001, protocol: "TCP" },
            ],
            startupProbe: {
              httpGet: { path: "/livez", port: "admin" },
              periodSeconds: 1,
              timeoutSeconds: 2,
              failureThreshold: 60,
            },
            readinessProbe: {
              httpGet: { path: "/readyz", port: "admin" },
              periodSeconds: 2,
              timeoutSeconds: 2,
              failureThreshold: 2,
            },
            livenessProbe: {
              httpGet: { path: "/livez", port: "admin" },
              periodSeconds: 10,
              timeoutSeconds: 5,
              failureThreshold: 3,
            },
            resources: {
              requests: { cpu: "500m", memory: "192Mi", "ephemeral-storage": "16Mi" },
              limits: { cpu: "1", memory: "384Mi", "ephemeral-storage": "64Mi" },
            },
            volumeMounts: [{ name: "program", mountPath: "/app", readOnly: true }],
          },
        ],
        volumes: [{ name: "program", configMap: { name } }],
      },
    });
  });

  it("leave six tenths of their memory to JavaScript, whatever that is", async () => {
    const replicas = { requests: { memory: "1Gi" }, limits: { memory: "2Gi" } };
    const { resources } = await create({ authorization: { replicas } });
    expect(deployment(resources).template.spec.containers[0]?.command[1]).toBe("--max-old-space-size=1228");
  });

  it("are as many as the autoscaler says, from the config's least to the plan's most", async () => {
    const { resources } = await create({ authorization: { replicas: { min: 3, cpuTarget: "65%" } } });
    expect(deployment(resources)).toMatchObject({
      replicas: 3,
      selector: { matchLabels: SELECTOR },
      strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: "10%", maxUnavailable: 0 } },
    });
    expect(find(resources, "kubernetes:apps/v1:Deployment", "authorizer").options.ignoreChanges).toEqual([
      "spec.replicas",
    ]);
    expect(
      find(resources, "kubernetes:autoscaling/v2:HorizontalPodAutoscaler", "authorizer-autoscaler").inputs["spec"],
    ).toMatchObject({
      scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "authorizer" },
      minReplicas: 3,
      maxReplicas: 76,
      metrics: [
        { type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 65 } } },
      ],
    });
    expect(find(resources, "kubernetes:policy/v1:PodDisruptionBudget", "authorizer-budget").inputs["spec"]).toEqual({
      maxUnavailable: "10%",
      unhealthyPodEvictionPolicy: "AlwaysAllow",
      selector: { matchLabels: SELECTOR },
    });
  });

  it("are asked by one Service, and told each other's addresses by another, ready ones alone", async () => {
    const { resources } = await create();
    const service = (name: string) => find(resources, "kubernetes:core/v1:Service", name).inputs;
    const expected = (name: string, more: object) => ({
      apiVersion: "v1",
      kind: "Service",
      metadata: { ...metadata(name), annotations: { "pulumi.com/skipAwait": "true" } },
      spec: {
        type: "ClusterIP",
        selector: SELECTOR,
        ports: [{ name: "gate", protocol: "TCP", port: 9000, targetPort: "gate" }],
        ...more,
      },
    });
    expect(service("authorizer")).toEqual(expected("authorizer", {}));
    expect(service("authorizer-peers")).toEqual(expected("authorizer-peers", { clusterIP: "None" }));
  });
});

describe("the store's password", () => {
  it("is a secret from input to output, mounted where the settings say", async () => {
    const { resources } = await shared();
    expect(find(resources, "kubernetes:core/v1:Secret", "authorizer-store").inputs).toEqual({
      apiVersion: "v1",
      kind: "Secret",
      metadata: metadata("authorizer-store"),
      type: "Opaque",
      stringData: secret({ password: "hunter2" }),
    });
    const others = resources.filter(({ name }) => name !== "authorizer-store");
    expect(JSON.stringify(others)).not.toContain("hunter2");
    const { spec } = deployment(resources).template;
    expect(spec.volumes.at(-1)).toEqual({
      name: "store",
      secret: { secretName: "authorizer-store", defaultMode: 0o440 },
    });
    expect(spec.containers[0]?.["volumeMounts"]).toEqual([
      { name: "program", mountPath: "/app", readOnly: true },
      { name: "store", mountPath: "/run/secrets/store", readOnly: true },
    ]);
    expect(settings(resources).budgets).toMatchObject({ passwordFile: "/run/secrets/store/password" });
  });

  it("rolls the pods when it changes, by the secret's version, which tells nothing of it", async () => {
    const { resources } = await shared();
    expect(deployment(resources).template.metadata.annotations).toEqual({
      "wasm-functions.dev/store-secret-version": RESOURCE_VERSION,
    });
    const another = await shared("another");
    expect(program(another.resources).name).toBe(program(resources).name);
  });

  it("goes nowhere where budgets are divided", async () => {
    const { resources } = await create({}, { storePassword: "hunter2" });
    expect(only(resources, "kubernetes:core/v1:Secret")).toEqual([]);
    expect(JSON.stringify(resources)).not.toContain("hunter2");
  });
});
