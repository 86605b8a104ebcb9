import { describe, expect, it } from "vitest";
import { PodLedger, quantile, type PodRow } from "../../../../local/surge/pods";

const pod = (name: string, more: Partial<PodRow> = {}): PodRow => ({
  ...{ name, ready: false, leaving: false, node: undefined },
  ...more,
});
const bound = (name: string, more: Partial<PodRow> = {}) => pod(name, { node: "agent-1", ...more });

function ledger(): PodLedger {
  const made = new PodLedger();
  made.list([bound("old", { ready: true })]);
  return made;
}

describe("the ledger of pods", () => {
  it("counts those that leave apart", () => {
    const pods = ledger();
    pods.seen(pod("a"), 0);
    pods.seen(bound("b", { node: "agent-2" }), 0);
    pods.seen(bound("old", { ready: true, leaving: true }), 0);
    expect(pods.counts()).toEqual({ pods: 2, bound: 1, ready: 0, leaving: 1 });
    expect([...pods.perNode()]).toEqual([
      ["agent-1", 1],
      ["agent-2", 1],
    ]);
    pods.gone("old");
    expect(pods.counts().leaving).toBe(0);
  });

  it("tells how long each pod waited for its node, once", () => {
    const pods = ledger();
    pods.seen(pod("a"), 1000);
    pods.seen(pod("b"), 1100);
    pods.seen(bound("b"), 1130);
    pods.seen(bound("a"), 1500);
    pods.seen(bound("a", { ready: true }), 1900);
    pods.seen(bound("a", { ready: true, leaving: true }), 9900);
    expect(pods.delays).toEqual([30, 500]);
    expect(pods.starts).toEqual([900]);
    expect(pods.unseen).toBe(0);
  });

  it("forgets what came before it counts", () => {
    const pods = ledger();
    pods.seen(pod("a"), 1000);
    pods.seen(bound("a", { ready: true }), 1030);
    pods.seen(bound("unseen"), 1100);
    pods.forgetDelays();
    expect([pods.delays, pods.starts, pods.unseen]).toEqual([[], [], 0]);
    expect(pods.counts().pods).toBe(3);
  });

  it("does not know how long they waited that were there before", () => {
    const pods = ledger();
    pods.seen(bound("old", { leaving: true }), 500);
    expect([pods.delays, pods.unseen]).toEqual([[], 0]);
  });

  it("counts pods that were bound while nobody looked", () => {
    const pods = ledger();
    pods.seen(pod("waits"), 100);
    pods.list([bound("waits"), bound("new"), bound("old")]);
    pods.seen(bound("late"), 900);
    expect([pods.delays, pods.unseen]).toEqual([[], 3]);
    expect(pods.counts().pods).toBe(4);
  });

  it("goes on waiting for a pod that is still not bound after a new list", () => {
    const pods = ledger();
    pods.seen(pod("a"), 100);
    pods.list([pod("a")]);
    pods.seen(bound("a"), 400);
    expect(pods.delays).toEqual([300]);
  });
});

it("has the value that so many are at or under", () => {
  const sorted = Array.from({ length: 100 }, (_, index) => index + 1);
  expect([0.5, 0.99, 1].map((share) => quantile(sorted, share))).toEqual([50, 99, 100]);
  expect(quantile([7], 0.5)).toBe(7);
  expect(quantile([], 0.5)).toBeUndefined();
});
