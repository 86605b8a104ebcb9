import type { FunctionConfig, StackConfig } from "../config";
import type { ScaleOut, ScaleOutPoint } from "./types";
import { LONGEST_SCALE_OUT, simulateScaleOut, type ScaleOutModel, type ScaleOutTrace } from "./autoscaler";
import { requestMetric } from "./autoscaling";
import { controlPlaneRate } from "./demand";
import { roundUp } from "./numbers";
import { agentCount } from "./topology";

/**
 * Seconds between two readings of a metric: what K3s starts its metrics-server with, and so the ones on this machine too;
 * and the usual scrape interval.
 */
export const METRICS_RESOLUTION = 15;
/** Seconds that a new pod has to be old before metrics-server takes what it reads of it for a measure of its CPU. */
const YOUNGEST_READ = 10;
/** Points of a curve that is passed on. */
const CURVE_POINTS = 60;

/**
 * Predicts how each function gets from min to max when its load jumps to peak. Each is looked at alone: functions that
 * scale out at the same moment share the rates.
 */
export function planScaleOut(config: StackConfig): Record<string, ScaleOut> {
  return Object.fromEntries(config.functions.map((fn) => [fn.name, functionScaleOut(config, fn)]));
}

/** Replicas at peak by CPU and by request rate; 100,000/s at 0.18 ms with 70 % of 10m are 2,572, at 20/s per pod 5,000. */
export function wantedAtPeak(fn: FunctionConfig): ScaleOut["wantedAtPeak"] {
  const { peakRequestsPerSecond, cpuPerRequest } = fn.workload;
  return {
    cpu: roundUp((peakRequestsPerSecond * cpuPerRequest) / targetCpu(fn)),
    requestRate: roundUp(peakRequestsPerSecond / fn.scaling.requestsPerPod),
  };
}

/** Millicores that the autoscaler holds a pod at; requests/s times milliseconds of CPU are millicores too. */
function targetCpu(fn: FunctionConfig): number {
  return fn.scaling.cpuTarget * fn.resources.requests.cpu;
}

/**
 * The most that CPU can multiply the pods by in one step: usage ends at the limit, however high the load. At or under
 * the autoscaler's tolerance of 10 %, it never takes a step.
 */
export function largestCpuStep(fn: FunctionConfig): number {
  return fn.resources.limits.cpu / targetCpu(fn);
}

function functionScaleOut(config: StackConfig, fn: FunctionConfig): ScaleOut {
  const wanted = wantedAtPeak(fn);
  // Where CPU would settle below max, max is reached by request rate alone, at the least load that asks for it.
  const drivenBy = fn.scaling.metric === "cpu" && wanted.cpu >= fn.scaling.max ? "cpu" : "requestRate";
  const model = scaleOutModel(config, fn, drivenBy);
  const trace = simulateScaleOut(model);
  const controlPlaneOnly = simulateScaleOut({ ...model, startRate: Infinity });
  return {
    wantedAtPeak: wanted,
    secondsToMax: secondsTo(trace.ready, fn.scaling.max),
    secondsToMaxControlPlaneOnly: secondsTo(controlPlaneOnly.ready, fn.scaling.max),
    drivenBy,
    bottleneck: bottleneck(trace, fn.scaling.max),
    curve: sample(trace),
  };
}

function scaleOutModel(config: StackConfig, fn: FunctionConfig, drivenBy: ScaleOut["drivenBy"]): ScaleOutModel {
  const { scaling, workload, resources } = fn;
  const load = workload.peakRequestsPerSecond;
  const byRate = Math.max(scaling.max, roundUp(load / scaling.requestsPerPod));
  return {
    min: scaling.min,
    max: scaling.max,
    // The autoscaler sums up the usage of pods that have metrics and counts the others as idle: so a step waits for
    // the metrics of the pods that the step before made.
    wanted:
      drivenBy === "requestRate"
        ? () => byRate
        : (measured, ready) => {
            const usage = Math.min((load / ready) * workload.cpuPerRequest, resources.limits.cpu);
            return roundUp((measured * usage) / targetCpu(fn));
          },
    ...(scaling.metric === "rps" ? requestMetric(config, fn) : { metricDelay: METRICS_RESOLUTION }),
    podMetricDelay: podMetricDelay(config.controlPlane.hpaCpuInitializationPeriod / 1000),
    syncPeriod: config.controlPlane.hpaSyncPeriod / 1000,
    up: {
      share: scaling.up.percent,
      pods: scaling.up.pods,
      period: scaling.up.period / 1000,
      stabilization: scaling.up.stabilization / 1000,
    },
    createRate: controlPlaneRate(config),
    startRate: agentCount(config) * config.runtime.startRate,
  };
}

/**
 * Seconds at most until a new pod's CPU counts. A pod that is too young at one reading has its metrics from the next. Within
 * its initialization period the autoscaler believes only what two readings since the pod was ready have found.
 */
function podMetricDelay(initializationPeriod: number): number {
  const firstMetrics = METRICS_RESOLUTION + YOUNGEST_READ;
  return Math.min(2 * METRICS_RESOLUTION, Math.ceil(Math.max(initializationPeriod, firstMetrics)));
}

function secondsTo(pods: readonly number[], goal: number): number {
  const second = pods.findIndex((count) => count >= goal);
  return second < 0 ? LONGEST_SCALE_OUT : second;
}

/** The longest of the three waits: until max is asked for, from then until it is created, from then until it is ready. */
function bottleneck(trace: ScaleOutTrace, max: number): ScaleOut["bottleneck"] {
  const asked = secondsTo(trace.desired, max);
  const created = secondsTo(trace.created, max);
  const nodes = secondsTo(trace.ready, max) - created;
  const controlPlane = created - asked;
  if (nodes > controlPlane && nodes > asked) return "nodes";
  return controlPlane > asked ? "control-plane" : "autoscaler";
}

/** Evenly spread points, with the first and the last. */
function sample({ desired, created, ready }: ScaleOutTrace): ScaleOutPoint[] {
  const last = ready.length - 1;
  const points = Math.min(CURVE_POINTS, last + 1);
  return Array.from({ length: points }, (_, index) => {
    const second = points === 1 ? 0 : Math.round((index * last) / (points - 1));
    return { second, desired: desired[second] ?? 0, created: created[second] ?? 0, ready: ready[second] ?? 0 };
  });
}
