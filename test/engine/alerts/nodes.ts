import { from, type AlertCases } from "./case";

const KSM = "kube-state-metrics";
const full = (running: string) => ({
  ...from("kubelet", { 'kubelet_running_pods{node="agent-0"}': running }),
  ...from(KSM, { 'kube_node_status_allocatable{node="agent-0",resource="pods"}': "1000x60" }),
});
const condition = (name: string, values: string) =>
  from(KSM, { [`kube_node_status_condition{node="agent-0",condition="${name}",status="true"}`]: values });
const cordoned = (values: string) => from(KSM, { 'kube_node_spec_unschedulable{node="agent-0"}': values });
const exporter = (metric: string, values: string, more = "") =>
  from("node-exporter", { [`${metric}{node="agent-0"${more}}`]: values });
const disk = (available: string, fstype = "ext4") => ({
  ...exporter("node_filesystem_avail_bytes", available, `,device="/dev/sda1",mountpoint="/",fstype="${fstype}"`),
  ...exporter("node_filesystem_size_bytes", "1000x600", `,device="/dev/sda1",mountpoint="/",fstype="${fstype}"`),
});
const memory = (available: string) => ({
  ...exporter("node_memory_MemAvailable_bytes", available),
  ...exporter("node_memory_MemTotal_bytes", "100x60"),
});
const connections = (entries: string) => ({
  ...exporter("node_nf_conntrack_entries", entries),
  ...exporter("node_nf_conntrack_entries_limit", "1000x60"),
});
/** A volume of 1000 bytes, that a node mounts. */
const volume = (available: string, node = "agent-0") => {
  const labels = `{node="${node}",namespace="monitoring",persistentvolumeclaim="data-loki-0"}`;
  return from("kubelet", {
    [`kubelet_volume_stats_available_bytes${labels}`]: available,
    [`kubelet_volume_stats_capacity_bytes${labels}`]: "1000x60",
  });
};
const volumeFilling = (severity: "page" | "ticket", left: number) => ({
  labels: { severity, namespace: "monitoring", persistentvolumeclaim: "data-loki-0" },
  summary: "The volume monitoring/data-loki-0 is almost full",
  description: `monitoring/data-loki-0 has ${left}% left, less than ${severity === "page" ? 5 : 15}%.`,
});
const DISK = { node: "agent-0", device: "/dev/sda1" };

export const nodes: AlertCases = {
  NodeAlmostFull: {
    fires: [
      {
        when: "it runs 95 of 100 pods",
        series: full("950x60"),
        at: "20m",
        alerts: [
          {
            labels: { severity: "ticket", node: "agent-0" },
            summary: "agent-0 has room for few more pods",
            description: "agent-0 runs 95% of the pods that it may.",
          },
        ],
      },
    ],
    silent: [
      { when: "it runs 85 of 100", series: full("850x60"), at: "20m" },
      { when: "a peak is over in ten minutes", series: full("950x10 500x50"), at: "10m" },
    ],
  },
  NodeNotReady: {
    fires: [
      {
        when: "its kubelet has said nothing for minutes",
        series: { ...condition("Ready", "1 0x20"), ...cordoned("0x20") },
        at: "5m",
        alerts: [
          {
            labels: { severity: "page", node: "agent-0" },
            summary: "agent-0 is not ready",
            description: "agent-0 has not been ready for 2m: its pods get no requests, and are replaced elsewhere.",
          },
        ],
      },
    ],
    silent: [
      { when: "K3s starts again on it", series: { ...condition("Ready", "1 0 1x20"), ...cordoned("0x20") }, at: "1m" },
      {
        when: "it is cordoned and being worked on",
        series: { ...condition("Ready", "0x20"), ...cordoned("1x20") },
        at: "20m",
      },
    ],
  },
  NodeDiskFilling: {
    fires: [
      {
        when: "it goes on as it went for hours",
        series: disk("390-0.4x600"),
        at: "7h",
        evaluated: "5m",
        alerts: [
          {
            labels: { severity: "ticket", ...DISK },
            summary: "A disk of agent-0 will be full within a day",
            description: "/dev/sda1 of agent-0 has 22.2% left, and as it went for 6h that is gone in less than 24h.",
          },
        ],
      },
    ],
    silent: [
      { when: "it fills so slowly that a day is nothing", series: disk("290-0.1x600"), at: "7h", evaluated: "5m" },
      { when: "there is much room yet", series: disk("990-0.9x600"), at: "7h", evaluated: "5m" },
      { when: "images of a rollout were pulled", series: disk("280-5x10 230x590"), at: "7h", evaluated: "5m" },
    ],
  },
  NodeDiskFull: {
    fires: [
      {
        when: "8 % are left",
        series: disk("80x60"),
        at: "10m",
        alerts: [
          {
            labels: { severity: "page", ...DISK },
            summary: "A disk of agent-0 is almost full",
            description: "/dev/sda1 of agent-0 has 8% left: at 5% to 15% the kubelet deletes images and evicts pods.",
          },
        ],
      },
    ],
    silent: [
      { when: "12 % are left", series: disk("120x60"), at: "10m" },
      { when: "a file system in memory is full", series: disk("0x60", "tmpfs"), at: "10m" },
    ],
  },
  NodeMemoryPressure: {
    fires: [
      {
        when: "3 % are left",
        series: { ...memory("3x60"), ...condition("MemoryPressure", "0x60") },
        at: "10m",
        alerts: [
          {
            labels: { severity: "page", node: "agent-0" },
            summary: "agent-0 runs out of memory",
            description:
              "agent-0 has less than 5% of its memory left, or its kubelet evicts pods to have more, for 3m by now.",
          },
        ],
      },
      {
        when: "its kubelet says so",
        series: { ...memory("30x60"), ...condition("MemoryPressure", "1x60") },
        at: "10m",
        alerts: [
          {
            labels: { severity: "page", node: "agent-0" },
            summary: "agent-0 runs out of memory",
            description:
              "agent-0 has less than 5% of its memory left, or its kubelet evicts pods to have more, for 3m by now.",
          },
        ],
      },
    ],
    silent: [
      { when: "8 % are left", series: { ...memory("8x60"), ...condition("MemoryPressure", "0x60") }, at: "10m" },
    ],
  },
  NodeClockSkew: {
    fires: [
      {
        when: "its clock is two seconds behind",
        series: exporter("node_time_seconds", "-2+60x60"),
        at: "10m",
        alerts: [
          {
            labels: { severity: "ticket", node: "agent-0" },
            summary: "The clock of agent-0 is wrong",
            description:
              "The clock of agent-0 is 2s from Prometheus's: etcd wants less than 1s, and tokens are judged by it.",
          },
        ],
      },
    ],
    silent: [
      {
        when: "it differs by less, a slow scrape included",
        series: exporter("node_time_seconds", "0.4+60x60"),
        at: "10m",
      },
    ],
  },
  NodeConnectionsFull: {
    fires: [
      {
        when: "85 % of the table are used",
        series: connections("850x60"),
        at: "10m",
        alerts: [
          {
            labels: { severity: "page", node: "agent-0" },
            summary: "agent-0 tracks almost as many connections as it can",
            description: "The connection table of agent-0 is 85% full; beyond its limit new connections are dropped.",
          },
        ],
      },
    ],
    silent: [{ when: "70 % are", series: connections("700x60"), at: "20m" }],
  },
  VolumeFilling: {
    fires: [
      {
        when: "a tenth is left",
        series: volume("100x60"),
        at: "10m",
        alerts: [volumeFilling("ticket", 10)],
      },
      {
        when: "three in a hundred are left",
        series: volume("30x60"),
        at: "10m",
        alerts: [volumeFilling("ticket", 3), volumeFilling("page", 3)],
      },
      {
        when: "two nodes mount it, once for both",
        series: { ...volume("100x60"), ...volume("90x60", "agent-1") },
        at: "10m",
        alerts: [volumeFilling("ticket", 9)],
      },
    ],
    silent: [
      { when: "a fifth is left", series: volume("200x60"), at: "20m" },
      { when: "there was little for five minutes, until old data went", series: volume("30x5 400x60"), at: "12m" },
    ],
  },
};
