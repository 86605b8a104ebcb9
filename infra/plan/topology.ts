import type { StackConfig } from "../config";
import type { Problem } from "../problems";
import type { Resources, Topology } from "./types";
import { admissionDemand } from "./admission";
import { autoscalingDemand } from "./autoscaling";
import { worstMoment } from "./demand";
import { formatCount, nextPowerOfTwo, sum } from "./numbers";
import { observabilityDemand } from "./observability";
import { platformDemand } from "./request-path";

/** The Linux bridge behind flannel (`cni0`) has 1,024 ports (`BR_MAX_PORTS`), the first of which is not used. */
export const BRIDGE_PORTS = 1023;
/** Kubernetes' own default of pods per node: nothing is won by going below. */
export const DEFAULT_MAX_PODS = 110;
/** Processes and threads that one pod may have, so that no function takes a whole agent's. */
export const POD_PIDS_LIMIT = 1024;
/** What runtimeClass `wasmedge` selects nodes by. */
const AGENT_LABELS = { "wasm-functions.dev/runtime": "wasmedge" } as const;
/** A node's share of podCidr loses its network, bridge and broadcast address. */
const TAKEN_ADDRESSES = 3;
/** kube-controller-manager refuses a node mask more than 16 bits longer than podCidr's (its `clusterSubnetMaxDiff`). */
const MASK_BITS_BELOW_CIDR = 16;
/** Services of the platform itself: DNS, gateway, authorizer, monitoring, admission, each rarely more than a few. */
const PLATFORM_SERVICES = 50;
/** A function's Service, and a headless one where its gateway asks for pods by DNS. */
export const SERVICES_PER_FUNCTION = 2;

export function planTopology(config: StackConfig): Topology {
  const agents = agentCount(config);
  const maxPodsPerAgent = config.cluster.maxPodsPerAgent ?? computedMaxPods(config, agents);
  return {
    agents,
    agentLabels: AGENT_LABELS,
    agentCapacity: { cpu: config.cluster.agentShape.cpu, memory: config.cluster.agentShape.memory },
    agentAllocatable: allocatable(config),
    maxPodsPerAgent,
    nodeCidrMaskSize: config.cluster.network.nodeCidrMaskSize ?? computedMask(config, maxPodsPerAgent),
    agentSysctls: agentSysctls(config, maxPodsPerAgent),
  };
}

export function agentCount(config: StackConfig): number {
  return config.cluster.kind === "k3s" ? config.cluster.agents.length : config.cluster.agents;
}

/** The agents to count on: one may be lost, unless it is the only one. */
export function remainingAgents(agents: number): number {
  return Math.max(1, agents - 1);
}

export function usableAddresses(maskSize: number): number {
  return 2 ** (32 - maskSize) - TAKEN_ADDRESSES;
}

/** An agent's even share of all pods with one agent lost; to the next ten, so that small changes of config do not move it. */
export function computedMaxPods(config: StackConfig, agents: number): number {
  const remaining = remainingAgents(agents);
  const pods = sum(worstMoment(config, config.functions, remaining), (demand) => demand.pods);
  const platform = sum(
    [platformDemand, observabilityDemand, admissionDemand, autoscalingDemand],
    (demand) => demand(config).pods,
  );
  const share = Math.ceil((pods + platform) / remaining) + config.cluster.systemPodsPerAgent;
  const rounded = Math.ceil(share / 10) * 10;
  return Math.max(DEFAULT_MAX_PODS, share <= BRIDGE_PORTS ? Math.min(rounded, BRIDGE_PORTS) : rounded);
}

function computedMask(config: StackConfig, maxPods: number): number {
  const smallest = 32 - Math.ceil(Math.log2(maxPods + TAKEN_ADDRESSES));
  return Math.min(smallest, config.cluster.network.podCidr.prefix + MASK_BITS_BELOW_CIDR);
}

function allocatable(config: StackConfig): Resources {
  const { cpu, memory, reserved } = config.cluster.agentShape;
  return { cpu: cpu - reserved.cpu, memory: memory - reserved.memory };
}

function nodeCount(config: StackConfig): number {
  return agentCount(config) + (config.cluster.kind === "k3s" ? config.cluster.servers.length : 0);
}

function agentSysctls(config: StackConfig, maxPods: number): Record<string, number> {
  // Neighbours of an agent: its pods and every other node. The kernel collects none below the first threshold.
  const neighbours = nextPowerOfTwo(Math.max(1024, maxPods + nodeCount(config)));
  return {
    // The kernel's 128 is exhausted by the pods' shims; 8,192 is the common setting and is 8 for each of 1,023 pods.
    "fs.inotify.max_user_instances": 8192,
    // The common setting for nodes: 512 for each of 1,023 pods.
    "fs.inotify.max_user_watches": 524_288,
    "net.ipv4.neigh.default.gc_thresh1": neighbours,
    "net.ipv4.neigh.default.gc_thresh2": neighbours * 2,
    "net.ipv4.neigh.default.gc_thresh3": neighbours * 4,
    // Every pod may use up its limit, beside 32,768 (the kernel's default) for the system; 2^22 is the kernel's most.
    "kernel.pid_max": Math.min(2 ** 22, nextPowerOfTwo(maxPods * POD_PIDS_LIMIT + 32_768)),
    "net.netfilter.nf_conntrack_max": connectionsPerAgent(config),
    // K3s' hardening guide; kubelet's `protect-kernel-defaults` refuses to start without them.
    "vm.panic_on_oom": 0,
    "vm.overcommit_memory": 1,
    "kernel.panic": 10,
    "kernel.panic_on_oops": 1,
  };
}

/**
 * Tracked connections of an agent when no client keeps its connection alive: each request leaves one behind for 120 s
 * (the kernel's `nf_conntrack_tcp_timeout_time_wait`). At least kube-proxy's own minimum of 131,072.
 */
function connectionsPerAgent(config: StackConfig): number {
  const peak = sum(config.functions, (fn) => fn.workload.peakRequestsPerSecond);
  return nextPowerOfTwo(Math.max(131_072, (peak / remainingAgents(agentCount(config))) * 120));
}

/** What of the network does not fit; pods themselves are the capacity's matter. */
export function topologyProblems(config: StackConfig, topology: Topology): Problem[] {
  return [
    ...bridgeProblems(config, topology),
    ...addressProblems(config, topology),
    ...nodeNetworkProblems(config, topology),
    ...serviceProblems(config),
  ];
}

/** Only where it was asked for: a computed share above the bridge's ports shows as too many replicas. */
function bridgeProblems(config: StackConfig, { maxPodsPerAgent }: Topology): Problem[] {
  if (config.cluster.maxPodsPerAgent === undefined || maxPodsPerAgent <= BRIDGE_PORTS) return [];
  return [
    {
      path: "cluster.maxPodsPerAgent",
      value: formatCount(maxPodsPerAgent),
      limit: `an agent's network bridge has ${formatCount(BRIDGE_PORTS)} ports, whatever its addresses`,
      fix: `lower it to ${BRIDGE_PORTS}, and add agents`,
    },
  ];
}

/** Only a mask that was asked for can be too narrow. */
function addressProblems(config: StackConfig, { maxPodsPerAgent, nodeCidrMaskSize }: Topology): Problem[] {
  const usable = usableAddresses(nodeCidrMaskSize);
  if (usable >= maxPodsPerAgent) return [];
  return [
    {
      path: "cluster.network.nodeCidrMaskSize",
      value: String(nodeCidrMaskSize),
      limit: `a /${nodeCidrMaskSize} has ${formatCount(usable)} addresses, an agent is to hold ${formatCount(maxPodsPerAgent)} pods`,
      fix: `set ${computedMask(config, Math.min(BRIDGE_PORTS, maxPodsPerAgent))}, or leave it out`,
    },
  ];
}

function nodeNetworkProblems(config: StackConfig, { nodeCidrMaskSize }: Topology): Problem[] {
  const { podCidr } = config.cluster.network;
  const bits = nodeCidrMaskSize - podCidr.prefix;
  const nodes = nodeCount(config);
  if (bits > MASK_BITS_BELOW_CIDR) {
    return [
      {
        path: "cluster.network.nodeCidrMaskSize",
        value: String(nodeCidrMaskSize),
        limit: `Kubernetes takes at most ${MASK_BITS_BELOW_CIDR} bits below podCidr ${podCidr.text}`,
        fix: `set ${podCidr.prefix + MASK_BITS_BELOW_CIDR} or less, or narrow podCidr`,
      },
    ];
  }
  const shares = bits < 0 ? 0 : 2 ** bits;
  if (shares >= nodes) return [];
  const neededPrefix = nodeCidrMaskSize - Math.ceil(Math.log2(nodes));
  return [
    {
      path: "cluster.network.podCidr",
      value: podCidr.text,
      limit: `holds the shares (/${nodeCidrMaskSize}) of ${formatCount(shares)} nodes, the stack has ${formatCount(nodes)}`,
      fix: neededPrefix >= 8 ? `widen it to a /${neededPrefix}` : "use fewer agents or fewer pods per agent",
    },
  ];
}

function serviceProblems(config: StackConfig): Problem[] {
  const { serviceCidr } = config.cluster.network;
  const usable = Math.max(0, 2 ** (32 - serviceCidr.prefix) - 2);
  const services = config.functions.length * SERVICES_PER_FUNCTION + PLATFORM_SERVICES;
  if (usable >= services) return [];
  return [
    {
      path: "cluster.network.serviceCidr",
      value: serviceCidr.text,
      limit: `has ${formatCount(usable)} addresses, functions and platform take ${formatCount(services)}`,
      fix: `widen it to a /${32 - Math.ceil(Math.log2(services + 2))}`,
    },
  ];
}
