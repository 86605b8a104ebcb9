import { describe, expect, it } from "vitest";
import { parseConfig } from "../../../../infra/config";
import { formatProblem } from "../../../../infra/problems";
import { platformDemand, planRequestPath, requestPathProblems } from "../../../../infra/plan/request-path";
import { problemsOf, planOf, rawConfig, type Raw } from "../support";

const planned = (raw: Raw = {}) => planRequestPath(parseConfig(rawConfig(raw)));
const demanded = (raw: Raw) => platformDemand(parseConfig(rawConfig(raw)));
const problems = (raw: Raw) => requestPathProblems(parseConfig(rawConfig(raw))).map(formatProblem);

/** One function that so many requests/s come to at peak. */
const peak = (peakRequestsPerSecond: number, more: Raw = {}) => ({
  functions: [{ name: "checkout", workload: { peakRequestsPerSecond }, ...more }],
});
const MI = 2 ** 20;

describe("the way in is planned", () => {
  it("so that the load at peak finds each replica at the autoscaler's target", () => {
    const { peakRequestsPerSecond, gateway, authorizer } = planned();
    expect(peakRequestsPerSecond).toBe(100_000);
    // 100,000 x 550us are 55 CPU: at 70 % of 1 CPU each, 78.6 replicas.
    expect(gateway).toEqual({ min: 2, max: 80, needed: 79, cpuAtPeak: expect.closeTo(55_000, 6) });
    // 100,000 x 260us are 26 CPU: at 70 % of 500m each, 74.3 replicas.
    expect(authorizer).toEqual({ min: 2, max: 76, needed: 75, cpuAtPeak: expect.closeTo(26_000, 6) });
  });

  it("for all functions' peaks together", () => {
    const functions = [1500, 500].map((peakRequestsPerSecond, index) => ({
      name: `fn-${index}`,
      workload: { peakRequestsPerSecond },
    }));
    const { peakRequestsPerSecond, gateway } = planned({ functions });
    expect([peakRequestsPerSecond, gateway.needed]).toEqual([2000, 2]);
  });

  it("by what a request takes, and what a replica has", () => {
    const gateway = { cpuPerRequest: "1ms", replicas: { requests: { cpu: "2" }, cpuTarget: "50%" } };
    expect(planned({ ...peak(7000), gateway }).gateway).toEqual({ min: 2, max: 8, needed: 7, cpuAtPeak: 7000 });
  });

  it("without a replica for a rounding error of binary fractions", () => {
    const gateway = { cpuPerRequest: "70us", replicas: { requests: { cpu: "1" }, cpuTarget: "7%" } };
    expect(planned({ ...peak(10_000), gateway }).gateway.needed).toBe(10);
  });

  it("with the config's bounds: max is what it says, and never below min", () => {
    expect(planned({ gateway: { replicas: { max: 90 } } }).gateway).toMatchObject({ min: 2, max: 90, needed: 79 });
    expect(planned({ ...peak(100), gateway: { replicas: { min: 5 } } }).gateway).toMatchObject({
      min: 5,
      max: 5,
      needed: 1,
    });
  });
});

describe("what one authorizer remembers", () => {
  it("is 10,000 clients and tokens where fewer can come to it", () => {
    // 100,000 requests/s over 2 s, in which a bucket of 200 fills at 100/s, on 76 replicas, twice over: 5,264.
    expect(planned().remembered).toBe(10_000);
  });

  it("is twice what comes to it until the slowest bucket is full again", () => {
    const rateLimit = { requestsPerSecond: 10, burst: 600 };
    const { remembered, authorizer } = planned(peak(100_000, { rateLimit }));
    expect([authorizer.max, remembered]).toEqual([76, Math.ceil((100_000 * 60 * 2) / 76)]);
  });

  it("goes by the slowest function, and by all functions' load", () => {
    const functions = [
      { name: "a", workload: { peakRequestsPerSecond: 40_000 } },
      {
        name: "b",
        workload: { peakRequestsPerSecond: 60_000 },
        rateLimit: { requestsPerSecond: 10, burst: 600 },
      },
    ];
    expect(planned({ functions }).remembered).toBe(157_895);
  });
});

describe("the gateway sees clients' own addresses", () => {
  it.each<[boolean, string, Raw]>([
    [true, "ports of every node", { entry: { kind: "nodePort" } }],
    [false, "ports of every node, passed on between nodes", { entry: { kind: "nodePort", trafficPolicy: "cluster" } }],
    [false, "MetalLB", { entry: { kind: "metallb", addresses: ["192.0.2.240/28"] } }],
    [
      true,
      "MetalLB, whose node keeps what it gets",
      { entry: { kind: "metallb", addresses: ["192.0.2.240/28"], trafficPolicy: "local" } },
    ],
    [false, "K3s's own load balancer", { entry: { kind: "servicelb" } }],
    [true, "somebody else's load balancer", { entry: { kind: "external" } }],
    [
      false,
      "somebody else's load balancer, passed on between nodes",
      { entry: { kind: "external", trafficPolicy: "cluster" } },
    ],
  ])("%s: %s", (sees, _, gateway) => {
    expect(planned({ gateway }).seesAddresses).toBe(sees);
  });
});

describe("gateway and authorizer at the worst moment", () => {
  const ten = { replicas: { min: 10, max: 10 } };

  it("are their most pods with a tenth more, and Traefik's helper beside each gateway", () => {
    const raw = { ...peak(100), gateway: ten, authorization: { replicas: { max: 21 } } };
    // 10 + 1 gateways of 1 CPU + 10m and 128Mi + 48Mi, and 21 + 3 authorizers of 500m and 192Mi.
    expect(demanded(raw)).toMatchObject({
      pods: 11 + 24,
      cpu: 11 * 1010 + 24 * 500,
      memory: 11 * 176 * MI + 24 * 192 * MI,
    });
  });

  it("have no helper where the gateway is Kong", () => {
    const raw = { ...peak(100), gateway: { kind: "kong", ...ten }, authorization: ten };
    expect(demanded(raw)).toMatchObject({ pods: 22, cpu: 11 * 1000 + 11 * 500, memory: 11 * 128 * MI + 11 * 192 * MI });
  });

  it("have no pod for a rounding error of binary fractions", () => {
    const many = { replicas: { max: 70 } };
    expect(demanded({ ...peak(100), gateway: many, authorization: many }).pods).toBe(2 * 77);
  });
});

it("no authorizer keeps more clients and tokens than its memory holds", () => {
  const slow = { name: "checkout", rateLimit: { requestsPerSecond: 1, burst: 3600 } };
  expect(planned({ functions: [slow] }).remembered).toBe(200_000);
});

describe("a way in that cannot carry the load is refused", () => {
  it("with what it takes, and the number that would do", () => {
    expect(problems({ gateway: { replicas: { max: 78 } }, authorization: { replicas: { max: 74 } } })).toEqual([
      "gateway.replicas.max: 78: 100,000 requests/s at 550us each take 55 CPU, 79 replicas; raise it to 79, leave it out, or give each more CPU",
      "authorization.replicas.max: 74: 100,000 requests/s at 260us each take 26 CPU, 75 replicas; raise it to 75, leave it out, or give each more CPU",
    ]);
  });

  it("and not where it does", () => {
    expect(problems({ gateway: { replicas: { max: 79 } }, authorization: { replicas: { max: 75 } } })).toEqual([]);
  });

  it("before anything else is planned", () => {
    expect(problemsOf(() => planOf(rawConfig({ ...peak(5000), gateway: { replicas: { max: 2 } } })))).toContain(
      "gateway.replicas.max: 2: 5,000 requests/s at 550us each take 2.8 CPU, 4 replicas; raise it to 4, leave it out, or give each more CPU",
    );
  });
});

describe("Kong, which finds pods by DNS, is refused", () => {
  const scaled = (max: number, kind = "kong") =>
    problems({ gateway: { kind }, functions: [{ name: "checkout", scaling: { max } }] });

  it("functions of more pods than one answer holds", () => {
    expect(scaled(4001)).toEqual([
      "functions.checkout.scaling.max: 4,001: Kong finds pods by DNS, and one answer holds 4,000 addresses; lower it, or use gateway.kind: traefik",
    ]);
    expect(scaled(4000)).toEqual([]);
    expect(scaled(4001, "traefik")).toEqual([]);
  });

  const LONG = `checkout-${"x".repeat(50)}`;
  /** The first is shop's, the others are bank's. */
  const named = (names: string[], kind = "kong") =>
    rawConfig({
      gateway: { kind },
      tenants: [{ name: "shop" }, { name: "bank" }],
      functions: names.map((name, index) => ({ name, tenant: index === 0 ? "shop" : "bank" })),
    });

  it("a function whose Service of its pods would have too long a name", () => {
    expect(problemsOf(() => parseConfig(named([LONG])))).toEqual([
      `functions.${LONG}.name: ${LONG}: Kong finds its pods by the Service ${LONG}-pods, of 64 characters; 63 are the most; shorten it to 58, or use gateway.kind: traefik`,
    ]);
    expect(() => parseConfig(named([LONG.slice(1)]))).not.toThrow();
    expect(() => parseConfig(named([LONG], "traefik"))).not.toThrow();
  });

  it("a function whose Service of its pods would have another's name, of whichever tenant", () => {
    expect(problemsOf(() => parseConfig(named(["checkout", "checkout-pods"])))).toEqual([
      "functions.checkout.name: checkout: Kong finds its pods by the Service checkout-pods, which is a function's; rename one of the two, or use gateway.kind: traefik",
    ]);
    expect(() => parseConfig(named(["checkout", "checkout-pods"], "traefik"))).not.toThrow();
  });
});
