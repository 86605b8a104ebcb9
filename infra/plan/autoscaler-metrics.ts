import type { ScaleOutModel, SoFar } from "./autoscaler";

type Wanted = ScaleOutModel["wanted"];

/** HorizontalPodAutoscaler's tolerance: as near to its target, it takes no step. */
export const TOLERANCE = 0.1;

/** A load by requests, which is the same whoever serves it; times in seconds. */
export interface RateMetric {
  readonly min: number;
  /** Pods that all of the load asks for. */
  readonly pods: number;
  /** From the jump until the metric begins to show it. */
  readonly delay: number;
  /** From then until it shows all of it, climbing evenly, as an average over a window does. Default: at once. */
  readonly climb?: number;
}

export function wantedByRate({ min, pods, delay, climb = 0 }: RateMetric): Wanted {
  return (second) => {
    if (second < delay) return min;
    const shown = climb === 0 ? 1 : Math.min(1, (second - delay) / climb);
    return Math.max(min, Math.ceil(pods * shown));
  };
}

/** A load by CPU as metrics-server reads it; CPU in millicores, times in seconds. */
export interface CpuMetric {
  readonly min: number;
  /** What a pod uses where so many share the load. */
  readonly usage: (ready: number) => number;
  /** What the autoscaler holds a pod at. */
  readonly target: number;
  /** Between two readings. */
  readonly resolution: number;
  /** Age from which one reading of a pod is a measure; the resolution where it takes two. */
  readonly youngest: number;
  /** Age to which the autoscaler believes only what was measured while the pod was ready. */
  readonly initializationPeriod: number;
  /** From a reading until the autoscaler can have it. */
  readonly delay: number;
  /** Whether a reading is what a pod has used on average since the one before, or what it uses at that moment. */
  readonly averaged: boolean;
}

/**
 * Reads all pods every so often, the first time half a resolution after the jump. The autoscaler sums up the usage of pods that
 * have metrics which it believes, and counts the others as idle; so a step waits for the metrics of the pods that the step
 * before made.
 */
export function wantedByCpu(metric: CpuMetric): Wanted {
  const { min, usage, target, resolution, youngest, delay, averaged } = metric;
  const first = Math.ceil(resolution / 2);
  return (second, soFar) => {
    const reading = lastReading(second - delay, first, resolution);
    if (reading < first) return min;
    const used = averaged ? averageBefore(reading, soFar) : usage(soFar.ready(reading));
    const wanted = (believed(second, soFar) * used) / target;
    const change = wanted / soFar.created(second - 1) - 1;
    return Math.abs(change) <= TOLERANCE ? undefined : Math.ceil(wanted);
  };

  function averageBefore(reading: number, { ready }: SoFar): number {
    let used = 0;
    for (let at = reading - resolution + 1; at <= reading; at++) used += at < 0 ? 0 : usage(ready(at));
    return used / resolution;
  }

  /** Pods whose metrics count: all that were ready by some second, since pods come to be believed in their order. */
  function believed(second: number, { ready }: SoFar): number {
    let readyAt = second - youngest;
    while (readyAt >= 0 && believedFrom(readyAt) > second) readyAt -= 1;
    return ready(readyAt);
  }

  function believedFrom(readyAt: number): number {
    const reading = lastReading(readyAt + youngest + resolution - 1, first, resolution);
    // Two readings since it is ready: believed at once. One, and the time since its start: only once it is no longer young.
    const since = reading - readyAt >= resolution ? reading : readyAt + metric.initializationPeriod;
    return Math.max(reading, Math.min(since, reading + resolution)) + delay;
  }
}

function lastReading(second: number, first: number, resolution: number): number {
  return first + Math.floor((second - first) / resolution) * resolution;
}
