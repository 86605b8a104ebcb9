import type { FunctionConfig, StackConfig } from "../config";
import { resolvePods, type Bytes, type Millis } from "../units";
import { roundUp, sum } from "./numbers";
import type { Resources } from "./types";

/**
 * Pods/s that a control plane on 2 cores creates and binds with its client limits off: 5,000 in 33 s (measured). No
 * client limit makes it faster.
 */
export const CONTROL_PLANE_FLOOR = 150;

/** What one pod of a function counts for scheduler and quota, the runtime's overhead included. */
export interface PodSize {
  readonly requests: Resources & { readonly ephemeralStorage: Bytes };
  readonly limits: Resources & { readonly ephemeralStorage: Bytes };
}

/** The pods of one function at the worst moment. */
export interface FunctionDemand {
  readonly fn: FunctionConfig;
  readonly size: PodSize;
  readonly replicas: number;
  readonly surge: number;
  readonly terminating: number;
  readonly pods: number;
}

export function podSize(config: StackConfig, fn: FunctionConfig): PodSize {
  const { overhead } = config.runtime;
  const { requests, limits, ephemeralStorage } = fn.resources;
  return {
    requests: {
      cpu: requests.cpu + overhead.cpu,
      memory: requests.memory + overhead.memory,
      ephemeralStorage: ephemeralStorage.request,
    },
    limits: {
      cpu: limits.cpu + overhead.cpu,
      memory: limits.memory + overhead.memory,
      ephemeralStorage: ephemeralStorage.limit,
    },
  };
}

/**
 * Pods/s that the control plane creates and binds. The ReplicaSet controller makes one write per pod; the scheduler
 * makes about two, and has twice the limit: so both allow `clientQps` pods/s. 20 gives the 250 s for 5,000 that a stock
 * control plane was measured to take.
 */
export function controlPlaneRate(config: StackConfig): number {
  return Math.min(config.controlPlane.clientQps, CONTROL_PLANE_FLOOR);
}

/** Pods/s that so many agents start, once the control plane has handed them out. */
export function rolloutRate(config: StackConfig, agents: number): number {
  return Math.min(agents * config.runtime.startRate, controlPlaneRate(config));
}

/**
 * How long a pod may take to leave: it serves on while gateways forget it, then finishes its last request. The grace
 * period is at least this long, and a wasm function that is busy lives it out (measured).
 */
export function drainTime(fn: FunctionConfig): Millis {
  return fn.drain.propagation + fn.requestTimeout;
}

/** Pods that there are of these functions at the worst moment, also those that keep room, on a node or waiting for one. */
export function podsThere(demands: readonly FunctionDemand[]): number {
  return sum(demands, ({ pods, fn }) => pods + fn.scaling.buffer);
}

/**
 * The worst moment of these functions: all are at max and roll to a new version together. Then each has its surge, and
 * pods leave as fast as new ones become ready, each staying for its drain time. So
 * `terminating = start rate × drain time` (never more than there are old pods), where the functions share the agents'
 * start rate by their replicas.
 */
export function worstMoment(
  config: StackConfig,
  functions: readonly FunctionConfig[],
  agents: number,
): FunctionDemand[] {
  const rate = rolloutRate(config, agents);
  const replicasOfAll = sum(functions, (fn) => fn.scaling.max);
  return functions.map((fn) => {
    const replicas = fn.scaling.max;
    const surge = resolvePods(fn.rollout.maxSurge, replicas);
    const leaving = roundUp(((rate * replicas) / replicasOfAll) * (drainTime(fn) / 1000));
    const terminating = Math.min(replicas, leaving);
    return { fn, size: podSize(config, fn), replicas, surge, terminating, pods: replicas + surge + terminating };
  });
}
