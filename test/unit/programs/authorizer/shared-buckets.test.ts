import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import { LocalBuckets, type Budget } from "../../../../programs/authorizer/buckets";
import { ANSWER_BOUND, SharedBuckets, TRY_AGAIN, type Store } from "../../../../programs/authorizer/shared-buckets";
import { FakeStore } from "./fake-store";

const LIMIT = { name: "checkout", requestsPerSecond: 100, burst: 200 };
const LEASE = 0.1;

afterEach(() => void vi.useRealTimers());

/** Replicas on one fake store and one clock, which the test turns. */
async function replicasOf(count = 2, { remembered = 100, through = (store: FakeStore): Store => store } = {}) {
  const clock = { now: 0 };
  const store = new FakeStore(clock);
  const said: string[] = [];
  let failures = 0;
  const now = () => clock.now;
  const replicas = Array.from({ length: count }, () => {
    const divided = new LocalBuckets(remembered, () => 1 / count, now);
    const events = {
      failed: () => (failures += 1),
      changed: (up: boolean, reason?: string) => void said.push(up ? "up" : `down: ${reason}`),
    };
    return new SharedBuckets(through(store), divided, LEASE, remembered, events, now);
  });
  await Promise.all(replicas.map((replica) => replica.start()));
  return { clock, store, replicas, said, failures: () => failures };
}

/** How many of so many requests, at once, are let through. */
async function passed(replica: SharedBuckets, requests: number, client = "alice"): Promise<number> {
  const budgets = await Promise.all(Array.from({ length: requests }, async () => replica.spend(LIMIT, client)));
  return budgets.filter(({ remaining }) => remaining >= 1).length;
}

/** One after the other. */
async function passedInTurn(replica: SharedBuckets, requests: number, client = "alice"): Promise<number> {
  let through = 0;
  for (let request = 0; request < requests; request++) through += await passed(replica, 1, client);
  return through;
}

describe("a budget that replicas share", () => {
  it("is one client's whole budget, at whichever replica, and not more", async () => {
    const { clock, replicas } = await replicasOf(2);
    const [one, other] = replicas as [SharedBuckets, SharedBuckets];
    expect(await passed(one, 150)).toBe(150);
    expect(await passed(other, 150)).toBe(50);
    expect(await passed(one, 10)).toBe(0);
    clock.now += 1000;
    expect(await passed(one, 60)).toBe(60);
    expect(await passed(other, 60)).toBe(40);
  });

  it("is taken a lease at a time, a share of what is left", async () => {
    const { store, replicas } = await replicasOf(1);
    expect(await passedInTurn(replicas[0]!, 200)).toBe(200);
    const granted = store.questions.map((question) => question.granted);
    expect(granted.slice(0, 4)).toEqual([20, 18, 16, 14]);
    expect(granted.reduce((sum, each) => sum + each)).toBe(200);
    expect(granted.at(-1)).toBe(1);
  });

  it("is spent at once as long as there is a lease", async () => {
    const { replicas } = await replicasOf(1);
    const first = replicas[0]!.spend(LIMIT, "alice");
    expect(first).toBeInstanceOf(Promise);
    await first;
    expect(replicas[0]!.spend(LIMIT, "alice")).not.toBeInstanceOf(Promise);
  });

  it("is asked for once by requests that come together, and then for all that still wait", async () => {
    const { store, replicas } = await replicasOf(1);
    expect(await passed(replicas[0]!, 100)).toBe(100);
    expect(store.questions.map(({ needed, granted }) => [needed, granted])).toEqual([
      [1, 20],
      [80, 80],
    ]);
  });

  it("is told as far as the replica knows: its lease, and what the store had left", async () => {
    const { replicas } = await replicasOf(2);
    expect(await replicas[0]!.spend(LIMIT, "alice")).toEqual({ remaining: 200, retryAfter: 0 });
    expect(await replicas[0]!.spend(LIMIT, "alice")).toEqual({ remaining: 199, retryAfter: 0 });
    expect(await replicas[1]!.spend(LIMIT, "alice")).toEqual({ remaining: 180, retryAfter: 0 });
  });

  it("is not asked for again before there can be any, and says how long that is", async () => {
    const { clock, store, replicas } = await replicasOf(1);
    await passed(replicas[0]!, 200);
    const asked = store.questions.length;
    expect(await replicas[0]!.spend(LIMIT, "alice")).toEqual({ remaining: 0, retryAfter: 0.01 });
    clock.now += 5;
    expect((await replicas[0]!.spend(LIMIT, "alice")).retryAfter).toBeCloseTo(0.005, 6);
    expect(store.questions.length).toBe(asked);
    clock.now += 5;
    expect(await passed(replicas[0]!, 2)).toBe(1);
  });

  it("is not leased away from a client that comes to thirty replicas in turn, within its rate", async () => {
    const { clock, replicas } = await replicasOf(30);
    for (const replica of replicas) expect(await passed(replica, 1)).toBe(1);
    for (let round = 0; round < 10; round++) {
      for (const replica of replicas) {
        clock.now += 10;
        expect(await passed(replica, 1)).toBe(1);
      }
    }
  });

  it("loses a lease that is not used while the bucket fills", async () => {
    const { clock, store, replicas } = await replicasOf(1);
    await passed(replicas[0]!, 1);
    clock.now += 1999;
    await passed(replicas[0]!, 1);
    expect(store.questions.length).toBe(1);
    clock.now += 1;
    await passed(replicas[0]!, 1);
    expect(store.questions.length).toBe(2);
  });

  it("is looked at without taking or asking", async () => {
    const { store, replicas } = await replicasOf(1);
    expect(replicas[0]!.look(LIMIT, "alice")).toEqual({ remaining: 200, retryAfter: 0 });
    expect(store.questions).toEqual([]);
    await passed(replicas[0]!, 200);
    expect(replicas[0]!.look(LIMIT, "alice")).toEqual({ remaining: 0, retryAfter: 0.01 });
  });

  it("takes memory for so many clients alone; one that is forgotten gets nothing twice", async () => {
    const { replicas } = await replicasOf(1, { remembered: 3 });
    for (const client of ["alice", "bob", "carol", "dave"]) await passed(replicas[0]!, 1, client);
    expect(replicas[0]!.size).toBe(3);
    // 19 of her first lease are gone.
    expect(await passed(replicas[0]!, 200, "alice")).toBe(180);
  });

  it("lets no more through than burst and rate allow, and in any later time at most the leases more", async () => {
    const step = fc.record({
      wait: fc.integer({ min: 0, max: 1500 }),
      tries: fc.array(fc.integer({ min: 0, max: 120 }), { minLength: 3, maxLength: 3 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), fc.array(step, { maxLength: 12 }), async (scheduler, steps) => {
        // Answers come in any order, and requests of all replicas between them.
        const through = (store: FakeStore): Store => ({
          open: (lost) => store.open(lost),
          close: () => store.close(),
          lease: (limit, ...more) =>
            limit.name === "probe"
              ? store.lease(limit, ...more)
              : scheduler.schedule(Promise.resolve()).then(() => store.lease(limit, ...more)),
        });
        const { clock, replicas, said } = await replicasOf(3, { through });
        const history: { at: number; through: number }[] = [];
        for (const { wait, tries } of steps) {
          clock.now += wait;
          const all = tries.map((requests, replica) => passed(replicas[replica]!, requests));
          const sum = Promise.all(all).then((each) => each.reduce((total, one) => total + one, 0));
          await scheduler.waitFor(sum);
          history.push({ at: clock.now, through: await sum });
        }
        expect(said).toEqual(["up", "up", "up"]);
        history.forEach((first, start) => {
          const total = history.slice(start).reduce((sum, each) => sum + each.through, 0);
          const time = (clock.now - (start === 0 ? 0 : first.at)) / 1000;
          const leased = start === 0 ? 0 : replicas.length * LEASE * LIMIT.burst;
          expect(total).toBeLessThanOrEqual(LIMIT.burst + LIMIT.requestsPerSecond * time + leased + 1e-3);
        });
      }),
      { numRuns: 60 },
    );
  });
});

describe("a store that does not answer", () => {
  const settled = async (budget: Budget | Promise<Budget>) => {
    const started = performance.now();
    const { remaining } = await budget;
    return { remaining, took: performance.now() - started };
  };

  it("holds no request longer than the bound, and then none", async () => {
    const { store, replicas, said, failures } = await replicasOf(2);
    store.state = "silent";
    const first = await settled(replicas[0]!.spend(LIMIT, "alice"));
    expect(first.remaining).toBe(100);
    expect(first.took).toBeGreaterThan(ANSWER_BOUND - 2);
    expect(first.took).toBeLessThan(ANSWER_BOUND * 10);
    expect(replicas[0]!.spend(LIMIT, "alice")).toEqual({ remaining: 99, retryAfter: 0 });
    expect(said).toEqual(["up", "up", `down: no answer in ${ANSWER_BOUND} ms`]);
    expect(failures()).toBeGreaterThanOrEqual(1);
    replicas[0]!.stop();
  });

  it("leaves each replica its part of the budget, and lets nobody through without", async () => {
    const { store, replicas, said } = await replicasOf(2);
    store.die();
    // The fake has one connection, that of the second replica; the first finds out by asking.
    expect(replicas.map(({ up }) => up)).toEqual([true, false]);
    expect(await passed(replicas[0]!, 300)).toBe(100);
    expect(await passed(replicas[1]!, 300)).toBe(100);
    expect(said.slice(2)).toEqual(["down: the connection was lost", "down: LOADING"]);
    for (const replica of replicas) replica.stop();
  });

  it("has what was leased before used up all the same", async () => {
    const { store, replicas } = await replicasOf(2);
    await passed(replicas[1]!, 1);
    store.die();
    expect(await passed(replicas[1]!, 300)).toBe(119);
    replicas[1]!.stop();
  });

  it("is tried again by a new connection, used when it answers, and said once each time", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "setImmediate", "clearTimeout"] });
    const { store, replicas, said, failures } = await replicasOf(1);
    store.die();
    await vi.advanceTimersByTimeAsync(TRY_AGAIN * 4);
    expect(said).toEqual(["up", "down: the connection was lost"]);
    expect(failures()).toBeGreaterThanOrEqual(4);
    expect(store.connections).toBe(1 + failures());
    store.state = "answers";
    await vi.advanceTimersByTimeAsync(TRY_AGAIN);
    expect(said).toEqual(["up", "down: the connection was lost", "up"]);
    expect(replicas[0]!.up).toBe(true);
    expect(await passed(replicas[0]!, 300)).toBe(200);
    store.die();
    await vi.advanceTimersByTimeAsync(0);
    expect(said.length).toBe(4);
    replicas[0]!.stop();
  });

  it("at the start is said as well, and the replica serves", async () => {
    const clock = { now: 0 };
    const store = new FakeStore(clock);
    store.state = "refuses";
    const said: (string | undefined)[] = [];
    const events = { failed: () => undefined, changed: (_: boolean, reason?: string) => void said.push(reason) };
    const replica = new SharedBuckets(store, new LocalBuckets(10, () => 1 / 4), LEASE, 10, events, () => clock.now);
    await replica.start();
    expect(said).toEqual(["connect ECONNREFUSED"]);
    expect(await passed(replica, 300)).toBe(50);
    replica.stop();
  });
});
