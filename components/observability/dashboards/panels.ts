import { PanelBuilder as BarGauge } from "@grafana/grafana-foundation-sdk/bargauge";
import type { Builder, Dataquery } from "@grafana/grafana-foundation-sdk/cog";
import {
  BarGaugeDisplayMode,
  BigValueColorMode,
  GraphThresholdsStyleConfigBuilder,
  GraphThresholdsStyleMode,
  LegendDisplayMode,
  LegendPlacement,
  ReduceDataOptionsBuilder,
  SortOrder,
  StackingConfigBuilder,
  StackingMode,
  TooltipDisplayMode,
  VizLegendOptionsBuilder,
  VizOrientation,
  VizTooltipOptionsBuilder,
} from "@grafana/grafana-foundation-sdk/common";
import { ThresholdsConfigBuilder, type Panel, type Threshold } from "@grafana/grafana-foundation-sdk/dashboard";
import { PanelBuilder as Logs } from "@grafana/grafana-foundation-sdk/logs";
import { DataqueryBuilder as LokiQuery } from "@grafana/grafana-foundation-sdk/loki";
import { DataqueryBuilder as PrometheusQuery } from "@grafana/grafana-foundation-sdk/prometheus";
import { PanelBuilder as Stat } from "@grafana/grafana-foundation-sdk/stat";
import { PanelBuilder as TimeSeries } from "@grafana/grafana-foundation-sdk/timeseries";

/** Data sources that Grafana is provisioned with, by their uid. */
export const DATA_SOURCES = {
  prometheus: { type: "prometheus", uid: "prometheus" },
  loki: { type: "loki", uid: "loki" },
} as const;

export type DataSourceKind = keyof typeof DATA_SOURCES;

/** Units as Grafana names them. */
export const UNITS = {
  requests: "reqps",
  seconds: "s",
  duration: "dtdurations",
  share: "percentunit",
  count: "short",
  perSecond: "cps",
  bytes: "bytes",
  bytesPerSecond: "binBps",
  bitsPerSecond: "bps",
  cores: "suffix: cores",
  hosts: "suffix: hosts",
  times: "suffix: x",
} as const;

/** From a value on, a colour. */
export interface Step {
  readonly from: number;
  readonly color: "green" | "orange" | "red";
}

export interface Query {
  readonly expr: string;
  /** What the series is called: text with `{{label}}`. */
  readonly legend: string;
  readonly source: DataSourceKind;
}

export interface PanelArgs {
  readonly title: string;
  /** What it shows, and what is good. */
  readonly description: string;
  readonly unit: (typeof UNITS)[keyof typeof UNITS];
  readonly queries: readonly Query[];
  /** Colour below the first step. Default: green. */
  readonly base?: "green" | "red";
  readonly steps?: readonly Step[];
  readonly min?: number;
  readonly max?: number;
}

/** How high each kind of panel is, in rows of the grid. */
const HEIGHTS = { graph: 8, figure: 4, bars: 8, lines: 14 } as const;

/** A panel that has its place in the row yet to get. */
export type PlacedPanel = (width: number) => Builder<Panel>;

/** A query of Prometheus. */
export function metric(expr: string, legend: string): Query {
  return { expr, legend, source: "prometheus" };
}

/** A query of Loki. */
export function log(expr: string, legend = ""): Query {
  return { expr, legend, source: "loki" };
}

/** Lines over time, with thresholds as dashed lines. */
export function graph(args: PanelArgs & { readonly stacked?: boolean }): PlacedPanel {
  return (width) => {
    const panel = new TimeSeries()
      .lineWidth(1)
      .fillOpacity(args.stacked === true ? 25 : 8)
      .stacking(new StackingConfigBuilder().mode(args.stacked === true ? StackingMode.Normal : StackingMode.None))
      .legend(
        new VizLegendOptionsBuilder()
          .displayMode(LegendDisplayMode.List)
          .placement(LegendPlacement.Bottom)
          .showLegend(true),
      )
      .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending));
    if (args.steps !== undefined) {
      panel.thresholdsStyle(new GraphThresholdsStyleConfigBuilder().mode(GraphThresholdsStyleMode.Dashed));
    }
    return furnish(panel, args, width, HEIGHTS.graph);
  };
}

/** The last value, large. */
export function figure(args: PanelArgs): PlacedPanel {
  return (width) =>
    furnish(
      new Stat()
        .colorMode(args.steps === undefined ? BigValueColorMode.None : BigValueColorMode.Value)
        .reduceOptions(last()),
      args,
      width,
      HEIGHTS.figure,
    );
}

/** The last value of each series as a bar. */
export function bars(args: PanelArgs): PlacedPanel {
  return (width) =>
    furnish(
      new BarGauge()
        .displayMode(BarGaugeDisplayMode.Basic)
        .orientation(VizOrientation.Horizontal)
        .reduceOptions(last()),
      args,
      width,
      HEIGHTS.bars,
    );
}

/** Lines of logs, the newest first. */
export function lines(args: Pick<PanelArgs, "title" | "description"> & { readonly query: Query }): PlacedPanel {
  return (width) =>
    new Logs()
      .title(args.title)
      .description(args.description)
      .datasource(DATA_SOURCES.loki)
      .targets([target(args.query, 0)])
      .showTime(true)
      .wrapLogMessage(true)
      .enableLogDetails(true)
      .height(HEIGHTS.lines)
      .span(width);
}

/** Red from the objective on. Of several, the strictest is orange and the last red: each is a line. */
export function above(...limits: readonly number[]): readonly Step[] {
  const sorted = [...new Set(limits)].sort((a, b) => a - b);
  return sorted.map((from, index) => ({ from, color: index === sorted.length - 1 ? "red" : "orange" }));
}

/** A part of what there is: orange from `warn` on, red from `limit`. */
export function filling(warn: number, limit: number): readonly Step[] {
  return [
    { from: warn, color: "orange" },
    { from: limit, color: "red" },
  ];
}

/** A part of what is left: red below `limit`, orange below `warn`. To be used with `base: "red"`. */
export function remaining(limit: number, warn: number): readonly Step[] {
  return [
    { from: limit, color: "orange" },
    { from: warn, color: "green" },
  ];
}

type AnyPanel = TimeSeries | Stat | BarGauge;

function furnish(panel: AnyPanel, args: PanelArgs, width: number, height: number): Builder<Panel> {
  const { title, description, unit, queries, base = "green", steps = [], min, max } = args;
  const source = queries[0]?.source;
  if (source === undefined) throw new Error(`panel "${title}" has no query`);
  const thresholds: Threshold[] = [
    { value: null, color: base },
    ...steps.map(({ from, color }) => ({ value: from, color })),
  ];
  panel
    .title(title)
    .description(description)
    .unit(unit)
    .datasource(DATA_SOURCES[source])
    .targets(queries.map(target))
    .thresholds(new ThresholdsConfigBuilder().steps(thresholds))
    .height(height)
    .span(width);
  if (min !== undefined) panel.min(min);
  if (max !== undefined) panel.max(max);
  return panel;
}

function target({ expr, legend, source }: Query, index: number): Builder<Dataquery> {
  const refId = String.fromCharCode("A".charCodeAt(0) + index);
  switch (source) {
    case "prometheus":
      return new PrometheusQuery()
        .expr(expr)
        .legendFormat(legend)
        .range()
        .refId(refId)
        .datasource(DATA_SOURCES[source]);
    case "loki":
      return new LokiQuery()
        .expr(expr)
        .legendFormat(legend)
        .queryType("range")
        .refId(refId)
        .datasource(DATA_SOURCES[source]);
  }
}

function last(): ReduceDataOptionsBuilder {
  return new ReduceDataOptionsBuilder().calcs(["lastNotNull"]).values(false);
}
