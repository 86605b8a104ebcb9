import type { FunctionConfig } from "../../infra/config";
import type { Prewarm } from "../../infra/config-prewarm";
import { autoscalerRules } from "./autoscaler";
import { autoscalerName } from "./names";

/** Who counts a function's requests. */
export interface RequestSource {
  /** URL of Prometheus. */
  readonly prometheus: string;
  /** What is asked of it: requests/s, one number; none where nobody counts. */
  readonly query: string;
}

/** The spec of a function's ScaledObject, of which KEDA makes its autoscaler. */
export function scaledObjectSpec(fn: FunctionConfig, source: RequestSource) {
  const { scaling } = fn;
  return {
    scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: fn.name },
    minReplicaCount: scaling.min,
    maxReplicaCount: scaling.max,
    pollingInterval: scaling.pollingInterval / 1000,
    cooldownPeriod: scaling.cooldown / 1000,
    advanced: {
      horizontalPodAutoscalerConfig: { name: autoscalerName(fn), behavior: autoscalerRules(fn) },
    },
    // Of all that they ask for, the autoscaler takes the most.
    triggers: [requestTrigger(fn, source), ...scaling.prewarm.map(prewarmTrigger)],
  };
}

function requestTrigger({ scaling }: FunctionConfig, { prometheus, query }: RequestSource) {
  return {
    type: "prometheus",
    metricType: "AverageValue",
    metadata: {
      serverAddress: prometheus,
      query,
      threshold: String(scaling.requestsPerPod),
      activationThreshold: String(scaling.activation),
      // That nobody counts does not mean that nobody asks: the count then stays. KEDA's own fallback would take hold at the first
      // failed look, whatever its threshold, past the rules of going down.
      ignoreNullValues: "false",
    },
  };
}

function prewarmTrigger({ start, end, timezone, replicas }: Prewarm) {
  return { type: "cron", metadata: { timezone, start, end, desiredReplicas: String(replicas) } };
}
