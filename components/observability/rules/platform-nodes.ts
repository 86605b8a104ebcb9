import type { AlertArgs, Topic } from "./types";

const METRICS = 'job="kube-state-metrics"';
const EXPORTER = 'job="node-exporter"';
/** File systems that have a disk. */
const DISKS = `${EXPORTER},fstype!~"tmpfs|ramfs|overlay|squashfs|iso9660|fuse.*|nfs.*"`;

/** What is left of a volume when it can wait for the morning, and when it cannot. */
const VOLUME_LEFT = { ticket: 0.15, page: 0.05 } as const;

/** Nodes: whether they are there, and what they and the volumes that they mount have left. */
export function nodesTopic(): Topic {
  const condition = (name: string) =>
    `max by (node) (kube_node_status_condition{${METRICS},condition="${name}",status="true"})`;
  const cordoned = `max by (node) (kube_node_spec_unschedulable{${METRICS}}) == 1`;
  // A disk may be mounted at many places.
  const free = `min by (node, device) (node_filesystem_avail_bytes{${DISKS}} / node_filesystem_size_bytes{${DISKS}})`;
  const memory = `min by (node) (node_memory_MemAvailable_bytes{${EXPORTER}} / node_memory_MemTotal_bytes{${EXPORTER}})`;
  return {
    name: "nodes",
    recordings: [
      {
        record: "node:pods:ratio",
        expr: `sum by (node) (kubelet_running_pods{job="kubelet"}) / on (node) max by (node) (kube_node_status_allocatable{${METRICS},resource="pods"})`,
      },
    ],
    alerts: [
      {
        alert: "NodeAlmostFull",
        expr: "node:pods:ratio > 0.9",
        for: "15m",
        severity: "ticket",
        summary: "{{ $labels.node }} has room for few more pods",
        description: "{{ $labels.node }} runs {{ $value | humanizePercentage }} of the pods that it may.",
      },
      {
        alert: "NodeNotReady",
        // One that is cordoned is being worked on.
        expr: `${condition("Ready")} == 0 unless ${cordoned}`,
        for: "2m",
        severity: "page",
        summary: "{{ $labels.node }} is not ready",
        description:
          "{{ $labels.node }} has not been ready for 2m: its pods get no requests, and are replaced elsewhere.",
      },
      {
        alert: "NodeDiskFilling",
        expr:
          `${free} < 0.3 and min by (node, device) ` +
          `(predict_linear(node_filesystem_avail_bytes{${DISKS}}[6h], 86400)) < 0`,
        // Of the first hour no trend can be told.
        for: "1h",
        severity: "ticket",
        summary: "A disk of {{ $labels.node }} will be full within a day",
        description:
          "{{ $labels.device }} of {{ $labels.node }} has {{ $value | humanizePercentage }} left, and as it went for 6h that is gone in less than 24h.",
      },
      {
        alert: "NodeDiskFull",
        expr: `${free} < 0.1`,
        for: "5m",
        severity: "page",
        summary: "A disk of {{ $labels.node }} is almost full",
        description:
          "{{ $labels.device }} of {{ $labels.node }} has {{ $value | humanizePercentage }} left: at 5% to 15% the kubelet deletes images and evicts pods.",
      },
      {
        alert: "NodeMemoryPressure",
        expr: `${memory} < 0.05 or ${condition("MemoryPressure")} == 1`,
        for: "3m",
        severity: "page",
        summary: "{{ $labels.node }} runs out of memory",
        description:
          "{{ $labels.node }} has less than 5% of its memory left, or its kubelet evicts pods to have more, for 3m by now.",
      },
      {
        alert: "NodeClockSkew",
        expr: `max by (node) (abs(node_time_seconds{${EXPORTER}} - timestamp(node_time_seconds{${EXPORTER}}))) > 0.5`,
        for: "5m",
        severity: "ticket",
        summary: "The clock of {{ $labels.node }} is wrong",
        description:
          "The clock of {{ $labels.node }} is {{ $value | humanizeDuration }} from Prometheus's: etcd wants less than 1s, and tokens are judged by it.",
      },
      {
        alert: "NodeConnectionsFull",
        expr: `max by (node) (node_nf_conntrack_entries{${EXPORTER}} / node_nf_conntrack_entries_limit{${EXPORTER}}) > 0.8`,
        for: "5m",
        severity: "page",
        summary: "{{ $labels.node }} tracks almost as many connections as it can",
        description:
          "The connection table of {{ $labels.node }} is {{ $value | humanizePercentage }} full; beyond its limit new connections are dropped.",
      },
      ...volumeAlerts(),
    ],
  };
}

/** Volumes that are claimed; one that many nodes mount is told by each of them. */
function volumeAlerts(): AlertArgs[] {
  const bytes = (kind: string) => `kubelet_volume_stats_${kind}_bytes{job="kubelet"}`;
  const left = `min by (namespace, persistentvolumeclaim) (${bytes("available")} / ${bytes("capacity")})`;
  return (["ticket", "page"] as const).map((severity) => ({
    alert: "VolumeFilling",
    expr: `${left} < ${VOLUME_LEFT[severity]}`,
    for: "10m",
    severity,
    summary: "The volume {{ $labels.namespace }}/{{ $labels.persistentvolumeclaim }} is almost full",
    description: `{{ $labels.namespace }}/{{ $labels.persistentvolumeclaim }} has {{ $value | humanizePercentage }} left, less than ${VOLUME_LEFT[severity] * 100}%.`,
  }));
}
