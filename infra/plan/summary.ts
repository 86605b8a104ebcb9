import type { StackConfig } from "../config";
import { formatPercent, humanBytes } from "../units";
import type { Plan } from "./types";
import { LONGEST_SCALE_OUT } from "./autoscaler";
import { formatCores, formatCount } from "./numbers";

/** The plan in a few lines of plain text, as a preview shows it; warnings stand apart. */
export function summarize(plan: Plan, config: StackConfig): string[] {
  const { topology, capacity } = plan;
  const { pods, requested, offered } = capacity;
  const lost = offered.agents < topology.agents ? `, one lost: ${formatCount(offered.agents)}` : "";
  return [
    `Agents: ${formatCount(topology.agents)}${lost}; up to ${formatCount(topology.maxPodsPerAgent)} pods each, /${topology.nodeCidrMaskSize} of ${config.cluster.network.podCidr.text}`,
    `Pods at the worst moment: ${formatCount(pods.total)} of ${formatCount(offered.pods)} (replicas ${formatCount(pods.replicas)}, surge ${formatCount(pods.surge)}, leaving ${formatCount(pods.terminating)}, system ${formatCount(pods.system)})`,
    `Requested: ${formatCores(requested.cpu)} of ${formatCores(offered.cpu)}, ${humanBytes(requested.memory)} of ${humanBytes(offered.memory)} memory`,
    ...config.functions.flatMap((fn) => functionLines(plan, fn)),
    requestPathLine(plan, config),
    ...plan.cost.baselines.map((side) => costLine(plan, side)),
  ];
}

function functionLines(plan: Plan, { name, scaling }: StackConfig["functions"][number]): string[] {
  const scaleOut = plan.scaleOut[name];
  if (!scaleOut) return [];
  const { wantedAtPeak, secondsToMax, secondsToMaxControlPlaneOnly, drivenBy, bottleneck } = scaleOut;
  const { metric } = scaling;
  return [
    `${name} at peak: ${formatCount(plan.capacity.peakRequestsPerPod[name] ?? 0)} requests/s per pod at max; wanted ${formatCount(wantedAtPeak.cpu)} replicas by CPU, ${formatCount(wantedAtPeak.requestRate)} by request rate`,
    `${name} from min to max: ${timeToMax(secondsToMax)} (control plane alone ${secondsToMaxControlPlaneOnly} s), held back by: ${bottleneck}${metric === "rps" || drivenBy === "cpu" ? "" : `; reckoned by request rate, since CPU, which the autoscaler holds, ends at ${formatCount(wantedAtPeak.cpu)}`}`,
    ...(scaling.buffer > 0
      ? [`${name} keeps room for ${formatCount(scaling.buffer)} more pods on nodes, which make way for any function's`]
      : []),
    ...scaling.prewarm.map(
      ({ start, end, timezone, replicas }) =>
        `${name} is warm before its load: ${formatCount(replicas)} replicas from ${start} to ${end} (${timezone})`,
    ),
  ];
}

/** Seconds that are as long as is followed are that long at least. */
export function timeToMax(seconds: number): string {
  return seconds >= LONGEST_SCALE_OUT ? `over ${LONGEST_SCALE_OUT} s` : `${seconds} s`;
}

function requestPathLine({ requestPath }: Plan, { gateway, authorization }: StackConfig): string {
  const { peakRequestsPerSecond, gateway: entry, authorizer } = requestPath;
  const part = (
    name: string,
    { needed, max }: typeof entry,
    cpu: number,
    { cpuTarget, requests }: typeof gateway.replicas,
  ) =>
    `${name} ${formatCount(needed)} (of up to ${formatCount(max)}; ${formatCount(cpu * 1000)}us each, ${formatPercent(cpuTarget)} of ${formatCores(requests.cpu)})`;
  return `Way in at ${formatCount(peakRequestsPerSecond)} requests/s: ${part("gateways", entry, gateway.cpuPerRequest, gateway.replicas)}, ${part("authorizers", authorizer, authorization.cpuPerDecision, authorization.replicas)}`;
}

function costLine(plan: Plan, side: Plan["cost"]["baselines"][number]): string {
  const { platform } = plan.cost;
  const hosts = (count: number) => count.toFixed(2);
  return `Cost at peak: ${hosts(platform.hosts)} hosts (by ${platform.boundBy}) against ${hosts(side.hosts)} of ${side.name} (by ${side.boundBy}); saves ${percent(side.savedHosts)} of hosts, ${percent(side.savedCpu)} of CPU, ${percent(side.savedMemory)} of memory`;
}

function percent(ratio: number): string {
  return formatPercent(Number(ratio.toFixed(3)));
}
