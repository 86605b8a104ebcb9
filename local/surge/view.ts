import { formatCount } from "../../infra/plan/numbers";
import { formatReading, targetOf } from "../engine/autoscaler";
import type { ProgressStream } from "../progress";
import type { Expected } from "./expected";
import type { Sample } from "./run";
import type { Scenario } from "./scenario";

/** What is shown of a run that goes on. */
export interface ViewState {
  readonly scenario: Scenario;
  readonly expected: Expected;
  readonly samples: readonly Sample[];
  /** Milliseconds that pods waited for their node. */
  readonly delays: { readonly p50: number | undefined; readonly p99: number | undefined };
  /** What goes wrong now. */
  readonly fault?: string | undefined;
}

export interface View {
  readonly show: (state: ViewState) => void;
  /** What is waited for before the run. */
  readonly note: (text: string) => void;
}

export interface ViewOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Milliseconds between two lines where nothing is redrawn. @default 5000 */
  readonly interval?: number;
}

/** Redrawn in place on a terminal; anywhere else a plain line every few seconds. */
export function createView(stream: ProgressStream, { env = process.env, interval = 5000 }: ViewOptions = {}): View {
  if (stream.isTTY === true && env["TERM"] !== "dumb") return liveView(stream);
  let last = -Infinity;
  const seldom = (text: () => string) => {
    if (Date.now() - last < interval) return;
    last = Date.now();
    stream.write(`${text()}\n`);
  };
  return { show: (state) => seldom(() => plainLine(state)), note: (text) => seldom(() => text) };
}

function liveView(stream: ProgressStream): View {
  let drawn = 0;
  const draw = (lines: readonly string[]) => {
    const back = drawn > 0 ? `\u001b[${drawn}A\r\u001b[J` : "";
    stream.write(`${back}${lines.map((line) => `${line}\n`).join("")}`);
    drawn = lines.length;
  };
  const width = () => Math.max(40, (stream.columns ?? 80) - 1);
  return {
    show: (state) => draw(renderView(state, width())),
    // A line that wraps would make the way back up too short.
    note: (text) => draw([text.slice(0, width())]),
  };
}

/** `  42 s  load 100,000/s  served 35,714  shed 64,286  pods 1,250 of 5,000 wanted, 1,250 ready  scheduled p50 12 ms p99 80 ms` */
export function plainLine({ samples, delays, fault }: ViewState): string {
  const { second, load, served, shed, desired, pods, ready, leaving } = samples[samples.length - 1]!;
  return [
    `${second.toFixed(0).padStart(5)} s`,
    `load ${whole(load)}/s, served ${whole(served)}, shed ${whole(shed)}`,
    `wanted ${whole(desired)}, pods ${whole(pods)}, ready ${whole(ready)}${leaving > 0 ? `, leaving ${whole(leaving)}` : ""}`,
    `scheduled in ${millis(delays.p50)} (P50), ${millis(delays.p99)} (P99)`,
    ...(fault === undefined ? [] : [`fault: ${fault}`]),
    ...clientWords(samples[samples.length - 1]!),
  ].join("  ");
}

/** `answered in 12 ms (P50), 80 ms (P99); 200: 300, 429: 2`, where requests are sent. */
function clientWords({ client }: Sample): string[] {
  if (client === undefined) return [];
  const { statuses, unanswered, unsent, latency } = client;
  const counts = [...Object.entries(statuses), ...Object.entries(unanswered), ["not sent", unsent] as const]
    .filter(([, count]) => count > 0)
    .map(([name, count]) => `${name}: ${whole(count)}`);
  return [
    `answered in ${millis(latency?.p50)} (P50), ${millis(latency?.p99)} (P99); ${counts.join(", ") || "nothing"}`,
  ];
}

/** The screen: what is now, each figure with a bar against the same whole, and how it came to that. */
export function renderView(state: ViewState, width: number): string[] {
  const { scenario, expected, samples, delays, fault } = state;
  const now = samples[samples.length - 1]!;
  const { max } = scenario.fn.scaling;
  const bars = Math.max(10, width - 36);
  const ofLoad = Math.max(...samples.map(({ load }) => load), scenario.fn.workload.peakRequestsPerSecond);
  const row = (name: string, value: number, whole_: number) =>
    `${name.padEnd(12)}${whole(value).padStart(10)}  ${bar(value / whole_, bars)}`;
  const history = (name: string, of: (sample: Sample) => number, most: number) =>
    `${name.padEnd(12)}${" ".repeat(12)}${sparkline(samples.map(of), most, bars)}`;
  return [
    `${scenario.fn.name}: ${scenario.ownCurve ? "own curve" : scenario.preset}, ${now.second.toFixed(0)} s; min ${scenario.fn.scaling.min}, the plan says ${whole(expected.goal)} at peak`,
    "",
    row("load/s", now.load, ofLoad),
    row("capacity/s", now.capacity, ofLoad),
    row("served/s", now.served, ofLoad),
    row("shed/s", now.shed, ofLoad),
    "",
    row("wanted", now.desired, max),
    row("pods", now.pods, max),
    row("ready", now.ready, max),
    row("leaving", now.leaving, max),
    "",
    history("load", ({ load }) => load, ofLoad),
    history("ready", ({ ready }) => ready, max),
    "",
    `CPU of a pod ${now.cpuPerPod.toFixed(1)}m; the autoscaler reads ${now.reading === undefined ? "nothing" : formatReading(scenario.fn, now.reading)} of ${scenario.fn.scaling.metric === "cpu" ? "its request" : "each"}, and holds ${formatReading(scenario.fn, targetOf(scenario.fn))}`,
    `scheduled in ${millis(delays.p50)} (P50), ${millis(delays.p99)} (P99)`,
    ...(scenario.faults.length === 0 ? [] : [`fault: ${fault ?? "none now"}`]),
    ...clientWords(now),
  ].map((line) => line.slice(0, width));
}

/** A share of a width, in eighths of a character. */
export function bar(share: number, width: number): string {
  const eighths = Math.round(Math.min(1, Math.max(0, share)) * width * 8);
  return `${"█".repeat(Math.floor(eighths / 8))}${["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8]!}`;
}

const HEIGHTS = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

/** All values on so many characters, each as high as the highest of its part. */
export function sparkline(values: readonly number[], most: number, width: number): string {
  const columns = Math.min(width, values.length);
  return Array.from({ length: columns }, (_, column) => {
    const part = values.slice(
      Math.floor((column * values.length) / columns),
      Math.floor(((column + 1) * values.length) / columns),
    );
    const share = most === 0 ? 0 : Math.max(...part) / most;
    return HEIGHTS[Math.ceil(Math.min(1, share) * (HEIGHTS.length - 1))]!;
  }).join("");
}

function whole(value: number): string {
  return formatCount(Math.round(value));
}

function millis(value: number | undefined): string {
  return value === undefined ? "-" : `${formatCount(Math.round(value))} ms`;
}
