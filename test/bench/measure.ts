import { performance } from "node:perf_hooks";

export type Unit = "s" | "ms" | "us" | "MB" | "1/s";

/** One line of the result. */
export interface Measurement {
  readonly name: string;
  readonly value: number;
  readonly unit: Unit;
  /** The same work done by other means in the same run, in the same unit. */
  readonly baseline: number | null;
  /** Value by baseline. */
  readonly ratio: number | null;
  /** What we are after; it fails nothing when it is missed. */
  readonly aim?: Aim;
}

/** A largest value in the measurement's unit, or a largest or smallest ratio to the baseline. */
export type Aim = { readonly value: number } | { readonly ratio: number } | { readonly ratioAtLeast: number };

/** A measurement without a baseline. */
export function alone(name: string, value: number, unit: Unit, aim?: Aim): Measurement {
  return { name, value, unit, baseline: null, ratio: null, ...(aim && { aim }) };
}

/** A measurement beside its baseline, each the median of its samples. */
export function compared(
  name: string,
  samples: readonly number[],
  baselines: readonly number[],
  unit: Unit,
  aim?: Aim,
): Measurement {
  const value = median(samples);
  const baseline = median(baselines);
  return { name, value, unit, baseline, ratio: value / baseline, ...(aim && { aim }) };
}

/** Seconds that the work took. */
export async function seconds(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return (performance.now() - started) / 1000;
}

/** Milliseconds that the work took. */
export function milliseconds(work: () => unknown): number {
  const started = performance.now();
  work();
  return performance.now() - started;
}

export function median(samples: readonly number[]): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle];
  if (upper === undefined) throw new Error("there is no median of nothing");
  return sorted.length % 2 === 1 ? upper : (sorted[middle - 1]! + upper) / 2;
}
