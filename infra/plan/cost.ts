import type { FunctionConfig, StackConfig } from "../config";
import type { Problem } from "../problems";
import { formatBytes, formatCpu, formatDuration, formatPercent } from "../units";
import type { CostComparison, CostSide, Resources, Topology } from "./types";
import { podSize } from "./demand";
import { clamp, formatCount, roundUp, sum } from "./numbers";
import { wantedByMetric } from "./scale-out";

type Baseline = StackConfig["cost"]["baseline"];

/**
 * Compares what the peak load takes as functions and as containers: hosts of the agents' shape, by whichever of CPU
 * and memory needs more. Hosts cost the same whether or not pods scale in, so replica-hours stand apart.
 */
export function planCost(config: StackConfig, topology: Topology): CostComparison {
  const platform = platformSide(config, topology.agentAllocatable);
  const baselines = [
    { name: "reference containers", baseline: config.cost.baseline },
    { name: "lean containers", baseline: config.cost.lean },
  ].map(({ name, baseline }) => {
    const side = baselineSide(config, topology.agentAllocatable, name, baseline);
    return {
      ...side,
      savedHosts: saving(platform.hosts, side.hosts),
      savedCpu: saving(platform.requested.cpu, side.requested.cpu),
      savedMemory: saving(platform.requested.memory, side.requested.memory),
    };
  });
  return { platform, baselines, assumptions: assumptions(config) };
}

/** Replicas as each function's metric wants them at peak, within min and max, and the pods that keep room beside them. */
function platformSide(config: StackConfig, host: Resources): CostSide {
  const pods = config.functions.map((fn) => ({ fn, replicas: replicasAtPeak(fn) + fn.scaling.buffer }));
  const requested = {
    cpu: sum(pods, ({ fn, replicas }) => replicas * podSize(config, fn).requests.cpu),
    memory: sum(pods, ({ fn, replicas }) => replicas * podSize(config, fn).requests.memory),
  };
  return costSide(
    "functions",
    sum(pods, ({ replicas }) => replicas),
    requested,
    host,
  );
}

/** As many containers as keep their CPU at the baseline's utilization; each function is a deployment of its own. */
function baselineSide(config: StackConfig, host: Resources, name: string, baseline: Baseline): CostSide {
  const replicas = sum(config.functions, (fn) => roundUp(cpuAtPeak(fn) / (baseline.cpu * baseline.utilization)));
  return costSide(name, replicas, { cpu: replicas * baseline.cpu, memory: replicas * baseline.memory }, host);
}

function costSide(name: string, replicas: number, requested: Resources, host: Resources): CostSide {
  const byCpu = requested.cpu / host.cpu;
  const byMemory = requested.memory / host.memory;
  return {
    name,
    replicas,
    requested,
    hosts: Math.max(byCpu, byMemory),
    boundBy: byCpu >= byMemory ? "cpu" : "memory",
    replicaHoursPerDay: replicas * 24,
  };
}

/** Millicores: requests/s times milliseconds of CPU. */
function cpuAtPeak(fn: FunctionConfig): number {
  return fn.workload.peakRequestsPerSecond * fn.workload.cpuPerRequest;
}

function replicasAtPeak(fn: FunctionConfig, metric = fn.scaling.metric): number {
  return clamp(wantedByMetric(fn, metric), fn.scaling.min, fn.scaling.max);
}

/** Negative where ours takes more. */
function saving(ours: number, theirs: number): number {
  // Without the rounding error of binary fractions, by which 80 % would be less than 80 %.
  return Number((1 - ours / theirs).toFixed(9));
}

function kept({ functions }: StackConfig): string {
  const pods = sum(functions, ({ scaling }) => scaling.buffer);
  return pods === 0 ? "" : `, and so are the ${formatCount(pods)} pods that keep room`;
}

function held({ name, scaling, resources }: FunctionConfig): string {
  return scaling.metric === "rps"
    ? `${name} ${formatCount(scaling.requestsPerPod)} requests/s per pod`
    : `${name} ${formatPercent(scaling.cpuTarget)} of ${formatCpu(resources.requests.cpu)}`;
}

function assumptions(config: StackConfig): string[] {
  const { baseline, lean } = config.cost;
  const byRate = sum(config.functions, (fn) => replicasAtPeak(fn, "rps"));
  return [
    `Load: ${config.functions.map((fn) => `${fn.name} ${formatCount(fn.workload.peakRequestsPerSecond)} requests/s of ${formatDuration(fn.workload.cpuPerRequest)} CPU`).join(", ")} (config workload; 0.15–0.18 ms were measured on a real WasmEdge node).`,
    `Functions run at what their autoscaler holds (${config.functions.map(held).join(", ")}), within min and max; each pod is counted with the runtime's overhead of ${formatBytes(config.runtime.overhead.memory)}${kept(config)}.`,
    `All scaled by request rate they would be ${formatCount(byRate)} replicas, and cost that much more.`,
    `Reference containers have ${formatCpu(baseline.cpu)} and ${formatBytes(baseline.memory)} each and use ${formatPercent(baseline.utilization)} of their CPU (config cost.baseline, from the reference).`,
    `Lean containers have ${formatCpu(lean.cpu)} and ${formatBytes(lean.memory)} each and use ${formatPercent(lean.utilization)} of their CPU (config cost.lean; 12–15 MB were measured for one in Go, 5.7–7.3 MB for the sample function built natively).`,
    "CPU per request is taken as equal on all sides; for the lightest request 13.6 µs were measured, and 8.3 µs for the same source as a native program, so containers may need 5 µs less of each.",
    "Hosts have the agents' shape less what is reserved; surge, leaving pods, system pods and the spare agent are on no side.",
    "At face value 20 % against 90 % utilization saves 77.8 % of CPU, and against an autoscaler's 70 % 71.4 %.",
  ];
}

/** Under the wanted saving is a warning with its levers, never hidden. */
export function costWarnings(config: StackConfig, cost: CostComparison): Problem[] {
  const { minimumSaving, baseline } = config.cost;
  const reference = cost.baselines[0];
  if (reference === undefined || reference.savedHosts >= minimumSaving) return [];
  const neededTarget = Number((baseline.utilization / (1 - minimumSaving)).toFixed(9));
  const byMemory = cost.platform.boundBy === "memory";
  const levers = [
    byMemory && "lower resources.requests.memory or runtime.overhead.memory (memory decides here)",
    !byMemory && neededTarget <= 1 && `raise scaling.cpuTarget (CPU alone needs ${formatPercent(neededTarget)})`,
    "compare against the utilization that your containers really have (cost.baseline.utilization)",
    "or accept it (cost.minimumSaving)",
  ].filter((lever) => lever !== false);
  return [
    {
      path: "cost.minimumSaving",
      value: formatPercent(minimumSaving),
      limit: `${cost.platform.name} save ${formatPercent(reference.savedHosts)} of the hosts of ${reference.name} at peak, bound by ${cost.platform.boundBy}`,
      fix: levers.join(", "),
    },
  ];
}
