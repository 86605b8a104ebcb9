import { formatCount } from "../../../infra/plan/numbers";
import { formatDuration } from "../../../infra/units";
import { escapeHtml } from "../../drawing/page";
import { cpuPerRequestOf, fastest } from "../model";
import { quantile } from "../pods";
import type { SurgeRun } from "../run";
import { most, secondsToMin, secondsToReady, signedPercent } from "../verdict";
import { shedShare } from "./figures";
import { figureTable } from "./table";
import { millisOf, momentOf } from "./words";

/** This run beside the last ones of other stacks: what is simulated beside what is real. */
export function besideOthers(run: SurgeRun, others: readonly SurgeRun[]): string {
  if (others.length === 0) return "";
  const runs = [run, ...others];
  const rows = ROWS.map(([name, of]) => [name, ...runs.map(of)]);
  const links = others.map(
    ({ stack }) => `<a href="../${encodeURIComponent(stack)}/report.html">the report of stack ${escapeHtml(stack)}</a>`,
  );
  return `<h2>Side by side</h2>
<p>The last run of each stack: ${links.join(", ")}.</p>
${figureTable({ name: "Side by side", heads: ["", ...runs.map(({ stack }) => stack)], rows })}`;
}

const ROWS: readonly (readonly [name: string, of: (run: SurgeRun) => string])[] = [
  ["when", ({ startedAt }) => momentOf(startedAt)],
  ["its pods", ({ kind }) => kind],
  ["scaled by", ({ scenario }) => (scenario.fn.scaling.metric === "cpu" ? "CPU" : "requests")],
  ["requests/s at peak", ({ samples }) => formatCount(Math.round(most(samples, ({ load }) => load)))],
  ["CPU of a request, as planned", ({ scenario }) => formatDuration(scenario.fn.workload.cpuPerRequest)],
  ["CPU of a request, as measured", (run) => (run.kind === "real" ? cpuOf(run) : "–")],
  [
    "pods",
    ({ samples, scenario }) =>
      `${scenario.fn.scaling.min} to ${formatCount(most(samples, ({ ready }) => ready))} of ${formatCount(scenario.fn.scaling.max)}`,
  ],
  ["to the goal, as planned", ({ expected }) => secondsOf(expected.scaleOut?.seconds)],
  ["to the goal, as measured", (run) => secondsOf(secondsToReady(run, run.expected.enough))],
  ["off by", offBy],
  ["back at min, as planned", ({ expected }) => secondsOf(expected.secondsToMin)],
  ["back at min, as measured", (run) => secondsOf(secondsToMin(run))],
  ["pods/s created at most", ({ samples }) => formatCount(fastest(samples, ({ pods }) => pods))],
  ["pods/s ready at most", ({ samples }) => formatCount(fastest(samples, ({ ready }) => ready))],
  ["created to bound, P99", ({ delays }) => millisOrNone(quantile(delays, 0.99))],
  ["created to ready, P99", ({ starts }) => millisOrNone(quantile(starts, 0.99))],
  ["requests shed", (run) => shedShare(run)],
  ["latency P50, scaled out", ({ client }) => millisOrNone(client?.phases["scaled out"]?.p50)],
  ["latency P99, scaled out", ({ client }) => millisOrNone(client?.phases["scaled out"]?.p99)],
  ["latency P99, while it scaled out", ({ client }) => millisOrNone(client?.phases["scaling out"]?.p99)],
];

function cpuOf(run: SurgeRun): string {
  const cpu = cpuPerRequestOf(run);
  return cpu === undefined ? "–" : formatDuration(Number(cpu.toFixed(3)));
}

function offBy(run: SurgeRun): string {
  const [planned, measured] = [run.expected.scaleOut?.seconds, secondsToReady(run, run.expected.enough)];
  return planned === undefined || measured === undefined || planned === 0 ? "–" : signedPercent(measured / planned - 1);
}

function secondsOf(seconds: number | undefined): string {
  return seconds === undefined ? "–" : `${formatCount(seconds)} s`;
}

function millisOrNone(millis: number | undefined): string {
  return millis === undefined ? "–" : millisOf(millis);
}
