import { describe, expect, it } from "vitest";
import { planOf, rawConfig, withFunction } from "../support";

const MI = 2 ** 20;
const HOST_MEMORY = 126 * 1024 * MI;

describe("the cost comparison", () => {
  const { platform, baselines, assumptions } = planOf(
    rawConfig({ functions: [{ workload: { cpuPerRequest: "200us" } }] }),
  ).cost;
  const [reference, lean] = baselines;

  it("counts replicas that the CPU target asks for: 20 cores at 7m are 2,858", () => {
    expect(platform).toEqual({
      name: "functions",
      replicas: 2858,
      requested: { cpu: 28_580, memory: 2858 * 40 * MI },
      hosts: 28_580 / 31_500,
      boundBy: "cpu",
      replicaHoursPerDay: 2858 * 24,
    });
  });

  it("sets 200 reference containers against them: 71.4 % less CPU, but more memory", () => {
    expect(reference).toMatchObject({
      name: "reference containers",
      replicas: 200,
      requested: { cpu: 100_000, memory: 51_200_000_000 },
      hosts: 100_000 / 31_500,
      boundBy: "cpu",
      savedCpu: 0.7142,
      savedHosts: 0.7142,
    });
    expect(reference?.savedMemory).toBeCloseTo(1 - (2858 * 40 * MI) / 51_200_000_000, 8);
    expect(reference?.savedMemory).toBeLessThan(-1);
  });

  it("saves nothing against lean containers, which it says", () => {
    expect(lean).toMatchObject({ name: "lean containers", replicas: 2858, savedCpu: 0, savedHosts: 0 });
    expect(lean?.requested.memory).toBe(2858 * 15_000_000);
    expect(assumptions.join(" ")).toContain(
      "CPU per request is taken as equal on all sides; for the lightest request 13.6 µs were measured, and 8.3 µs",
    );
  });

  it("is bound by memory where that takes more hosts", () => {
    const fn = { resources: { requests: { memory: "64Mi" } } };
    const { platform: heavy } = planOf(withFunction(fn)).cost;
    expect(heavy.boundBy).toBe("memory");
    expect(heavy.hosts).toBe((2572 * 72 * MI) / HOST_MEMORY);
  });

  it("keeps the platform's replicas within min and max", () => {
    expect(planOf(withFunction({ scaling: { max: 2000 } })).cost.platform.replicas).toBe(2000);
    expect(planOf(withFunction({ workload: { peakRequestsPerSecond: 1 } })).cost.platform.replicas).toBe(10);
  });
});

describe("a saving below the wanted one", () => {
  it("is a warning with its levers", () => {
    expect(costWarnings({})).toEqual([
      {
        path: "cost.minimumSaving",
        value: "80%",
        limit: "functions save 71.42% of the hosts of reference containers at peak, bound by cpu",
        fix: "raise scaling.cpuTarget (CPU alone needs 100%), compare against the utilization that your containers really have (cost.baseline.utilization), or accept it (cost.minimumSaving)",
      },
    ]);
  });

  it("names memory as the lever where memory decides", () => {
    const [warning] = costWarnings({ resources: { requests: { memory: "64Mi" } } });
    expect(warning?.limit).toBe("functions save 49.77% of the hosts of reference containers at peak, bound by memory");
    expect(warning?.fix).toContain("lower resources.requests.memory");
  });

  it("is none where the whole request is used: 20 % against 100 % saves 80 %", () => {
    expect(costWarnings({ scaling: { cpuTarget: "100%" } })).toEqual([]);
  });

  it("is none where less is wanted", () => {
    expect(costWarnings({}, { cost: { minimumSaving: "71%" } })).toEqual([]);
  });

  function costWarnings(fn: Record<string, unknown>, overrides: Record<string, unknown> = {}) {
    return planOf(withFunction(fn, overrides)).warnings.filter((warning) => warning.path === "cost.minimumSaving");
  }
});
