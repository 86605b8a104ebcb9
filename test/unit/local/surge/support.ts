import { parseConfig, type StackConfig } from "../../../../infra/config";
import { expect as expectOf } from "../../../../local/surge/expected";
import { capabilityOf, demandOn } from "../../../../local/surge/demand";
import { loadAt } from "../../../../local/surge/curve";
import type { Sample, SurgeRun } from "../../../../local/surge/run";
import { parseScenario, type Scenario } from "../../../../local/surge/scenario";
import { k3s, rawConfig } from "../../infra/support";

/** The reference workload on ten agents. */
export const CONFIG: StackConfig = parseConfig(rawConfig({ cluster: k3s(3, 10) }));

/** The same, scaled by requests. */
export const byRequests = (scaling: object) =>
  parseConfig(
    rawConfig({
      cluster: k3s(3, 10),
      functions: [{ objectives: { availability: "99.9%" }, scaling: { metric: "rps", ...scaling } }],
    }),
  );

/** Simulated nodes on two cores. */
export const PLACE = { kind: "simulated", cores: 2 } as const;

export const LOCAL = { stack: "local", real: false };

/** As the project's own surge.yaml. */
export function scenarioOf(raw: object = { cpuPerRequest: "400us" }, config = CONFIG, stage = LOCAL): Scenario {
  return parseScenario(raw, config, stage);
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
    ...{ stack: "local", kind: "simulated", startedAt: "2026-01-02T03:04:05.000Z", cores: 2 },
    ...{ scenario, expected: expectOf(CONFIG, scenario, PLACE), nodes, samples },
    ...{ delays: [5, 10, 20, 400], starts: [9, 15, 30, 450], unseen: 0 },
    ...{ faults: [], troubles: [], ending: "back at min" },
    ...more,
  };

  function sampleAt(second: number): Sample {
    const load = loadAt(scenario.curve, second * 1000);
    const at = podsAt(second);
    const pods = at.pods ?? at.ready ?? 10;
    const counts = { desired: pods, pods, bound: pods, ready: pods, leaving: 0, answering: at.ready ?? pods, ...at };
    return {
      ...{ second, load, reading: 0.7, onNodes: nodes.map(() => Math.round(pods / nodes.length)) },
      ...demandOn(load, counts.answering, capabilityOf(scenario.fn)),
      ...counts,
    };
  }
}

/** Straight up in so many seconds after the climb, and straight down when it is quiet. */
export function goodRun(seconds = 100, more: Partial<SurgeRun> = {}): SurgeRun {
  const { climbFrom, quietFrom, goal, secondsToMin } = expectOf(CONFIG, more.scenario ?? scenarioOf(), PLACE);
  const podsAt: PodsAt = (second) => {
    const up = 10 + Math.floor((Math.max(0, second - climbFrom) / seconds) * (goal - 10));
    const down = goal - Math.floor((Math.max(0, second - quietFrom) / secondsToMin) * (goal - 10));
    return { ready: Math.max(10, Math.min(up, down, goal)) };
  };
  return runOf(podsAt, quietFrom + secondsToMin + 4, more);
}

/** The same of real pods that were asked: the client served half a second's load late, and lost some of it. */
export function realRun(more: Partial<SurgeRun> = {}): SurgeRun {
  const run = goodRun(160, { stack: "real", kind: "real", ...more });
  const latency = { count: 1000, p50: 4.2, p99: 18.5, p999: 44, most: 120 };
  const counts = { statuses: { "200": 1000, "503": 7 }, unanswered: { ECONNRESET: 1 }, unsent: 40, again: 2 };
  return {
    ...run,
    samples: run.samples.map((sample) => ({ ...sample, shed: sample.load * 0.01, client: { ...counts, latency } })),
    client: {
      ...counts,
      phases: { "scaling out": { ...latency, p99: 900 }, "scaled out": latency },
      verified: false,
      users: 10,
    },
  };
}
