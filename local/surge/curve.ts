import type { Millis } from "../../infra/units";

/** A moment of a curve, counted from its beginning. */
export interface Point {
  readonly at: Millis;
  readonly requestsPerSecond: number;
}

/** Load over time: at least two points in the order of time, the first at 0, with straight lines between them. */
export type Curve = readonly Point[];

/** Requests/s at a moment; before the first point and after the last one as they say. */
export function loadAt(curve: Curve, at: Millis): number {
  const next = curve.findIndex((point) => point.at > at);
  if (next < 0) return curve[curve.length - 1]!.requestsPerSecond;
  if (next === 0) return curve[0]!.requestsPerSecond;
  const [from, to] = [curve[next - 1]!, curve[next]!];
  const share = (at - from.at) / (to.at - from.at);
  return from.requestsPerSecond + share * (to.requestsPerSecond - from.requestsPerSecond);
}

export function lengthOf(curve: Curve): Millis {
  return curve[curve.length - 1]!.at;
}

export function peakOf(curve: Curve): number {
  return Math.max(...curve.map(({ requestsPerSecond }) => requestsPerSecond));
}

/** From the last moment before it goes up until it is at its peak for the first time. */
export function climbOf(curve: Curve): { readonly from: Millis; readonly to: Millis } {
  const peak = peakOf(curve);
  const top = curve.findIndex(({ requestsPerSecond }) => requestsPerSecond === peak);
  let foot = top;
  while (foot > 0 && curve[foot - 1]!.requestsPerSecond < curve[foot]!.requestsPerSecond) foot--;
  return { from: curve[foot]!.at, to: curve[top]!.at };
}

/** The last moment at which the load is above this, or 0. */
export function lastAbove(curve: Curve, load: number): Millis {
  const above = curve.findLastIndex(({ requestsPerSecond }) => requestsPerSecond > load);
  if (above < 0) return 0;
  const [from, to] = [curve[above]!, curve[above + 1]];
  if (to === undefined) return from.at;
  const share = (from.requestsPerSecond - load) / (from.requestsPerSecond - to.requestsPerSecond);
  return from.at + share * (to.at - from.at);
}

/** How often a sequence of numbers turns from going up to going down, or back. */
export function turnsOf(values: readonly number[]): number {
  const ways = values.flatMap((value, index) => {
    const way = index === 0 ? 0 : Math.sign(value - values[index - 1]!);
    return way === 0 ? [] : [way];
  });
  return ways.filter((way, index) => index > 0 && way !== ways[index - 1]).length;
}
