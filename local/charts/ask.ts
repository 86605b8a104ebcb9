import type { DataSourceKind, PlainPanel } from "../../components/observability/dashboards";
import type { Millis } from "../../infra/units";
import { timesOf, type Range } from "./range";

export type Query = PlainPanel["queries"][number];

/** One line of a panel: a value for each point of the range, or none where there was none. */
export interface Series {
  readonly name: string;
  readonly values: readonly (number | undefined)[];
}

export interface LogLine {
  readonly at: Millis;
  readonly labels: Readonly<Record<string, string>>;
  readonly text: string;
}

/** What a query was answered: `problem` where it was refused. */
export interface Answer {
  readonly series: readonly Series[];
  readonly lines: readonly LogLine[];
  readonly problem?: string;
}

/** Asks one query over the range that is drawn. */
export type Ask = (query: Query) => Promise<Answer>;

/** Milliseconds that one query may take. */
const PATIENCE = 60_000;
/** The newest lines of a panel of logs. */
const LINES = 100;

/** Where a range is asked for; Loki wants its moments in nanoseconds. */
const SOURCES: Readonly<Record<DataSourceKind, { readonly path: string; readonly zeros: string }>> = {
  prometheus: { path: "/api/v1/query_range", zeros: "" },
  loki: { path: "/loki/api/v1/query_range", zeros: "000000000" },
};

type Labels = Readonly<Record<string, string>>;
/** As both of them answer: seconds and a number, or nanoseconds and a line. */
type Data =
  | { readonly resultType: "matrix"; readonly result: readonly { metric: Labels; values: [number, string][] }[] }
  | { readonly resultType: "streams"; readonly result: readonly { stream: Labels; values: [string, string][] }[] };

/**
 * Asks what answers at this URL. A query that is refused is told as the answer's problem, since others may not be.
 *
 * @throws where nothing answers
 */
export function askAt(url: string, range: Range, signal: AbortSignal): Ask {
  return async ({ expr, legend, kind }) => {
    const { path, zeros } = SOURCES[kind];
    const parameters = new URLSearchParams({
      query: expr,
      start: `${range.start}${zeros}`,
      end: `${range.end}${zeros}`,
      step: `${range.step}s`,
      ...(kind === "loki" && { limit: String(LINES), direction: "backward" }),
    });
    const response = await fetch(`${url}${path}?${parameters.toString()}`, {
      signal: AbortSignal.any([signal, AbortSignal.timeout(PATIENCE)]),
    });
    const { data, error } = parsed(await response.text());
    if (data === undefined) return unanswered(error ?? `answered with ${response.status}`);
    return data.resultType === "streams"
      ? { series: [], lines: linesOf(data.result) }
      : { series: seriesOf(data.result, legend, range), lines: [] };
  };
}

export function unanswered(problem: string): Answer {
  return { series: [], lines: [], problem };
}

function parsed(text: string): { readonly data?: Data; readonly error?: string } {
  try {
    return JSON.parse(text) as { data?: Data; error?: string };
  } catch {
    // Loki tells what is wrong with a query as plain text.
    return { error: text.trim() };
  }
}

function seriesOf(
  result: readonly { metric: Labels; values: [number, string][] }[],
  legend: string,
  range: Range,
): Series[] {
  const times = timesOf(range);
  return result
    .map(({ metric, values }) => {
      const points = new Map(values.map(([at, value]) => [Math.round((at - range.start) / range.step), finite(value)]));
      return { name: legendOf(legend, metric), values: times.map((_, index) => points.get(index)) };
    })
    .filter(({ values }) => values.some((value) => value !== undefined))
    .sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));
}

/** NaN and infinities, as a quantile of nothing is one, are no point. */
function finite(text: string): number | undefined {
  const value = Number(text);
  return Number.isFinite(value) ? value : undefined;
}

/** What a series is called: the text with its labels for `{{label}}`; without a text, all labels. */
export function legendOf(legend: string, labels: Labels): string {
  if (legend !== "") return legend.replace(/\{\{\s*(\w+)\s*\}\}/g, (_, label: string) => labels[label] ?? "");
  return Object.entries(labels)
    .map(([label, value]) => `${label}=${value}`)
    .join(", ");
}

function linesOf(result: readonly { stream: Labels; values: [string, string][] }[]): LogLine[] {
  return result
    .flatMap(({ stream, values }) => values.map(([at, text]) => ({ at: Number(at) / 1e6, labels: stream, text })))
    .sort((a, b) => b.at - a.at)
    .slice(0, LINES);
}
