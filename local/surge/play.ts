import { cpus } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import type { Api } from "./api";
import { watchAutoscaler } from "./autoscaler";
import { lengthOf, loadAt } from "./curve";
import type { Driver } from "./drive";
import type { Expected } from "./expected";
import { NO_FAULTS, type Faults } from "./faults/player";
import { goToMin } from "./go-to-min";
import { LoadError } from "./load/driver";
import type { Phase } from "./load/messages";
import { PodLedger, quantile } from "./pods";
import type { Ending, Sample, SurgeRun } from "./run";
import type { Scenario } from "./scenario";
import type { View } from "./view";
import { watchPods } from "./watch";

export interface PlayArgs {
  readonly stack: string;
  readonly kind: SurgeRun["kind"];
  readonly api: Api;
  readonly driver: Driver;
  readonly scenario: Scenario;
  readonly expected: Expected;
  readonly nodes: readonly string[];
  /** What goes wrong meanwhile. @default nothing */
  readonly faults?: Faults;
  readonly view: View;
  /** What the user has to know, and the report does not say. */
  readonly warn: (text: string) => void;
  readonly signal: AbortSignal;
}

/** Seconds without an answer until there will be none. */
const PATIENCE = 60;

/**
 * Plays a scenario to its end: the function's pods go to min, the curve begins, and it is over when they are back at
 * min. Whatever happens, what faults have changed is then put back, and the load taken away.
 */
export async function play(args: PlayArgs): Promise<SurgeRun> {
  const { api, driver, scenario, faults = NO_FAULTS } = args;
  const ledger = new PodLedger();
  const troubles: SurgeRun["troubles"][number][] = [];
  const samples: Sample[] = [];
  let began = Date.now();
  let ending: Ending;
  const second = () => Math.round((Date.now() - began) / 100) / 10;
  const onTrouble = (reason: string) => {
    // The same in a row is told once.
    if (troubles[troubles.length - 1]?.reason !== reason) troubles.push({ second: second(), reason });
  };
  const watching = new AbortController();
  const watched = watchPods(api, scenario.fn, ledger, watching.signal, onTrouble);
  try {
    await goToMin(args, ledger);
    ledger.forgetDelays();
    began = Date.now();
    ending = await steps({ ...args, faults, ledger, samples, onTrouble, second });
  } finally {
    watching.abort();
    await watched;
    await faults.putBack();
    await driver.restore().catch((error: unknown) => {
      args.warn(
        `${scenario.fn.name} still has the surge's load, which make up takes away: ${(error as Error).message}`,
      );
    });
    driver.end?.();
  }
  return {
    ...{ stack: args.stack, kind: args.kind, startedAt: new Date(began).toISOString(), cores: cpus().length },
    ...{ scenario, expected: args.expected, nodes: args.nodes, samples, troubles, ending },
    faults: faults.records(),
    delays: [...ledger.delays].sort((a, b) => a - b),
    starts: [...ledger.starts].sort((a, b) => a - b),
    ...(driver.client && { client: driver.client() }),
    unseen: ledger.unseen,
  };
}

/** With what may be left out. */
type StepArgs = PlayArgs & { readonly faults: Faults };

type Steps = StepArgs & {
  readonly ledger: PodLedger;
  readonly samples: Sample[];
  readonly onTrouble: (reason: string) => void;
  readonly second: () => number;
};

async function steps({ ledger, samples, onTrouble, second, ...args }: Steps): Promise<Ending> {
  const { scenario, expected, faults, view, signal } = args;
  let answered = 0;
  for (let step = 1; !signal.aborted; step++) {
    const at = second();
    faults.tick(at);
    try {
      const sample = await takeStep(args, ledger, at, phaseAt(at, expected, samples));
      answered = at;
      samples.push(sample);
      view.show({ scenario, expected, samples, delays: delaysOf(ledger), fault: faults.now() });
      if (faults.settled() && isOver(sample, scenario, expected)) return "back at min";
    } catch (error) {
      if (error instanceof LoadError) throw error;
      onTrouble((error as Error).message);
      if (at - answered > PATIENCE) return "no answer";
    }
    if (at > expected.limit) return "out of time";
    // Steps keep to the clock; those that the machine was too slow for are left out.
    const behind = Math.floor((second() * 1000) / scenario.step);
    step = Math.max(step, behind + 1);
    await sleep(Math.max(0, step * scenario.step - second() * 1000), undefined, { signal }).catch(() => undefined);
  }
  return "stopped";
}

async function takeStep(
  { api, driver, scenario, nodes, faults }: StepArgs,
  ledger: PodLedger,
  second: number,
  phase: Phase,
): Promise<Sample> {
  const { fn, curve } = scenario;
  const load = loadAt(curve, second * 1000);
  const counts = ledger.counts();
  const answering = counts.ready - ledger.readyOn(faults.lost);
  const seen = await driver.set({ load, ready: answering, phase });
  const { desired, reading } = await watchAutoscaler(api, fn);
  const onNodes = ledger.perNode();
  return {
    ...{ second, ...seen, ...counts, answering, desired, reading },
    // Where nobody says it, it is CPU that the autoscaler reads.
    cpuPerPod: seen.cpuPerPod ?? (reading ?? 0) * fn.resources.requests.cpu,
    onNodes: nodes.map((node) => onNodes.get(node) ?? 0),
  };
}

/** What the pods are about: until the goal is reached they scale out, and when the load is gone they scale in. */
function phaseAt(second: number, { climbFrom, quietFrom, enough }: Expected, samples: readonly Sample[]): Phase {
  if (second < climbFrom) return "quiet";
  if (second > quietFrom) return "scaling in";
  return samples.some((sample) => sample.second >= climbFrom && sample.ready >= enough) ? "scaled out" : "scaling out";
}

function isOver(
  { second, desired, pods, ready, leaving }: Sample,
  { fn, curve }: Scenario,
  expected: Expected,
): boolean {
  const { min } = fn.scaling;
  const after = Math.max(lengthOf(curve) / 1000, expected.quietFrom);
  return second > after && desired === min && pods === min && ready === min && leaving === 0;
}

function delaysOf({ delays }: PodLedger): { readonly p50: number | undefined; readonly p99: number | undefined } {
  const sorted = [...delays].sort((a, b) => a - b);
  return { p50: quantile(sorted, 0.5), p99: quantile(sorted, 0.99) };
}
