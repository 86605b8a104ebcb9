import type { FunctionConfig, StackConfig } from "../config";
import type { Problem } from "../problems";
import { formatBytes, formatCpu, formatDuration, formatPercent } from "../units";
import { formatCount } from "./numbers";
import { largestCpuStep } from "./scale-out";

/** The least quota that the kubelet sets for a period, in milliseconds; a smaller one is raised to it without a word. */
const LEAST_CFS_QUOTA = 1;
/** The autoscaler takes no step while usage is within a tenth of its target: kube-controller-manager's default. */
const HPA_TOLERANCE = 0.1;

/** What a function cannot do with its own limits, however many agents there are. */
export function functionProblems(config: StackConfig): Problem[] {
  return config.functions.flatMap((fn) => [
    ...quotaPeriodProblems(config, fn),
    ...logProblems(config, fn),
    ...peakProblems(fn),
    ...(fn.scaling.metric === "cpu" ? stepProblems(fn) : rateProblems(fn)),
  ]);
}

/**
 * Within each period a pod may use `limit × period` of CPU; a request that comes when it is used up waits for the next
 * period: up to `period × (1 - limit in cores)`. Measured at 100m: P99 84 ms with 100 ms, 9 ms with 10 ms.
 */
function quotaPeriodProblems(config: StackConfig, fn: FunctionConfig): Problem[] {
  const period = config.controlPlane.cfsQuotaPeriod;
  const cores = fn.resources.limits.cpu / 1000;
  const limit = `${fn.name}'s CPU limit of ${formatCpu(fn.resources.limits.cpu)}`;
  const shortest = Math.ceil((LEAST_CFS_QUOTA * 1000) / fn.resources.limits.cpu);
  const found: Problem[] = [];
  if (fn.resources.limits.cpu * period < LEAST_CFS_QUOTA * 1000) {
    found.push({
      path: "controlPlane.cfsQuotaPeriod",
      value: formatDuration(period),
      limit: `with ${limit} the quota is ${formatDuration(cores * period)}, which the kubelet raises to ${LEAST_CFS_QUOTA}ms`,
      fix: `raise it to ${shortest}ms, or functions.${fn.name}.resources.limits.cpu to ${formatCpu(Math.ceil(1000 / period))}`,
    });
  }
  const wait = Number((period * (1 - cores)).toFixed(3));
  if (wait > fn.objectives.p99) {
    const longest = Math.floor(fn.objectives.p99 / (1 - cores));
    found.push({
      path: "controlPlane.cfsQuotaPeriod",
      value: formatDuration(period),
      limit: `${limit} makes a request wait up to ${formatDuration(wait)}, its p99 objective is ${formatDuration(fn.objectives.p99)}`,
      fix:
        longest >= shortest
          ? `lower it to ${longest}ms`
          : `raise functions.${fn.name}.resources.limits.cpu: with this limit no period does`,
    });
  }
  return found;
}

/** The kubelet looks at log sizes every 10 s, so that the file in use outgrows its size: one more file must fit. */
function logProblems(config: StackConfig, fn: FunctionConfig): Problem[] {
  const { maxSize, maxFiles } = config.controlPlane.containerLog;
  const { limit } = fn.resources.ephemeralStorage;
  const needed = maxSize * (maxFiles + 1);
  if (needed <= limit) return [];
  return [
    {
      path: `functions.${fn.name}.resources.ephemeralStorage.limit`,
      value: formatBytes(limit),
      limit: `${maxFiles} log files of ${formatBytes(maxSize)}, and one more that outgrows its size, need ${formatBytes(needed)}`,
      fix: `raise it to ${formatBytes(needed)}, or lower controlPlane.containerLog`,
    },
  ];
}

function peakProblems(fn: FunctionConfig): Problem[] {
  const { peakRequestsPerSecond: peak, cpuPerRequest } = fn.workload;
  const { max } = fn.scaling;
  const limit = fn.resources.limits.cpu;
  const usage = (peak / max) * cpuPerRequest;
  if (usage < limit) return [];
  return [
    {
      path: `functions.${fn.name}.workload.peakRequestsPerSecond`,
      value: `${formatCount(peak)}/s over ${formatCount(max)} replicas, ${formatCount(peak / max)}/s and ${formatCount(usage)}m of CPU each`,
      limit: `a pod at its limit of ${formatCpu(limit)} serves ${formatCount(limit / cpuPerRequest)}/s`,
      fix: `raise scaling.max to ${Math.floor((peak * cpuPerRequest) / limit) + 1}, or resources.limits.cpu to ${formatCpu(Math.floor(usage) + 1)}`,
    },
  ];
}

function stepProblems(fn: FunctionConfig): Problem[] {
  if (fn.scaling.min === fn.scaling.max || largestCpuStep(fn) > 1 + HPA_TOLERANCE) return [];
  return [
    {
      path: `functions.${fn.name}.scaling.cpuTarget`,
      value: formatPercent(fn.scaling.cpuTarget),
      limit: `of ${formatCpu(fn.resources.requests.cpu)}, while ${formatCpu(fn.resources.limits.cpu)} is the limit: usage never passes the target by more than the autoscaler's tolerance of ${formatPercent(HPA_TOLERANCE)}, so it never scales out`,
      fix: "lower it, or raise resources.limits.cpu",
    },
  ];
}

/** A pod that is held at more requests than its CPU limit serves is never given the help of another one. */
function rateProblems({ name, scaling, resources, workload }: FunctionConfig): Problem[] {
  const serves = resources.limits.cpu / workload.cpuPerRequest;
  if (scaling.requestsPerPod < serves) return [];
  return [
    {
      path: `functions.${name}.scaling.requestsPerPod`,
      value: String(scaling.requestsPerPod),
      limit: `a pod at its limit of ${formatCpu(resources.limits.cpu)} serves ${formatCount(serves)}/s: it is overloaded before another one comes`,
      fix: "lower it, or raise resources.limits.cpu",
    },
  ];
}
