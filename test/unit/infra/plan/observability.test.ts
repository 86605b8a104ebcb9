import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ObservabilityPlan, Plan } from "../../../../infra/plan/types";
import { k3s, planOf, problemsOf, rawConfig, withFunction, type Raw } from "../support";

const MiB = 2 ** 20;
const GiB = 2 ** 30;
const GB = 1e9;
const DAY_SECONDS = 86_400;

const reference = (more: Raw = {}) => planOf({ cluster: k3s(3, 10), ...more });
/** One server, one agent, one function of ten replicas at 50 requests/s. */
const small = (more: Raw = {}) => planOf(withFunction(load(10, 50), { cluster: k3s(1, 1), ...more }));
const load = (max: number, peakRequestsPerSecond: number) => ({
  scaling: { min: 1, initial: 1, max },
  workload: { peakRequestsPerSecond },
});
const BUCKET = { endpoint: "https://s3.example.com", bucket: "logs", addresses: ["198.51.100.1/32"] };

/** Every amount in it that is reserved, by name. */
function amounts({ prometheus, loki, alertmanager, kubeStateMetrics, grafana }: ObservabilityPlan) {
  const parts = { prometheus, loki, alertmanager, kubeStateMetrics, grafana };
  return Object.fromEntries(
    Object.entries(parts).flatMap(([name, part]) => [
      [`${name} cpu`, part.requests.cpu],
      [`${name} memory`, part.requests.memory],
      [`${name} memory limit`, part.limits.memory],
      ...("storage" in part ? [[`${name} storage`, part.storage]] : []),
    ]),
  ) as Record<string, number>;
}

describe("what watching takes", () => {
  it("is this for the reference: 19,800 samples/s of 297,000 series, 17 GB of logs a day", () => {
    const { series, samplesPerSecond, logs, prometheus, loki, kubeStateMetrics } = reference().observability;
    expect(samplesPerSecond).toBe(Math.ceil(series / 15));
    expect(series).toBeGreaterThan(290_000);
    expect(series).toBeLessThan(305_000);
    // 100,000 requests/s: 50 fail, 100 are sampled; three lines each, of 1,300 bytes together.
    expect(logs).toEqual({ linesPerSecond: 450, bytesPerDay: 150 * 1300 * DAY_SECONDS });
    expect(prometheus.storage).toBe(128 * GiB);
    expect(prometheus.requests.memory).toBe(Math.ceil((160 * MiB + series * 8192) / MiB) * MiB);
    expect(loki).toMatchObject({ replicas: 1, store: "filesystem", storage: 32 * GiB });
    expect(kubeStateMetrics.requests.memory / MiB).toBe(171);
  });

  it("is little for a small stack", () => {
    const { series, prometheus, loki } = small().observability;
    expect(series).toBeLessThan(11_000);
    expect(prometheus).toMatchObject({ requests: { cpu: 65 }, storage: 8 * GiB });
    expect(prometheus.requests.memory / MiB).toBeLessThan(256);
    expect(loki).toMatchObject({ replicas: 1, storage: GiB });
  });

  it("keeps what it keeps in four fifths of Prometheus' volume, at 1.3 bytes a sample and an index beside", () => {
    for (const { observability } of [reference(), small()]) {
      const kept = observability.samplesPerSecond * 2 * 31 * DAY_SECONDS;
      expect(observability.prometheus.storage * 0.8).toBeGreaterThanOrEqual(kept);
    }
  });

  it("has more samples the more often it looks, of the same series", () => {
    const often = small({ observability: { scrapeInterval: "5s" } }).observability;
    expect(often.series).toBe(small().observability.series);
    expect(often.samplesPerSecond).toBe(Math.ceil(often.series / 5));
  });

  it("is lines of what fails, and of one request in so many", () => {
    const lines = (more: Raw) => small(more).observability.logs.linesPerSecond;
    // 50 requests/s: 0.025 fail, one in a thousand or a hundred is sampled.
    expect(lines({})).toBeCloseTo(3 * (0.025 + 0.05), 10);
    expect(lines({ authorization: { logSampling: 100 } })).toBeCloseTo(3 * (0.025 + 0.5), 10);
    expect(lines({ gateway: { accessLog: "all" } })).toBeCloseTo(3 * (0.025 + 50), 10);
    expect(lines({ observability: { logs: { errorRatio: "10%" } } })).toBeCloseTo(3 * (5 + 0.05), 10);
  });

  it("is three Lokis with a bucket above 20 GB a day, each with room for what is not there yet", () => {
    const all = { gateway: { accessLog: "all" } };
    const raw = withFunction(load(100, 500), {
      ...{ cluster: k3s(3, 10), observability: { logs: { objectStorage: BUCKET } } },
      ...all,
    });
    const { loki, logs } = planOf(raw).observability;
    expect(logs.bytesPerDay).toBeGreaterThan(20 * GB);
    expect(loki).toMatchObject({ replicas: 3, store: "objectStorage" });
    expect(loki.storage).toBeGreaterThanOrEqual(logs.bytesPerDay / 8);
    expect(loki.storage).toBeLessThan(4 * (logs.bytesPerDay / 8));
  });

  it("needs no volume for a week where a bucket has it, however little is logged", () => {
    const observability = { logs: { objectStorage: BUCKET } };
    const { loki } = reference({ observability }).observability;
    expect(loki).toMatchObject({ replicas: 1, store: "objectStorage", storage: 4 * GiB });
  });

  const growth = fc.record({
    max: fc.integer({ min: 1, max: 300 }),
    morePods: fc.integer({ min: 0, max: 300 }),
    peak: fc.integer({ min: 1, max: 2000 }),
    moreLoad: fc.integer({ min: 0, max: 2000 }),
    retention: fc.integer({ min: 30, max: 90 }),
  });

  it("never falls with more pods or more load", () => {
    fc.assert(
      fc.property(growth, ({ max, morePods, peak, moreLoad, retention }) => {
        const plan = (replicas: number, requests: number) =>
          planOf(
            withFunction(load(replicas, requests), {
              ...{ cluster: k3s(3, 10), observability: { metrics: { retention: `${retention}d` } } },
            }),
          ).observability;
        // Load for which either is held: what one pod serves at most is not what is asked here.
        const [less, more] = [
          plan(max, Math.min(peak, max * 20)),
          plan(max + morePods, Math.min(Math.min(peak, max * 20) + moreLoad, (max + morePods) * 20)),
        ];
        expect(more.series).toBeGreaterThanOrEqual(less.series);
        expect(more.logs.bytesPerDay).toBeGreaterThanOrEqual(less.logs.bytesPerDay);
        const before = amounts(less);
        for (const [name, amount] of Object.entries(amounts(more))) {
          expect(amount, name).toBeGreaterThanOrEqual(before[name]!);
        }
      }),
      { numRuns: 100 },
    );
  });

  it("is volumes of powers of two, requests of whole mebibytes, and limits above both", () => {
    fc.assert(
      fc.property(growth, ({ max, peak, retention }) => {
        const { observability } = planOf(
          withFunction(load(max, Math.min(peak, max * 20)), {
            ...{ cluster: k3s(3, 10), observability: { metrics: { retention: `${retention}d` } } },
          }),
        );
        for (const [name, amount] of Object.entries(amounts(observability))) {
          if (name.endsWith("storage")) expect(Math.log2(amount) % 1, name).toBe(0);
          if (name.endsWith("memory")) expect(amount % MiB, name).toBe(0);
        }
        const { prometheus, loki, collector, nodeExporter } = observability;
        for (const { requests, limits } of [prometheus, loki, collector, nodeExporter]) {
          expect(limits.memory).toBeGreaterThan(requests.memory);
          expect(limits.cpu).toBeGreaterThan(requests.cpu);
        }
        expect(prometheus.storage).toBeGreaterThanOrEqual(GiB);
      }),
      { numRuns: 50 },
    );
  });
});

describe("capacity", () => {
  const own = (plan: Plan) => plan.capacity.pods.system;
  const difference = (observability: Raw) =>
    own(small({ observability })) - own(small({ observability: { enabled: false } }));

  it("counts its pods: each part's, and no Grafana where there is none", () => {
    expect(difference({})).toBe(5);
    expect(difference({ grafana: { enabled: false } })).toBe(4);
    expect(difference({ metrics: { replicas: 2 } })).toBe(7);
  });

  it("counts what they request", () => {
    const requested = (observability: Raw) => small({ observability }).capacity.requested;
    const { observability } = small();
    const { prometheus, alertmanager, loki, kubeStateMetrics, grafana } = observability;
    const parts = [prometheus, alertmanager, loki, kubeStateMetrics, grafana];
    const [on, off] = [requested({}), requested({ enabled: false })];
    expect(on.cpu - off.cpu).toBe(parts.reduce((total, part) => total + part.requests.cpu, 0));
    expect(on.memory - off.memory).toBe(parts.reduce((total, part) => total + part.requests.memory, 0));
  });
});

describe("a plan cannot hold", () => {
  const tooMuch: Raw = { cluster: k3s(3, 10), gateway: { accessLog: "all" } };

  it("more logs than one Loki takes, without a bucket", () => {
    const raw = withFunction(load(100, 500), tooMuch);
    expect(problemsOf(() => planOf(raw))).toEqual([
      "observability.logs.objectStorage: missing, with 52.3Gi a day (1,500.8 lines/s) of logs: one Loki with a volume takes 18.6Gi a day; name a bucket, raise authorization.logSampling, or say gateway.accessLog: errors",
    ]);
    expect(() => planOf({ ...raw, observability: { enabled: false } })).not.toThrow();
  });
});

describe("a protected stack is warned", () => {
  const warningsOf = (observability: Raw) =>
    planOf(
      rawConfig({
        ...{ cluster: k3s(3, 10), platform: { protect: true }, observability },
        gateway: { tls: { kind: "certificate", secretName: "gateway-tls" } },
      }),
    )
      .warnings.filter(({ path }) => path.startsWith("observability."))
      .map(({ path, value }) => `${path}: ${value}`);
  const receiver = (severities: string[]) => ({ name: "on-call", severities, addresses: ["192.0.2.1/32"] });

  it("that nobody hears of what fails", () => {
    expect(warningsOf({})).toEqual(["observability.receivers: none"]);
    expect(warningsOf({ receivers: [receiver(["ticket"])] })).toEqual(["observability.receivers: none for page"]);
    expect(warningsOf({ receivers: [receiver(["page"])] })).toEqual([]);
    expect(warningsOf({ enabled: false })).toEqual([]);
  });

  it("that its metrics are gone with a pod", () => {
    const receivers = [receiver(["page"])];
    expect(warningsOf({ receivers, storage: { kind: "ephemeral" } })).toEqual([
      "observability.storage.kind: ephemeral",
    ]);
  });
});
