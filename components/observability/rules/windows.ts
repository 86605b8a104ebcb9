import { formatDuration, type Millis } from "../../../infra/units";
import type { ObservabilityConfig } from "../../../infra/config";

/** A rate needs two samples and should outlive a scrape that failed: four intervals, Prometheus' usual advice. */
const SCRAPES_PER_RATE = 4;
/** So many averages of the objectives' whole time make its figure exact to a hundredth of a percent. */
const STEPS_PER_OBJECTIVE_WINDOW = 8640;
/** A window is averaged from coarse steps where it has so many of them: its edge is then sharp to a hundredth. */
const STEPS_PER_WINDOW = 100;

/** The windows that the objectives are reckoned over, all in milliseconds. */
export interface Windows {
  /** Over which counters are read, once: all others are averages of what was recorded then. */
  readonly base: Millis;
  /** Between two evaluations of what is read at once. */
  readonly evaluation: Millis;
  /** Between two averages that the long windows are made of; as long as `evaluation` where none is long. */
  readonly step: Millis;
  /** Of the burn rates, each once, from the shortest to the longest. */
  readonly burn: readonly Millis[];
  /** That the objectives are meant over. */
  readonly objective: Millis;
}

export function windowsOf({ scrapeInterval, burnRates, objectiveWindow }: ObservabilityConfig): Windows {
  const step = Math.max(1, Math.round(objectiveWindow / STEPS_PER_OBJECTIVE_WINDOW / scrapeInterval)) * scrapeInterval;
  return {
    base: rateWindow(scrapeInterval),
    evaluation: scrapeInterval,
    step,
    burn: [...new Set(burnRates.flatMap(({ long, short }) => [long, short]))].sort((a, b) => a - b),
    objective: objectiveWindow,
  };
}

/** The shortest time that a rate may be taken over. */
export function rateWindow(scrapeInterval: Millis): Millis {
  return scrapeInterval * SCRAPES_PER_RATE;
}

/** Whether a window is averaged from coarse steps. */
export function isLong(window: Millis, { evaluation, step }: Windows): boolean {
  return step > evaluation && window >= step * STEPS_PER_WINDOW;
}

/** As Prometheus writes durations, which has the units of the config but no fractions and no microseconds. */
export function promDuration(window: Millis): string {
  return formatDuration(Math.round(window));
}

/** For people: `2d2h`, at most two units. */
export function humanDuration(window: Millis): string {
  const units = { d: 86_400, h: 3600, m: 60, s: 1 };
  let seconds = Math.round(window / 1000);
  const parts: string[] = [];
  for (const [unit, size] of Object.entries(units)) {
    const count = Math.floor(seconds / size);
    if (count > 0 && parts.length < 2) parts.push(`${count}${unit}`);
    else if (parts.length > 0) break;
    seconds -= count * size;
  }
  return parts.join("") || "0s";
}
