import type { MatchedKind } from "./policy";

function matched(group: string, kind: string, version = "v1"): MatchedKind {
  const plural = kind.endsWith("y") ? kind.replace(/y$/, "ies") : `${kind}s`;
  return { group, kind, asked: { group, version, resources: [plural.toLowerCase()] } };
}

/** Pods also when a container is put into one that runs (`kubectl debug`), or its resources are changed (`kubectl patch --subresource resize`). */
export const POD: MatchedKind = {
  group: "",
  kind: "Pod",
  asked: { group: "", version: "v1", resources: ["pods", "pods/ephemeralcontainers", "pods/resize"] },
};

/** What keeps pods running. A Deployment's ReplicaSets repeat it: judged are those that somebody makes by hand. */
export const SERVERS: readonly MatchedKind[] = ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"].map((kind) =>
  matched("apps", kind),
);

export const JOBS: readonly MatchedKind[] = ["Job", "CronJob"].map((kind) => matched("batch", kind));

/**
 * Pods and what makes them. The makers, so that whoever applies one is told at once, not by pods that do not come; the
 * pods too, since they also come by hand. Pods that a controller makes of a template that was judged are not asked about:
 * see `ALREADY_JUDGED`.
 */
export const PODS_AND_MAKERS: readonly MatchedKind[] = [POD, ...SERVERS, ...JOBS];

/** How `kubectl scale` and autoscalers change a count. */
export const SCALE: MatchedKind = {
  group: "autoscaling",
  kind: "Scale",
  asked: { group: "apps", version: "v1", resources: ["deployments/scale", "replicasets/scale", "statefulsets/scale"] },
};

export const AUTOSCALER = matched("autoscaling", "HorizontalPodAutoscaler", "v2");

export const BUDGET = matched("policy", "PodDisruptionBudget");

export const NAMESPACE = matched("", "Namespace");

export const SERVICE = matched("", "Service");

export const SERVICE_ACCOUNT = matched("", "ServiceAccount");

export const NETWORK_POLICY = matched("networking.k8s.io", "NetworkPolicy");

const RBAC = "rbac.authorization.k8s.io";

export const ROLES: readonly MatchedKind[] = [matched(RBAC, "Role"), matched(RBAC, "ClusterRole")];

export const BINDINGS: readonly MatchedKind[] = [matched(RBAC, "RoleBinding"), matched(RBAC, "ClusterRoleBinding")];

/** Kinds whose objects are in no namespace. */
export const CLUSTER_KINDS: readonly string[] = ["Namespace", "ClusterRole", "ClusterRoleBinding"];
