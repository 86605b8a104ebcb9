import { autoscalerName } from "../../components/functions/names";
import type { FunctionConfig } from "../../infra/config";
import {
  formatReading,
  heldBy,
  readingOf,
  targetOf,
  type AutoscalerObject,
  type ScalingRules,
} from "../engine/autoscaler";
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

/** Of what KEDA makes an autoscaler of: from none to one and back is its own, and the autoscaler knows one at least. */
interface ScaledObject {
  readonly spec: { readonly minReplicaCount?: number };
}

/** How the cluster scales a function, as `scalingOf` says it; undefined where nothing does. */
export async function scalingInCluster(api: Api, fn: FunctionConfig): Promise<string | undefined> {
  try {
    const autoscaler = await api.get<AutoscalerObject>(autoscalerPath(fn));
    if (fn.scaling.metric === "cpu") return autoscalerWords(fn, autoscaler);
    const path = `/apis/keda.sh/v1alpha1/namespaces/${fn.tenant}/scaledobjects/${fn.name}`;
    const { spec } = await api.get<ScaledObject>(path);
    return autoscalerWords(fn, autoscaler, spec.minReplicaCount ?? 0);
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  }
}

function autoscalerPath(fn: FunctionConfig): string {
  return `/apis/autoscaling/v2/namespaces/${fn.tenant}/horizontalpodautoscalers/${autoscalerName(fn)}`;
}

/** `10 to 5000 at 70%, up 900% or 1000 in 15 s after 0 s, down 10% or 1 in 15 s after 120 s`. */
export function scalingOf(fn: FunctionConfig): string {
  const { scaling } = fn;
  const rules = ({ percent, pods, period, stabilization }: typeof scaling.up) =>
    rulesWords(Math.round(percent * 100), pods, period / 1000, stabilization / 1000);
  return words(fn, scaling, targetOf(fn), { up: rules(scaling.up), down: rules(scaling.down) });
}

/** @param min - replicas at least, where it is not the autoscaler that knows */
export function autoscalerWords(fn: FunctionConfig, autoscaler: AutoscalerObject, min?: number): string {
  const { minReplicas = 1, maxReplicas, behavior } = autoscaler.spec;
  const rules = (found: ScalingRules | undefined) => {
    const value = (type: string) => found?.policies?.find((policy) => policy.type === type)?.value ?? 0;
    const period = found?.policies?.[0]?.periodSeconds ?? 0;
    return rulesWords(value("Percent"), value("Pods"), period, found?.stabilizationWindowSeconds ?? 0);
  };
  const bounds = { min: min ?? minReplicas, max: maxReplicas };
  return words(fn, bounds, heldBy(fn, autoscaler), { up: rules(behavior?.scaleUp), down: rules(behavior?.scaleDown) });
}

function words(
  fn: FunctionConfig,
  { min, max }: { readonly min: number; readonly max: number },
  target: number | undefined,
  { up, down }: Readonly<Record<"up" | "down", string>>,
): string {
  return `${min} to ${max} at ${target === undefined ? "nothing" : formatReading(fn, target)}, up ${up}, down ${down}`;
}

function rulesWords(percent: number, pods: number, period: number, after: number): string {
  return `${percent}% or ${pods} in ${period} s after ${after} s`;
}
