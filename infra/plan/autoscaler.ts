/** The parts of a scale-out, each reduced to the number that holds it back; times in whole seconds. */
export interface ScaleOutModel {
  readonly min: number;
  readonly max: number;
  /** Ready pods with which the scale-out is over; max, or what the autoscaler leaves it at. */
  readonly enough: number;
  /** What the autoscaler's metric asks for; undefined where it asks for no change. */
  readonly wanted: (second: number, soFar: SoFar) => number | undefined;
  readonly syncPeriod: number;
  readonly up: {
    readonly share: number;
    readonly pods: number;
    readonly period: number;
    readonly stabilization: number;
  };
  /** Pods/s that the control plane creates and binds. */
  readonly createRate: number;
  /** Pods/s that all agents together start. */
  readonly startRate: number;
}

/** Pods at the end of a second that is over: min in those before the jump. */
export interface SoFar {
  readonly created: (second: number) => number;
  readonly ready: (second: number) => number;
}

/** Pods at the end of each second, from second 0 on. */
export interface ScaleOutTrace {
  readonly desired: readonly number[];
  readonly created: readonly number[];
  readonly ready: readonly number[];
}

/** No scale-out that takes longer than this is worth following. */
export const LONGEST_SCALE_OUT = 7200;

/**
 * Steps through a jump in load at second 0, second by second: the autoscaler sets what it wants, the control plane
 * creates towards that, the agents start what is created, and what was started is ready a second later. Deterministic;
 * ends when enough are ready. Nothing scales in. The client limits' bursts are left out.
 */
export function simulateScaleOut(model: ScaleOutModel): ScaleOutTrace {
  const desired: number[] = [];
  const created: number[] = [];
  const started: number[] = [];
  const ready: number[] = [];
  const recommendations: { readonly second: number; readonly pods: number }[] = [];
  const at = (pods: readonly number[], second: number) => (second < 0 ? model.min : (pods[second] ?? model.min));
  const soFar: SoFar = {
    created: (second) => Math.floor(at(created, second)),
    ready: (second) => Math.floor(at(ready, second)),
  };

  for (let second = 0; second <= LONGEST_SCALE_OUT; second++) {
    const before = at(desired, second - 1);
    desired.push(second % model.syncPeriod === 0 ? Math.max(before, nextDesired(second, before)) : before);
    created.push(Math.min(at(desired, second), at(created, second - 1) + model.createRate));
    ready.push(at(started, second - 1));
    started.push(Math.min(at(created, second), at(started, second - 1) + model.startRate));
    if (at(ready, second) >= model.enough) break;
  }
  return { desired, created: created.map(Math.floor), ready: ready.map(Math.floor) };

  function nextDesired(second: number, current: number): number {
    recommendations.push({ second, pods: model.wanted(second, soFar) ?? current });
    return Math.min(stabilized(second), stepLimit(second, current), model.max);
  }

  /** The least that was asked for within the window; before the jump that was min. */
  function stabilized(second: number): number {
    const windowStart = second - model.up.stabilization;
    while ((recommendations[0]?.second ?? second) < windowStart) recommendations.shift();
    const least = Math.min(...recommendations.map((r) => r.pods));
    return windowStart < 0 ? Math.min(least, model.min) : least;
  }

  /** Kubernetes' rule: counted from what was there when the period began; of the two policies the one that gives more. */
  function stepLimit(second: number, current: number): number {
    const periodStart = Math.min(current, at(desired, second - model.up.period));
    return Math.max(Math.ceil(Number((periodStart * (1 + model.up.share)).toFixed(6))), periodStart + model.up.pods);
  }
}
