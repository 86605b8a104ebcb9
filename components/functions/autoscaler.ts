import type { types } from "@pulumi/kubernetes";
import type { FunctionConfig } from "../../infra/config";
import { formatPodCount } from "../../infra/units";
import { wholePercent } from "../workload";

type ScalePolicy = FunctionConfig["scaling"]["up"];

/** The spec of a function's autoscaler: CPU of its pods as a share of their request. */
export function autoscalerSpec(fn: FunctionConfig): types.input.autoscaling.v2.HorizontalPodAutoscalerSpec {
  const { scaling } = fn;
  return {
    scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: fn.name },
    minReplicas: scaling.min,
    maxReplicas: scaling.max,
    metrics: [
      {
        type: "Resource",
        resource: { name: "cpu", target: { type: "Utilization", averageUtilization: wholePercent(scaling.cpuTarget) } },
      },
    ],
    behavior: autoscalerRules(fn),
  };
}

/** How fast it goes up and down, by whichever metric. */
export function autoscalerRules({ scaling }: FunctionConfig) {
  return { scaleUp: scalingRules(scaling.up), scaleDown: scalingRules(scaling.down) };
}

/** In each period, whichever of the two allows more pods. */
function scalingRules(policy: ScalePolicy): types.input.autoscaling.v2.HPAScalingRules {
  const periodSeconds = policy.period / 1000;
  return {
    stabilizationWindowSeconds: policy.stabilization / 1000,
    selectPolicy: "Max",
    policies: [
      { type: "Percent", value: wholePercent(policy.percent), periodSeconds },
      { type: "Pods", value: policy.pods, periodSeconds },
    ],
  };
}

/**
 * The spec of a function's disruption budget. Pods that are not ready may always be evicted: they serve nobody, and
 * would else hold up the drain of the node that they are broken on.
 */
export function disruptionBudgetSpec(
  fn: FunctionConfig,
  selector: Record<string, string>,
): types.input.policy.v1.PodDisruptionBudgetSpec {
  return {
    maxUnavailable: formatPodCount(fn.disruption.maxUnavailable),
    unhealthyPodEvictionPolicy: "AlwaysAllow",
    selector: { matchLabels: selector },
  };
}
