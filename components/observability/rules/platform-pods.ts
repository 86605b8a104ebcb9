import { withoutBuffers, withWorkload } from "./promql";
import type { RulesArgs, Topic } from "./types";

const METRICS = 'job="kube-state-metrics"';
/** A pod that takes longer to get its node, to start or to leave is stuck: seconds. */
const STUCK_SECONDS = 300;

/** From a pod's creation to its end. */
export function podsTopic({ functions }: Pick<RulesArgs, "functions">): Topic {
  const delay = 'sum by (le) (rate(scheduler_pod_scheduling_sli_duration_seconds_bucket{job="scheduler"}[5m]))';
  const starts = 'sum by (le) (rate(kubelet_pod_start_sli_duration_seconds_bucket{job="kubelet"}[5m]))';
  const quantile = (q: number, name: string) => ({
    record: `scheduler:delay_seconds:${name}_5m`,
    expr: `histogram_quantile(${q}, ${delay}) >= 0`,
  });
  // By their age, not by how long there are some: in a rollout there are always others.
  const created = `max by (namespace, pod) (kube_pod_created{${METRICS}})`;
  // Those that keep room wait for a node by their purpose, and keep it also where the function ends without its database.
  const buffers = withoutBuffers(functions, "pod", "-[^-]+-[^-]+");
  const pending = `max by (namespace, pod) (kube_pod_status_phase{${METRICS},phase="Pending"${buffers}}) == 1`;
  const deleted = `max by (namespace, pod) (kube_pod_deletion_timestamp{${METRICS}})`;
  const looping = `max by (namespace, pod) (max_over_time(kube_pod_container_status_waiting_reason{${METRICS},reason="CrashLoopBackOff"${buffers}}[5m])) == 1`;
  return {
    name: "pods",
    recordings: [quantile(0.5, "p50"), quantile(0.99, "p99")],
    alerts: [
      {
        alert: "SchedulingSlow",
        expr: "scheduler:delay_seconds:p99_5m > 3",
        for: "5m",
        severity: "ticket",
        summary: "Pods wait long for a node",
        description:
          "Of 100 pods, one waits {{ $value | humanizeDuration }} or longer for its node, against 3s that are meant to be the most.",
      },
      {
        alert: "PodsPending",
        expr: `count by (namespace) (time() - ${created} > ${STUCK_SECONDS} and ${pending})`,
        for: "1m",
        severity: "ticket",
        summary: "Pods in {{ $labels.namespace }} do not start",
        description: "Pods in {{ $labels.namespace }} that have been pending for more than 5m: {{ $value }}.",
      },
      {
        alert: "PodsTerminating",
        // The time of deletion that a pod has is the one at which its grace is over.
        expr: `count by (namespace) (time() - ${deleted} > ${STUCK_SECONDS})`,
        for: "1m",
        severity: "ticket",
        summary: "Pods in {{ $labels.namespace }} do not leave",
        description:
          "Pods in {{ $labels.namespace }} that are still there more than 5m after their grace period: {{ $value }}.",
      },
      {
        alert: "PodStartSlow",
        expr: `histogram_quantile(0.99, ${starts}) > 5`,
        for: "10m",
        severity: "ticket",
        summary: "Pods take long to start on their node",
        description:
          "Of 100 pods, one takes {{ $value | humanizeDuration }} or longer to start, pulling its image not counted, against 5s that Kubernetes itself aims at.",
      },
      {
        alert: "CrashLoop",
        expr: `count by (namespace, workload) (${withWorkload(`(${looping})`)})`,
        // One that crashed once was seen to wait for five minutes: so long it must have gone on after that.
        for: "10m",
        severity: "ticket",
        summary: "Pods of {{ $labels.workload }} crash again and again",
        description:
          "Pods of {{ $labels.namespace }}/{{ $labels.workload }} that wait to be started again after a crash: {{ $value }}.",
      },
    ],
  };
}
