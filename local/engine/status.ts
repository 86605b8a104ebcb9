import { bufferName } from "../../infra/buffers";
import type { StackConfig } from "../../infra/config";
import { GATEKEEPER } from "../../components/admission/names";
import { KEDA } from "../../components/autoscaling/names";
import { autoscalerName } from "../../components/functions/names";
import { hostsNamespaceName } from "../../components/observability/names";
import { scalesByRequests } from "../../infra/plan/autoscaling";
import type { Kubectl } from "../control-plane/kubectl";
import { table } from "../table";
import { formatReading, readingOf, targetOf, type AutoscalerObject } from "./autoscaler";

interface WorkloadObject {
  readonly spec: {
    readonly replicas?: number;
    readonly template: { readonly spec: { readonly containers: readonly { readonly image: string }[] } };
  };
  readonly status?: {
    readonly readyReplicas?: number;
    /** Of a DaemonSet, which has no number of its own. */
    readonly numberReady?: number;
    readonly desiredNumberScheduled?: number;
  };
}

export interface FunctionStatus {
  readonly name: string;
  readonly namespace: string;
  readonly ready: number;
  readonly replicas: number;
  readonly min: number;
  readonly max: number;
  /** What the autoscaler reads: CPU in percent of the request, or requests/s per pod; undefined while it has no reading. */
  readonly reading: string | undefined;
  readonly target: string;
  /** Pods that keep room beside its own, ready ones of those that there are to be; undefined where it has none. */
  readonly buffer: { readonly ready: number; readonly replicas: number } | undefined;
  readonly image: string;
}

export interface PlatformPart {
  readonly kind: "deployment" | "statefulset" | "daemonset";
  readonly name: string;
  readonly namespace: string;
  /** Whether an autoscaler of its name has its replicas. */
  readonly scales: boolean;
}

/** The platform's own workloads: what functions are reached through, what admits objects, and what watches, where the stack has that. */
export function platformParts(config: StackConfig): PlatformPart[] {
  const { gateway, observability, admission } = config;
  const { namespace, enabled, grafana } = observability;
  const part = (kind: PlatformPart["kind"], name: string, where = namespace) => ({
    ...{ kind, name, namespace: where },
    scales: where === gateway.namespace,
  });
  const wayIn = ["gateway", "authorizer"].map((name) => part("deployment", name, gateway.namespace));
  const guarding = [GATEKEEPER.webhook, GATEKEEPER.audit].map((name) => part("deployment", name, GATEKEEPER.namespace));
  const scaling = [KEDA.operator, KEDA.adapter].map((name) => part("deployment", name, KEDA.namespace));
  const always = [...wayIn, ...(admission.enabled ? guarding : []), ...(scalesByRequests(config) ? scaling : [])];
  if (!enabled) return always;
  return [
    ...always,
    ...["prometheus", "alertmanager", "loki"].map((name) => part("statefulset", name)),
    part("deployment", "kube-state-metrics"),
    ...(grafana.enabled ? [part("deployment", "grafana")] : []),
    ...["collector", "node-exporter"].map((name) => part("daemonset", name, hostsNamespaceName(observability))),
  ];
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
    platformParts(config).map(async ({ kind, name, namespace, scales }) => {
      const workload = await get<WorkloadObject>(kubectl, kind, name, namespace);
      return {
        name,
        namespace,
        ready: workload?.status?.readyReplicas ?? workload?.status?.numberReady ?? 0,
        replicas: workload?.spec.replicas ?? workload?.status?.desiredNumberScheduled ?? 0,
        scales: scales ? await bounds(kubectl, name, namespace) : SCALES[kind],
        image: workload?.spec.template.spec.containers[0]?.image ?? "not there",
      };
    }),
  );
}

/** How often a part without an autoscaler is there. */
const SCALES = { deployment: "fixed", statefulset: "fixed", daemonset: "per node" } as const;

async function bounds(kubectl: Kubectl, name: string, namespace: string): Promise<string> {
  const hpa = await get<AutoscalerObject>(kubectl, "hpa", name, namespace);
  return hpa ? `${hpa.spec.minReplicas} to ${hpa.spec.maxReplicas}` : "not there";
}

export function platformTable(parts: readonly PartStatus[]): string {
  return table([
    ["PLATFORM", "NAMESPACE", "PODS READY", "SCALES", "IMAGE"],
    ...parts.map((part) => [part.name, part.namespace, `${part.ready}/${part.replicas}`, part.scales, part.image]),
  ]);
}

/** In place of a reading, of a function that has no pods since nobody asks for it. */
const ASLEEP = "asleep";

/** What the cluster says of each function; a function that is not there has 0 of 0 replicas. */
export async function functionStatus(kubectl: Kubectl, config: StackConfig): Promise<FunctionStatus[]> {
  return Promise.all(
    config.functions.map(async (fn) => {
      const namespace = fn.tenant;
      const deployment = await get<WorkloadObject>(kubectl, "deployment", fn.name, namespace);
      const hpa = await get<AutoscalerObject>(kubectl, "hpa", autoscalerName(fn), namespace);
      const reading = readingOf(fn, hpa);
      const buffer =
        fn.scaling.buffer > 0 ? await get<WorkloadObject>(kubectl, "deployment", bufferName(fn), namespace) : undefined;
      const sleeps = fn.scaling.min === 0 && deployment?.spec.replicas === 0;
      return {
        name: fn.name,
        namespace,
        ready: deployment?.status?.readyReplicas ?? 0,
        replicas: deployment?.spec.replicas ?? 0,
        min: hpa?.spec.minReplicas ?? fn.scaling.min,
        max: hpa?.spec.maxReplicas ?? fn.scaling.max,
        // Without pods an autoscaler reads nothing.
        reading: sleeps ? ASLEEP : reading === undefined ? undefined : formatReading(fn, reading),
        target: formatReading(fn, targetOf(fn)),
        buffer:
          fn.scaling.buffer > 0
            ? { ready: buffer?.status?.readyReplicas ?? 0, replicas: fn.scaling.buffer }
            : undefined,
        image: deployment?.spec.template.spec.containers[0]?.image ?? "not there",
      };
    }),
  );
}

export function functionTable(functions: readonly FunctionStatus[]): string {
  // Seldom is there any.
  const keepsRoom = functions.some(({ buffer }) => buffer !== undefined);
  const roomOf = ({ buffer }: FunctionStatus) => (buffer === undefined ? "-" : `${buffer.ready}/${buffer.replicas}`);
  return table([
    ["FUNCTION", "NAMESPACE", "PODS READY", ...(keepsRoom ? ["ROOM KEPT"] : []), "SCALES", "READING", "IMAGE"],
    ...functions.map((fn) => [
      fn.name,
      fn.namespace,
      `${fn.ready}/${fn.replicas}`,
      ...(keepsRoom ? [roomOf(fn)] : []),
      `${fn.min} to ${fn.max}`,
      fn.reading === ASLEEP ? ASLEEP : `${fn.reading ?? "no reading"} of ${fn.target}`,
      fn.image,
    ]),
  ]);
}

async function get<T>(kubectl: Kubectl, kind: string, name: string, namespace: string): Promise<T | undefined> {
  const text = await kubectl(["get", kind, name, "-n", namespace, "-o", "json", "--ignore-not-found"]);
  return text.trim() === "" ? undefined : (JSON.parse(text) as T);
}
