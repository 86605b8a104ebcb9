import type { types } from "@pulumi/kubernetes";
import type { FunctionConfig } from "../../infra/config";
import type { TenantQuota } from "../../infra/plan/types";
import { formatBytes, formatCpu } from "../../infra/units";

interface ContainerResources {
  readonly cpu: number;
  readonly memory: number;
  readonly ephemeralStorage: number;
}

/** The function of the reference workload: the limits of a tenant that has no function yet. */
const REFERENCE: FunctionConfig["resources"] = {
  requests: { cpu: 10, memory: 32 * 2 ** 20 },
  limits: { cpu: 100, memory: 64 * 2 ** 20 },
  ephemeralStorage: { request: 8 * 2 ** 20, limit: 16 * 2 ** 20 },
};

/**
 * The hard limits of a tenant's namespace: what the plan counted, and nothing that would be a way around the
 * gateway (node ports, load balancers) or keep data in a function (volume claims).
 */
export function quotaHard(quota: TenantQuota): Record<string, string> {
  return {
    pods: String(quota.pods),
    "requests.cpu": formatCpu(quota.requests.cpu),
    "requests.memory": formatBytes(quota.requests.memory),
    "requests.ephemeral-storage": formatBytes(quota.requests.ephemeralStorage),
    "limits.cpu": formatCpu(quota.limits.cpu),
    "limits.memory": formatBytes(quota.limits.memory),
    "limits.ephemeral-storage": formatBytes(quota.limits.ephemeralStorage),
    services: String(quota.services),
    "services.nodeports": "0",
    "services.loadbalancers": "0",
    configmaps: String(quota.configMaps),
    secrets: String(quota.secrets),
    persistentvolumeclaims: "0",
  };
}

/**
 * What a container gets that names no resources (the smallest of the tenant's functions), and the most that one
 * may ask for (the largest).
 */
export function containerLimits(functions: readonly FunctionConfig[]): types.input.core.v1.LimitRangeItem {
  const resources = functions.length > 0 ? functions.map((fn) => fn.resources) : [REFERENCE];
  const requests = resources.map((r) => ({ ...r.requests, ephemeralStorage: r.ephemeralStorage.request }));
  const limits = resources.map((r) => ({ ...r.limits, ephemeralStorage: r.ephemeralStorage.limit }));
  return {
    type: "Container",
    defaultRequest: quantities(combine(requests, Math.min)),
    default: quantities(combine(limits, Math.min)),
    max: quantities(combine(limits, Math.max)),
  };
}

function combine(items: readonly ContainerResources[], pick: (...values: number[]) => number): ContainerResources {
  return {
    cpu: pick(...items.map((item) => item.cpu)),
    memory: pick(...items.map((item) => item.memory)),
    ephemeralStorage: pick(...items.map((item) => item.ephemeralStorage)),
  };
}

function quantities(resources: ContainerResources): Record<string, string> {
  return {
    cpu: formatCpu(resources.cpu),
    memory: formatBytes(resources.memory),
    "ephemeral-storage": formatBytes(resources.ephemeralStorage),
  };
}
