import type { FunctionConfig } from "../../../infra/config";
import { formatDuration } from "../../../infra/units";
import { share } from "./promql";
import type { GatewaySource } from "./sources";
import type { AlertArgs, RecordingRule, RulesArgs, Topic } from "./types";
import { humanDuration, isLong, promDuration, windowsOf, type Windows } from "./windows";

/** What is promised of a function, each with how it is broken, for people. */
const OBJECTIVES = {
  availability: { alert: "AvailabilityBudgetBurn", broken: "were answered with 5xx" },
  p99: { alert: "LatencyP99BudgetBurn", broken: "took longer than the objective of P99" },
  p999: { alert: "LatencyP999BudgetBurn", broken: "took longer than the objective of P99.9" },
} as const;

type Objective = keyof typeof OBJECTIVES;

const NAMES = Object.keys(OBJECTIVES) as Objective[];

/**
 * Fewer broken requests than these wake nobody: at night one of a hundred is a percent. They are counted in the long
 * window, or in the short one where the long one is made of coarse steps.
 */
const FEWEST_BROKEN = 5;

/** Shares of requests that may break an objective. */
export function budgets({ objectives }: FunctionConfig): Readonly<Record<Objective, number>> {
  // Without the rounding error of binary fractions: 1 - 0.9999 is 0.00009999999999998899.
  return { availability: Number((1 - objectives.availability).toFixed(9)), p99: 0.01, p999: 0.001 };
}

/**
 * Counters are read once, over four scrapes, and recorded as requests/s by function: those not refused, and those that
 * broke an objective. All windows are averages of these two, divided, so that every request weighs the same, a counter
 * that starts anew is dealt with where it is read, and thirty days cost no more than their samples of a few series.
 */
export function objectiveTopics(args: RulesArgs, source: GatewaySource): readonly [Topic, Topic, Topic] {
  const windows = windowsOf(args.observability);
  return [
    {
      name: "slo",
      recordings: [
        ...budgetRules(args),
        ...baseRules(args.functions, source, windows),
        ...windows.burn.filter((window) => !isLong(window, windows)).map((window) => burnedRule(window, windows)),
      ],
      alerts: args.observability.burnRates.flatMap((rate) => NAMES.map((name) => burnAlert(name, rate, windows))),
    },
    {
      name: "slo-steps",
      recordings: (windows.step > windows.evaluation ? (["requests", "broken"] as const) : []).map((kind) => ({
        record: stepSeries(kind),
        expr: `avg_over_time(${baseSeries(kind, windows)}[${promDuration(windows.step)}])`,
      })),
    },
    {
      name: "slo-long",
      recordings: [
        ...windows.burn.filter((window) => isLong(window, windows)).map((window) => burnedRule(window, windows)),
        {
          record: "slo:budget_left:ratio",
          expr: `1 - (${ratio(windows.objective, windows)}) / on (function, tenant, objective) slo:objective:budget`,
        },
      ],
    },
  ];
}

/** A series each, so that one rule serves all functions. */
function budgetRules({ functions }: RulesArgs): RecordingRule[] {
  return functions.flatMap((fn) =>
    Object.entries(budgets(fn)).map(([objective, budget]) => ({
      record: "slo:objective:budget",
      expr: `vector(${budget})`,
      labels: { function: fn.name, tenant: fn.tenant, objective },
    })),
  );
}

function baseRules(functions: readonly FunctionConfig[], source: GatewaySource, windows: Windows): RecordingRule[] {
  const over = promDuration(windows.base);
  const requests = baseSeries("requests", windows);
  const broken = baseSeries("broken", windows);
  return [
    { record: requests, expr: source.requests(over) },
    // 0 where nothing has failed yet, since an answer's code has no series before the first one.
    { record: broken, expr: `${source.errors(over)} or ${requests} * 0`, labels: { objective: "availability" } },
    ...functions.flatMap((fn) =>
      (["p99", "p999"] as const).flatMap((objective) => {
        const expr = source.slower(fn, fn.objectives[objective] / 1000, over);
        // The function is in the series already; named here, it tells this rule from the other functions'.
        const labels = { function: fn.name, tenant: fn.tenant, objective };
        return expr === undefined ? [] : [{ record: broken, expr, labels }];
      }),
    ),
  ];
}

function burnedRule(window: number, windows: Windows): RecordingRule {
  return { record: burnedSeries(window), expr: ratio(window, windows) };
}

/** The share of a window's requests that broke an objective, 0 where there was none. */
function ratio(window: number, windows: Windows): string {
  const over = (kind: Kind) =>
    isLong(window, windows)
      ? `sum_over_time(${stepSeries(kind)}[${promDuration(window)}])`
      : window <= windows.base
        ? baseSeries(kind, windows)
        : `sum_over_time(${baseSeries(kind, windows)}[${promDuration(window)}])`;
  const [broken, requests] = [over("broken"), over("requests")];
  return `${broken} / on (function, tenant) group_left () (${requests} > 0) or ${broken} * 0`;
}

type BurnRate = RulesArgs["observability"]["burnRates"][number];

/** While both windows see the budget burn at so many times the rate that it lasts at: the short one so that it ends soon. */
function burnAlert(objective: Objective, rate: BurnRate, windows: Windows): AlertArgs {
  const { factor, long, short, severity } = rate;
  const { alert, broken } = OBJECTIVES[objective];
  const over = (window: number) =>
    `${burnedSeries(window)}{objective="${objective}"} > on (function, tenant, objective) group_left () (${factor} * slo:objective:budget)`;
  const [longText, shortText] = [promDuration(long), promDuration(short)];
  const counted = isLong(long, windows) ? short : long;
  const [series, apart] = isLong(counted, windows)
    ? [stepSeries("broken"), windows.step]
    : [baseSeries("broken", windows), windows.evaluation];
  const count = `sum_over_time(${series}{objective="${objective}"}[${promDuration(counted)}]) * ${apart / 1000} >= ${FEWEST_BROKEN}`;
  return {
    alert,
    expr: `(${over(long)}) and (${over(short)}) and (${count})`,
    severity,
    labels: { window: longText },
    summary: `{{ $labels.function }} burns its error budget (${objective}) at ${factor} times the rate that it lasts at`,
    description:
      `Over ${longText}, {{ $value | humanizePercentage }} of the requests to {{ $labels.tenant }}/{{ $labels.function }} ${broken}, ` +
      `and over ${shortText} it was no better. At ${factor} times its rate the budget of ${formatDuration(windows.objective)} ` +
      `is gone in ${humanDuration(windows.objective / factor)}.`,
  };
}

type Kind = "requests" | "broken";

/** `slo:broken:rate1m`: requests/s over the base window. */
function baseSeries(kind: Kind, { base }: Windows): string {
  return `slo:${kind}:rate${promDuration(base)}`;
}

/**
 * A function's requests/s, as they are recorded over the base window, for who scales by them: one number, 0 where gateways are
 * read that have counted none, and nothing where no gateway is read.
 */
export function requestsQuery({ name, tenant }: FunctionConfig, observability: RulesArgs["observability"]): string {
  const counted = `${baseSeries("requests", windowsOf(observability))}{function="${name}",tenant="${tenant}"}`;
  return `sum(${counted}) or sum(up{job="gateway"} == 1) * 0`;
}

/** One average for each step, which only windows are made of. */
function stepSeries(kind: Kind): string {
  return `slo:${kind}:avg_step`;
}

function burnedSeries(window: number): string {
  return `slo:burned:ratio_rate${promDuration(window)}`;
}

/** What dashboards show of each function, over five minutes. */
export function functionTopic({ functions }: RulesArgs, source: GatewaySource): Topic {
  const { bucketsPerSecond } = source;
  const inSeconds = (expr: string) => (bucketsPerSecond === 1 ? expr : `${expr} / ${bucketsPerSecond}`);
  const latency = (quantile: number, name: string): RecordingRule => ({
    record: `function:latency_seconds:${name}_5m`,
    // Without requests it is not a number, and shown as nothing.
    expr: `${inSeconds(`histogram_quantile(${quantile}, function:latency_bucket:rate5m)`)} >= 0`,
  });
  return {
    name: "functions",
    recordings:
      functions.length === 0
        ? []
        : [
            { record: "function:requests:rate5m", expr: source.requests("5m") },
            {
              record: "function:errors:ratio_rate5m",
              expr: share(`(${source.errors("5m")} or function:requests:rate5m * 0)`, "function:requests:rate5m"),
            },
            { record: "function:latency_bucket:rate5m", expr: source.buckets("5m") },
            latency(0.5, "p50"),
            latency(0.99, "p99"),
            latency(0.999, "p999"),
          ],
  };
}
