import { describe, expect, it } from "vitest";
import { planStack } from "../../../../../infra/plan";
import { formatCount } from "../../../../../infra/plan/numbers";
import { ejectionSeconds, reasonOf, replacementSeconds } from "../../../../../local/surge/faults/reasons";
import type { Recovery } from "../../../../../local/surge/faults/recovery";
import type { Fault, FaultOf } from "../../../../../local/surge/faults/schema";
import { expect as expectOf } from "../../../../../local/surge/expected";
import { k3s, prodConfig } from "../../../infra/support";
import { CONFIG, PLACE, scenarioOf } from "../support";

const contextOf = (config = CONFIG) => {
  const scenario = scenarioOf(undefined, config);
  return { config, plan: planStack(config), expected: expectOf(config, scenario, PLACE), fn: scenario.fn };
};
const LOST: FaultOf<"lose-agents"> = { kind: "lose-agents", at: 100_000, agents: 1, for: 60_000 };

function recovery(fault: Fault, more: Partial<Recovery> = {}): Recovery {
  return {
    record: { fault, what: fault.kind, began: fault.at / 1000, ended: fault.at / 1000 + 60, troubles: [] },
    ...{ metBefore: true, climbing: false },
    ...{
      answeringBefore: 5000,
      loadBefore: 100_000,
      capacityBefore: 1e6,
      podsOnLost: fault.kind === "lose-agents" ? 500 * fault.agents : 0,
      mostShed: 0,
      mostMissing: 0,
    },
    ...{ silent: 0, noticed: undefined, replaced: undefined, metAgain: 36 },
    ...more,
  };
}

describe("why it takes so long", () => {
  it("to replace lost agents follows from the stack's own settings", () => {
    const { plan } = contextOf();
    expect(replacementSeconds({ agents: 1 }, 0, plan)).toEqual({ begins: 32.5, least: 32.5, most: 45 });
    // Of two the second is tainted 10 s after the first.
    expect(replacementSeconds({ agents: 2 }, 0, plan)).toEqual({ begins: 32.5, least: 42.5, most: 55 });
    const patient = prodConfig({
      cluster: k3s(3, 10),
      controlPlane: { nodeMonitorGracePeriod: "40s", lostNodeToleration: "300s" },
    });
    expect(replacementSeconds({ agents: 1 }, 0, planStack(patient))).toEqual({ begins: 340, least: 340, most: 355 });
    expect(reasonOf(recovery(LOST, { podsOnLost: 0 }), contextOf(patient))).toMatch(
      /lostNodeToleration \(5m\) .* in 340 to 355 s\./,
    );
  });

  it("to replace full agents is longer by what the controllers may send, and by marks that come one after the other", () => {
    const planAt = (clientQps: number) => planStack(prodConfig({ cluster: k3s(3, 10), controlPlane: { clientQps } }));
    // 500 marks beside 500 events, then 3 × 500 requests to evict them; each with 100 sent at once, or at the most none.
    // At 40 ms each the marks take longer than at 100 requests/s with their events.
    expect(replacementSeconds({ agents: 1 }, 500, planAt(100))).toEqual({
      begins: 32.5 + 9,
      least: 32.5 + 9 + 14,
      most: 45 + 20 + 15,
    });
    // At 20 requests/s it is the limit that counts.
    expect(replacementSeconds({ agents: 1 }, 500, planAt(20)).most).toBe(45 + 50 + 75);
    // Two: 1,000 marks beside the events of one; given up at one look or at two, which is 20 s of marks and 30 s of requests, or
    // 40 s and 15 s.
    expect(replacementSeconds({ agents: 2 }, 1000, planAt(100))).toEqual({
      begins: 32.5 + 14,
      least: 32.5 + 14 + 29,
      most: 45 + 40 + 15,
    });
    // Few are evicted before the second agent is tainted.
    expect(replacementSeconds({ agents: 2 }, 200, planAt(100)).most).toBe(45 + 4 + 10 + 3);
    // Nine are not marked all at once, but eight and one.
    const nine = replacementSeconds({ agents: 9 }, 900, planAt(1000));
    const eight = replacementSeconds({ agents: 8 }, 800, planAt(1000));
    expect(nine.most - eight.most).toBeCloseTo(4 + 10, 6);
  });

  it("to replace agents is told with the pods that were there", () => {
    const context = contextOf();
    const { least, most } = replacementSeconds({ agents: 2 }, 1000, context.plan);
    const two = { ...LOST, agents: 2, for: 120_000 };
    expect(reasonOf(recovery(two), context)).toContain(
      "gives agents up after nodeMonitorGracePeriod (20s, by looks every 5s), marks the function's 1,000 pods there not ready, those of each agent one after the other, taints one agent each 10 s, and after lostNodeToleration (10s) evicts them by 3 requests each, at 90 requests/s (clientQps): " +
        `in ${formatCount(least)} to ${formatCount(most)} s. Gateways`,
    );
    expect(least).toBeGreaterThan(replacementSeconds({ agents: 2 }, 0, context.plan).most);
    expect(reasonOf(recovery(LOST), context)).toMatch(
      /an agent up .* 500 pods there not ready, one after the other, taints the agent a look later/,
    );
  });

  it("is not told to be over before where the agents' pods had to leave by then", () => {
    const { begins, least } = replacementSeconds({ agents: 1 }, 500, contextOf().plan);
    const told = (seconds: number) => reasonOf(recovery({ ...LOST, for: seconds * 1000 }), contextOf());
    expect(told(begins - 1)).toContain("They were back before.");
    expect(told((begins + least) / 2)).not.toContain("They were back before.");
  });

  it("to pass over lost pods follows from timeout, load and gateways, and is said to be computed", () => {
    const context = contextOf();
    const { needed } = context.plan.requestPath.gateway;
    // Each gateway sends each pod its part of 20 requests/s, and gives it up after ten.
    expect(ejectionSeconds(recovery(LOST), context)).toBeCloseTo(0.5 + 10 / (20 / needed), 6);
    const text = reasonOf(recovery(LOST), context);
    expect(text).toContain("Gateways are not played");
    expect(text).toContain(
      `computed of connectTimeout (500ms) and 10 failed requests of each pod at each of ${needed}`,
    );
    expect(reasonOf(recovery(LOST, { loadBefore: 0 }), context)).toContain("when anything is asked");
  });

  it.each<[Fault, RegExp]>([
    [{ ...LOST, for: 5000 }, /They were back before\./],
    [{ kind: "kill", at: 0, process: "kube-scheduler", for: 5000 }, /down for 5s, .* no pod gets a node meanwhile/],
    [{ kind: "kill", at: 0, process: "etcd", for: 9000 }, /down for 9s, .* nothing is stored meanwhile/],
    [{ kind: "metrics-server-gone", at: 0, for: 60_000 }, /keeps its count, for 1m; .* two readings, 15 s apart/],
    [{ kind: "quota", at: 0, pods: 20, for: 30_000 }, /No pod is made above the quota, for 30s/],
    [{ kind: "rollout", at: 0 }, /25% more at once, 0 fewer\. It took 60 s\./],
    [{ kind: "up", at: 0 }, /changes nothing/],
  ])("is told of %j", (fault, text) => {
    expect(reasonOf(recovery(fault), contextOf())).toMatch(text);
  });

  it("is told apart from the autoscaler's own way, and from no time at all", () => {
    const fault: Fault = { kind: "kill", at: 30_000, process: "kube-scheduler", for: 5000 };
    const context = contextOf();
    const left = context.expected.climbFrom + context.expected.scaleOut!.seconds - 30;
    expect(reasonOf(recovery(fault, { climbing: true }), context)).toContain(
      `on its way, which by the plan takes ${left} s more without a fault`,
    );
    expect(reasonOf(recovery(fault, { metAgain: 0 }), context)).toMatch(/^The demand was met all the time\./);
  });
});
