import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { climbOf, lastAbove, loadAt, peakOf, turnsOf, type Curve } from "../../../../local/surge/curve";

/** Points in the order of time, of any load. */
const curves: fc.Arbitrary<Curve> = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 60_000 }), fc.integer({ min: 0, max: 100_000 })), { minLength: 2 })
  .map((steps) => {
    let at = 0;
    return steps.map(([after, requestsPerSecond], index) => ({
      at: index === 0 ? 0 : (at += after),
      requestsPerSecond,
    }));
  });

const SALE: Curve = [
  { at: 0, requestsPerSecond: 100 },
  { at: 10_000, requestsPerSecond: 100 },
  { at: 20_000, requestsPerSecond: 1100 },
  { at: 60_000, requestsPerSecond: 1100 },
  { at: 80_000, requestsPerSecond: 100 },
];

describe("the load of a curve", () => {
  it("is what each point says, and what lies between two of them", () => {
    fc.assert(
      fc.property(curves, fc.double({ min: 0, max: 1, noNaN: true }), (curve, share) => {
        curve.forEach((point, index) => {
          expect(loadAt(curve, point.at)).toBe(point.requestsPerSecond);
          const next = curve[index + 1];
          if (!next) return;
          const between = loadAt(curve, point.at + share * (next.at - point.at));
          const [low, high] = [point.requestsPerSecond, next.requestsPerSecond].sort((a, b) => a - b);
          expect(between).toBeGreaterThanOrEqual(low! - 1e-6);
          expect(between).toBeLessThanOrEqual(high! + 1e-6);
        });
      }),
    );
  });

  it("goes straight from one point to the next", () => {
    expect([10_000, 12_500, 15_000, 20_000].map((at) => loadAt(SALE, at))).toEqual([100, 350, 600, 1100]);
  });

  it("stays where it ends, and never lies above its peak", () => {
    expect(loadAt(SALE, 1e9)).toBe(100);
    fc.assert(
      fc.property(curves, fc.nat(), (curve, at) => {
        expect(loadAt(curve, at)).toBeLessThanOrEqual(peakOf(curve));
      }),
    );
  });
});

it("climbs from the last moment before its peak at which it did not", () => {
  expect(climbOf(SALE)).toEqual({ from: 10_000, to: 20_000 });
  const slow = [0, 1, 2, 5].map((load, index) => ({ at: index * 1000, requestsPerSecond: load }));
  expect(climbOf(slow)).toEqual({ from: 0, to: 3000 });
});

it("is above a load until it has fallen under it for good", () => {
  expect(lastAbove(SALE, 600)).toBe(70_000);
  expect(lastAbove(SALE, 2000)).toBe(0);
  expect(lastAbove(SALE, 50)).toBe(80_000);
});

it("turns where it goes another way, however long it stays level", () => {
  expect(turnsOf([10, 10, 50, 50, 100, 100, 50, 10, 10])).toBe(1);
  expect(turnsOf([10, 50, 10, 50])).toBe(2);
  expect(turnsOf([10, 10])).toBe(0);
});
