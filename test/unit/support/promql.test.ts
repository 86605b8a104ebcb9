import { describe, expect, it } from "vitest";
import { logLabels, metricNames } from "../../support/promql";

describe("names of metrics in PromQL", () => {
  it.each([
    ["up", ["up"]],
    ['sum by (a) (rate(b_total{job="x"}[5m])) / on (a) group_left sum(a_total offset 1d)', ["a_total", "b_total"]],
    [
      'slo:burned:ratio_rate1h{objective="p99"} > 0 and slo:objective:budget == 0.01',
      ["slo:burned:ratio_rate1h", "slo:objective:budget"],
    ],
    ["max_over_time(up[1d:5m]) unless up", ["up"]],
    ['{__name__="up", job="x"} + {"down"}', ["down", "up"]],
    ["vector(1)", []],
  ])("finds those of %s", (expr, names) => {
    expect(metricNames(expr)).toEqual(names);
  });

  it.each(["sum(up", "up[5m] +", "rate(up[$__rate_interval])", "nosuchfunction(up)", ""])(
    "refuses %j as no PromQL",
    (expr) => expect(() => metricNames(expr)).toThrow(/^PromQL is wrong at character \d+/),
  );

  it("refuses a metric that is named by a pattern", () => {
    expect(() => metricNames('{__name__=~"up.*"}')).toThrow("names no metric");
  });
});

describe("labels in LogQL", () => {
  it("finds those that streams are selected by, and not those of lines", () => {
    expect(logLabels('sum by (x) (count_over_time({b="1", a=~"2"} |= "x" | json | level="error" [5m]))')).toEqual([
      "a",
      "b",
    ]);
  });

  it.each(['{a="b"', '{a="b"} |= ', "up", ""])("refuses %j as no LogQL", (expr) => {
    expect(() => logLabels(expr)).toThrow(/^LogQL is wrong at character \d+/);
  });
});
