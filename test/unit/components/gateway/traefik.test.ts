import { describe, expect, it } from "vitest";
import { ApiGateway } from "../../../../components/gateway/api-gateway";
import { traefikDynamic, traefikStatic } from "../../../../components/gateway/traefik-config";
import { gatewayRoutes, latencyBuckets, upstreams } from "../../../../components/gateway/routes";
import { parseConfig, type StackConfig } from "../../../../infra/config";
import { planRequestPath } from "../../../../infra/plan/request-path";
import { find, names, register, secret, type Registered } from "../../../support/mocks";
import { rawConfig, type Raw } from "../../infra/support";

const small = { workload: { peakRequestsPerSecond: 100 } };
const configOf = (raw: Raw = {}) =>
  parseConfig(
    rawConfig({
      functions: [
        { name: "checkout", ...small },
        { name: "next", ...small },
      ],
      ...raw,
    }),
  );

function rendered(config: StackConfig) {
  const reached = upstreams(config.routes, config.functions);
  const args = {
    gateway: config.gateway,
    routes: gatewayRoutes(config.routes),
    upstreams: reached,
    authorizer: "http://10.43.0.9:9000",
    buckets: latencyBuckets(config.functions),
    slow: 20,
    longest: 31_000,
  };
  return { static: traefikStatic(args), ...traefikDynamic(args) };
}

function registerGateway(config: StackConfig, more: Partial<ConstructorParameters<typeof ApiGateway>[1]> = {}) {
  const plan = planRequestPath(config);
  return register(
    () =>
      new ApiGateway("gateway", {
        environment: "test",
        namespace: "gateway",
        gateway: config.gateway,
        routes: config.routes,
        functions: config.functions,
        tenantNamespaces: { shop: "shop" },
        authorizer: {
          namespace: "gateway",
          labels: { "app.kubernetes.io/name": "authorizer" },
          url: "http://authorizer.gateway.svc.cluster.local:9000",
          addressUrl: "http://10.43.0.9:9000",
          port: 9000,
        },
        images: { gateway: "docker.io/library/traefik:v3.6.12", node: "docker.io/library/node:22.21.1-bookworm-slim" },
        maxReplicas: plan.gateway.max,
        helper: plan.helper,
        priorityClassName: "wasm-platform",
        apiServer: { networks: [{ cidr: "192.0.2.11/32" }], ports: [6443] },
        ...more,
      }),
  );
}

const anyHash = (list: string[]) => list.map((name) => name.replace(/-[0-9a-f]{10}$/, "-*"));
const spec = (resources: readonly Registered[], type: string, name: string): unknown =>
  find(resources, type, name).inputs["spec"];

describe("Traefik's routes", () => {
  it("rank an exact path before prefixes, a longer one before a shorter, and one for a host first", () => {
    const { dynamic } = rendered(
      configOf({
        routes: [
          { path: "/api", match: "prefix" },
          { path: "/api/orders", match: "prefix" },
          { path: "/api/orders" },
          { path: "/api/orders", host: "shop.example.com" },
          { path: "/", match: "prefix" },
        ],
      }),
    );
    const routers = Object.values(dynamic.http.routers).flatMap((router) =>
      "middlewares" in router && "priority" in router ? [router as { priority: number; rule: string }] : [],
    );
    const order = routers.sort((a, b) => b.priority - a.priority).map(({ rule }) => rule);
    expect(order).toEqual([
      "Host(`shop.example.com`) && Path(`/api/orders`)",
      "Path(`/api/orders`)",
      "(Path(`/api/orders`) || PathPrefix(`/api/orders/`))",
      "(Path(`/api`) || PathPrefix(`/api/`))",
      "PathPrefix(`/`)",
    ]);
  });

  it("each ask the authorizer, before anything else that costs", () => {
    const { dynamic } = rendered(configOf({ routes: [{}, { path: "/open", auth: "none", retries: 0 }] }));
    const chains = Object.values(dynamic.http.routers)
      .filter(({ entryPoints }) => entryPoints.includes("https"))
      .map((router) => ("middlewares" in router ? (router.middlewares as string[]) : []));
    expect(chains.map((chain) => chain.slice(0, 4).map((name) => name.replace(/-[0-9a-f]{6}$/, "")))).toEqual([
      ["only-our-word", "hsts", "authorize-api-function", "keep-token"],
      ["only-our-word", "hsts", "authorize-open", "keep-token"],
    ]);
    expect(chains.map((chain) => chain.length)).toEqual([6, 5]);
  });

  it("lead to the ready pods of a function, or of two by their weights", () => {
    const { dynamic, endpoints } = rendered(
      configOf({
        routes: [
          {
            to: [
              { function: "checkout", weight: 95 },
              { function: "next", weight: 5 },
            ],
          },
        ],
      }),
    );
    const [router] = Object.values(dynamic.http.routers);
    expect(dynamic.http.services).toMatchObject({
      [router!.service]: {
        weighted: {
          services: [
            { name: "checkout", weight: 95 },
            { name: "next", weight: 5 },
          ],
        },
      },
    });
    expect(endpoints).toEqual({
      checkout: { namespace: "shop", name: "checkout", port: "http" },
      next: { namespace: "shop", name: "next", port: "http" },
    });
  });

  it("leave out functions that no route leads to", () => {
    expect(Object.keys(rendered(configOf()).endpoints)).toEqual(["checkout"]);
  });
});

describe("Traefik's static configuration", () => {
  it("trusts nobody's word of a client's address unless the config names them", () => {
    const { https } = rendered(configOf()).static.entryPoints;
    expect(https).not.toHaveProperty("forwardedHeaders");
    expect(https).not.toHaveProperty("proxyProtocol");
    const trusting = rendered(
      configOf({ gateway: { trustedProxies: ["198.51.100.0/24"], proxyProtocol: ["192.0.2.1/32"] } }),
    ).static.entryPoints;
    for (const entry of [trusting.http, trusting.https]) {
      expect(entry).toMatchObject({
        forwardedHeaders: { trustedIPs: ["198.51.100.0/24"] },
        proxyProtocol: { trustedIPs: ["192.0.2.1/32"] },
      });
    }
  });

  it("has histograms about the objectives", () => {
    const { buckets } = rendered(configOf()).static.metrics.prometheus;
    expect(buckets).toEqual(expect.arrayContaining([0.01, 0.02, 0.05]));
  });

  it("logs every request, or those that failed or were slow", () => {
    expect(rendered(configOf()).static.accessLog).toMatchObject({
      filters: { statusCodes: ["400-599"], minDuration: "20ms" },
    });
    expect(rendered(configOf({ gateway: { accessLog: "all" } })).static.accessLog).not.toHaveProperty("filters");
  });

  it("sends plain requests to the port that clients know", () => {
    const to = (raw: Raw) =>
      rendered(configOf({ gateway: raw })).static.entryPoints.http.http.redirections.entryPoint.to;
    expect(to({ entry: { kind: "nodePort", https: 30_999 } })).toBe(":30999");
    expect(to({ entry: { kind: "servicelb" } })).toBe(":443");
  });
});

describe("the gateway", () => {
  it("is these objects", async () => {
    const { resources } = await registerGateway(configOf());
    expect(anyHash(names(resources))).toEqual([
      "kubernetes:apps/v1:Deployment gateway",
      "kubernetes:autoscaling/v2:HorizontalPodAutoscaler gateway-autoscaler",
      "kubernetes:core/v1:ConfigMap gateway-endpoints-*",
      "kubernetes:core/v1:ConfigMap gateway-routes",
      "kubernetes:core/v1:ConfigMap traefik-static-*",
      "kubernetes:core/v1:Service gateway-service",
      "kubernetes:core/v1:ServiceAccount gateway-account",
      "kubernetes:networking.k8s.io/v1:NetworkPolicy gateway-from-anywhere",
      "kubernetes:networking.k8s.io/v1:NetworkPolicy gateway-to-upstreams",
      "kubernetes:policy/v1:PodDisruptionBudget gateway-budget",
      "kubernetes:rbac.authorization.k8s.io/v1:Role gateway-endpoints-shop",
      "kubernetes:rbac.authorization.k8s.io/v1:Role gateway-routes",
      "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding gateway-endpoints-shop",
      "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding gateway-routes",
      "wasm-functions:gateway:ApiGateway gateway",
    ]);
  });

  it("has a Service that selects its own pods, never a function's", async () => {
    const { resources } = await registerGateway(configOf());
    const service = find(resources, "kubernetes:core/v1:Service", "gateway-service").inputs;
    expect(service["metadata"]).toMatchObject({ name: "api-gateway" });
    expect(service["spec"]).toMatchObject({
      type: "NodePort",
      selector: { "app.kubernetes.io/name": "traefik", "app.kubernetes.io/component": "gateway" },
      externalTrafficPolicy: "Local",
      ports: [
        { name: "http", port: 80, targetPort: "http", nodePort: 30_080 },
        { name: "https", port: 443, targetPort: "https", nodePort: 30_443 },
      ],
    });
  });

  it.each<[string, Raw, object]>([
    ["servicelb", { kind: "servicelb" }, { type: "LoadBalancer", externalTrafficPolicy: "Cluster" }],
    [
      "a load balancer of somebody else's",
      { kind: "external", loadBalancerClass: "example.com/nlb" },
      { type: "LoadBalancer", externalTrafficPolicy: "Local", loadBalancerClass: "example.com/nlb" },
    ],
    [
      "MetalLB",
      { kind: "metallb", addresses: ["192.0.2.240/28"], trafficPolicy: "cluster" },
      { type: "LoadBalancer", externalTrafficPolicy: "Cluster" },
    ],
  ])("is entered by %s", async (_, entry, expected) => {
    const { resources } = await registerGateway(configOf({ gateway: { entry } }));
    expect(spec(resources, "kubernetes:core/v1:Service", "gateway-service")).toMatchObject(expected);
  });

  it("waits for an address where somebody has to give one", async () => {
    const annotations = async (entry: Raw, more = {}) => {
      const { resources } = await registerGateway(configOf({ gateway: { entry } }), more);
      const { metadata } = find(resources, "kubernetes:core/v1:Service", "gateway-service").inputs;
      return (metadata as { annotations?: object }).annotations;
    };
    expect(await annotations({ kind: "nodePort" })).toEqual({ "pulumi.com/skipAwait": "true" });
    expect(await annotations({ kind: "servicelb" })).toEqual({});
    expect(
      await annotations({ kind: "external", annotations: { a: "b" } }, { serviceAnnotations: { c: "d" } }),
    ).toEqual({
      a: "b",
      c: "d",
    });
  });

  it("gives a credential for the API to its helper alone, which may read no secret", async () => {
    const { resources } = await registerGateway(configOf());
    const pod = (
      spec(resources, "kubernetes:apps/v1:Deployment", "gateway") as { template: { spec: Record<string, unknown> } }
    ).template.spec as {
      automountServiceAccountToken: boolean;
      containers: { name: string; volumeMounts: { name: string }[] }[];
      initContainers: { name: string; volumeMounts: { name: string }[] }[];
    };
    expect(pod.automountServiceAccountToken).toBe(false);
    const holders = [...pod.containers, ...pod.initContainers]
      .filter(({ volumeMounts }) => volumeMounts.some(({ name }) => name === "credentials"))
      .map(({ name }) => name);
    expect(holders).toEqual(["endpoints"]);
    const rules = resources
      .filter(({ type }) => type.endsWith(":Role"))
      .flatMap(({ inputs }) => inputs["rules"] as { resources: string[]; verbs: string[] }[]);
    expect(new Set(rules.flatMap((rule) => rule.resources))).toEqual(new Set(["configmaps", "endpointslices"]));
    expect(new Set(rules.flatMap((rule) => rule.verbs))).toEqual(new Set(["get", "list", "watch"]));
  });

  it("reaches the authorizer, the functions that routes lead to, and the API, and nothing else", async () => {
    const { resources } = await registerGateway(configOf());
    const { egress } = spec(resources, "kubernetes:networking.k8s.io/v1:NetworkPolicy", "gateway-to-upstreams") as {
      egress: { to: object[]; ports?: { port: number }[] }[];
    };
    expect(egress.map(({ ports }) => ports?.map(({ port }) => port))).toEqual([[9000], [8080], [6443]]);
    expect(egress[1]?.to).toEqual([
      {
        namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "shop" } },
        podSelector: {
          matchLabels: { "app.kubernetes.io/name": "checkout", "app.kubernetes.io/component": "function" },
        },
      },
    ]);
    expect(egress[2]?.to).toEqual([{ ipBlock: { cidr: "192.0.2.11/32" } }]);
  });

  it("rolls on another static configuration, and takes over other routes as it runs", async () => {
    const maps = async (raw: Raw) =>
      names((await registerGateway(configOf(raw))).resources).filter((name) => name.includes("ConfigMap"));
    const before = await maps({});
    expect(await maps({ routes: [{ path: "/other" }] })).toEqual(before);
    expect(await maps({ gateway: { accessLog: "all" } })).not.toEqual(before);
  });

  it("serves with the certificate that it is given, kept as a secret", async () => {
    const config = configOf({
      gateway: { tls: { kind: "certificate" } },
      gatewayTls: { certificate: "<secret>", key: "<secret>" },
    });
    const { resources } = await registerGateway(config, { certificate: { certificate: "CERT", key: "KEY" } });
    expect(find(resources, "kubernetes:core/v1:Secret", "gateway-certificate").inputs).toMatchObject({
      metadata: { name: "gateway-tls" },
      type: "kubernetes.io/tls",
      stringData: secret({ "tls.crt": "CERT", "tls.key": "KEY" }),
    });
    const others = resources.filter(({ type }) => !type.endsWith(":Secret"));
    expect(JSON.stringify(others)).not.toMatch(/KEY"/);
  });

  it("waits for a certificate that somebody else keeps", async () => {
    const { resources } = await registerGateway(
      configOf({ gateway: { tls: { kind: "certificate", secretName: "theirs" } } }),
    );
    expect(names(resources).filter((name) => name.includes(":Secret"))).toEqual([]);
    expect(JSON.stringify(spec(resources, "kubernetes:apps/v1:Deployment", "gateway"))).toContain(
      '"secretName":"theirs"',
    );
  });

  it("has time to leave: what it has begun may take as long as a function", async () => {
    const { resources } = await registerGateway(configOf());
    const deployment = find(resources, "kubernetes:apps/v1:Deployment", "gateway");
    const pod = spec(resources, "kubernetes:apps/v1:Deployment", "gateway") as {
      template: { spec: { terminationGracePeriodSeconds: number } };
    };
    expect(pod.template.spec.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(5 + 31);
    expect(deployment.options.ignoreChanges).toEqual(["spec.replicas"]);
  });
});
