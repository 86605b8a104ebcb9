import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { FaultRecord } from "../../../../../local/surge/faults/record";
import { enoughFor, recoveriesOf } from "../../../../../local/surge/faults/recovery";
import type { Fault } from "../../../../../local/surge/faults/schema";
import { loadHeldBy } from "../../../../../local/surge/scenario";
import type { Sample } from "../../../../../local/surge/run";
import { runOf, scenarioOf } from "../support";

/** At the sale's peak, from 20 s to 320 s, CPU asks for all of 5,000 pods; a sample each two seconds. */
type Seen = Partial<Pick<Sample, "ready" | "answering" | "leaving">>;

const LOST: Fault = { kind: "lose-agents", at: 100_000, agents: 1, for: 60_000 };
const KILLED: Fault = { kind: "kill", at: 100_000, process: "kube-scheduler", for: 5000 };

function record(fault: Fault, more: Partial<FaultRecord> = {}): FaultRecord {
  const began = fault.at / 1000;
  const ended = began + ("for" in fault ? fault.for / 1000 : 0);
  return { fault, what: fault.kind, began, ended, troubles: [], ...more };
}

/** 5,000 pods answer, 500 of them on the last node, but for what `seen` says of the seconds after the first fault. */
function recover(seen: (after: number) => Seen, ...records: FaultRecord[]) {
  const begin = records[0]!.began;
  const at = (second: number) => {
    const own = second >= begin ? seen(second - begin) : {};
    return { ready: 5000, answering: own.ready ?? 5000, leaving: 0, onNodes: [4500, 500], ...own };
  };
  return recoveriesOf(runOf(at, 400, { faults: records }));
}

describe("recovery from a fault", () => {
  it("takes no time where the demand is met all the time", () => {
    const [found] = recover(() => ({}), record(KILLED));
    expect(found).toMatchObject({
      metBefore: true,
      climbing: false,
      answeringBefore: 5000,
      mostMissing: 0,
      mostShed: 0,
      silent: 0,
    });
    expect(found!.metAgain).toBe(0);
  });

  it("ends when as many answer as CPU asks for", () => {
    const [found] = recover((after) => ({ ready: after < 12 ? 4500 : 5000 }), record(KILLED));
    expect(found).toMatchObject({ metAgain: 12, mostMissing: 500, mostShed: 0 });
  });

  it("counts until the last time that it was not met", () => {
    const [found] = recover((after) => ({ ready: after < 4 || after === 16 ? 4999 : 5000 }), record(KILLED));
    expect(found!.metAgain).toBe(18);
  });

  it("is not blamed for what comes long after its end, nor for the next fault", () => {
    const late = (after: number) => ({ ready: after > 30 ? 4000 : 5000 });
    expect(recover(late, record(KILLED))[0]!.metAgain).toBe(0);
    const next = recover(
      (after) => ({ ready: after >= 10 && after < 14 ? 4000 : 5000 }),
      record(KILLED),
      record({ ...KILLED, at: 110_000 }),
    );
    expect(next.map(({ metAgain }) => metAgain)).toEqual([0, 4]);
  });

  it("is unknown where it did not come", () => {
    const [found] = recover(() => ({ ready: 4000 }), record(KILLED));
    // The load falls at 320 s, and with it what is asked for.
    expect(found!.metAgain).toBeGreaterThan(200);
    const never = runOf(() => ({ ready: 20 }), 300, { faults: [record(KILLED)] });
    expect(recoveriesOf(never)[0]).toMatchObject({ metBefore: false, climbing: true, metAgain: undefined });
  });

  it("of lost agents is told in its parts", () => {
    // Of 500 pods nobody answers; after 24 s the control plane knows, after 34 s they have to leave, after 36 s others are there.
    const [found] = recover(
      (after) => ({ answering: after < 36 ? 4500 : 5000, leaving: after < 34 ? 0 : 500 }),
      record(LOST, { noticed: 124 }),
    );
    expect(found).toMatchObject({ noticed: 24, replaced: 34, metAgain: 36, mostMissing: 500 });
  });

  it("knows how many pods were on the agents that were lost", () => {
    const onNodes = [4400, 350, 250];
    const podsOnLost = (fault: Fault) =>
      recoveriesOf(runOf(() => ({ ready: 5000, onNodes }), 400, { faults: [record(fault)] }))[0]!.podsOnLost;
    expect(podsOnLost(LOST)).toBe(250);
    expect(podsOnLost({ ...LOST, agents: 2 })).toBe(600);
    expect(podsOnLost(KILLED)).toBe(0);
  });

  it("does not call pods replaced of agents that came back while they were evicted", () => {
    const [found] = recover(
      (after) => ({ answering: after < 44 ? 4500 : 5000, leaving: after >= 34 && after < 44 ? 120 : 0 }),
      record({ ...LOST, for: 44_000 }, { noticed: 124 }),
    );
    expect(found).toMatchObject({ podsOnLost: 500, replaced: undefined, metAgain: 44 });
  });

  it("of agents that come back before anybody knows has no such parts", () => {
    const [found] = recover((after) => ({ answering: after < 10 ? 4500 : 5000 }), record({ ...LOST, for: 10_000 }));
    expect(found).toMatchObject({ noticed: undefined, replaced: undefined, metAgain: 10 });
  });

  it("tells how long the API server was silent", () => {
    const run = runOf(() => ({ ready: 5000 }), 400, { faults: [record(KILLED)] });
    const samples = run.samples.filter(({ second }) => second < 101 || second > 107);
    expect(recoveriesOf({ ...run, samples })[0]!.silent).toBe(8);
  });

  it("is never before the demand is met, and never without a sample that says so", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 4000, max: 5000 }), { minLength: 5, maxLength: 60 }), (pods) => {
        const [found] = recover((after) => ({ ready: pods[after / 2] ?? 5000 }), record(LOST));
        const metAgain = found!.metAgain!;
        const within = pods.filter((_, index) => index * 2 < 75 && index * 2 >= metAgain);
        expect(within.every((ready) => ready === 5000)).toBe(true);
        if (metAgain > 0) expect(pods[metAgain / 2 - 1]).toBeLessThan(5000);
      }),
    );
  });
});

describe("enough pods for a load", () => {
  const { fn } = scenarioOf();

  it("are never fewer than hold it within the autoscaler's tolerance, nor more than max", () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 200_000, noNaN: true }), (load) => {
        const enough = enoughFor(load, fn);
        expect(enough).toBeGreaterThanOrEqual(fn.scaling.min);
        expect(enough).toBeLessThanOrEqual(fn.scaling.max);
        if (enough < fn.scaling.max) expect(loadHeldBy(enough * 1.1 + 1e-6, fn, 0.4)).toBeGreaterThanOrEqual(load);
      }),
    );
  });

  it("by requests are as many as those ask for", () => {
    const byRequests = { ...fn, scaling: { ...fn.scaling, metric: "rps" as const } };
    expect([enoughFor(50_000, byRequests), enoughFor(150, byRequests)]).toEqual([2273, 10]);
  });

  it("are all at the peak, and min where nobody comes", () => {
    expect([enoughFor(100_000, fn), enoughFor(0, fn), enoughFor(50_000, fn)]).toEqual([5000, 10, 2599]);
  });
});
