import type { Panel, RowPanel, VariableModel } from "@grafana/grafana-foundation-sdk/dashboard";
import { formatDuration } from "../../../infra/units";
import { samplingInterval, type DashboardsArgs } from "./args";
import { ANY, render, type DashboardModel } from "./board";
import { controlPlaneBoard } from "./control-plane";
import { functionBoard } from "./function";
import { gatewayBoard } from "./gateway";
import { logsBoard } from "./logs";
import { nodesBoard } from "./nodes";
import { overview } from "./overview";
import { DATA_SOURCES, type DataSourceKind } from "./panels";

export type { DashboardsArgs } from "./args";
export type { DashboardModel } from "./board";
export { samplingInterval } from "./args";
export type { DataSourceKind } from "./panels";
export { DATA_SOURCES, UNITS } from "./panels";

/** A file name without its ending, for each dashboard. */
const BOARDS = {
  overview,
  function: functionBoard,
  gateway: gatewayBoard,
  nodes: nodesBoard,
  "control-plane": controlPlaneBoard,
  logs: logsBoard,
} as const;

/** All dashboards, as Grafana reads them from files. The same args make the same text. */
export function dashboards(args: DashboardsArgs): Readonly<Record<string, DashboardModel>> {
  return Object.fromEntries(
    Object.entries(BOARDS).map(([name, board]) => [name, render(board(args), args.observability.scrapeInterval)]),
  );
}

export interface DashboardQuery {
  readonly dashboard: string;
  /** Title of the panel, or `variable <name>`. */
  readonly panel: string;
  /** PromQL or LogQL as it is asked, variables replaced. */
  readonly expr: string;
  readonly kind: DataSourceKind;
}

/** Scrapes that Grafana's `$__rate_interval` has at least. */
const SCRAPES_PER_RATE = 4;

/**
 * Every query that dashboards ask, so that a test can ask them too.
 *
 * @param values - of variables; default: the first function, and everything of nodes and of logs
 */
export function dashboardQueries(
  args: DashboardsArgs,
  values: Readonly<Record<string, string>> = {},
): DashboardQuery[] {
  const known = variableValues(args, values);
  return Object.entries(dashboards(args)).flatMap(([dashboard, { panels = [], templating }]) =>
    [...panels.flatMap(ofPanel), ...(templating.list ?? []).flatMap(ofVariable)].map(({ expr, ...query }) => ({
      dashboard,
      ...query,
      expr: replaceVariables(expr, known),
    })),
  );
}

/** What variables stand for, where nobody chooses. */
function variableValues(
  { functions: [first], observability }: DashboardsArgs,
  values: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const interval = formatDuration(samplingInterval(observability) * SCRAPES_PER_RATE);
  return {
    __rate_interval: interval,
    __auto: interval,
    node: ANY,
    namespace: ANY,
    component: ANY,
    pod: ".*",
    search: "",
    ...(first !== undefined && { function: first.name, tenant: first.tenant }),
    ...values,
  };
}

/** A panel as whoever draws it without Grafana needs it. */
export interface PlainPanel {
  readonly title: string;
  readonly description: string;
  /** Lines over time, the last value large, the last value of each series as a bar, lines of logs. */
  readonly type: "timeseries" | "stat" | "bargauge" | "logs";
  /** One of `UNITS`; of logs none. */
  readonly unit: string;
  readonly stacked: boolean;
  readonly min: number | undefined;
  readonly max: number | undefined;
  /** From a value on, a colour; the first has none and is what holds below. */
  readonly steps: readonly { readonly value: number | null; readonly color: string }[];
  readonly queries: readonly { readonly expr: string; readonly legend: string; readonly kind: DataSourceKind }[];
}

export interface PlainDashboard {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly sections: readonly { readonly title: string; readonly panels: readonly PlainPanel[] }[];
}

/**
 * What all dashboards show, by section, with variables replaced.
 *
 * @param values - of variables; default: as of `dashboardQueries`
 */
export function plainDashboards(args: DashboardsArgs, values: Readonly<Record<string, string>> = {}): PlainDashboard[] {
  const known = variableValues(args, values);
  return Object.entries(dashboards(args)).map(([name, { title = "", description = "", panels = [] }]) => {
    const sections: { title: string; panels: PlainPanel[] }[] = [];
    for (const panel of panels) {
      if (panel.type === "row") sections.push({ title: panel.title ?? "", panels: [] });
      else sections.at(-1)?.panels.push(plainPanel(panel, known));
    }
    return { name, title, description, sections };
  });
}

function plainPanel(panel: Panel, known: Readonly<Record<string, string>>): PlainPanel {
  const { title = "", description = "", type, fieldConfig, targets = [] } = panel;
  const { unit = "", min, max, thresholds, ...defaults } = fieldConfig?.defaults ?? {};
  const custom = defaults.custom as { readonly stacking?: { readonly mode?: string } } | undefined;
  return {
    ...{ title, description, unit },
    type: type as PlainPanel["type"],
    stacked: custom?.stacking?.mode === "normal",
    min: min ?? undefined,
    max: max ?? undefined,
    steps: thresholds?.steps ?? [],
    queries: targets.map((target) => {
      const { expr, datasource, legendFormat = "" } = target as unknown as Target;
      return { expr: replaceVariables(expr, known), legend: legendFormat, kind: datasource.type };
    }),
  };
}

type Asked = Omit<DashboardQuery, "dashboard">;

/** What a query has, whatever its data source: the SDK's own type says nothing of it. */
interface Target {
  readonly expr: string;
  readonly legendFormat?: string;
  readonly datasource: { readonly type: DataSourceKind };
}

function ofPanel(panel: Panel | RowPanel): Asked[] {
  if (!("targets" in panel)) return [];
  return panel.targets.map((target) => {
    const { expr, datasource } = target as unknown as Target;
    return { panel: panel.title ?? "", expr, kind: datasource.type };
  });
}

/** Of `label_values(series, label)`, the series. */
function ofVariable({ name, definition, datasource }: VariableModel): Asked[] {
  const series = /^label_values\((.+), \w+\)$/.exec(definition ?? "")?.[1];
  if (series === undefined) return [];
  const kind = datasource?.uid === DATA_SOURCES.loki.uid ? "loki" : "prometheus";
  return [{ panel: `variable ${name}`, expr: series, kind }];
}

/** @throws where a variable has no value */
function replaceVariables(expr: string, values: Readonly<Record<string, string>>): string {
  return expr.replace(/\$(\w+)/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`no value for $${name} in ${expr}`);
    return value;
  });
}
