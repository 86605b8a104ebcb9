import { parseConfig, type StackConfig } from "../../../../infra/config";
import { expect as expectOf } from "../../../../local/surge/expected";
import { capabilityOf, demandOn } from "../../../../local/surge/demand";
import { loadAt } from "../../../../local/surge/curve";
import type { Sample, SurgeRun } from "../../../../local/surge/run";
import { parseScenario, type Scenario } from "../../../../local/surge/scenario";
import { k3s, rawConfig } from "../../infra/support";

/** The reference workload on ten agents. */
export const CONFIG: StackConfig = parseConfig(rawConfig({ cluster: k3s(3, 10) }));

/** As the project's own surge.yaml. */
export function scenarioOf(raw: object = { cpuPerRequest: "400us" }, config = CONFIG): Scenario {
  return parseScenario(raw, config);
}

type PodsAt = (
  second: number,
) => Partial<Pick<Sample, "desired" | "pods" | "bound" | "ready" | "leaving" | "answering" | "onNodes">>;

/** A run that did what `podsAt` says, seen every two seconds. */
export function runOf(podsAt: PodsAt, end: number, more: Partial<SurgeRun> = {}): SurgeRun {
  const scenario = more.scenario ?? scenarioOf();
  const nodes = more.nodes ?? ["agent-1", "agent-2"];
  const samples = Array.from({ length: Math.floor(end / 2) + 1 }, (_, index) => sampleAt(index * 2));
  return {
    ...{ stack: "local", startedAt: "2026-01-02T03:04:05.000Z", cores: 2 },
    ...{ scenario, expected: expectOf(CONFIG, scenario), nodes, samples },
    ...{ delays: [5, 10, 20, 400], unseen: 0, faults: [], troubles: [], ending: "back at min" },
    ...more,
  };

  function sampleAt(second: number): Sample {
    const load = loadAt(scenario.curve, second * 1000);
    const at = podsAt(second);
    const pods = at.pods ?? at.ready ?? 10;
    const counts = { desired: pods, pods, bound: pods, ready: pods, leaving: 0, answering: at.ready ?? pods, ...at };
    return {
      ...{ second, load, cpuRead: 70, onNodes: nodes.map(() => Math.round(pods / nodes.length)) },
      ...demandOn(load, counts.answering, capabilityOf(scenario.fn)),
      ...counts,
    };
  }
}

/** Straight up in so many seconds after the climb, and straight down when it is quiet. */
export function goodRun(seconds = 100, more: Partial<SurgeRun> = {}): SurgeRun {
  const { climbFrom, quietFrom, goal, secondsToMin } = expectOf(CONFIG, more.scenario ?? scenarioOf());
  const podsAt: PodsAt = (second) => {
    const up = 10 + Math.floor((Math.max(0, second - climbFrom) / seconds) * (goal - 10));
    const down = goal - Math.floor((Math.max(0, second - quietFrom) / secondsToMin) * (goal - 10));
    return { ready: Math.max(10, Math.min(up, down, goal)) };
  };
  return runOf(podsAt, quietFrom + secondsToMin + 4, more);
}
