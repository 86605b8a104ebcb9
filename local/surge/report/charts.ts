import type { EChartsOption } from "echarts";
import { formatCount } from "../../../infra/plan/numbers";
import { colorOf, GRID, TEXT } from "../../drawing/svg";
import { predictedAt } from "../expected";
import { quantile } from "../pods";
import type { Sample, SurgeRun } from "../run";

/** One drawing of the report, in as many pixels as it is given. */
export interface Chart {
  /** Its file, without the ending. */
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly legend: readonly { readonly name: string; readonly color: string }[];
  readonly height: number;
  readonly option: (narrow: boolean) => EChartsOption;
}

interface Line {
  readonly name: string;
  readonly color: string;
  readonly dashed?: boolean;
  readonly points: readonly (readonly [second: number, value: number])[];
}

const HEIGHT = { lines: 300, bars: 240, node: 18 };
/** Cells of the heat map, from left to right. */
const COLUMNS = 120;

export function chartsOf(run: SurgeRun): Chart[] {
  return [loadChart(run), replicasChart(run), ...(run.delays.length > 0 ? [delayChart(run)] : []), densityChart(run)];
}

function loadChart(run: SurgeRun): Chart {
  const of = (name: string, color: string, value: (sample: Sample) => number): Line => ({
    ...{ name, color },
    points: run.samples.map((sample) => [sample.second, value(sample)]),
  });
  // Beyond twice the load, capacity says nothing and would flatten everything else.
  const most = 2 * Math.max(...run.samples.map(({ load }) => load));
  return {
    name: "load",
    title: "Load and what of it is served",
    description: `Requests/s: what comes, what all ready pods serve at their CPU limit (drawn up to twice the peak), and what is left over: shed.`,
    ...lines(run, "req/s", [
      of("load", colorOf(0), ({ load }) => load),
      of("capacity", colorOf(2), ({ capacity }) => Math.min(capacity, most)),
      of("shed", colorOf(4), ({ shed }) => shed),
    ]),
  };
}

function replicasChart(run: SurgeRun): Chart {
  const { scaleOut, climbFrom } = run.expected;
  const measured: Line[] = (["desired", "pods", "ready", "leaving"] as const).map((key, index) => ({
    name: key === "desired" ? "wanted" : key,
    color: [colorOf(1), colorOf(3), colorOf(2), colorOf(9)][index]!,
    points: run.samples.map((sample) => [sample.second, sample[key]]),
  }));
  const predicted: Line[] =
    scaleOut === undefined
      ? []
      : [
          {
            ...{ name: "ready, as predicted", color: colorOf(4), dashed: true },
            points: Array.from({ length: scaleOut.seconds + 1 }, (_, second) => [
              climbFrom + second,
              predictedAt(scaleOut.curve, second, "ready"),
            ]),
          },
        ];
  return {
    name: "replicas",
    title: "Replicas",
    description:
      "What the autoscaler wants, pods that are there, ready and leaving. The prediction is the plan's, for nodes that start pods at once.",
    ...lines(run, "pods", [...measured, ...predicted]),
  };
}

function lines(run: SurgeRun, unit: string, all: readonly Line[]): Pick<Chart, "legend" | "height" | "option"> {
  return {
    legend: all.map(({ name, color }) => ({ name, color })),
    height: HEIGHT.lines,
    option: (narrow) => ({
      grid: { left: 8, right: 36, top: 28, bottom: 4, containLabel: true },
      xAxis: {
        ...axis("value", "s"),
        max: Math.ceil(run.samples[run.samples.length - 1]?.second ?? 1),
        splitNumber: narrow ? 4 : 10,
        splitLine: { show: false },
      },
      yAxis: { ...axis("value", unit), min: 0, splitNumber: 4, splitLine: { lineStyle: { color: GRID } } },
      series: all.map(({ color, dashed = false, points }) => ({
        ...{ type: "line", silent: true, showSymbol: false },
        lineStyle: { width: 1.5, color, type: dashed ? "dashed" : "solid" },
        // As many points as there are pixels: a file of each second of half an hour would be of megabytes.
        sampling: "lttb",
        data: points.map(([x, y]) => [x, y]),
      })),
    }),
  };
}

/** How many pods waited so long for their node. */
function delayChart({ delays }: SurgeRun): Chart {
  const buckets = bucketsOf(delays);
  const marks = [0.5, 0.99].map(
    (share) => `P${share * 100} ${formatCount(Math.round(quantile(delays, share) ?? 0))} ms`,
  );
  return {
    name: "scheduling-delay",
    title: "Scheduling delay",
    description: `Milliseconds from when a pod was seen created until it was seen bound to its node: ${marks.join(", ")}, of ${formatCount(delays.length)} pods.`,
    legend: [],
    height: HEIGHT.bars,
    option: (narrow) => ({
      grid: { left: 8, right: 36, top: 28, bottom: 4, containLabel: true },
      xAxis: {
        ...axis("category", "ms"),
        data: buckets.map(({ label }) => label),
        axisLabel: { color: TEXT, rotate: narrow ? 60 : 0, interval: 0 },
      },
      yAxis: { ...axis("value", "pods"), splitNumber: 4, splitLine: { lineStyle: { color: GRID } } },
      series: [
        {
          ...{ type: "bar", silent: true, barCategoryGap: "10%" },
          itemStyle: { color: colorOf(0) },
          data: buckets.map(({ count }) => count),
        },
      ],
    }),
  };
}

/** Milliseconds at which a bucket ends. */
const BOUNDS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 3000, 5000, 10_000, 30_000];

export function bucketsOf(delays: readonly number[]): { readonly label: string; readonly count: number }[] {
  const last = BOUNDS.findIndex((bound) => delays.every((delay) => delay <= bound));
  const bounds = last < 0 ? BOUNDS : BOUNDS.slice(0, last + 1);
  const buckets = bounds.map((bound, index) => ({
    label: `≤ ${bound}`,
    count: delays.filter((delay) => delay <= bound && delay > (bounds[index - 1] ?? -Infinity)).length,
  }));
  const above = delays.filter((delay) => delay > bounds[bounds.length - 1]!).length;
  return above > 0 ? [...buckets, { label: `> ${bounds[bounds.length - 1]!}`, count: above }] : buckets;
}

/** Nodes from top to bottom, time from left to right, the more pods the darker. */
function densityChart(run: SurgeRun): Chart {
  const end = run.samples[run.samples.length - 1]?.second ?? 0;
  const columns = Math.min(COLUMNS, run.samples.length);
  const at = Array.from(
    { length: columns },
    (_, index) => run.samples[Math.round((index * (run.samples.length - 1)) / Math.max(1, columns - 1))]!,
  );
  const cells = at.flatMap(({ onNodes }, x) => onNodes.map((pods, y) => [x, y, pods] as const));
  const densest = Math.max(1, ...cells.map(([, , pods]) => pods));
  return {
    name: "density",
    title: "Pods on each node",
    description: `The function's pods on each of ${run.nodes.length} nodes over ${Math.round(end)} s: none is the lightest, ${formatCount(densest)}, the most on one node, the fullest colour.`,
    legend: [],
    height: run.nodes.length * HEIGHT.node + 56,
    option: (narrow) => ({
      grid: { left: 8, right: 16, top: 8, bottom: 4, containLabel: true },
      xAxis: {
        ...axis("category", ""),
        data: at.map(({ second }) => `${Math.round(second)} s`),
        axisLabel: { color: TEXT, interval: Math.ceil(columns / (narrow ? 4 : 10)) },
      },
      yAxis: { ...axis("category", ""), inverse: true, data: [...run.nodes], axisLabel: { color: TEXT, interval: 0 } },
      visualMap: {
        ...{ show: false, min: 0, max: densest, dimension: 2 },
        inRange: { color: [colorOf(0)], opacity: [0.04, 1] },
      },
      series: [{ type: "heatmap", silent: true, progressive: 0, data: cells.map((cell) => [...cell]) }],
    }),
  };
}

function axis<Kind extends "value" | "category">(type: Kind, name: string) {
  return {
    type,
    name,
    nameTextStyle: { color: TEXT },
    axisLine: { lineStyle: { color: GRID } },
    axisTick: { show: false },
    axisLabel: { color: TEXT, ...(type === "value" && { formatter: (value: number) => formatCount(value) }) },
  };
}
