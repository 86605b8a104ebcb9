import type { StackConfig } from "../config";
import { seesAddresses } from "../gateway-checks";
import type { Problem } from "../problems";
import type { Millis } from "../units";
import { clamp, formatCores, formatCount, roundUp, sum } from "./numbers";
import type { ReplicaPlan, RequestPathPlan } from "./types";

/** Pods of gateway and authorizer that a rollout starts before it stops old ones, as a share of their replicas. */
export const PLATFORM_SURGE = 0.1;
/** Headroom in what one replica remembers: requests do not fall on replicas evenly. */
const UNEVEN = 2;
/** A table of tokens or clients is no smaller than this. */
const LEAST_REMEMBERED = 10_000;
/** Nor larger than this, which takes some 10 MB: what is beyond is forgotten early, and starts over with a full budget. */
const MOST_REMEMBERED = 200_000;
/**
 * Addresses that fit one DNS answer over TCP: its 65,535 bytes less the question, in records of 16 bytes. Kong finds a
 * function's pods by DNS.
 */
export const DNS_ANSWER_PODS = 4000;

/** What a pod of Traefik has beside it: the program that tells it which pods are ready, and needs little at any load. */
const ENDPOINTS_HELPER = {
  requests: { cpu: 10, memory: 48 * 2 ** 20 },
  limits: { cpu: 500, memory: 128 * 2 ** 20 },
} as const;

/** What gateway and authorizer need for the functions' load at peak. */
export function planRequestPath(config: StackConfig): RequestPathPlan {
  const peak = sum(config.functions, (fn) => fn.workload.peakRequestsPerSecond);
  const { gateway, authorization } = config;
  const authorizer = planReplicas(peak, authorization.cpuPerDecision, authorization.replicas);
  return {
    peakRequestsPerSecond: peak,
    gateway: planReplicas(peak, gateway.cpuPerRequest, gateway.replicas),
    authorizer,
    remembered: planRemembered(config, peak, authorizer.max),
    seesAddresses: seesAddresses(gateway),
    helper: ENDPOINTS_HELPER,
  };
}

function planReplicas(
  peak: number,
  cpuPerRequest: Millis,
  { min, max, requests, cpuTarget }: StackConfig["gateway"]["replicas"],
): ReplicaPlan {
  // Milliseconds of CPU in each second are thousandths of a core.
  const cpuAtPeak = peak * cpuPerRequest;
  const needed = roundUp(cpuAtPeak / (requests.cpu * cpuTarget));
  return { min, max: Math.max(min, max ?? needed + 1), needed, cpuAtPeak };
}

/**
 * A bucket that nobody took from for `burst / requests per second` is full again and need not be remembered; so there
 * are at most as many as requests come to one replica in that time, whoever sends them. Tokens are remembered in as
 * many: a token that is pushed out is verified again.
 */
function planRemembered(config: StackConfig, peak: number, replicas: number): number {
  const refill = Math.max(...config.functions.map(({ rateLimit }) => rateLimit.burst / rateLimit.requestsPerSecond));
  return clamp(roundUp(((peak * refill) / replicas) * UNEVEN), LEAST_REMEMBERED, MOST_REMEMBERED);
}

/** Pods of gateway and authorizer at the worst moment, what they request, and what one of them requests at most. */
export function platformDemand(config: StackConfig, plan: RequestPathPlan = planRequestPath(config)) {
  const helper = config.gateway.kind === "traefik" ? plan.helper.requests : { cpu: 0, memory: 0 };
  const own = config.gateway.replicas.requests;
  const parts = [
    { max: plan.gateway.max, cpu: own.cpu + helper.cpu, memory: own.memory + helper.memory },
    { max: plan.authorizer.max, ...config.authorization.replicas.requests },
  ].map((part) => ({ ...part, pods: part.max + roundUp(part.max * PLATFORM_SURGE) }));
  return {
    pods: sum(parts, (part) => part.pods),
    cpu: sum(parts, (part) => part.pods * part.cpu),
    memory: sum(parts, (part) => part.pods * part.memory),
    largest: {
      cpu: Math.max(...parts.map((part) => part.cpu)),
      memory: Math.max(...parts.map((part) => part.memory)),
    },
  };
}

/** Where the way in cannot carry what the functions are to serve. */
export function requestPathProblems(config: StackConfig): Problem[] {
  const plan = planRequestPath(config);
  const peak = `${formatCount(plan.peakRequestsPerSecond)} requests/s`;
  return [
    ...tooFew("gateway", plan.gateway, config.gateway.cpuPerRequest, peak),
    ...tooFew("authorization", plan.authorizer, config.authorization.cpuPerDecision, peak),
    ...config.functions
      .filter((fn) => config.gateway.kind === "kong" && fn.scaling.max > DNS_ANSWER_PODS)
      .map((fn) => ({
        path: `functions.${fn.name}.scaling.max`,
        value: formatCount(fn.scaling.max),
        limit: `Kong finds pods by DNS, and one answer holds ${formatCount(DNS_ANSWER_PODS)} addresses`,
        fix: "lower it, or use gateway.kind: traefik",
      })),
  ];
}

function tooFew(key: "gateway" | "authorization", plan: ReplicaPlan, cpu: Millis, peak: string): Problem[] {
  if (plan.max >= plan.needed) return [];
  return [
    {
      path: `${key}.replicas.max`,
      value: formatCount(plan.max),
      limit: `${peak} at ${formatCount(cpu * 1000)}us each take ${formatCores(plan.cpuAtPeak)}, ${formatCount(plan.needed)} replicas`,
      fix: `raise it to ${plan.needed}, leave it out, or give each more CPU`,
    },
  ];
}
