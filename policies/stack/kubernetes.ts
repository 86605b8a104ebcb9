import type { types } from "@pulumi/kubernetes";
import type { Unwrap } from "@pulumi/pulumi";
import type { Problem } from "../../infra/problems";
import { ifKnown, type Judged } from "./policy";

export type Container = Unwrap<types.input.core.v1.Container>;
export type PodSpec = Unwrap<types.input.core.v1.PodSpec>;
export type Metadata = Unwrap<types.input.meta.v1.ObjectMeta>;

/** The inputs of a resource, by its type. Types only: the SDK takes seconds to load. */
interface Inputs {
  readonly "command:remote:Command": {
    readonly create?: string;
    readonly update?: string;
    readonly delete?: string;
    readonly environment?: Readonly<Record<string, string>>;
    readonly connection: Login & { readonly proxy?: Login };
  };
  readonly "kubernetes:apps/v1:DaemonSet": Unwrap<types.input.apps.v1.DaemonSet>;
  readonly "kubernetes:apps/v1:Deployment": Unwrap<types.input.apps.v1.Deployment>;
  readonly "kubernetes:apps/v1:ReplicaSet": Unwrap<types.input.apps.v1.ReplicaSet>;
  readonly "kubernetes:apps/v1:StatefulSet": Unwrap<types.input.apps.v1.StatefulSet>;
  readonly "kubernetes:autoscaling/v2:HorizontalPodAutoscaler": Unwrap<types.input.autoscaling.v2.HorizontalPodAutoscaler>;
  readonly "kubernetes:batch/v1:CronJob": Unwrap<types.input.batch.v1.CronJob>;
  readonly "kubernetes:batch/v1:Job": Unwrap<types.input.batch.v1.Job>;
  readonly "kubernetes:core/v1:ConfigMap": Unwrap<types.input.core.v1.ConfigMap>;
  readonly "kubernetes:core/v1:Namespace": Unwrap<types.input.core.v1.Namespace>;
  readonly "kubernetes:core/v1:Pod": Unwrap<types.input.core.v1.Pod>;
  readonly "kubernetes:core/v1:ReplicationController": Unwrap<types.input.core.v1.ReplicationController>;
  readonly "kubernetes:core/v1:Service": Unwrap<types.input.core.v1.Service>;
  readonly "kubernetes:core/v1:ServiceAccount": Unwrap<types.input.core.v1.ServiceAccount>;
  readonly "kubernetes:keda.sh/v1alpha1:ScaledObject": ScaledObject;
  readonly "kubernetes:networking.k8s.io/v1:NetworkPolicy": Unwrap<types.input.networking.v1.NetworkPolicy>;
  readonly "kubernetes:policy/v1:PodDisruptionBudget": Unwrap<types.input.policy.v1.PodDisruptionBudget>;
  readonly "kubernetes:rbac.authorization.k8s.io/v1:ClusterRole": Unwrap<types.input.rbac.v1.ClusterRole>;
  readonly "kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding": Unwrap<types.input.rbac.v1.ClusterRoleBinding>;
  readonly "kubernetes:rbac.authorization.k8s.io/v1:Role": Unwrap<types.input.rbac.v1.Role>;
  readonly "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding": Unwrap<types.input.rbac.v1.RoleBinding>;
}

/** What of KEDA's ScaledObject is judged. */
interface ScaledObject {
  readonly spec?: {
    readonly scaleTargetRef: { readonly kind?: string; readonly name: string };
    readonly minReplicaCount?: number;
    readonly maxReplicaCount?: number;
  };
}

interface Login {
  readonly host: string;
  readonly hostKey?: string;
}

/** The inputs of a resource, where it is of one of these types. */
export function inputsOf<Type extends keyof Inputs>(
  resource: Judged,
  ...of: readonly Type[]
): Inputs[Type] | undefined {
  return (of as readonly string[]).includes(resource.type) ? (resource.props as unknown as Inputs[Type]) : undefined;
}

/** Of any object of a cluster. */
export function metadataOf(resource: Judged): Metadata | undefined {
  return resource.type.startsWith("kubernetes:") ? (resource.props["metadata"] as Metadata) : undefined;
}

/** The namespace that an object goes into; undefined where a preview does not know it, or there is none. */
export function namespaceOf(resource: Judged): string | undefined {
  return ifKnown(() => metadataOf(resource)?.namespace);
}

/** What stands for a namespace in messages where a preview does not know it. */
export const UNKNOWN_NAMESPACE = "(unknown)";

export function isPlaceKnown(resource: Judged): boolean {
  return ifKnown(() => [metadataOf(resource)?.namespace]) !== undefined;
}

/** The object's own name, or where a preview does not know it, the resource's. */
export function nameOf(resource: Judged): string {
  return ifKnown(() => metadataOf(resource)?.name) ?? resource.name;
}

/** Which object: `Deployment shop/checkout`. */
export function whichOf(resource: Judged): string {
  const namespace = isPlaceKnown(resource) ? namespaceOf(resource) : UNKNOWN_NAMESPACE;
  const kind = resource.type.split(":").at(-1) ?? resource.type;
  return `${kind} ${namespace === undefined ? "" : `${namespace}/`}${nameOf(resource)}`;
}

/** A problem of a resource's field. */
export function problemAt(resource: Judged, field: string, rest: Omit<Problem, "path">): Problem {
  return { path: `${whichOf(resource)} ${field}`, ...rest };
}

/** What runs pods. */
export interface Workload {
  readonly pod: PodSpec;
  /** Labels of its pods. */
  readonly labels: Readonly<Record<string, string>>;
  /** The path of its pod's spec. */
  readonly path: string;
  /** Whether its pods end by themselves: nobody sends them requests. */
  readonly ends: boolean;
}

/** The pods that a resource makes. */
export function workloadOf(resource: Judged): Workload | undefined {
  const pod = inputsOf(resource, "kubernetes:core/v1:Pod");
  if (pod?.spec) return { pod: pod.spec, labels: pod.metadata?.labels ?? {}, path: "spec", ends: false };
  const controller = inputsOf(
    resource,
    "kubernetes:apps/v1:DaemonSet",
    "kubernetes:apps/v1:Deployment",
    "kubernetes:apps/v1:ReplicaSet",
    "kubernetes:apps/v1:StatefulSet",
    "kubernetes:core/v1:ReplicationController",
  );
  if (controller) return ofTemplate(controller.spec?.template, "spec.template", false);
  const job = inputsOf(resource, "kubernetes:batch/v1:Job");
  if (job) return ofTemplate(job.spec?.template, "spec.template", true);
  const cron = inputsOf(resource, "kubernetes:batch/v1:CronJob");
  return cron && ofTemplate(cron.spec?.jobTemplate.spec?.template, "spec.jobTemplate.spec.template", true);
}

function ofTemplate(
  template: Unwrap<types.input.core.v1.PodTemplateSpec> | undefined,
  path: string,
  ends: boolean,
): Workload | undefined {
  // Without pods: the API server refuses it.
  if (template?.spec === undefined) return undefined;
  return { pod: template.spec, labels: template.metadata?.labels ?? {}, path: `${path}.spec`, ends };
}

/** A container with where it stands. */
export interface Placed {
  readonly container: Container;
  readonly path: string;
  /** Before the others, and ended before they start; a sidecar is not that, though it stands among these. */
  readonly init: boolean;
  /** Beside the others, from before they start. */
  readonly sidecar: boolean;
}

export function containersOf({ pod, path }: Workload): readonly Placed[] {
  const place = (list: "containers" | "initContainers", container: Container): Placed => {
    const sidecar = list === "initContainers" && container.restartPolicy === "Always";
    const at = `${path}.${list}.${container.name}`;
    return { container, path: at, init: list === "initContainers" && !sidecar, sidecar };
  };
  return [
    ...(pod.initContainers ?? []).map((container) => place("initContainers", container)),
    ...pod.containers.map((container) => place("containers", container)),
  ];
}
