import { REQUESTS_METRIC } from "../../components/autoscaling/names";
import type { FunctionConfig } from "../../infra/config";
import { formatCount } from "../../infra/plan/numbers";
import { formatPercent } from "../../infra/units";

/** The part of a HorizontalPodAutoscaler that is read. */
export interface AutoscalerObject {
  readonly spec: {
    readonly minReplicas?: number;
    readonly maxReplicas: number;
    readonly metrics?: readonly Metric<"target">[];
    readonly behavior?: Readonly<Record<"scaleUp" | "scaleDown", ScalingRules | undefined>>;
  };
  readonly status?: {
    readonly desiredReplicas?: number;
    readonly currentMetrics?: readonly Metric<"current">[];
  };
}

/** What it holds of a metric (`target`), or reads of it (`current`). */
interface Metric<Side extends "target" | "current"> {
  /** Percent of what pods request. */
  readonly resource?: Readonly<Record<Side, { readonly averageUtilization?: number }>>;
  /** Requests/s per pod, a quantity. */
  readonly external?: { readonly metric: { readonly name: string } } & Readonly<
    Record<Side, { readonly averageValue?: string }>
  >;
}

export interface ScalingRules {
  readonly stabilizationWindowSeconds?: number;
  readonly policies?: readonly { readonly type: string; readonly value: number; readonly periodSeconds: number }[];
}

/** What an autoscaler reads of a pod: the share of its CPU request that it uses, or requests/s; undefined while it has no reading. */
export function readingOf(fn: FunctionConfig, autoscaler: AutoscalerObject | undefined): number | undefined {
  return valueOf(fn, autoscaler?.status?.currentMetrics ?? [], "current");
}

/** What it holds a pod at, in the same. */
export function heldBy(fn: FunctionConfig, { spec }: AutoscalerObject): number | undefined {
  return valueOf(fn, spec.metrics ?? [], "target");
}

function valueOf<Side extends "target" | "current">(
  { scaling }: FunctionConfig,
  metrics: readonly Metric<Side>[],
  side: Side,
): number | undefined {
  if (scaling.metric === "cpu") {
    const percent = metrics.find(({ resource }) => resource)?.resource?.[side].averageUtilization;
    return percent === undefined ? undefined : percent / 100;
  }
  const requests = metrics.find(({ external }) => external?.metric.name === REQUESTS_METRIC);
  const value = requests?.external?.[side].averageValue;
  return value === undefined ? undefined : quantityOf(value);
}

/** `85%`, or `12.5/s`. */
export function formatReading({ scaling }: FunctionConfig, reading: number): string {
  return scaling.metric === "cpu" ? formatPercent(Number(reading.toFixed(4))) : `${formatCount(reading)}/s`;
}

/** What the config has it hold a pod at. */
export function targetOf({ scaling }: FunctionConfig): number {
  return scaling.metric === "cpu" ? scaling.cpuTarget : scaling.requestsPerPod;
}

const SUFFIXES: Readonly<Record<string, number>> = { m: 1e-3, k: 1e3, M: 1e6, G: 1e9 };

/** A decimal quantity of Kubernetes, which writes 12.5 as `12500m` and 3,000 as `3k`. */
function quantityOf(text: string): number {
  const factor = SUFFIXES[text.slice(-1)];
  return factor === undefined ? Number(text) : Number(text.slice(0, -1)) * factor;
}
