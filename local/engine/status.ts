import type { StackConfig } from "../../infra/config";
import { formatPercent } from "../../infra/units";
import type { Kubectl } from "../control-plane/kubectl";
import { table } from "../table";

interface DeploymentObject {
  readonly spec: {
    readonly replicas?: number;
    readonly template: { readonly spec: { readonly containers: readonly { readonly image: string }[] } };
  };
  readonly status?: { readonly readyReplicas?: number };
}

interface AutoscalerObject {
  readonly spec: { readonly minReplicas: number; readonly maxReplicas: number };
  readonly status?: {
    readonly desiredReplicas?: number;
    readonly currentMetrics?: readonly {
      readonly resource?: { readonly current: { readonly averageUtilization?: number } };
    }[];
  };
}

export interface FunctionStatus {
  readonly name: string;
  readonly namespace: string;
  readonly ready: number;
  readonly replicas: number;
  readonly min: number;
  readonly max: number;
  /** CPU as the autoscaler reads it, in percent of the request; undefined while it has no reading. */
  readonly cpu: number | undefined;
  readonly cpuTarget: string;
  readonly image: string;
}

/** The platform's own Deployments that every stack has: what functions are reached through. */
export function platformParts(config: StackConfig): { readonly name: string; readonly namespace: string }[] {
  return ["gateway", "authorizer"].map((name) => ({ name, namespace: config.gateway.namespace }));
}

export interface PartStatus {
  readonly name: string;
  readonly namespace: string;
  readonly ready: number;
  readonly replicas: number;
  readonly scales: string;
  readonly image: string;
}

/** What the cluster says of the platform's own parts. */
export async function platformStatus(kubectl: Kubectl, config: StackConfig): Promise<PartStatus[]> {
  return Promise.all(
    platformParts(config).map(async ({ name, namespace }) => {
      const deployment = await get<DeploymentObject>(kubectl, "deployment", name, namespace);
      const hpa = await get<AutoscalerObject>(kubectl, "hpa", name, namespace);
      return {
        name,
        namespace,
        ready: deployment?.status?.readyReplicas ?? 0,
        replicas: deployment?.spec.replicas ?? 0,
        scales: hpa ? `${hpa.spec.minReplicas} to ${hpa.spec.maxReplicas}` : "not there",
        image: deployment?.spec.template.spec.containers[0]?.image ?? "not there",
      };
    }),
  );
}

export function platformTable(parts: readonly PartStatus[]): string {
  return table([
    ["PLATFORM", "NAMESPACE", "PODS READY", "SCALES", "IMAGE"],
    ...parts.map((part) => [part.name, part.namespace, `${part.ready}/${part.replicas}`, part.scales, part.image]),
  ]);
}

/** What the cluster says of each function; a function that is not there has 0 of 0 replicas. */
export async function functionStatus(kubectl: Kubectl, config: StackConfig): Promise<FunctionStatus[]> {
  return Promise.all(
    config.functions.map(async (fn) => {
      const namespace = fn.tenant;
      const deployment = await get<DeploymentObject>(kubectl, "deployment", fn.name, namespace);
      const hpa = await get<AutoscalerObject>(kubectl, "hpa", `${fn.name}-hpa`, namespace);
      return {
        name: fn.name,
        namespace,
        ready: deployment?.status?.readyReplicas ?? 0,
        replicas: deployment?.spec.replicas ?? 0,
        min: hpa?.spec.minReplicas ?? fn.scaling.min,
        max: hpa?.spec.maxReplicas ?? fn.scaling.max,
        cpu: hpa?.status?.currentMetrics?.find((metric) => metric.resource)?.resource?.current.averageUtilization,
        cpuTarget: formatPercent(fn.scaling.cpuTarget),
        image: deployment?.spec.template.spec.containers[0]?.image ?? "not there",
      };
    }),
  );
}

export function functionTable(functions: readonly FunctionStatus[]): string {
  return table([
    ["FUNCTION", "NAMESPACE", "PODS READY", "SCALES", "CPU", "IMAGE"],
    ...functions.map((fn) => [
      fn.name,
      fn.namespace,
      `${fn.ready}/${fn.replicas}`,
      `${fn.min} to ${fn.max}`,
      `${fn.cpu === undefined ? "no reading" : `${fn.cpu}%`} of ${fn.cpuTarget}`,
      fn.image,
    ]),
  ]);
}

async function get<T>(kubectl: Kubectl, kind: string, name: string, namespace: string): Promise<T | undefined> {
  const text = await kubectl(["get", kind, name, "-n", namespace, "-o", "json", "--ignore-not-found"]);
  return text.trim() === "" ? undefined : (JSON.parse(text) as T);
}
