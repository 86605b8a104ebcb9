import { createHash } from "node:crypto";
import type { types } from "@pulumi/kubernetes";
import type { GatewayConfig } from "../infra/config";
import type { Resources } from "../infra/plan/types";
import { formatBytes, formatCpu } from "../infra/units";
import { RESTRICTED_CONTAINER } from "./security";

/** How many pods a part of the platform has, and what each may use. */
export type Replicas = GatewayConfig["replicas"];

/** A name for this content and no other: ten hex digits of its SHA-256. */
export function contentHash(content: string | Buffer): string {
  return createHash("sha256").update(content).digest("hex").slice(0, 10);
}

/** A container's resources. What it writes is logs alone: its root is read-only. */
export function resources({ requests, limits }: { readonly requests: Resources; readonly limits: Resources }) {
  return {
    requests: { cpu: formatCpu(requests.cpu), memory: formatBytes(requests.memory), "ephemeral-storage": "16Mi" },
    limits: { cpu: formatCpu(limits.cpu), memory: formatBytes(limits.memory), "ephemeral-storage": "64Mi" },
  };
}

/** What every container of the platform has in common. */
export const CONTAINER = {
  imagePullPolicy: "IfNotPresent",
  securityContext: RESTRICTED_CONTAINER,
} as const satisfies Partial<types.input.core.v1.Container>;

/** Ready in seconds, out of the endpoints in seconds, killed only where it answers nothing for long. */
export function probes(paths: { readonly ready: string; readonly live: string }, port: string) {
  return {
    startupProbe: { httpGet: { path: paths.live, port }, periodSeconds: 1, timeoutSeconds: 2, failureThreshold: 60 },
    readinessProbe: { httpGet: { path: paths.ready, port }, periodSeconds: 2, timeoutSeconds: 2, failureThreshold: 2 },
    livenessProbe: { httpGet: { path: paths.live, port }, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 3 },
  } satisfies Partial<types.input.core.v1.Container>;
}

/** Evenly over nodes, each revision by itself: else a rollout fills up the nodes that the old pods left empty. */
export function spread(selector: Record<string, string>): types.input.core.v1.TopologySpreadConstraint[] {
  return [
    {
      maxSkew: 1,
      topologyKey: "kubernetes.io/hostname",
      whenUnsatisfiable: "ScheduleAnyway",
      labelSelector: { matchLabels: selector },
      matchLabelKeys: ["pod-template-hash"],
    },
  ];
}

/** Up at once, down slowly: what carries every function's requests is not taken away in a lull. */
export function autoscaler(
  deployment: string,
  { min, cpuTarget }: Replicas,
  max: number,
): types.input.autoscaling.v2.HorizontalPodAutoscalerSpec {
  return {
    scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: deployment },
    minReplicas: min,
    maxReplicas: max,
    metrics: [
      {
        type: "Resource",
        resource: {
          name: "cpu",
          target: { type: "Utilization", averageUtilization: wholePercent(cpuTarget) },
        },
      },
    ],
    behavior: {
      scaleUp: { stabilizationWindowSeconds: 0, policies: [{ type: "Percent", value: 300, periodSeconds: 15 }] },
      scaleDown: { stabilizationWindowSeconds: 300, policies: [{ type: "Percent", value: 10, periodSeconds: 60 }] },
    },
  };
}

/** Kubernetes takes whole percents from 1. */
export function wholePercent(ratio: number): number {
  return Math.max(1, Math.round(ratio * 100));
}

/** A drain takes a tenth of them at once, and always those that are not ready: they serve nobody. */
export function disruptionBudget(selector: Record<string, string>): types.input.policy.v1.PodDisruptionBudgetSpec {
  return { maxUnavailable: "10%", unhealthyPodEvictionPolicy: "AlwaysAllow", selector: { matchLabels: selector } };
}

/** The same share of pods that the plan keeps room for; at least one. */
export const ROLLING_UPDATE = {
  type: "RollingUpdate",
  rollingUpdate: { maxSurge: "10%", maxUnavailable: 0 },
} as const satisfies types.input.apps.v1.DeploymentStrategy;
