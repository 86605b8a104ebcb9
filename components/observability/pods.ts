import * as k8s from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import type { ObservabilityConfig } from "../../infra/config";
import type { Sized } from "../../infra/plan/types";
import { formatBytes } from "../../infra/units";
import { labels, selectorLabels } from "../labels";
import { RESTRICTED_POD } from "../security";
import { resources } from "../workload";

/** What every part that watches is told. */
export interface PartArgs {
  /** Goes into the `environment` label. */
  readonly environment: string;
  readonly namespace: pulumi.Input<string>;
  /** Reference of its official image. */
  readonly image: string;
  readonly priorityClassName: pulumi.Input<string>;
}

/** Names and labels of a part's objects: its component is its job in Prometheus. */
export function part(name: string, { environment, namespace }: Pick<PartArgs, "environment" | "namespace">) {
  const selector = selectorLabels({ name, component: name });
  const common = labels({ name, component: name, environment });
  return {
    selector,
    common,
    metadata: (objectName: string) => ({ name: objectName, namespace, labels: common }),
  };
}

/** The account of pods: without a token, unless they mount one. */
export function account(
  name: string,
  metadata: k8s.types.input.meta.v1.ObjectMeta,
  opts: pulumi.CustomResourceOptions,
) {
  return new k8s.core.v1.ServiceAccount(`${name}-account`, { metadata, automountServiceAccountToken: false }, opts);
}

/** What all pods have in common, as the user of the official image. */
export function podFrame(
  user: number,
  serviceAccountName: pulumi.Input<string>,
  priorityClassName: pulumi.Input<string>,
): Omit<k8s.types.input.core.v1.PodSpec, "containers"> {
  return {
    serviceAccountName,
    priorityClassName,
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    securityContext: {
      ...{ ...RESTRICTED_POD, runAsUser: user, runAsGroup: user, fsGroup: user },
      // A volume of many files is not gone through at each start.
      fsGroupChangePolicy: "OnRootMismatch",
    },
  };
}

/** Beside its data, as much as every container of the platform may write. */
const LOGS_ROOM = 64 * 2 ** 20;

type Storage = ObservabilityConfig["storage"];

/** Where a StatefulSet's pod keeps its data: a volume that outlives it, or a folder of its own. */
export function dataVolume(name: string, storage: Storage, size: number): DataVolume {
  if (storage.kind === "ephemeral") {
    return { volumes: [{ name, emptyDir: { sizeLimit: formatBytes(size) } }], claims: {} };
  }
  const claim = {
    metadata: { name },
    spec: {
      accessModes: ["ReadWriteOnce"],
      ...(storage.className !== undefined && { storageClassName: storage.className }),
      resources: { requests: { storage: formatBytes(size) } },
    },
  };
  return { volumes: [], claims: { volumeClaimTemplates: [claim] } };
}

export interface DataVolume {
  /** Of the pod. */
  readonly volumes: k8s.types.input.core.v1.Volume[];
  /** Of the StatefulSet. */
  readonly claims: { readonly volumeClaimTemplates?: k8s.types.input.core.v1.PersistentVolumeClaim[] };
}

/** A container's resources; without a volume that outlives it, what it keeps counts as what the pod has written. */
export function dataResources(sized: Sized & { readonly storage: number }, storage: Storage) {
  const { requests, limits } = resources(sized);
  if (storage.kind === "persistent") return { requests, limits };
  return { requests, limits: { ...limits, "ephemeral-storage": formatBytes(sized.storage + LOGS_ROOM) } };
}
