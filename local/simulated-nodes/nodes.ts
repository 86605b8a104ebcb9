import type { StackConfig } from "../../infra/config";
import type { Topology } from "../../infra/plan";
import { formatBytes, formatCpu, type Bytes } from "../../infra/units";

/** A disk that no plan of function pods fills; simulated nodes store nothing. */
const NODE_STORAGE: Bytes = 200 * 2 ** 30;

export interface NodeObject {
  readonly apiVersion: "v1";
  readonly kind: "Node";
  readonly metadata: {
    readonly name: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations: Readonly<Record<string, string>>;
  };
  readonly spec: { readonly podCIDR: string; readonly podCIDRs: readonly [string] };
  readonly status: {
    readonly capacity: NodeResources;
    readonly allocatable: NodeResources;
    readonly addresses: readonly { readonly type: string; readonly address: string }[];
  };
}

/** Tells metrics-server where a node's kubelet has its metrics. */
export const METRICS_PATH_ANNOTATION = "metrics.k8s.io/resource-metrics-path";

/** Where KWOK has them of one of its nodes. */
export function metricsPath(node: string): string {
  return `/metrics/nodes/${node}/metrics/resource`;
}

type NodeResources = Readonly<Record<"cpu" | "memory" | "pods" | "ephemeral-storage", string>>;

/** The agents of the plan as Node objects, with the labels and sizes that K3s agents would register with. */
export function renderNodes(topology: Topology, podCidr: StackConfig["cluster"]["network"]["podCidr"]): NodeObject[] {
  return Array.from({ length: topology.agents }, (_, index) => {
    const name = `agent-${index + 1}`;
    const cidr = nodeCidr(podCidr.address, topology.nodeCidrMaskSize, index);
    return {
      apiVersion: "v1",
      kind: "Node",
      metadata: {
        name,
        labels: {
          "kubernetes.io/hostname": name,
          "kubernetes.io/os": "linux",
          "kubernetes.io/arch": "amd64",
          ...topology.agentLabels,
        },
        annotations: {
          // KWOK plays the kubelet of nodes so marked; metrics-server reads a node's usage at the path.
          "kwok.x-k8s.io/node": "fake",
          [METRICS_PATH_ANNOTATION]: metricsPath(name),
        },
      },
      spec: { podCIDR: cidr, podCIDRs: [cidr] },
      status: {
        capacity: resources(topology.agentCapacity, topology.maxPodsPerAgent),
        allocatable: resources(topology.agentAllocatable, topology.maxPodsPerAgent),
        // Where KWOK answers for every node's kubelet.
        addresses: [
          { type: "InternalIP", address: "127.0.0.1" },
          { type: "Hostname", address: "localhost" },
        ],
      },
    };
  });
}

function resources(size: Topology["agentCapacity"], pods: number): NodeResources {
  return {
    cpu: formatCpu(size.cpu),
    memory: formatBytes(size.memory),
    pods: String(pods),
    "ephemeral-storage": formatBytes(NODE_STORAGE),
  };
}

/** The index-th network of this mask within the pods' network. */
export function nodeCidr(podNetwork: string, maskSize: number, index: number): string {
  const base = podNetwork.split(".").reduce((sum, octet) => sum * 256 + Number(octet), 0);
  const address = base + index * 2 ** (32 - maskSize);
  return `${[24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join(".")}/${maskSize}`;
}
