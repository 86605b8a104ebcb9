import type { FunctionConfig, StackConfig } from "../config";
import type { Problem } from "../problems";
import { humanBytes } from "../units";
import type { Capacity, Resources, Topology } from "./types";
import { admissionDemand } from "./admission";
import { autoscalingDemand } from "./autoscaling";
import { worstMoment, type FunctionDemand } from "./demand";
import { formatCores, formatCount, sum } from "./numbers";
import { observabilityDemand } from "./observability";
import { platformDemand } from "./request-path";
import { agentCount, BRIDGE_PORTS, computedMaxPods, remainingAgents } from "./topology";

/**
 * What a system pod is counted with. K3s' CoreDNS and metrics-server request 100m and 70Mi, but run once per cluster;
 * those of every agent (collector, exporter) about half: an allowance, not a measurement.
 */
const SYSTEM_POD: Resources = { cpu: 50, memory: 64 * 2 ** 20 };
/** Where the search for a number of agents that would do ends. */
const MOST_AGENTS = 20_000;

/** Demand and offer for a number of agents, which need not be the config's: a fix asks for other numbers. */
interface Balance {
  readonly functions: readonly FunctionDemand[];
  readonly capacity: Capacity;
}

export function planCapacity(config: StackConfig, topology: Topology): Capacity {
  return balance(config, topology, topology.agents).capacity;
}

function balance(config: StackConfig, topology: Topology, agents: number): Balance {
  const remaining = remainingAgents(agents);
  const functions = worstMoment(config, config.functions, remaining);
  const everywhere = remaining * config.cluster.systemPodsPerAgent;
  const requestPath = platformDemand(config);
  const watching = observabilityDemand(config);
  const admission = admissionDemand(config);
  const scaling = autoscalingDemand(config);
  const system = everywhere + requestPath.pods + watching.pods + admission.pods + scaling.pods;
  const total = sum(functions, (demand) => demand.pods) + system;
  const maxPods = Math.min(BRIDGE_PORTS, config.cluster.maxPodsPerAgent ?? computedMaxPods(config, agents));
  const gap = gapPerAgent(remaining, [
    ...functions.map(({ size }) => size.requests),
    requestPath.largest,
    watching.largest,
    admission.largest,
    scaling.largest,
  ]);
  const capacity: Capacity = {
    pods: {
      replicas: sum(functions, (demand) => demand.replicas),
      surge: sum(functions, (demand) => demand.surge),
      terminating: sum(functions, (demand) => demand.terminating),
      system,
      total,
    },
    requested: {
      cpu:
        sum(functions, (demand) => demand.pods * demand.size.requests.cpu) +
        everywhere * SYSTEM_POD.cpu +
        requestPath.cpu +
        watching.cpu +
        admission.cpu +
        scaling.cpu,
      memory:
        sum(functions, (demand) => demand.pods * demand.size.requests.memory) +
        everywhere * SYSTEM_POD.memory +
        requestPath.memory +
        watching.memory +
        admission.memory +
        scaling.memory,
    },
    offered: {
      agents: remaining,
      pods: remaining * maxPods,
      cpu: remaining * Math.max(0, topology.agentAllocatable.cpu - gap.cpu),
      memory: remaining * Math.max(0, topology.agentAllocatable.memory - gap.memory),
    },
    peakRequestsPerPod: Object.fromEntries(
      config.functions.map((fn) => [fn.name, fn.workload.peakRequestsPerSecond / fn.scaling.max]),
    ),
  };
  return { functions, capacity };
}

/**
 * Where no agent has room for one more pod, each has less left than the largest pod takes, which may be a gateway's. One
 * agent alone has no room that another one lacks.
 */
function gapPerAgent(agents: number, pods: readonly Resources[]): Resources {
  if (agents === 1) return { cpu: 0, memory: 0 };
  return {
    cpu: Math.max(...pods.map((pod) => pod.cpu)) - 1,
    memory: Math.max(...pods.map((pod) => pod.memory)) - 1,
  };
}

/** Every way in which the pods do not fit, each told at the function that takes most of what is short. */
export function capacityProblems(config: StackConfig, topology: Topology): Problem[] {
  const { functions, capacity } = balance(config, topology, topology.agents);
  const fix = capacityFix(config, topology);
  const shortages = [
    ...podShortage(config, capacity, functions, fix),
    shortage(
      capacity.requested.cpu > capacity.offered.cpu,
      largestBy(functions, (demand) => demand.pods * demand.size.requests.cpu),
      `need ${formatCores(capacity.requested.cpu)}`,
      `${agentsText(config, capacity)} ${formatCores(capacity.offered.cpu)}`,
      fix,
    ),
    shortage(
      capacity.requested.memory > capacity.offered.memory,
      largestBy(functions, (demand) => demand.pods * demand.size.requests.memory),
      `need ${humanBytes(capacity.requested.memory)} of memory`,
      `${agentsText(config, capacity)} ${humanBytes(capacity.offered.memory)}`,
      fix,
    ),
  ];
  return shortages.filter((problem) => problem !== undefined);

  function shortage(isShort: boolean, fn: FunctionConfig, need: string, limit: string, way: string) {
    if (!isShort) return undefined;
    return { path: `functions.${fn.name}.scaling.max`, value: `${whose(config, fn)} ${need}`, limit, fix: way };
  }
}

function podShortage(
  config: StackConfig,
  capacity: Capacity,
  functions: readonly FunctionDemand[],
  fix: string,
): Problem[] {
  const { pods, offered } = capacity;
  if (pods.total <= offered.pods) return [];
  const fn = largestBy(functions, (demand) => demand.pods);
  const perAgent = formatCount(offered.pods / offered.agents);
  const counted = `${formatCount(pods.total)} pods (surge ${formatCount(pods.surge)}, leaving ${formatCount(pods.terminating)}, system ${formatCount(pods.system)})`;
  if (config.cluster.maxPodsPerAgent === undefined) {
    return [
      {
        path: `functions.${fn.name}.scaling.max`,
        value: `${whose(config, fn)} need ${counted}`,
        limit: `${agentsText(config, capacity)} ${formatCount(offered.pods)} (an agent's network bridge has ${perAgent} ports)`,
        fix,
      },
    ];
  }
  const needed = computedMaxPods(config, agentCount(config));
  return [
    {
      path: "cluster.maxPodsPerAgent",
      value: formatCount(config.cluster.maxPodsPerAgent),
      limit: `${agentsText(config, capacity)} ${formatCount(offered.pods)} pods, needed are ${counted}`,
      fix: needed <= BRIDGE_PORTS ? `raise it to ${needed}, leave it out, or ${fix}` : fix,
    },
  ];
}

function whose(config: StackConfig, fn: FunctionConfig): string {
  const others = config.functions.length - 1;
  const replicas = `${formatCount(fn.scaling.max)} replicas`;
  const rest = others === 0 ? "" : `, ${formatCount(others)} other function${others === 1 ? "" : "s"}`;
  return `${replicas}${rest} and the way in`;
}

function agentsText(config: StackConfig, { offered }: Capacity): string {
  const lost = agentCount(config) > offered.agents ? " with one lost" : "";
  return offered.agents === 1 ? `1 agent${lost} offers` : `${formatCount(offered.agents)} agents${lost} offer`;
}

function largestBy(functions: readonly FunctionDemand[], size: (demand: FunctionDemand) => number): FunctionConfig {
  return functions.reduce((largest, demand) => (size(demand) > size(largest) ? demand : largest)).fn;
}

/** Names a number of agents that holds it, found by halving: more agents bring more room than they add pods that leave. */
function capacityFix(config: StackConfig, topology: Topology): string {
  let [tooFew, enough] = [topology.agents, topology.agents];
  while (!holdsWith(enough)) {
    if (enough >= MOST_AGENTS) return "lower max, or use larger agents";
    [tooFew, enough] = [enough, enough * 2];
  }
  while (enough - tooFew > 1) {
    const middle = Math.floor((tooFew + enough) / 2);
    if (holdsWith(middle)) enough = middle;
    else tooFew = middle;
  }
  return `lower max, or add agents (${enough} hold it)`;

  function holdsWith(agents: number): boolean {
    const { pods, requested, offered } = balance(config, topology, agents).capacity;
    return pods.total <= offered.pods && requested.cpu <= offered.cpu && requested.memory <= offered.memory;
  }
}
