import type { MilliCpu } from "../units";

/** Rounds up, but not for a rounding error of binary fractions (`0.07 * 100` is 7.000000000000001). */
export function roundUp(value: number): number {
  return Math.ceil(Number(value.toFixed(6)));
}

export function nextPowerOfTwo(value: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(1, value)));
}

export function clamp(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most);
}

export function sum<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((total, item) => total + value(item), 0);
}

/** `5,000`; one decimal where there is one to show. */
export function formatCount(value: number): string {
  return Number(value.toFixed(1)).toLocaleString("en-US");
}

/** For people, in cores: `76.7 CPU`. */
export function formatCores(cpu: MilliCpu): string {
  return `${formatCount(cpu / 1000)} CPU`;
}
