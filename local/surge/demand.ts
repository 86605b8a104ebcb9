import type { FunctionConfig } from "../../infra/config";
import type { MilliCpu, Millis } from "../../infra/units";

/** What a request takes, and what a pod may use. */
export interface PodCapability {
  readonly cpuPerRequest: Millis;
  readonly cpuLimit: MilliCpu;
}

/** What a load does to the pods that are ready. */
export interface Demand {
  /** Of each pod, at most its limit: the kernel lets it use no more, however many requests wait. */
  readonly cpuPerPod: MilliCpu;
  /** Requests/s that all pods can serve, each at its limit. */
  readonly capacity: number;
  /** Requests/s that are served, and those that are not. */
  readonly served: number;
  readonly shed: number;
}

export function capabilityOf({ workload, resources }: FunctionConfig): PodCapability {
  return { cpuPerRequest: workload.cpuPerRequest, cpuLimit: resources.limits.cpu };
}

/** Requests/s that one pod serves at its limit; requests/s times milliseconds of CPU are millicores. */
export function podCapacity({ cpuPerRequest, cpuLimit }: PodCapability): number {
  return cpuLimit / cpuPerRequest;
}

/** The load is balanced: each pod that is ready has the same part of it. */
export function demandOn(load: number, ready: number, capability: PodCapability): Demand {
  const capacity = ready * podCapacity(capability);
  const served = Math.min(load, capacity);
  const cpuPerPod = ready === 0 ? 0 : Math.min((load / ready) * capability.cpuPerRequest, capability.cpuLimit);
  return { cpuPerPod, capacity, served, shed: load - served };
}
