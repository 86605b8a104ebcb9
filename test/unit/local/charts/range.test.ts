import { describe, expect, it } from "vitest";
import { parseSince, rangeOf, rateInterval, timesOf } from "../../../../local/charts/range";
import { problemsOf } from "../../infra/support";

const MINUTE = 60_000;
const NOW = Date.UTC(2026, 0, 2, 3, 4, 7, 891);

describe("the range", () => {
  it.each([
    [1, 1],
    [15, 5],
    [60, 18],
    [7 * 24 * 60, 3024],
  ])("of %d min has a point every %d s, about 200 in all", (minutes, step) => {
    const range = rangeOf(NOW, minutes * MINUTE);
    expect(range.step).toBe(step);
    const times = timesOf(range);
    expect(times.length).toBeLessThanOrEqual(201);
    expect(times.length).toBeGreaterThan(Math.min(60, 190));
    expect(times[0]).toBe(range.start);
    expect(times.at(-1)).toBe(range.end);
  });

  it("ends now, or less than a step before, and begins at most a step late", () => {
    const { start, end, step } = rangeOf(NOW, 15 * MINUTE);
    expect(end).toBeLessThanOrEqual(NOW / 1000);
    expect(end).toBeGreaterThan(NOW / 1000 - step);
    expect(end - start).toBe(900);
    expect([start % step, end % step]).toEqual([0, 0]);
  });

  it("takes rates over four scrapes, and over all between two points where these are farther apart", () => {
    expect(rateInterval(rangeOf(NOW, 15 * MINUTE), 15_000)).toBe(60_000);
    expect(rateInterval(rangeOf(NOW, 7 * 24 * 60 * MINUTE), 15_000)).toBe(3_039_000);
  });
});

describe("SINCE", () => {
  it.each([
    [undefined, 15 * MINUTE],
    ["", 15 * MINUTE],
    ["1h", 60 * MINUTE],
    ["30d", 30 * 24 * 60 * MINUTE],
  ])("%s is %d ms", (text, millis) => expect(parseSince(text)).toBe(millis));

  it.each(["15", "yesterday", "59s", "31d"])("%s is refused with what would do", (text) => {
    expect(problemsOf(() => parseSince(text))).toEqual([
      `SINCE: ${text}: must be a duration from 1m to 30d; write it as "15m"`,
    ]);
  });
});
