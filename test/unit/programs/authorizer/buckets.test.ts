import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LocalBuckets } from "../../../../programs/authorizer/buckets";

const LIMIT = { name: "checkout", requestsPerSecond: 100, burst: 200 };

/** Buckets on a clock that the test turns. */
function bucketsOf({ remembered = 100, share = 1 } = {}) {
  const clock = { now: 0 };
  const buckets = new LocalBuckets(
    remembered,
    () => share,
    () => clock.now,
  );
  const takeAll = (client: string, most = 10_000) => {
    let taken = 0;
    while (taken < most && buckets.spend(LIMIT, client).remaining >= 1) taken++;
    return taken;
  };
  return { clock, buckets, takeAll };
}

describe("a client's budget", () => {
  it("is the burst at first, then what comes back each second", () => {
    const { clock, takeAll } = bucketsOf();
    expect(takeAll("alice")).toBe(200);
    clock.now += 1000;
    expect(takeAll("alice")).toBe(100);
    clock.now += 60_000;
    expect(takeAll("alice")).toBe(200);
  });

  it("is told as it was before the request that takes of it", () => {
    const { buckets } = bucketsOf();
    expect(buckets.spend(LIMIT, "alice")).toEqual({ remaining: 200, retryAfter: 0 });
    expect(buckets.spend(LIMIT, "alice")).toEqual({ remaining: 199, retryAfter: 0 });
    expect(buckets.look(LIMIT, "alice")).toEqual({ remaining: 198, retryAfter: 0 });
  });

  it("says how long to wait when there is none", () => {
    const { clock, buckets, takeAll } = bucketsOf();
    takeAll("alice");
    expect(buckets.look(LIMIT, "alice")).toEqual({ remaining: 0, retryAfter: 0.01 });
    clock.now += 5;
    expect(buckets.look(LIMIT, "alice").retryAfter).toBeCloseTo(0.005, 6);
  });

  it("is one's own, and one for each limit", () => {
    const { buckets, takeAll } = bucketsOf();
    takeAll("alice");
    expect(buckets.look(LIMIT, "bob").remaining).toBe(200);
    expect(buckets.look({ ...LIMIT, name: "orders" }, "alice").remaining).toBe(200);
  });

  it("is a replica's share of the whole, and never less than one request", () => {
    expect(bucketsOf({ share: 1 / 4 }).takeAll("alice")).toBe(50);
    expect(bucketsOf({ share: 1 / 1000 }).takeAll("alice")).toBe(1);
  });

  it("never lets more through than burst and rate allow, whenever it is asked", () => {
    const steps = fc.array(
      fc.record({ wait: fc.integer({ min: 0, max: 3000 }), tries: fc.integer({ min: 0, max: 400 }) }),
    );
    fc.assert(
      fc.property(steps, (all) => {
        const { clock, takeAll } = bucketsOf();
        let taken = 0;
        for (const { wait, tries } of all) {
          clock.now += wait;
          taken += takeAll("alice", tries);
        }
        expect(taken).toBeLessThanOrEqual(LIMIT.burst + (clock.now / 1000) * LIMIT.requestsPerSecond);
      }),
    );
  });
});

describe("memory", () => {
  it("holds nothing of a client whose budget is full again", () => {
    const { clock, buckets } = bucketsOf();
    buckets.spend(LIMIT, "alice");
    expect(buckets.size).toBe(1);
    clock.now += 2000;
    buckets.look(LIMIT, "alice");
    expect(buckets.size).toBe(0);
  });

  it("has a bound, beyond which the longest idle one starts over", () => {
    const { buckets, takeAll } = bucketsOf({ remembered: 3 });
    takeAll("alice");
    for (const other of ["bob", "carol", "dave"]) buckets.spend(LIMIT, other);
    expect(buckets.size).toBe(3);
    expect(buckets.look(LIMIT, "alice").remaining).toBe(200);
  });
});
