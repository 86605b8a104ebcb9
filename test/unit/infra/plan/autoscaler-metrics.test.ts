import { describe, expect, it } from "vitest";
import { wantedByCpu, wantedByRate, type CpuMetric } from "../../../../infra/plan/autoscaler-metrics";

/** Ten pods before the jump, a hundred from a second on. */
const more = (readyFrom: number) => ({
  created: (second: number) => (second < readyFrom ? 10 : 100),
  ready: (second: number) => (second < readyFrom ? 10 : 100),
});
const NEVER = more(Infinity);

describe("a load by CPU", () => {
  const metric: CpuMetric = {
    ...{ min: 10, usage: () => 100, target: 10 },
    ...{ resolution: 15, youngest: 10, initializationPeriod: 20, delay: 1, averaged: true },
  };
  const wanted = wantedByCpu(metric);

  it("shows once the first reading after the jump is there, as what was used on average since the one before", () => {
    expect([0, 8].map((second) => wanted(second, NEVER))).toEqual([10, 10]);
    // Nine seconds of fifteen at ten times the target; at the reading after it, all of them.
    expect([9, 23].map((second) => wanted(second, NEVER))).toEqual([60, 60]);
    expect([24, 60].map((second) => wanted(second, NEVER))).toEqual([100, 100]);
  });

  it("shows all of it at once where what is used at that moment is read", () => {
    const atOnce = wantedByCpu({ ...metric, averaged: false });
    expect([8, 9, 60].map((second) => atOnce(second, NEVER))).toEqual([10, 100, 100]);
  });

  /** The second from which a hundred pods ask for ten times as many. */
  const believedFrom = (readyAt: number, by = wanted) => {
    for (let second = readyAt; second < 400; second++) if (by(second, more(readyAt)) === 1000) return second;
    return undefined;
  };

  it.each([
    // Readings are at 38, 53, 68.
    ["one finds pods 15 s old: the time since their start is as long as it takes", 38, 54],
    ["one finds them 14 s old, which is believed after their first 20 s", 39, 60],
    ["one finds them 10 s old, which is believed after their first 20 s", 43, 64],
    ["one finds them too young, and the next 24 s old", 44, 69],
  ])("counts young pods once %s", (_, readyAt, second) => {
    expect(believedFrom(readyAt)).toBe(second);
  });

  it("believes what little was measured where the initialization period is over, and two readings however long it is", () => {
    expect(believedFrom(43, wantedByCpu({ ...metric, initializationPeriod: 0 }))).toBe(54);
    expect(believedFrom(43, wantedByCpu({ ...metric, initializationPeriod: 300 }))).toBe(69);
  });

  it("counts pods without metrics as idle, and asks for no change within a tenth", () => {
    const at = (created: number, usage: number) =>
      wantedByCpu({ ...metric, usage: () => usage })(60, { created: () => created, ready: () => 100 });
    expect([at(100, 10), at(100, 10.9), at(100, 11.2)]).toEqual([undefined, undefined, 112]);
    // 20 times the target in 100 pods of 190.
    expect([at(190, 20), at(150, 20)]).toEqual([undefined, 200]);
  });
});

describe("a load by requests", () => {
  it("shows after its delay, at once or evenly", () => {
    const at = (climb?: number) =>
      [14, 15, 20, 25, 100].map((second) =>
        wantedByRate({ min: 10, pods: 1000, delay: 15, ...(climb !== undefined && { climb }) })(second, NEVER),
      );
    expect(at()).toEqual([10, 1000, 1000, 1000, 1000]);
    expect(at(10)).toEqual([10, 10, 500, 1000, 1000]);
  });
});
