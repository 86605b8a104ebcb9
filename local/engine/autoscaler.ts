import { REQUESTS_METRIC } from "../../components/autoscaling/names";
import type { FunctionConfig } from "../../infra/config";
import { formatCount } from "../../infra/plan/numbers";
import { formatPercent } from "../../infra/units";

/** The part of a HorizontalPodAutoscaler that is read. */
export interface AutoscalerObject {
  readonly spec: {
    readonly minReplicas?: number;
    readonly maxReplicas: number;
    readonly behavior?: Readonly<Record<"scaleUp" | "scaleDown", ScalingRules | undefined>>;
  };
  readonly status?: {
    readonly desiredReplicas?: number;
    readonly currentMetrics?: readonly {
      readonly resource?: { readonly current: { readonly averageUtilization?: number } };
      /** Requests/s per pod, a quantity. */
      readonly external?: {
        readonly metric: { readonly name: string };
        readonly current: { readonly averageValue?: string };
      };
    }[];
  };
}

export interface ScalingRules {
  readonly stabilizationWindowSeconds?: number;
  readonly policies?: readonly { readonly type: string; readonly value: number; readonly periodSeconds: number }[];
}

/** What an autoscaler reads of a pod: the share of its CPU request that it uses, or requests/s; undefined while it has no reading. */
export function readingOf({ scaling }: FunctionConfig, autoscaler: AutoscalerObject | undefined): number | undefined {
  const metrics = autoscaler?.status?.currentMetrics ?? [];
  if (scaling.metric === "cpu") {
    const percent = metrics.find(({ resource }) => resource)?.resource?.current.averageUtilization;
    return percent === undefined ? undefined : percent / 100;
  }
  const requests = metrics.find(({ external }) => external?.metric.name === REQUESTS_METRIC);
  const value = requests?.external?.current.averageValue;
  return value === undefined ? undefined : quantityOf(value);
}

/** `85%`, or `12.5/s`. */
export function formatReading({ scaling }: FunctionConfig, reading: number): string {
  return scaling.metric === "cpu" ? formatPercent(Number(reading.toFixed(4))) : `${formatCount(reading)}/s`;
}

/** What it holds a pod at. */
export function targetOf({ scaling }: FunctionConfig): number {
  return scaling.metric === "cpu" ? scaling.cpuTarget : scaling.requestsPerPod;
}

const SUFFIXES: Readonly<Record<string, number>> = { m: 1e-3, k: 1e3, M: 1e6, G: 1e9 };

/** A decimal quantity of Kubernetes, which writes 12.5 as `12500m` and 3,000 as `3k`. */
function quantityOf(text: string): number {
  const factor = SUFFIXES[text.slice(-1)];
  return factor === undefined ? Number(text) : Number(text.slice(0, -1)) * factor;
}
