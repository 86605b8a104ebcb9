import { anyOf, asFunction, withoutBuffers, withWorkload } from "./promql";
import type { RulesArgs, Topic } from "./types";

const METRICS = 'job="kube-state-metrics"';
const HPA = "kube_horizontalpodautoscaler";

/** Autoscalers of functions, gateway and authorizer, and what functions have of pods and CPU. */
export function scalingTopic(args: RulesArgs): Topic {
  const tenants = `namespace=~"${anyOf(args.tenants.map(({ name }) => name))}"`;
  const ours = `namespace=~"${anyOf([...args.tenants.map(({ name }) => name), args.gateway.namespace])}"`;
  // For a moment in which kube-state-metrics is rolled there are two of them.
  const hpa = (metric: string, more = "") =>
    `max by (namespace, horizontalpodautoscaler) (${HPA}_${metric}{${METRICS},${ours}${more}})`;
  const deployment = (metric: string) =>
    `max by (namespace, deployment) (kube_deployment_${metric}{${METRICS},${tenants}${withoutBuffers(args.functions, "deployment")}})`;
  const noPod = `(${deployment("status_replicas_available")} == 0 and ${deployment("spec_replicas")} > 0)`;
  return {
    name: "scaling",
    recordings: [
      {
        record: "function:throttled:ratio_rate5m",
        expr: `${periods("throttled_periods", tenants)} / (${periods("periods", tenants)} > 0)`,
      },
    ],
    alerts: [
      {
        alert: "FunctionHasNoReadyPod",
        expr: `max by (function, tenant) (${asFunction(noPod, "deployment")})`,
        for: "2m",
        severity: "page",
        summary: "{{ $labels.function }} has no ready pod",
        description:
          "Of the pods that {{ $labels.tenant }}/{{ $labels.function }} should have, {{ $value }} are available, for 2m by now: each of its requests fails.",
      },
      {
        alert: "AutoscalerAtMax",
        // One that is set to a fixed number is always there.
        expr: `${hpa("status_current_replicas")} >= ${hpa("spec_max_replicas")} and ${hpa("spec_max_replicas")} > ${hpa("spec_min_replicas")}`,
        for: "10m",
        severity: "ticket",
        summary: "{{ $labels.horizontalpodautoscaler }} cannot grow any further",
        description:
          "{{ $labels.namespace }}/{{ $labels.horizontalpodautoscaler }} has had its most pods, {{ $value }}, for 10m: with more load its requests get slower.",
      },
      {
        alert: "AutoscalerBlind",
        // One by requests whose function has no pods, since nobody asks for it, stands still. One by CPU would for ever.
        expr: `${hpa("status_condition", ',condition="ScalingActive",status="false"')} == 1 unless ${hpa("status_current_replicas", ',horizontalpodautoscaler=~".+-rps-hpa"')} == 0`,
        for: "5m",
        severity: "page",
        summary: "{{ $labels.horizontalpodautoscaler }} has no metrics to scale by",
        description:
          "{{ $labels.namespace }}/{{ $labels.horizontalpodautoscaler }} has had ScalingActive=false for 5m: it keeps the pods that it has, whatever the load.",
      },
      {
        alert: "FunctionThrottled",
        expr: "function:throttled:ratio_rate5m > 0.25",
        for: "15m",
        severity: "ticket",
        summary: "{{ $labels.function }} is held back by its CPU limit",
        description:
          "In {{ $value | humanizePercentage }} of the periods of the last 5m, pods of {{ $labels.tenant }}/{{ $labels.function }} had used up their CPU limit and waited.",
      },
    ],
  };
}

/** Pods have rows of their own, of their containers or both: in a share it comes to the same. */
function periods(kind: "periods" | "throttled_periods", tenants: string): string {
  const byPod = `sum by (namespace, pod) (rate(container_cpu_cfs_${kind}_total{job="cadvisor",${tenants}}[5m]))`;
  return `sum by (function, tenant) (${asFunction(withWorkload(byPod), "workload")})`;
}
