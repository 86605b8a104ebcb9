import { ProblemsError } from "../../infra/problems";
import { formatDuration, parseDuration, type Millis } from "../../infra/units";

/** The time that is looked at, in whole seconds: both ends are multiples of the step, as Loki would make them. */
export interface Range {
  readonly start: number;
  readonly end: number;
  readonly step: number;
}

/** Points of a line: about one for every two pixels that it has. */
const POINTS = 200;
const MINUTE: Millis = 60_000;
/** Loki refuses queries of more than 721 h, its default. */
const LIMITS = { least: MINUTE, most: 30 * 24 * 60 * MINUTE };
const USUAL = "15m";

/**
 * How far back SINCE looks: milliseconds.
 *
 * @throws ProblemsError where it is no duration, or one that nothing can be drawn of
 */
export function parseSince(text: string | undefined): Millis {
  const given = text || USUAL;
  const parsed = parseDuration(given);
  if ("ok" in parsed && parsed.ok >= LIMITS.least && parsed.ok <= LIMITS.most) return parsed.ok;
  const [least, most] = [formatDuration(LIMITS.least), formatDuration(LIMITS.most)];
  throw new ProblemsError("Nothing can be drawn", [
    {
      path: "SINCE",
      value: given,
      limit: `must be a duration from ${least} to ${most}`,
      fix: `write it as "${USUAL}"`,
    },
  ]);
}

/** The last `since` before `now`, in steps of whole seconds of which there are at most `POINTS`. */
export function rangeOf(now: Millis, since: Millis): Range {
  const step = Math.max(1, Math.ceil(since / 1000 / POINTS));
  const end = Math.floor(now / 1000 / step) * step;
  return { start: end - Math.floor(since / 1000 / step) * step, end, step };
}

/** Seconds at which there is a point. */
export function timesOf({ start, end, step }: Range): number[] {
  return Array.from({ length: Math.round((end - start) / step) + 1 }, (_, index) => start + index * step);
}

/** What Grafana takes rates over: at least four scrapes, and no less than lies between two points. */
export function rateInterval({ step }: Range, scrape: Millis): Millis {
  return Math.max(4 * scrape, step * 1000 + scrape);
}
