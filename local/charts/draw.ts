import type * as echarts from "echarts";
import type { PlainPanel } from "../../components/observability/dashboards";
import { colorOf, GRID, renderSvg, TEXT } from "../drawing/svg";
import type { Series } from "./ask";
import { formatValue } from "./format";
import { timesOf, type Range } from "./range";

/** Of thresholds, by their name in dashboards. */
const COLORS: Readonly<Record<string, string>> = { green: "#10b981", orange: "#f59e0b", red: "#ef4444" };

/** Pixels; the page shows it as wide as there is room. */
const SIZE = { width: 440, height: 190, spark: 60, bar: 26 };
const DAY_SECONDS = 86_400;

/** The colour that the panel's steps have for a value; none where it has no steps. */
export function judged({ steps }: Pick<PlainPanel, "steps">, value: number): string | undefined {
  if (steps.length < 2) return undefined;
  return COLORS[steps.filter((step) => step.value === null || value >= step.value).at(-1)?.color ?? ""];
}

/** The last value that there is. */
export function current({ values }: Series): number | undefined {
  return values.findLast((value) => value !== undefined);
}

/** The panel as SVG, to stand in a page. */
export function draw(panel: PlainPanel, series: readonly Series[], range: Range): string {
  const svg = (height: number, option: echarts.EChartsOption) =>
    renderSvg({ title: panel.title, width: SIZE.width, height, option });
  switch (panel.type) {
    case "bargauge":
      return svg(series.length * SIZE.bar + SIZE.bar, bars(panel, series));
    case "stat":
      return svg(SIZE.spark, lines(panel, series, range, true));
    case "timeseries":
    case "logs":
      return svg(SIZE.height, lines(panel, series, range, false));
  }
}

function lines(panel: PlainPanel, series: readonly Series[], range: Range, bare: boolean): echarts.EChartsOption {
  const times = timesOf(range);
  const steps = bare ? [] : panel.steps.filter(({ value }) => value !== null);
  return {
    grid: bare
      ? { left: 2, right: 2, top: 4, bottom: 4 }
      : { left: 8, right: 16, top: 12, bottom: 4, containLabel: true },
    xAxis: {
      ...{ type: "time", show: !bare, min: range.start * 1000, max: range.end * 1000, splitNumber: 4 },
      axisLine: { lineStyle: { color: GRID } },
      axisTick: { show: false },
      axisLabel: {
        color: TEXT,
        hideOverlap: true,
        formatter: range.end - range.start > DAY_SECONDS ? "{MM}-{dd} {HH}:{mm}" : "{HH}:{mm}",
      },
    },
    yAxis: {
      ...{ type: "value", show: !bare, splitNumber: 3, scale: panel.min === undefined },
      ...(panel.min !== undefined && { min: panel.min }),
      ...(panel.max !== undefined && { max: panel.max }),
      axisLabel: { color: TEXT, formatter: (value: number) => formatValue(value, panel.unit) },
      splitLine: { lineStyle: { color: GRID } },
    },
    series: series.map(({ values }, index) => ({
      type: "line",
      silent: true,
      // A line through a single point is none.
      showSymbol: values.filter((value) => value !== undefined).length < 3,
      symbolSize: 4,
      ...(panel.stacked && { stack: "all" }),
      lineStyle: { width: 1.5, color: colorOf(index) },
      itemStyle: { color: colorOf(index) },
      areaStyle: { color: colorOf(index), opacity: panel.stacked ? 0.25 : 0.08 },
      data: times.map((at, point) => [at * 1000, values[point] ?? null]),
      // Once for the panel, and only where it is within the axis: it must not flatten what was measured.
      ...(index === 0 && {
        markLine: {
          silent: true,
          symbol: "none",
          label: { show: false },
          data: steps.map(({ value, color }) => ({
            yAxis: value ?? 0,
            lineStyle: { color: COLORS[color] ?? TEXT, type: "dashed" as const },
          })),
        },
      }),
    })),
  };
}

function bars(panel: PlainPanel, series: readonly Series[]): echarts.EChartsOption {
  const values = series.map((one) => current(one) ?? 0);
  return {
    grid: { left: 8, right: 72, top: 4, bottom: 4, containLabel: true },
    xAxis: { type: "value", show: false, min: panel.min ?? 0, ...(panel.max !== undefined && { max: panel.max }) },
    yAxis: {
      ...{ type: "category", inverse: true, data: series.map(({ name }) => name) },
      axisLine: { lineStyle: { color: GRID } },
      axisTick: { show: false },
      axisLabel: { color: TEXT, width: 150, overflow: "truncate", interval: 0 },
    },
    series: [
      {
        ...{ type: "bar", silent: true, barMaxWidth: 14 },
        label: {
          ...{ show: true, position: "right", color: TEXT, textBorderWidth: 0 },
          formatter: ({ dataIndex }: { readonly dataIndex: number }) => formatValue(values[dataIndex] ?? 0, panel.unit),
        },
        data: values.map((value) => ({ value, itemStyle: { color: judged(panel, value) ?? colorOf(0) } })),
      },
    ],
  };
}
