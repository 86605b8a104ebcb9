import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { budgets } from "../../../../../components/observability/rules/objectives";
import { anyOf, bucketLimit } from "../../../../../components/observability/rules/promql";
import { humanDuration, isLong, promDuration, windowsOf } from "../../../../../components/observability/rules/windows";
import { rulesArgsOf } from "../../../../support/rule-stacks";

const windowsIn = (observability: object) => windowsOf(rulesArgsOf({ observability }).observability);
const SECOND = 1000;
const HOUR = 3600 * SECOND;

describe("the windows of objectives", () => {
  it("are read over four scrapes, and averaged from steps of five minutes for thirty days", () => {
    const windows = windowsIn({});
    expect(windows).toMatchObject({ base: 60 * SECOND, step: 300 * SECOND, objective: 720 * HOUR });
    expect(windows.burn.map(promDuration)).toEqual(["5m", "30m", "1h", "2h", "6h", "1d", "3d"]);
    expect(windows.burn.filter((window) => isLong(window, windows)).map(promDuration)).toEqual(["1d", "3d"]);
  });

  it("need no steps where they are of minutes", () => {
    const burnRates = [{ factor: 10, long: "1m", short: "20s", severity: "page" }];
    const windows = windowsIn({ scrapeInterval: "5s", objectiveWindow: "10m", burnRates });
    expect(windows).toMatchObject({ base: 20 * SECOND, step: 5 * SECOND });
    expect(isLong(windows.objective, windows)).toBe(false);
  });

  it("have steps of whole scrapes that are less than a hundredth of what is made of them", () => {
    const seconds = (min: number, max: number) => fc.integer({ min, max }).map((value) => value * SECOND);
    fc.assert(
      fc.property(
        seconds(5, 60),
        seconds(60, 90 * 86_400),
        seconds(1, 7 * 86_400),
        (scrapeInterval, objectiveWindow, window) => {
          const { observability } = rulesArgsOf({});
          const windows = windowsOf({ ...observability, scrapeInterval, objectiveWindow });
          expect(windows.step % scrapeInterval).toBe(0);
          expect(windows.step).toBeGreaterThan(0);
          // At most so many samples of one series, whatever the objective's time is.
          expect(objectiveWindow / windows.step).toBeLessThan(2 * 8640);
          if (isLong(window, windows)) expect(windows.step / window).toBeLessThanOrEqual(0.01);
        },
      ),
    );
  });
});

describe("durations", () => {
  it.each([
    [20 * SECOND, "20s"],
    [90 * SECOND, "90s"],
    [5400 * SECOND, "90m"],
    [6 * HOUR, "6h"],
    [72 * HOUR, "3d"],
    [500, "500ms"],
  ])("of %d ms are written for Prometheus as %s", (millis, text) => {
    expect(promDuration(millis)).toBe(text);
  });

  it.each([
    [50 * HOUR, "2d2h"],
    [48 * HOUR, "2d"],
    [24 * HOUR + 60 * SECOND, "1d"],
    [90 * SECOND, "1m30s"],
    [0, "0s"],
  ])("of %d ms are written for people as %s", (millis, text) => {
    expect(humanDuration(millis)).toBe(text);
  });
});

describe("what selectors are made of", () => {
  it("takes a bucket's limit as Go writes it, and as Prometheus 3 does", () => {
    expect(bucketLimit(0.02)).toBe('le="0.02"');
    expect(bucketLimit(0.00005)).toBe('le="5e-05"');
    expect(bucketLimit(5)).toBe('le=~"5(\\\\.0)?"');
  });

  it("takes dots in names as dots", () => {
    expect(anyOf(["shop", "shop.next"])).toBe("shop|shop\\\\.next");
  });

  it("takes as budget what the objective leaves, to the last digit", () => {
    const budgetOf = (availability: string) =>
      budgets(rulesArgsOf({ functions: [{ name: "checkout", objectives: { availability } }] }).functions[0]!);
    expect(budgetOf("99.99%")).toEqual({ availability: 0.0001, p99: 0.01, p999: 0.001 });
    expect(budgetOf("99.9%").availability).toBe(0.001);
    expect(budgetOf("95%").availability).toBe(0.05);
  });
});
