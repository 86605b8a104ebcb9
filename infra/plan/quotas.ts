import type { FunctionConfig, StackConfig } from "../config";
import type { TenantQuota } from "./types";
import { podsThere, worstMoment } from "./demand";
import { sum } from "./numbers";
import { agentCount, SERVICES_PER_FUNCTION } from "./topology";

/** Room for what a tenant adds by hand, and for objects that exist twice while one replaces the other. */
const SPARE_OBJECTS = 10;
/** A function's config, once for each revision that a rollback may go to (a Deployment keeps 10) and the current one. */
const CONFIG_MAPS_PER_FUNCTION = 11;
/** A function's database connection and pull credentials, each twice while it is rotated. */
const SECRETS_PER_FUNCTION = 4;

/**
 * Hard limits of each tenant's namespace. A rollout at max must fit, so they are the worst moment of the tenant's own
 * functions: all agents there and starting nothing but its pods.
 */
export function planQuotas(config: StackConfig): Record<string, TenantQuota> {
  return Object.fromEntries(
    config.tenants.map((tenant) => [
      tenant.name,
      tenantQuota(
        config,
        config.functions.filter((fn) => fn.tenant === tenant.name),
      ),
    ]),
  );
}

function tenantQuota(config: StackConfig, functions: readonly FunctionConfig[]): TenantQuota {
  // Pods that keep room make way on nodes, but count for the quota like any other, also while they wait for a node.
  const demands = worstMoment(config, functions, agentCount(config)).map((demand) => ({
    size: demand.size,
    pods: podsThere([demand]),
  }));
  const total = (kind: "requests" | "limits") => ({
    cpu: sum(demands, (demand) => demand.pods * demand.size[kind].cpu),
    memory: sum(demands, (demand) => demand.pods * demand.size[kind].memory),
    ephemeralStorage: sum(demands, (demand) => demand.pods * demand.size[kind].ephemeralStorage),
  });
  return {
    pods: sum(demands, (demand) => demand.pods),
    requests: total("requests"),
    limits: total("limits"),
    services: functions.length * SERVICES_PER_FUNCTION + SPARE_OBJECTS,
    configMaps: functions.length * CONFIG_MAPS_PER_FUNCTION + SPARE_OBJECTS,
    secrets: functions.length * SECRETS_PER_FUNCTION + SPARE_OBJECTS,
  };
}
