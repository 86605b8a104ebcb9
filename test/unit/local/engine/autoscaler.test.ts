import { describe, expect, it } from "vitest";
import { parseConfig } from "../../../../infra/config";
import { formatReading, readingOf, targetOf } from "../../../../local/engine/autoscaler";
import { withFunction } from "../../infra/support";

const fnOf = (scaling: object) => parseConfig(withFunction({ scaling })).functions[0]!;
const autoscaler = (...currentMetrics: object[]) => ({
  spec: { maxReplicas: 60 },
  status: { currentMetrics: currentMetrics as [] },
});
const external = (name: string, averageValue: string) => ({
  external: { metric: { name }, current: { averageValue } },
});

describe("what an autoscaler reads", () => {
  it("is a share of what pods request, by CPU", () => {
    const fn = fnOf({});
    const read = readingOf(fn, autoscaler({ resource: { current: { averageUtilization: 85 } } }));
    expect([read, formatReading(fn, read!), formatReading(fn, targetOf(fn))]).toEqual([0.85, "85%", "70%"]);
  });

  it.each([
    ["12500m", 12.5, "12.5/s"],
    ["20", 20, "20/s"],
    ["3k", 3000, "3,000/s"],
    ["0", 0, "0/s"],
  ])("is a quantity of requests: %s", (quantity, value, words) => {
    const fn = fnOf({ metric: "rps" });
    const read = readingOf(fn, autoscaler(external("s0-prometheus", quantity)));
    expect([read, formatReading(fn, read!), formatReading(fn, targetOf(fn))]).toEqual([value, words, "20/s"]);
  });

  it("is nothing of warm pods, nor where there is none yet", () => {
    const fn = fnOf({ metric: "rps" });
    expect(readingOf(fn, autoscaler(external("s1-cron-UTC-08xx5-012xx5", "30")))).toBeUndefined();
    expect(readingOf(fn, autoscaler())).toBeUndefined();
    expect(readingOf(fnOf({}), undefined)).toBeUndefined();
  });
});
