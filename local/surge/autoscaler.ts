import { autoscalerName } from "../../components/functions/names";
import type { FunctionConfig } from "../../infra/config";
import { readingOf, type AutoscalerObject, type ScalingRules } from "../engine/autoscaler";
import { ApiError, type Api } from "./api";

/** What the autoscaler of a function does. */
export interface Watched {
  /** Replicas that it wants. */
  readonly desired: number;
  /** See `readingOf`. */
  readonly reading: number | undefined;
}

export async function watchAutoscaler(api: Api, fn: FunctionConfig): Promise<Watched> {
  const autoscaler = await api.get<AutoscalerObject>(autoscalerPath(fn));
  return { desired: autoscaler.status?.desiredReplicas ?? 0, reading: readingOf(fn, autoscaler) };
}

/** The rules of the autoscaler that the cluster has for a function, as `scalingOf` says them; undefined where it has none. */
export async function rulesInCluster(api: Api, fn: FunctionConfig): Promise<string | undefined> {
  try {
    return autoscalerWords(await api.get<AutoscalerObject>(autoscalerPath(fn)));
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  }
}

function autoscalerPath(fn: FunctionConfig): string {
  return `/apis/autoscaling/v2/namespaces/${fn.tenant}/horizontalpodautoscalers/${autoscalerName(fn)}`;
}

/** `10 to 5000, up 900% or 1000 in 15 s after 0 s, down 10% or 1 in 15 s after 120 s`. */
export function scalingOf({ scaling }: FunctionConfig): string {
  const rules = ({ percent, pods, period, stabilization }: typeof scaling.up) =>
    rulesWords(Math.round(percent * 100), pods, period / 1000, stabilization / 1000);
  // From none to one and back is KEDA's, which tells the autoscaler of one at least.
  const min = Math.max(1, scaling.min);
  return `${min} to ${scaling.max}, up ${rules(scaling.up)}, down ${rules(scaling.down)}`;
}

export function autoscalerWords({ spec }: AutoscalerObject): string {
  const rules = (found: ScalingRules | undefined) => {
    const value = (type: string) => found?.policies?.find((policy) => policy.type === type)?.value ?? 0;
    const period = found?.policies?.[0]?.periodSeconds ?? 0;
    return rulesWords(value("Percent"), value("Pods"), period, found?.stabilizationWindowSeconds ?? 0);
  };
  const { minReplicas = 1, maxReplicas, behavior } = spec;
  return `${minReplicas} to ${maxReplicas}, up ${rules(behavior?.scaleUp)}, down ${rules(behavior?.scaleDown)}`;
}

function rulesWords(percent: number, pods: number, period: number, after: number): string {
  return `${percent}% or ${pods} in ${period} s after ${after} s`;
}
