import type { FunctionConfig } from "../../../infra/config";
import { enoughPods } from "../../../infra/plan/scale-out";
import type { Sample, SurgeRun } from "../run";
import type { FaultRecord } from "./record";
import type { Fault } from "./schema";

/** What a fault did to those who ask, in seconds from its beginning. */
export interface Recovery {
  readonly record: FaultRecord;
  /** Whether the demand was met when it came. */
  readonly metBefore: boolean;
  /** Whether the autoscaler was on its way, or came to be: that way is then in `metAgain`. */
  readonly climbing: boolean;
  /** Pods that answered, just before. */
  readonly answeringBefore: number;
  /** Requests/s that came and that pods could serve at their limit, just before. */
  readonly loadBefore: number;
  readonly capacityBefore: number;
  /** The function's pods on the agents that were lost, just before; 0 where none was. */
  readonly podsOnLost: number;
  /** At the worst moment: requests/s that were shed, and pods that the demand asked for and that did not answer. */
  readonly mostShed: number;
  readonly mostMissing: number;
  /** Longest time without an answer of the API server; 0 where it was no longer than steps are. */
  readonly silent: number;
  /**
   * Of lost agents: when the control plane had given them all up, and when all the function's pods there had to leave; undefined
   * where the agents were back before.
   */
  readonly noticed: number | undefined;
  readonly replaced: number | undefined;
  /** When the demand was met, and stayed so; 0 where it always was, undefined where it was not again. */
  readonly metAgain: number | undefined;
}

/** Seconds after its end in which a fault may still show: longer than the autoscaler takes to read and to act. */
const SETTLE = 15;
/** Steps without an answer that are no silence: one was late, as on a busy machine. */
const LATE = 3;

/** Pods with which a load is met: with so many the autoscaler stops. */
export function enoughFor(load: number, fn: FunctionConfig): number {
  return enoughPods({ ...fn, workload: { ...fn.workload, peakRequestsPerSecond: load } });
}

export function recoveriesOf(run: SurgeRun): Recovery[] {
  return run.faults.map((record, index) => recoveryOf(run, record, run.faults[index + 1]?.began ?? Infinity));
}

function recoveryOf({ samples, scenario }: SurgeRun, record: FaultRecord, next: number): Recovery {
  const { fn, step } = scenario;
  const until = Math.min(next, (record.ended ?? Infinity) + SETTLE);
  const since = (sample: Sample | undefined) => sample && rounded(sample.second - record.began);
  const missing = ({ load, answering }: Sample) => enoughFor(load, fn) - answering;
  const isMet = (sample: Sample) => sample.shed === 0 && missing(sample) <= 0;
  const before = samples.findLast(({ second }) => second < record.began) ?? samples[0];
  const within = samples.filter(({ second }) => second >= record.began && second < until);
  const onLost = podsOnLost(record.fault, before);
  const lastUnmet = within.findLast((sample) => !isMet(sample));
  const met = lastUnmet && samples.find((sample) => sample.second > lastUnmet.second && isMet(sample));
  const gaps = within.map((sample, index) => sample.second - (within[index - 1] ?? before ?? sample).second);
  const silent = Math.max(0, ...gaps);
  return {
    record,
    metBefore: before !== undefined && isMet(before),
    climbing:
      before !== undefined &&
      (!isMet(before) || within.some(({ load }) => enoughFor(load, fn) > enoughFor(before.load, fn))),
    answeringBefore: before?.answering ?? 0,
    loadBefore: before?.load ?? 0,
    capacityBefore: before?.capacity ?? 0,
    podsOnLost: onLost,
    mostShed: Math.max(0, ...within.map(({ shed }) => shed)),
    mostMissing: Math.max(0, ...within.map(missing)),
    silent: silent * 1000 > LATE * step ? rounded(silent) : 0,
    noticed: record.noticed === undefined ? undefined : rounded(record.noticed - record.began),
    replaced: since(lastToLeave(within, onLost)),
    metAgain: lastUnmet === undefined ? 0 : since(met),
  };
}

/**
 * Pods of lost agents leave, and cannot: there is nobody to end them. So they add up until the last has to leave, but where the
 * agents come back before.
 */
function lastToLeave(within: readonly Sample[], onLost: number): Sample | undefined {
  const most = Math.max(0, ...within.map(({ leaving }) => leaving));
  return onLost === 0 || most < onLost ? undefined : within.find(({ leaving }) => leaving === most);
}

/** The last agents are the ones that are lost. */
function podsOnLost(fault: Fault, before: Sample | undefined): number {
  if (fault.kind !== "lose-agents" || before === undefined) return 0;
  return before.onNodes.slice(-fault.agents).reduce((sum, pods) => sum + pods, 0);
}

function rounded(seconds: number): number {
  return Number(seconds.toFixed(1));
}
