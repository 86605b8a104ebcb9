import type { EChartsOption } from "echarts";
import { formatCount } from "../../../infra/plan/numbers";
import { BOX, colorOf } from "../../drawing/svg";
import { predictedAt } from "../expected";
import { quantile } from "../pods";
import type { Sample, SurgeRun } from "../run";
import { axis, clock, LABEL, PLACE, roundAbove, tickOf, timeAxis, valueAxis, type Size } from "./axes";
import { faultMarks } from "./faults";
import { millisOf } from "./words";

/** One drawing of the report, in as many pixels as it is given. */
export interface Chart {
  /** Its file, without the ending. */
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly legend: readonly { readonly name: string; readonly color: string; readonly dashed?: boolean }[];
  /** What the lightest and the fullest of a colour stand for. */
  readonly scale?: { readonly from: string; readonly to: string; readonly color: string };
  readonly height: number;
  readonly option: (size: Size) => EChartsOption;
}

interface Line {
  readonly name: string;
  readonly color: string;
  readonly dashed?: boolean;
  /** Whether what is under it is coloured, too. */
  readonly filled?: boolean;
  readonly points: readonly (readonly [second: number, value: number])[];
}

const HEIGHT = { lines: 300, bars: 240, node: 20 };
/** Cells of the heat map, from left to right. */
const COLUMNS = { wide: 80, medium: 60, narrow: 40 };
/** Labels of bars that have room beside each other in the widest drawing. */
const BESIDE = 12;
/** A line that is no measurement: in the colour of text, told from all others. */
const PREDICTED = "var(--text)";

export function chartsOf(run: SurgeRun): Chart[] {
  const real = run.kind === "real";
  return [
    ...[loadChart(run), replicasChart(run)],
    ...(run.client === undefined ? [] : [latencyChart(run)]),
    ...(run.delays.length > 0 ? [delayChart(run.delays)] : []),
    ...(real && run.starts.length > 0 ? [startChart(run.starts)] : []),
    densityChart(run),
  ];
}

function loadChart(run: SurgeRun): Chart {
  const of = (name: string, color: string, value: (sample: Sample) => number): Line => ({
    ...{ name, color, filled: name !== "capacity" },
    points: run.samples.map((sample) => [sample.second, value(sample)]),
  });
  // Far above the load, capacity says nothing and would flatten everything else.
  const most = roundAbove(1.2 * Math.max(1, ...run.samples.map(({ load }) => load)));
  return {
    name: "load",
    title: "Load and what of it is served",
    description: `Requests/s: what ${run.kind === "real" ? "is asked" : "comes"}, what all ready pods could serve at their CPU limit (it may go on above the drawing), and what is ${run.kind === "real" ? "not served" : "left over"}: shed.`,
    ...lines(
      run,
      "req/s",
      [
        of("load", colorOf(0), ({ load }) => load),
        of("shed", colorOf(4), ({ shed }) => shed),
        of("capacity", colorOf(2), ({ capacity }) => capacity),
      ],
      most,
    ),
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
            ...{ name: "ready, as predicted", color: PREDICTED, dashed: true },
            points: Array.from({ length: scaleOut.seconds + 1 }, (_, second) => [
              climbFrom + second,
              predictedAt(scaleOut.curve, second, "ready"),
            ]),
          },
        ];
  return {
    name: "replicas",
    title: "Replicas",
    description: `What the autoscaler wants, pods that are there, ready and leaving. The prediction is the plan's, ${run.kind === "real" ? "with the nodes' start queues" : "for nodes that start pods at once"}.`,
    ...lines(run, "pods", [...measured, ...predicted]),
  };
}

/** @param most - where the axis ends, if not at the highest of all */
function lines(
  run: SurgeRun,
  unit: string,
  all: readonly Line[],
  most?: number,
): Pick<Chart, "legend" | "height" | "option"> {
  const end = Math.ceil(run.samples[run.samples.length - 1]?.second ?? 1);
  return {
    legend: all.map(({ name, color, dashed = false }) => ({ name, color, dashed })),
    height: HEIGHT.lines,
    option: (size) => ({
      grid: PLACE,
      xAxis: timeAxis(end, size),
      yAxis: { ...valueAxis(unit), ...(most !== undefined && { max: most }) },
      series: [
        ...all.map(({ color, dashed = false, filled = false, points }) => ({
          ...{ type: "line" as const, silent: true, showSymbol: false },
          lineStyle: { width: 1.5, color, type: dashed ? ("dashed" as const) : ("solid" as const) },
          ...(filled && { areaStyle: { color, opacity: 0.15 } }),
          // As many points as there are pixels: a file of each second of half an hour would be of megabytes.
          sampling: "lttb" as const,
          data: points.map(([x, y]) => [x, y]),
        })),
        ...faultMarks(run),
      ],
    }),
  };
}

/** What clients wait for answers. */
function latencyChart(run: SurgeRun): Chart {
  const of = (name: "p50" | "p99", color: string): Line => ({
    ...{ name: name.toUpperCase(), color },
    points: run.samples.flatMap(({ second, client }) =>
      client?.latency === undefined ? [] : [[second, client.latency[name]] as const],
    ),
  });
  return {
    name: "latency",
    title: "Latency at the client",
    description:
      "Of answers with 2xx at each step, from when a request was due; requests that wait for pods are in it.",
    ...lines(run, "ms", [of("p99", colorOf(1)), of("p50", colorOf(0))]),
  };
}

/** How many pods waited so long for their node. */
function delayChart(delays: readonly number[]): Chart {
  return {
    name: "scheduling-delay",
    title: "Scheduling delay",
    ...bars(delays, "From when a pod was seen created until it was seen bound to its node"),
  };
}

/** How many pods were ready so long after they were created. */
function startChart(starts: readonly number[]): Chart {
  return {
    name: "pod-start",
    title: "Start of a pod",
    ...bars(starts, "From when a pod was seen created until it was ready, the node's queue included"),
  };
}

function bars(values: readonly number[], what: string): Pick<Chart, "description" | "legend" | "height" | "option"> {
  const buckets = bucketsOf(values);
  const marks = [0.5, 0.99].map((share) => `P${share * 100} ${millisOf(Math.round(quantile(values, share) ?? 0))}`);
  return {
    description: `${what}: ${marks.join(", ")}, of ${formatCount(values.length)} pods.`,
    legend: [],
    height: HEIGHT.bars,
    option: (size) => ({
      grid: PLACE,
      xAxis: {
        ...axis("category", ""),
        data: buckets.map(({ label }) => label),
        axisLabel: { ...LABEL, rotate: size === "wide" && buckets.length <= BESIDE ? 0 : 60, interval: 0 },
      },
      yAxis: { ...valueAxis("pods"), minInterval: 1 },
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
  // One that is empty before the first that is not shows that nothing was faster.
  const first = Math.max(0, BOUNDS.findIndex((bound) => delays.some((delay) => delay <= bound)) - 1);
  const bounds = BOUNDS.slice(first, last < 0 ? undefined : last + 1);
  const buckets = bounds.map((bound, index) => ({
    label: `≤ ${millisOf(bound)}`,
    count: delays.filter((delay) => delay <= bound && delay > (bounds[index - 1] ?? -Infinity)).length,
  }));
  const above = delays.filter((delay) => delay > bounds[bounds.length - 1]!).length;
  return above > 0 ? [...buckets, { label: `> ${millisOf(bounds[bounds.length - 1]!)}`, count: above }] : buckets;
}

/** Nodes from top to bottom, time from left to right, the more pods the fuller. */
function densityChart(run: SurgeRun): Chart {
  const densest = Math.max(1, ...run.samples.flatMap(({ onNodes }) => onNodes));
  return {
    name: "density",
    title: "Pods on each node",
    description: `The function's pods on each of the nodes (${run.nodes.length}), those that leave included.`,
    legend: [],
    scale: { from: "none", to: `${formatCount(densest)} pods, the most on one node`, color: colorOf(0) },
    height: run.nodes.length * HEIGHT.node + 56,
    option: (size) => {
      const at = evenly(run.samples, COLUMNS[size]);
      const base = axis("category", "");
      return {
        grid: { ...PLACE, top: 8 },
        xAxis: { ...base, data: at.map(({ second }) => String(second)), axisLabel: timeLabels(at, size) },
        yAxis: { ...base, inverse: true, data: [...run.nodes], axisLabel: { ...LABEL, interval: 0 } },
        visualMap: {
          ...{ show: false, min: 0, max: densest, dimension: 2 },
          inRange: { color: [colorOf(0)], colorAlpha: [0.04, 1] },
        },
        series: [
          {
            ...{ type: "heatmap", silent: true, progressive: 0 },
            // Cells that touch would show the ground between them here and there, as pixels fall.
            itemStyle: { borderColor: BOX, borderWidth: 1 },
            data: at.flatMap(({ onNodes }, x) => onNodes.map((pods, y) => [x, y, pods])),
          },
        ],
      };
    },
  };
}

/** So many of all, from the first to the last. */
function evenly<T>(all: readonly T[], most: number): T[] {
  const count = Math.min(most, all.length);
  const last = Math.max(1, count - 1);
  return Array.from({ length: count }, (_, index) => all[Math.round((index * (all.length - 1)) / last)]!);
}

/** Labels of columns: each round moment where the first column from it on begins. */
function timeLabels(at: readonly Sample[], size: Size) {
  const tick = tickOf(at[at.length - 1]?.second ?? 1, size);
  const of = (index: number) => Math.floor((at[index]?.second ?? 0) / tick);
  return {
    ...LABEL,
    interval: (index: number) => index === 0 || of(index) !== of(index - 1),
    formatter: (_: string, index: number) => clock(of(index) * tick, tick),
  };
}
