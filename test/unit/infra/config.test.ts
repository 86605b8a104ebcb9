import { describe, expect, it } from "vitest";
import { parseConfig } from "../../../infra/config";
import { rawConfig } from "./support";

const MI = 2 ** 20;
const GI = 2 ** 30;

describe("the defaults", () => {
  const config = parseConfig(rawConfig());

  it("are the reference workload's function", () => {
    expect(config.functions).toHaveLength(1);
    expect(config.functions[0]).toMatchObject({
      name: "serverless-function",
      image: { text: "registry.example.com/serverless-function:1.0.0" },
      resources: { requests: { cpu: 10, memory: 32 * MI }, limits: { cpu: 100, memory: 64 * MI } },
      scaling: { min: 10, max: 5000, initial: 100, cpuTarget: 0.7 },
      server: { port: 8080, host: "0.0.0.0", timeout: 30_000 },
      maxConcurrentRequests: 1000,
      requestTimeout: 30_000,
      rateLimit: { requestsPerSecond: 100, burst: 200 },
      rollout: { maxSurge: { share: 0.25 }, maxUnavailable: { pods: 0 } },
      workload: { peakRequestsPerSecond: 100_000, cpuPerRequest: 0.18 },
      objectives: { availability: 0.9999, p99: 20, p999: 50 },
    });
  });

  it("are the reference's cluster", () => {
    expect(config.cluster).toMatchObject({
      version: "v1.30.4+k3s1",
      agents: 10,
      agentShape: { cpu: 32_000, memory: 128 * GI, reserved: { cpu: 500, memory: 2 * GI } },
      network: { podCidr: { text: "10.42.0.0/16" }, serviceCidr: { text: "10.43.0.0/16" } },
    });
    expect(config.tenants).toEqual([{ name: "shop" }]);
  });

  it("are a gateway that ports of every node lead to, sized by what requests were measured to take", () => {
    expect(config.gateway).toEqual({
      kind: "traefik",
      namespace: "gateway",
      entry: { kind: "nodePort", http: 30_080, https: 30_443, trafficPolicy: "local" },
      proxyProtocol: [],
      trustedProxies: [],
      tls: { kind: "selfSigned" },
      hsts: 365 * 86_400_000,
      accessLog: "errors",
      connectTimeout: 500,
      replicas: {
        min: 2,
        cpuTarget: 0.7,
        requests: { cpu: 1000, memory: 128 * MI },
        limits: { cpu: 2000, memory: 512 * MI },
      },
      cpuPerRequest: 0.55,
    });
  });

  it("are an authorizer that believes nobody's tokens, and divides budgets among its replicas", () => {
    expect(config.authorization).toEqual({
      budgets: { kind: "divided" },
      logSampling: 1000,
      replicas: {
        min: 2,
        cpuTarget: 0.7,
        requests: { cpu: 500, memory: 192 * MI },
        limits: { cpu: 1000, memory: 384 * MI },
      },
      cpuPerDecision: 0.26,
    });
  });

  it("are the reference's route, to the stack's first function", () => {
    expect(config.routes).toEqual([
      {
        path: "/api/function",
        match: "exact",
        methods: ["POST"],
        auth: "token",
        roles: ["user"],
        maxBodySize: MI,
        to: [{ function: "serverless-function", weight: 100 }],
        retries: 2,
      },
    ]);
  });

  it("compare with the reference's containers", () => {
    expect(config.cost).toEqual({
      baseline: { cpu: 500, memory: 256_000_000, utilization: 0.2 },
      lean: { cpu: 10, memory: 15_000_000, utilization: 0.7 },
      minimumSaving: 0.8,
    });
  });
});

describe("the parsed config", () => {
  it("is frozen through and through", () => {
    const open: string[] = [];
    visit(parseConfig(rawConfig()), "config");
    expect(open).toEqual([]);

    function visit(value: unknown, path: string): void {
      if (typeof value !== "object" || value === null) return;
      if (!Object.isFrozen(value)) open.push(path);
      for (const [key, child] of Object.entries(value)) visit(child, `${path}.${key}`);
    }
  });

  it("keeps defaults beside a value that is set", () => {
    const config = parseConfig(
      rawConfig({ functions: [{ name: "checkout", scaling: { max: 400 }, resources: { requests: { cpu: "20m" } } }] }),
    );
    expect(config.functions[0]?.scaling).toMatchObject({ min: 10, max: 400, initial: 100 });
    expect(config.functions[0]?.resources.requests).toEqual({ cpu: 20, memory: 32 * MI });
  });

  it("takes numbers where YAML drops the quotes", () => {
    const config = parseConfig(rawConfig({ functions: [{ resources: { limits: { cpu: 2 } } }] }));
    expect(config.functions[0]?.resources.limits.cpu).toBe(2000);
  });

  it("takes the kubeconfig as a secret instead of a path", () => {
    const config = parseConfig({ cluster: { kind: "existing" }, kubeconfig: "<secret>" });
    expect(config.kubeconfig).toBe("<secret>");
  });
});
