import { formatCount } from "../../../infra/plan/numbers";
import { GRID, TEXT } from "../../drawing/svg";

/** Of a drawing: a wide one shrunk to a telephone could not be read, so each kind of screen has its own. */
export type Size = "wide" | "medium" | "narrow";

/** Pixels of text: a drawing is shrunk by at most a quarter, and 10 pixels can be read. */
export const LABEL = { color: TEXT, fontSize: 13 };
/** Seconds between two labels of a time axis. */
const TICKS = [5, 10, 30, 60, 120, 300, 600, 1800, 3600];
/** Labels for which a time axis has room. */
const LABELS = { wide: 12, medium: 9, narrow: 4 };

/** Around what is drawn. */
export const PLACE = { left: 8, right: 24, top: 32, bottom: 4, containLabel: true };

/** Seconds between two labels of a time axis: a round number of them. */
export function tickOf(seconds: number, size: Size): number {
  const most = LABELS[size];
  return TICKS.find((tick) => seconds / tick <= most) ?? 7200;
}

/** `2 min`, and `30 s` where labels are closer than a minute. */
export function clock(second: number, tick: number): string {
  if (second === 0) return "0";
  return tick % 60 === 0 ? `${formatCount(second / 60)} min` : `${second} s`;
}

/** Time, from the beginning of the curve. */
export function timeAxis(end: number, size: Size) {
  const tick = tickOf(end, size);
  // The end is seldom a round number, and so close to the last one that is.
  const formatter = (second: number) => (second % tick === 0 ? clock(second, tick) : "");
  return {
    ...axis("value", ""),
    ...{ max: end, interval: tick, splitLine: { show: false }, axisLabel: { ...LABEL, formatter } },
  };
}

export function valueAxis(name: string) {
  const formatter = (value: number) => formatCount(value);
  return {
    ...axis("value", name),
    ...{ min: 0, splitNumber: 4, splitLine: { lineStyle: { color: GRID } }, axisLabel: { ...LABEL, formatter } },
  };
}

export function axis<Kind extends "value" | "category">(type: Kind, name: string) {
  return {
    ...{ type, name, axisLabel: LABEL, nameTextStyle: LABEL },
    axisLine: { lineStyle: { color: GRID } },
    axisTick: { show: false },
  };
}

/** The next round number above: where an axis ends. */
export function roundAbove(value: number): number {
  const step = 10 ** Math.floor(Math.log10(Math.max(1, value))) / 2;
  return Math.ceil(value / step) * step;
}
