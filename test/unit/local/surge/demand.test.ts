import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { demandOn, podCapacity } from "../../../../local/surge/demand";

const loads = fc.double({ min: 0, max: 1e6, noNaN: true });
const pods = fc.integer({ min: 0, max: 10_000 });
const capabilities = fc.record({
  cpuPerRequest: fc.double({ min: 0.001, max: 100, noNaN: true }),
  cpuLimit: fc.integer({ min: 1, max: 4000 }),
});
/** As near as sums of binary fractions are. */
const near = (value: number, wanted: number) => Math.abs(value - wanted) <= 1e-9 * Math.max(1, Math.abs(wanted));

describe("the demand on pods", () => {
  it("at the flash sale's peak is 7m on each of 5,000, and their limit on ten", () => {
    const capability = { cpuPerRequest: 0.35, cpuLimit: 100 };
    expect(demandOn(100_000, 5000, capability)).toMatchObject({ cpuPerPod: 7, served: 100_000, shed: 0 });
    const few = demandOn(100_000, 10, capability);
    expect(few.cpuPerPod).toBe(100);
    expect(few.served).toBeCloseTo(2857.1, 1);
    expect(few.shed).toBeCloseTo(97_142.9, 1);
  });

  it("serves or sheds each request, and serves none that it has no CPU for", () => {
    fc.assert(
      fc.property(loads, pods, capabilities, (load, ready, capability) => {
        const { cpuPerPod, capacity, served, shed } = demandOn(load, ready, capability);
        expect(near(served + shed, load)).toBe(true);
        expect(shed).toBeGreaterThanOrEqual(0);
        expect(served).toBeLessThanOrEqual(capacity);
        expect(cpuPerPod).toBeLessThanOrEqual(capability.cpuLimit);
        expect(near(cpuPerPod * ready, served * capability.cpuPerRequest)).toBe(true);
      }),
    );
  });

  it("never sheds more with one more pod", () => {
    fc.assert(
      fc.property(loads, pods, capabilities, (load, ready, capability) => {
        expect(demandOn(load, ready + 1, capability).shed).toBeLessThanOrEqual(demandOn(load, ready, capability).shed);
      }),
    );
  });

  it("without a pod sheds everything", () => {
    expect(demandOn(50, 0, { cpuPerRequest: 1, cpuLimit: 100 })).toEqual({
      ...{ cpuPerPod: 0, capacity: 0, served: 0, shed: 50 },
    });
  });
});

it("one pod serves what its limit has room for", () => {
  expect(podCapacity({ cpuPerRequest: 0.5, cpuLimit: 100 })).toBe(200);
});
