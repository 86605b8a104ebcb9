import type { FunctionConfig, StackConfig } from "../../infra/config";
import type { ScaleOutPoint } from "../../infra/plan";
import { clamp } from "../../infra/plan/numbers";
import { enoughPods, planScaleOut, wantedAtPeak } from "../../infra/plan/scale-out";
import type { Millis } from "../../infra/units";
import { climbOf, lastAbove, lengthOf } from "./curve";
import { loadHeldBy, type Scenario } from "./scenario";

/** What the plan says of a scenario: of simulated nodes, which start and end pods at once, or of real ones. */
export interface Expected {
  /** Replicas at peak: what CPU asks for, within min and max. */
  readonly goal: number;
  /** Replicas with which the goal counts as reached. */
  readonly enough: number;
  /** Second from which the time to the goal counts: the load begins to climb to its peak. */
  readonly climbFrom: number;
  /** Second from which the time back to min counts: the load falls under what min holds. */
  readonly quietFrom: number;
  /** Seconds until enough are ready and the way there; undefined where the load climbs too slowly for the plan, which knows jumps. */
  readonly scaleOut: { readonly seconds: number; readonly curve: readonly ScaleOutPoint[] } | undefined;
  /** The same with each node's start queue. */
  readonly secondsOnRealNodes: number | undefined;
  /** Seconds from quiet to min. */
  readonly secondsToMin: number;
  /** Second at which the run ends, whatever is there. */
  readonly limit: number;
}

/** A climb within one reading of a metric is a jump to the autoscaler. */
const JUMP: Millis = 15_000;
/** More than any number of agents starts: leaves the nodes' queues out of the model. */
const AT_ONCE = 1e6;
/** Times the planned time, and seconds beside it, until a run that does not come back is given up. */
const PATIENCE = { times: 1.5, seconds: 120 };

/** @param real - with each node's start queue, and the time that pods take to leave */
export function expect(config: StackConfig, scenario: Scenario, real = false): Expected {
  const { fn, curve } = scenario;
  const { min, max } = fn.scaling;
  const goal = clamp(wantedAtPeak(fn).cpu, min, max);
  const climb = climbOf(curve);
  const jumps = climb.to - climb.from <= JUMP;
  const quietFrom = lastAbove(curve, loadHeldBy(min, fn, fn.workload.cpuPerRequest)) / 1000;
  const leaving = real ? fn.drain.propagation / 1000 : 0;
  const secondsToMin = scaleInSeconds(fn, goal) + leaving;
  return {
    goal,
    enough: enoughPods(fn),
    climbFrom: climb.from / 1000,
    quietFrom,
    scaleOut: jumps ? predict(config, fn, goal, real ? config.runtime.startRate : AT_ONCE) : undefined,
    secondsOnRealNodes: jumps ? predict(config, fn, goal, config.runtime.startRate).seconds : undefined,
    secondsToMin,
    limit: Math.ceil(Math.max(lengthOf(curve) / 1000, quietFrom + PATIENCE.times * secondsToMin) + PATIENCE.seconds),
  };
}

/** As the plan predicts it for a stack whose function ends at the goal: so it is the CPU metric that takes it there. */
function predict(config: StackConfig, fn: FunctionConfig, goal: number, startRate: number) {
  const alone = { ...fn, scaling: { ...fn.scaling, max: goal } };
  const changed: StackConfig = { ...config, functions: [alone], runtime: { ...config.runtime, startRate } };
  const { secondsToMax, curve } = planScaleOut(changed)[fn.name]!;
  return { seconds: secondsToMax, curve };
}

/** Kubernetes' rule: in each period, of the two policies the one that takes away more, after the window of patience. */
export function scaleInSeconds({ scaling }: FunctionConfig, from: number): number {
  const { percent, pods, period, stabilization } = scaling.down;
  let replicas = from;
  let periods = 0;
  while (replicas > scaling.min) {
    const least = Math.min(Math.floor(Number((replicas * (1 - percent)).toFixed(6))), replicas - pods);
    replicas = Math.max(scaling.min, least);
    periods += 1;
  }
  // The first step needs no period before it.
  return periods === 0 ? 0 : (stabilization + (periods - 1) * period) / 1000;
}

/** The predicted number of ready pods, so many seconds after the jump. */
export function predictedAt(curve: readonly ScaleOutPoint[], second: number, what: "ready" | "desired"): number {
  const next = curve.findIndex((point) => point.second > second);
  if (next < 0) return curve[curve.length - 1]![what];
  if (next === 0) return curve[0]![what];
  const [from, to] = [curve[next - 1]!, curve[next]!];
  return from[what] + ((second - from.second) / (to.second - from.second)) * (to[what] - from[what]);
}
