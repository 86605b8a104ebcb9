import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { Sized } from "../../infra/plan/types";
import { createPolicies, fromPods, toApiServer, type ApiServerPeers, type Peer } from "../network";
import { CREDENTIALS } from "../security";
import { CONTAINER, disruptionBudget, probes, resources, ROLLING_UPDATE } from "../workload";
import { account, part, podFrame, type PartArgs } from "./pods";

/** `nobody` of the official image. */
const USER = 65534;
export const KUBE_STATE_METRICS_PORT = 8080;
const OWN_PORT = 8081;

/** Kinds that are watched, by API group. Neither Secrets nor ConfigMaps: what they hold is nobody's business here. */
const WATCHED: Readonly<Record<string, readonly string[]>> = {
  "": ["nodes", "pods", "namespaces", "resourcequotas", "persistentvolumeclaims"],
  apps: ["deployments", "daemonsets", "statefulsets"],
  autoscaling: ["horizontalpodautoscalers"],
  policy: ["poddisruptionbudgets"],
};

/** Families that rules and dashboards ask for. Of a pod it knows some forty others, and there are thousands of pods. */
export const KUBE_STATE_FAMILIES = [
  "kube_pod_info",
  "kube_pod_created",
  "kube_pod_status_phase",
  "kube_pod_status_ready",
  "kube_pod_deletion_timestamp",
  "kube_pod_container_status_restarts_total",
  "kube_pod_container_status_waiting_reason",
  "kube_pod_container_resource_requests",
  "kube_pod_container_resource_limits",
  "kube_deployment_spec_replicas",
  "kube_deployment_status_replicas_.*",
  "kube_daemonset_status_.*",
  "kube_statefulset_(?:replicas|status_replicas_ready)",
  "kube_horizontalpodautoscaler_(?:spec_(?:min|max)_replicas|status_.*)",
  "kube_node_info",
  "kube_node_spec_unschedulable",
  "kube_node_status_(?:allocatable|capacity|condition)",
  "kube_resourcequota",
  "kube_poddisruptionbudget_status_.*",
  "kube_persistentvolumeclaim_status_phase",
];

export interface KubeStateMetricsArgs extends PartArgs {
  readonly sized: Sized;
  readonly apiServer: ApiServerPeers;
  readonly prometheus: Peer;
}

/** kube-state-metrics: what the API server knows of pods, autoscalers and nodes, as numbers. It reads, and reads no secret. */
export class KubeStateMetrics extends pulumi.ComponentResource {
  constructor(name: string, args: KubeStateMetricsArgs, opts?: pulumi.ComponentResourceOptions) {
    super("wasm-functions:observability:KubeStateMetrics", name, {}, opts);
    const { selector, common, metadata } = part(name, args);
    const inside = { parent: this };
    const identity = account(name, metadata(name), inside);
    const binding = grantWatching(name, identity, common, inside);
    const policies = {
      "from-prometheus": fromPods(selector, [args.prometheus], [KUBE_STATE_METRICS_PORT, OWN_PORT]),
      "to-api": {
        podSelector: { matchLabels: selector },
        policyTypes: ["Egress"],
        egress: [toApiServer(args.apiServer)],
      },
    };
    createPolicies(name, metadata, policies, inside);
    new k8s.apps.v1.Deployment(
      name,
      {
        metadata: metadata(name),
        spec: {
          replicas: 1,
          selector: { matchLabels: selector },
          strategy: ROLLING_UPDATE,
          template: {
            metadata: { labels: common },
            spec: {
              ...podFrame(USER, identity.metadata.name, args.priorityClassName),
              containers: [container(args)],
              volumes: [CREDENTIALS.volume],
            },
          },
        },
      },
      { ...inside, dependsOn: binding },
    );
    new k8s.policy.v1.PodDisruptionBudget(
      `${name}-budget`,
      { metadata: metadata(name), spec: disruptionBudget(selector) },
      inside,
    );
    this.registerOutputs({});
  }
}

function container({ image, sized }: KubeStateMetricsArgs): k8s.types.input.core.v1.Container {
  return {
    ...CONTAINER,
    name: "kube-state-metrics",
    image,
    command: ["/kube-state-metrics"],
    args: [
      `--port=${KUBE_STATE_METRICS_PORT}`,
      `--telemetry-port=${OWN_PORT}`,
      `--resources=${Object.values(WATCHED).flat().join(",")}`,
      `--metric-allowlist=${KUBE_STATE_FAMILIES.map((family) => `^${family}$`).join(",")}`,
    ],
    ports: [
      { name: "http", containerPort: KUBE_STATE_METRICS_PORT, protocol: "TCP" },
      { name: "telemetry", containerPort: OWN_PORT, protocol: "TCP" },
    ],
    ...probes({ ready: "/", live: "/livez" }, "http"),
    readinessProbe: { httpGet: { path: "/", port: "telemetry" }, periodSeconds: 2, timeoutSeconds: 2 },
    resources: resources(sized),
    volumeMounts: [CREDENTIALS.mount],
  };
}

function grantWatching(
  name: string,
  identity: k8s.core.v1.ServiceAccount,
  common: Record<string, string>,
  opts: pulumi.CustomResourceOptions,
): pulumi.Resource {
  const metadata = { name: `wasm-functions-${name}`, labels: common };
  const rules = Object.entries(WATCHED).map(([group, resources]) => ({
    apiGroups: [group],
    resources: [...resources],
    verbs: ["list", "watch"],
  }));
  const role = new k8s.rbac.v1.ClusterRole(`${name}-watch`, { metadata, rules }, opts);
  return new k8s.rbac.v1.ClusterRoleBinding(
    `${name}-watch`,
    {
      metadata,
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: role.metadata.name },
      subjects: [{ kind: "ServiceAccount", name: identity.metadata.name, namespace: identity.metadata.namespace }],
    },
    opts,
  );
}
