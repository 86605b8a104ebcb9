import type { types } from "@pulumi/kubernetes";

const READ = ["get", "list", "watch"];

/**
 * What a tenant's group may do in its namespace: see everything about its functions except secrets, and deploy
 * them by changing their Deployments. Making and deleting objects, quota, network and access stay with the platform.
 */
export const DEVELOPER_RULES: types.input.rbac.v1.PolicyRule[] = [
  { apiGroups: [""], resources: ["pods", "pods/log", "events", "services", "configmaps"], verbs: READ },
  { apiGroups: ["events.k8s.io"], resources: ["events"], verbs: READ },
  { apiGroups: ["apps"], resources: ["replicasets"], verbs: READ },
  { apiGroups: ["apps"], resources: ["deployments"], verbs: [...READ, "patch", "update"] },
  { apiGroups: ["autoscaling"], resources: ["horizontalpodautoscalers"], verbs: READ },
  { apiGroups: ["policy"], resources: ["poddisruptionbudgets"], verbs: READ },
];
