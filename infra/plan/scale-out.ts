import type { FunctionConfig, StackConfig } from "../config";
import type { ScaleOut, ScaleOutPoint } from "./types";
import { LONGEST_SCALE_OUT, simulateScaleOut, type ScaleOutModel, type ScaleOutTrace } from "./autoscaler";
import { TOLERANCE, wantedByCpu, wantedByRate, type CpuMetric, type RateMetric } from "./autoscaler-metrics";
import { requestMetric } from "./autoscaling";
import { controlPlaneRate } from "./demand";
import { clamp, roundUp } from "./numbers";
import { agentCount } from "./topology";

/**
 * Seconds between two readings of a metric: what K3s starts its metrics-server with, and so the ones on this machine too;
 * and the usual scrape interval.
 */
export const METRICS_RESOLUTION = 15;
/** What a scale-out takes besides the config: of the machines, and of those who tell metrics there. */
export interface Circumstances {
  /** Pods/s at most that the control plane creates, binds and hears to be ready, where its limits allow more. */
  readonly controlPlaneRate: number;
  /** Seconds that a pod has to be old before one reading of it is a measure; two are, whatever its age. */
  readonly youngestRead: number;
  /** Seconds from when metrics-server begins to read until the autoscaler has gone by it. */
  readonly readingDelay: number;
  /** Whether a pod's CPU is read as the average since the reading before; else it is what it uses at that moment. */
  readonly averagedReadings: boolean;
}

/** Nodes of their own, whose kubelets say when a container has started, and so how long it took for what it has used. */
const ON_HOSTS: Circumstances = {
  controlPlaneRate: Infinity,
  youngestRead: 10,
  readingDelay: 1,
  averagedReadings: true,
};
/** Points of a curve that is passed on. */
const CURVE_POINTS = 60;

/**
 * Predicts how each function gets from min to max when its load jumps to peak. Each is looked at alone: functions that
 * scale out at the same moment share the rates.
 */
export function planScaleOut(config: StackConfig, circumstances = ON_HOSTS): Record<string, ScaleOut> {
  return Object.fromEntries(config.functions.map((fn) => [fn.name, functionScaleOut(config, fn, circumstances)]));
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

/** Replicas that a metric, the function's own where none is named, asks for at peak, whether or not it may have so many. */
export function wantedByMetric(fn: FunctionConfig, metric = fn.scaling.metric): number {
  const { cpu, requestRate } = wantedAtPeak(fn);
  return metric === "cpu" ? cpu : requestRate;
}

/** Pods at which the autoscaler stops: within its tolerance of what its metric asks for, between min and max. */
export function enoughPods(fn: FunctionConfig): number {
  return withinTolerance(wantedByMetric(fn), fn);
}

function withinTolerance(wanted: number, { scaling: { min, max } }: FunctionConfig): number {
  return clamp(Math.ceil(wanted / (1 + TOLERANCE)), min, max);
}

function functionScaleOut(config: StackConfig, fn: FunctionConfig, circumstances: Circumstances): ScaleOut {
  const wanted = wantedAtPeak(fn);
  // Where CPU would settle below max, max is reached by request rate alone, at the least load that asks for it.
  const drivenBy = fn.scaling.metric === "cpu" && wanted.cpu >= fn.scaling.max ? "cpu" : "requestRate";
  const model = scaleOutModel({ config, fn, circumstances }, drivenBy);
  const trace = simulateScaleOut(model);
  const controlPlaneOnly = simulateScaleOut({ ...model, startRate: Infinity });
  const secondsToMax = secondsTo(trace.ready, model.enough);
  return {
    wantedAtPeak: wanted,
    secondsToMax,
    // Few pods are hot ones: where nodes are slow, CPU may ask for the last step a reading sooner.
    secondsToMaxControlPlaneOnly: Math.min(secondsTo(controlPlaneOnly.ready, model.enough), secondsToMax),
    drivenBy,
    bottleneck: bottleneck(trace, model.enough),
    curve: sample(trace),
  };
}

interface ScaledOut {
  readonly config: StackConfig;
  readonly fn: FunctionConfig;
  readonly circumstances: Circumstances;
}

function scaleOutModel(scaled: ScaledOut, drivenBy: ScaleOut["drivenBy"]): ScaleOutModel {
  const { config, fn, circumstances } = scaled;
  const { min, max, metric, up } = fn.scaling;
  const byRate = rateMetric(config, fn);
  return {
    min,
    max,
    ...(drivenBy === "cpu"
      ? { enough: enoughPods(fn), wanted: wantedByCpu(cpuMetric(scaled)) }
      : { enough: metric === "rps" ? withinTolerance(byRate.pods, fn) : max, wanted: wantedByRate(byRate) }),
    syncPeriod: config.controlPlane.hpaSyncPeriod / 1000,
    up: {
      share: up.percent,
      pods: up.pods,
      period: up.period / 1000,
      stabilization: up.stabilization / 1000,
    },
    createRate: Math.min(controlPlaneRate(config), circumstances.controlPlaneRate),
    startRate: agentCount(config) * config.runtime.startRate,
  };
}

function cpuMetric({ config, fn, circumstances }: ScaledOut): CpuMetric {
  const { peakRequestsPerSecond, cpuPerRequest } = fn.workload;
  return {
    min: fn.scaling.min,
    usage: (ready) => Math.min((peakRequestsPerSecond / ready) * cpuPerRequest, fn.resources.limits.cpu),
    target: targetCpu(fn),
    resolution: METRICS_RESOLUTION,
    initializationPeriod: config.controlPlane.hpaCpuInitializationPeriod / 1000,
    youngest: circumstances.youngestRead,
    delay: circumstances.readingDelay,
    averaged: circumstances.averagedReadings,
  };
}

function rateMetric(config: StackConfig, fn: FunctionConfig): RateMetric {
  const { min, max, metric, requestsPerPod } = fn.scaling;
  const pods = Math.max(max, roundUp(fn.workload.peakRequestsPerSecond / requestsPerPod));
  return { min, pods, ...(metric === "rps" ? requestMetric(config, fn) : { delay: METRICS_RESOLUTION }) };
}

function secondsTo(pods: readonly number[], goal: number): number {
  const second = pods.findIndex((count) => count >= goal);
  return second < 0 ? LONGEST_SCALE_OUT : second;
}

/** The longest of the three waits: until all are asked for, from then until they are created, from then until ready. */
function bottleneck(trace: ScaleOutTrace, goal: number): ScaleOut["bottleneck"] {
  const asked = secondsTo(trace.desired, goal);
  const created = secondsTo(trace.created, goal);
  const nodes = secondsTo(trace.ready, goal) - created;
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
