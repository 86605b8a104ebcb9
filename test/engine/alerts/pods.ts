import { from, type AlertCases } from "./case";

const KSM = "kube-state-metrics";
/** Of 100 each minute, 98 within the lower limit and the rest within the upper one. */
const histogram = (job: string, metric: string, lower: string, upper: string, within = 98) =>
  from(job, {
    [`${metric}_bucket{le="${lower}"}`]: `0+${within}x60`,
    [`${metric}_bucket{le="${upper}"}`]: "0+100x60",
    [`${metric}_bucket{le="+Inf"}`]: "0+100x60",
  });
const pod = (metric: string, values: string, more = "", of = "checkout") =>
  from(KSM, { [`${metric}{namespace="shop",pod="${of}-7d9f8b6c54-x2x4z"${more}}`]: values });
/** Since the beginning. */
const pending = (of?: string) => ({
  ...pod("kube_pod_created", "0x20", "", of),
  ...pod("kube_pod_status_phase", "1x20", ',phase="Pending"', of),
});
const looping = (values: string, name = "checkout-7d9f8b6c54-x2x4z") =>
  from(KSM, {
    [`kube_pod_container_status_waiting_reason{namespace="shop",pod="${name}",container="function",reason="CrashLoopBackOff"}`]:
      values,
  });

export const pods: AlertCases = {
  SchedulingSlow: {
    fires: [
      {
        when: "two of a hundred pods wait five seconds",
        series: histogram("scheduler", "scheduler_pod_scheduling_sli_duration_seconds", "2.56", "5.12"),
        at: "15m",
        alerts: [
          {
            labels: { severity: "ticket" },
            summary: "Pods wait long for a node",
            description:
              "Of 100 pods, one waits 3.84s or longer for its node, against 3s that are meant to be the most.",
          },
        ],
      },
    ],
    silent: [
      {
        when: "all have their node within 2.56 seconds",
        series: histogram("scheduler", "scheduler_pod_scheduling_sli_duration_seconds", "2.56", "5.12", 100),
        at: "15m",
      },
      {
        when: "nothing is scheduled",
        series: from("scheduler", { 'scheduler_pod_scheduling_sli_duration_seconds_bucket{le="+Inf"}': "7x60" }),
        at: "15m",
      },
    ],
  },
  PodsPending: {
    fires: [
      {
        when: "a pod has been pending for longer than five minutes",
        series: pending(),
        at: "10m",
        alerts: [
          {
            labels: { severity: "ticket", namespace: "shop" },
            summary: "Pods in shop do not start",
            description: "Pods in shop that have been pending for more than 5m: 1.",
          },
        ],
      },
    ],
    silent: [
      {
        when: "a pod has been pending for almost as long",
        series: pending(),
        at: "6m",
      },
      {
        when: "it is one that keeps room for others, and there is none",
        stack: "plain",
        series: pending("checkout-buffer"),
        at: "10m",
      },
      {
        when: "there are always others, each pending for a moment",
        series: { ...pod("kube_pod_created", "0+60x20"), ...pod("kube_pod_status_phase", "1x20", ',phase="Pending"') },
        at: "20m",
      },
      {
        when: "an old pod runs",
        series: { ...pod("kube_pod_created", "0x20"), ...pod("kube_pod_status_phase", "0x20", ',phase="Pending"') },
        at: "20m",
      },
    ],
  },
  PodsTerminating: {
    fires: [
      {
        when: "a pod is still there six minutes after its grace",
        series: pod("kube_pod_deletion_timestamp", "60x20"),
        at: "10m",
        alerts: [
          {
            labels: { severity: "ticket", namespace: "shop" },
            summary: "Pods in shop do not leave",
            description: "Pods in shop that are still there more than 5m after their grace period: 1.",
          },
        ],
      },
    ],
    silent: [
      { when: "a pod leaves within its grace", series: pod("kube_pod_deletion_timestamp", "300x7 _x20"), at: "10m" },
    ],
  },
  PodStartSlow: {
    fires: [
      {
        when: "two of a hundred pods take ten seconds for long",
        series: histogram("kubelet", "kubelet_pod_start_sli_duration_seconds", "5", "10"),
        at: "20m",
        alerts: [
          {
            labels: { severity: "ticket" },
            summary: "Pods take long to start on their node",
            description:
              "Of 100 pods, one takes 7.5s or longer to start, pulling its image not counted, against 5s that Kubernetes itself aims at.",
          },
        ],
      },
    ],
    silent: [
      {
        when: "all start within five seconds",
        series: histogram("kubelet", "kubelet_pod_start_sli_duration_seconds", "5", "10", 100),
        at: "20m",
      },
      {
        when: "a scale-out made nodes busy for three minutes",
        series: from("kubelet", {
          'kubelet_pod_start_sli_duration_seconds_bucket{le="5"}': "0x60",
          'kubelet_pod_start_sli_duration_seconds_bucket{le="10"}': "0+100x3 300x57",
          'kubelet_pod_start_sli_duration_seconds_bucket{le="+Inf"}': "0+100x3 300x57",
        }),
        at: "7m",
      },
    ],
  },
  CrashLoop: {
    fires: [
      {
        when: "pods are kept from starting since they crash, also in the moments in which they run",
        series: { ...looping("0 1 1 0 1 0 0 1 0 0 0 1 0 0 0 1 0"), ...looping("1x20", "checkout-7d9f8b6c54-b4b4b") },
        at: "16m",
        alerts: [
          {
            labels: { severity: "ticket", namespace: "shop", workload: "checkout" },
            summary: "Pods of checkout crash again and again",
            description: "Pods of shop/checkout that wait to be started again after a crash: 2.",
          },
        ],
      },
      {
        when: "a DaemonSet's pod crashes",
        series: looping("1x20", "node-exporter-x2x4z"),
        at: "16m",
        alerts: [
          {
            labels: { severity: "ticket", namespace: "shop", workload: "node-exporter" },
            summary: "Pods of node-exporter crash again and again",
            description: "Pods of shop/node-exporter that wait to be started again after a crash: 1.",
          },
        ],
      },
    ],
    silent: [{ when: "a pod has crashed once and runs again", series: looping("0x3 1 0x30"), at: "8m" }],
  },
};
