import { formatCount } from "../../infra/plan/numbers";
import { formatDuration } from "../../infra/units";
import { turnsOf } from "./curve";
import { predictedAt } from "./expected";
import { faultChecks, isRolling } from "./faults/checks";
import type { ClientCounts } from "./load/messages";
import { quantile } from "./pods";
import type { Sample, SurgeRun } from "./run";

/** One thing that a run is held to. */
export interface Check {
  readonly what: string;
  readonly aim: string;
  readonly found: string;
  readonly met: boolean;
  /** Whether the run has failed where it is not met; the others are aims of the whole system. */
  readonly binding: boolean;
}

/** When so many pods were ready: seconds from the beginning of the climb. */
export interface Milestone {
  readonly share: number;
  readonly pods: number;
  readonly predicted: number | undefined;
  readonly measured: number | undefined;
  /** Of measured against predicted; above 0 where it took longer. */
  readonly difference: number | undefined;
}

export interface Verdict {
  readonly checks: readonly Check[];
  readonly milestones: readonly Milestone[];
  /** Whether every binding check is met. */
  readonly met: boolean;
}

/** Of the pods that are enough. */
const SHARES = [0.1, 0.25, 0.5, 0.75, 0.9, 1];
/** How far the prediction may be off, as a share of it. */
const NEAR = 0.2;
/** Milliseconds from created to bound. */
const DELAYS = { p50: 1000, p99: 3000 };

export function judge(run: SurgeRun): Verdict {
  const milestones = milestonesOf(run);
  const checks = [
    ...[reached(run), returned(run), overshoot(run), flapping(run), ...faultChecks(run)],
    ...[...delays(run), ...near(run, milestones), ...clients(run)],
  ];
  return { checks, milestones, met: checks.every(({ met, binding }) => met || !binding) };
}

/** Seconds from the climb until so many were ready. */
export function secondsToReady({ samples, expected }: SurgeRun, pods: number): number | undefined {
  const hit = samples.find(({ second, ready }) => second >= expected.climbFrom && ready >= pods);
  return hit && rounded(hit.second - expected.climbFrom);
}

/** Seconds from when the load has fallen under what min holds until no more than min were left. */
export function secondsToMin({ samples, expected, scenario }: SurgeRun): number | undefined {
  const { min } = scenario.fn.scaling;
  const hit = samples.find(({ second, pods, leaving }) => second >= expected.quietFrom && pods <= min && leaving === 0);
  return hit && rounded(hit.second - expected.quietFrom);
}

export function most(samples: readonly Sample[], of: (sample: Sample) => number): number {
  return samples.reduce((highest, sample) => Math.max(highest, of(sample)), 0);
}

function reached(run: SurgeRun): Check {
  const { expected, samples } = run;
  const seconds = secondsToReady(run, expected.enough);
  const some = formatCount(most(samples, ({ ready }) => ready));
  return {
    what: "reaches what the plan says",
    aim: `${formatCount(expected.goal)} ready${expected.enough < expected.goal ? `, by the autoscaler's tolerance from ${formatCount(expected.enough)} on` : ""}`,
    found: seconds === undefined ? `${some} ready at most` : `${formatCount(expected.enough)} ready in ${seconds} s`,
    met: seconds !== undefined,
    binding: true,
  };
}

function returned(run: SurgeRun): Check {
  const { expected, samples, scenario } = run;
  const seconds = secondsToMin(run);
  const left = samples[samples.length - 1];
  return {
    what: "goes back to min",
    aim: `${scenario.fn.scaling.min} pods; the autoscaler's behaviour allows it in ${expected.secondsToMin} s`,
    found: seconds === undefined ? `${formatCount(left?.pods ?? 0)} pods at the end` : `in ${seconds} s`,
    met: seconds !== undefined,
    binding: true,
  };
}

function overshoot(run: SurgeRun): Check {
  const { samples, scenario } = run;
  const { max } = scenario.fn.scaling;
  const rolling = new Set(samples.filter(({ second }) => isRolling(run, second)));
  const found = most(samples, (sample) =>
    rolling.has(sample) ? sample.desired : Math.max(sample.desired, sample.pods),
  );
  const rolled = rolling.size > 0;
  return {
    what: "stays within max",
    aim: `at most ${formatCount(max)}${rolled ? "; of a rollout's pods, wanted at most so many" : ""}`,
    found: `${formatCount(found)} at most${rolled ? `, and ${formatCount(most([...rolling], ({ pods }) => pods))} pods while they rolled` : ""}`,
    met: found <= max,
    binding: true,
  };
}

/** The load turns at each of its peaks and lulls: the autoscaler may turn as often, and no more. */
function flapping({ samples, scenario }: SurgeRun): Check {
  const allowed = turnsOf(scenario.curve.map(({ requestsPerSecond }) => requestsPerSecond));
  const found = turnsOf(samples.map(({ desired }) => desired));
  return {
    what: "does not flap",
    aim: `turns no more often than the load: ${allowed}`,
    found: `${found} ${found === 1 ? "turn" : "turns"} of the wanted replicas`,
    met: found <= allowed,
    binding: true,
  };
}

function delays(run: SurgeRun): Check[] {
  return (["p50", "p99"] as const).map((name) => {
    const found = quantile(run.delays, name === "p50" ? 0.5 : 0.99);
    return {
      what: `scheduling delay ${name.toUpperCase()}`,
      aim: `under ${DELAYS[name] / 1000} s`,
      found:
        found === undefined
          ? "no pod was seen to wait"
          : `${(found / 1000).toFixed(3)} s of ${formatCount(run.delays.length)} pods`,
      met: found !== undefined && found < DELAYS[name],
      binding: false,
    };
  });
}

function near({ expected }: SurgeRun, milestones: readonly Milestone[]): Check[] {
  if (expected.scaleOut === undefined) return [];
  const difference = milestones[milestones.length - 1]?.difference;
  return [
    {
      what: "as the plan predicts",
      aim: `${expected.scaleOut.seconds} s to ${formatCount(expected.enough)}, within ${NEAR * 100}%`,
      found: difference === undefined ? "not reached" : `${signedPercent(difference)} of that`,
      met: difference !== undefined && Math.abs(difference) <= NEAR,
      binding: false,
    },
  ];
}

/** What clients saw, where requests were sent. */
function clients({ client, samples, scenario }: SurgeRun): Check[] {
  if (client === undefined) return [];
  const { p99 } = scenario.fn.objectives;
  const latency = client.phases["scaled out"];
  const lost = most(samples, ({ shed }) => shed);
  return [
    {
      what: "latency P99, scaled out",
      aim: `under ${formatDuration(p99)}`,
      found:
        latency === undefined
          ? "nothing was served then"
          : `${formatCount(latency.p99)} ms of ${formatCount(latency.count)} requests`,
      met: latency !== undefined && latency.p99 < p99,
      binding: false,
    },
    {
      what: "serves every request",
      aim: "all answered with 2xx",
      found: lost === 0 ? "all" : `${notServed(client)}; ${formatCount(lost)}/s at most`,
      met: lost === 0,
      binding: false,
    },
  ];
}

/** `429: 12, ECONNRESET: 1, not sent: 40`. */
export function notServed({ statuses, unanswered, unsent }: ClientCounts): string {
  return [
    ...Object.entries(statuses).filter(([status]) => !status.startsWith("2")),
    ...Object.entries(unanswered),
    ...(unsent > 0 ? [["not sent", unsent] as const] : []),
  ]
    .map(([name, count]) => `${name}: ${formatCount(count)}`)
    .join(", ");
}

function milestonesOf(run: SurgeRun): Milestone[] {
  const { enough, scaleOut } = run.expected;
  return SHARES.map((share) => {
    const pods = Math.ceil(enough * share);
    const predicted = scaleOut && predictedSeconds(run, pods);
    const measured = secondsToReady(run, pods);
    const both = predicted !== undefined && predicted > 0 && measured !== undefined;
    return { share, pods, predicted, measured, difference: both ? rounded(measured / predicted - 1, 3) : undefined };
  });
}

/** The first whole second at which the predicted curve has so many. */
function predictedSeconds({ expected }: SurgeRun, pods: number): number | undefined {
  const { seconds, curve } = expected.scaleOut ?? { seconds: 0, curve: [] };
  return Array.from({ length: seconds + 1 }, (_, second) => second).find(
    (second) => Math.ceil(predictedAt(curve, second, "ready")) >= pods,
  );
}

/** `+12%`, `−3.4%`. */
export function signedPercent(share: number): string {
  const percent = rounded(share * 100);
  return `${percent > 0 ? "+" : percent < 0 ? "−" : ""}${Math.abs(percent)}%`;
}

function rounded(value: number, digits = 1): number {
  return Number(value.toFixed(digits));
}
