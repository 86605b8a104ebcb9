import { RATE, type DashboardsArgs } from "./args";
import { labelValues, type Board, type Line } from "./board";
import { above, filling, graph, metric, UNITS } from "./panels";

const OF_NODE = '{node=~"$node"}';
/** Interfaces to other hosts: not loopback, not the pods' own, not the bridge and tunnel that lead to them. */
const OUTSIDE = 'node=~"$node", device!~"lo|veth.*|cni.*|flannel.*|kube.*"';

/** Hosts: how full they are of pods, what these use, and how soon kubelets start one. */
export function nodesBoard(args: DashboardsArgs): Board {
  return {
    uid: "wasm-nodes",
    title: "Nodes and density",
    description: "Pods of each node, what hosts have left, and how fast pods start.",
    variables: [labelValues("node", "Node", { source: "prometheus", series: "node:pods:ratio", label: "node" })],
    sections: [
      { title: "Density", lines: [density(args), starts()] },
      { title: "CPU and memory", lines: [use(), pressure()] },
      { title: "Disk and network", lines: [disk(), network()] },
      { title: "Kubelet", lines: [kubelet()] },
    ],
  };
}

function density({ plan }: DashboardsArgs): Line {
  const { maxPodsPerAgent } = plan.topology;
  return [
    graph({
      title: "Pods against max",
      description: `Pods of a node as a share of the most that its kubelet takes, which is ${maxPodsPerAgent} on an agent.`,
      unit: UNITS.share,
      min: 0,
      steps: filling(0.85, 0.95),
      queries: [metric(`node:pods:ratio${OF_NODE}`, "{{node}}")],
    }),
    graph({
      title: "Pods running",
      description: `Pods that each kubelet runs. The plan has ${plan.capacity.pods.total} at the worst moment, on all agents together.`,
      unit: UNITS.count,
      min: 0,
      steps: above(maxPodsPerAgent),
      queries: [metric(`sum by (node) (kubelet_running_pods${OF_NODE})`, "{{node}}")],
    }),
    graph({
      title: "Nodes not ready or closed",
      description: "It is 1 for a node that is not ready, or that takes no new pods (cordoned, drained).",
      unit: UNITS.count,
      min: 0,
      steps: above(1),
      queries: [
        metric(
          '1 - max by (node) (kube_node_status_condition{condition="Ready", status="true", node=~"$node"})',
          "{{node}} not ready",
        ),
        metric(`max by (node) (kube_node_spec_unschedulable${OF_NODE})`, "{{node}} closed"),
      ],
    }),
  ];
}

function starts(): Line {
  const rate = `sum by (le) (rate(kubelet_pod_start_sli_duration_seconds_bucket${OF_NODE}[5m]))`;
  return [
    graph({
      title: "Pod start",
      description:
        "Time from a pod's creation until its containers run, as kubelets see it: without pulls of images and init containers; over five minutes.",
      unit: UNITS.seconds,
      min: 0,
      queries: [0.5, 0.99].map((quantile) => metric(`histogram_quantile(${quantile}, ${rate})`, `P${quantile * 100}`)),
    }),
    graph({
      title: "Pods started",
      description: "Pods/s that each node starts. What a node can start at most decides how fast functions scale.",
      unit: UNITS.perSecond,
      min: 0,
      queries: [metric(`sum by (node) (rate(kubelet_pod_start_sli_duration_seconds_count${OF_NODE}[5m]))`, "{{node}}")],
    }),
  ];
}

function use(): Line {
  return [
    graph({
      title: "CPU",
      description: "Share of a host's CPU that is not idle.",
      unit: UNITS.share,
      min: 0,
      max: 1,
      steps: filling(0.85, 0.95),
      queries: [
        metric(`1 - avg by (node) (rate(node_cpu_seconds_total{mode="idle", node=~"$node"}${RATE}))`, "{{node}}"),
      ],
    }),
    graph({
      title: "Memory",
      description: "Share of a host's memory that nothing new could have.",
      unit: UNITS.share,
      min: 0,
      max: 1,
      steps: filling(0.85, 0.95),
      queries: [metric(`1 - node_memory_MemAvailable_bytes${OF_NODE} / node_memory_MemTotal_bytes`, "{{node}}")],
    }),
    graph({
      title: "Load",
      description: "Processes that run or wait, averaged over five minutes, for each core. Above 1 some wait.",
      unit: UNITS.count,
      min: 0,
      steps: above(1),
      queries: [
        metric(
          `max by (node) (node_load5${OF_NODE}) / count by (node) (node_cpu_seconds_total{mode="idle", node=~"$node"})`,
          "{{node}}",
        ),
      ],
    }),
  ];
}

/** The kernel's pressure stall information: hosts that are full and well have none of it. */
function pressure(): Line {
  const panel = (title: string, resource: "cpu" | "memory" | "io", what: string) =>
    graph({
      title: `Waiting for ${title}`,
      description: `Share of time in which some process waited for ${what} (PSI). Near 0 is good, however busy the host is.`,
      unit: UNITS.share,
      min: 0,
      steps: filling(0.1, 0.4),
      queries: [
        metric(`max by (node) (rate(node_pressure_${resource}_waiting_seconds_total${OF_NODE}${RATE}))`, "{{node}}"),
      ],
    });
  return [panel("CPU", "cpu", "CPU"), panel("memory", "memory", "memory to be freed"), panel("disk", "io", "a disk")];
}

function disk(): Line {
  const filesystem = 'node=~"$node", fstype!~"tmpfs|overlay|squashfs"';
  return [
    graph({
      title: "Disk full",
      description: "Share of each file system that is used. Kubelets evict pods when a tenth of theirs is left.",
      unit: UNITS.share,
      min: 0,
      max: 1,
      steps: filling(0.8, 0.9),
      queries: [
        metric(
          `1 - node_filesystem_avail_bytes{${filesystem}} / node_filesystem_size_bytes`,
          "{{node}} {{mountpoint}}",
        ),
      ],
    }),
    graph({
      title: "Disk busy",
      description: "Share of time in which a disk has something to do.",
      unit: UNITS.share,
      min: 0,
      max: 1,
      steps: filling(0.8, 0.95),
      queries: [
        metric(`max by (node, device) (rate(node_disk_io_time_seconds_total${OF_NODE}${RATE}))`, "{{node}} {{device}}"),
      ],
    }),
  ];
}

function network(): Line {
  const bits = (direction: "receive" | "transmit") =>
    `sum by (node) (rate(node_network_${direction}_bytes_total{${OUTSIDE}}${RATE})) * 8`;
  return [
    graph({
      title: "Network in",
      description: "Bits/s that each host receives from others.",
      unit: UNITS.bitsPerSecond,
      min: 0,
      queries: [metric(bits("receive"), "{{node}}")],
    }),
    graph({
      title: "Network out",
      description: "Bits/s that each host sends to others.",
      unit: UNITS.bitsPerSecond,
      min: 0,
      queries: [metric(bits("transmit"), "{{node}}")],
    }),
    graph({
      title: "Connections tracked",
      description:
        "Share of the kernel's table of connections that is used. When it is full, new connections are dropped.",
      unit: UNITS.share,
      min: 0,
      steps: filling(0.75, 0.9),
      queries: [metric(`node_nf_conntrack_entries${OF_NODE} / node_nf_conntrack_entries_limit`, "{{node}}")],
    }),
  ];
}

function kubelet(): Line {
  return [
    graph({
      title: "Pods that could not be started",
      description: "Attempts/s of a kubelet to start a pod that failed, whatever the reason. None is normal.",
      unit: UNITS.perSecond,
      min: 0,
      queries: [metric(`sum by (node) (rate(kubelet_started_pods_errors_total${OF_NODE}[5m]))`, "{{node}}")],
    }),
    graph({
      title: "CPU of the node's pods",
      description: "Cores that a node's pods use together, as kubelets count them.",
      unit: UNITS.cores,
      min: 0,
      queries: [metric(`sum by (node) (rate(pod_cpu_usage_seconds_total${OF_NODE}${RATE}))`, "{{node}}")],
    }),
    graph({
      title: "Memory of the node's pods",
      description: "Working set of a node's pods together.",
      unit: UNITS.bytes,
      min: 0,
      queries: [metric(`sum by (node) (pod_memory_working_set_bytes${OF_NODE})`, "{{node}}")],
    }),
  ];
}
