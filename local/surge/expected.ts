import type { FunctionConfig, StackConfig } from "../../infra/config";
import type { ScaleOutPoint } from "../../infra/plan";
import { requestMetric } from "../../infra/plan/autoscaling";
import { clamp } from "../../infra/plan/numbers";
import {
  enoughPods,
  METRICS_RESOLUTION,
  planScaleOut,
  wantedByMetric,
  type Circumstances,
} from "../../infra/plan/scale-out";
import type { Millis } from "../../infra/units";
import { climbOf, lastAbove, lengthOf } from "./curve";
import { loadHeldByMin, type Scenario } from "./scenario";

/** What the plan says of a scenario: of simulated nodes, which start and end pods at once, or of real ones. */
export interface Expected {
  /** Replicas at peak: what the function's metric asks for, within min and max. */
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
/** Seconds from a reading until the autoscaler has gone by it, where what thousands of pods use is reckoned on those same cores: as seen. */
const SIMULATED_DELAY = 2;
/** Times the planned time, and seconds beside it, until a run that does not come back is given up. */
const PATIENCE = { times: 1.5, seconds: 120 };

/** Where pods run: on real nodes, or on simulated ones that share so many cores with the control plane. */
export interface Place {
  readonly kind: "real" | "simulated";
  readonly cores: number;
}

/**
 * Pods/s that a core makes which is control plane and simulated kubelets at once, while metrics are read and an autoscaler decides.
 * Fitted to runs on two cores of three speeds, on which `kubectl scale`, beside which nothing is read, took 45.5, 59.5 and 78.6 s
 * (measured, `make bench ONLY=surge`): with it the model says 91 s of runs by 17.5 requests/s a pod that took 80, 84 and 107 s, and
 * 140 s of runs by CPU that took 114 and 122 s. That twice the cores make twice as many is an assumption.
 */
const SIMULATED_PER_CORE = 36;

/** @param place - a real one has each node's start queue, and pods that take their time to leave */
export function expect(config: StackConfig, scenario: Scenario, place: Place): Expected {
  const real = place.kind === "real";
  const { fn, curve } = scenario;
  const { min, max } = fn.scaling;
  const goal = clamp(wantedByMetric(fn), min, max);
  const climb = climbOf(curve);
  const jumps = climb.to - climb.from <= JUMP;
  const quietFrom = lastAbove(curve, loadHeldByMin(fn, fn.workload.cpuPerRequest)) / 1000;
  const leaving = real ? fn.drain.propagation / 1000 : 0;
  const secondsToMin = secondsBack(config, fn, goal) + leaving;
  return {
    goal,
    enough: enoughPods(fn),
    climbFrom: climb.from / 1000,
    quietFrom,
    scaleOut: jumps ? predict(config, fn, goal, place) : undefined,
    secondsOnRealNodes: jumps ? predict(config, fn, goal, { ...place, kind: "real" }).seconds : undefined,
    secondsToMin,
    limit: Math.ceil(Math.max(lengthOf(curve) / 1000, quietFrom + PATIENCE.times * secondsToMin) + PATIENCE.seconds),
  };
}

/**
 * A simulated kubelet does not say when a container has started, so metrics-server needs two readings of each; and says what it
 * uses at that moment, as if it had done so since the reading before.
 */
function simulated(cores: number): Circumstances {
  return {
    controlPlaneRate: cores * SIMULATED_PER_CORE,
    youngestRead: METRICS_RESOLUTION,
    readingDelay: SIMULATED_DELAY,
    averagedReadings: false,
  };
}

/** As the plan predicts it for a stack whose function ends at the goal: so it is its own metric that takes it there. */
function predict(config: StackConfig, fn: FunctionConfig, goal: number, place: Place) {
  const alone = { ...fn, scaling: { ...fn.scaling, max: goal } };
  const real = place.kind === "real";
  const runtime = real ? config.runtime : { ...config.runtime, startRate: AT_ONCE };
  const changed: StackConfig = { ...config, functions: [alone], runtime };
  const { secondsToMax, curve } = planScaleOut(changed, real ? undefined : simulated(place.cores))[fn.name]!;
  return { seconds: secondsToMax, curve };
}

/**
 * Seconds from quiet to min. By CPU the metric is reckoned to follow at once: the load fell some time before. A rate falls as long
 * as it is an average over, and where there may be no pods it is KEDA that takes the last of them, however many, after its cool-down.
 */
export function secondsBack(config: StackConfig, fn: FunctionConfig, from: number): number {
  const { metric, min, down, cooldown, pollingInterval } = fn.scaling;
  if (metric === "cpu") return scaleInSeconds(fn, from);
  const { delay, climb = 0 } = requestMetric(config, fn);
  if (min === 0) return delay + climb + (cooldown + pollingInterval) / 1000;
  return delay + Math.max(scaleInSeconds(fn, from), climb + down.stabilization / 1000);
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
