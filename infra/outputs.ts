import type { Output } from "@pulumi/pulumi";
import type { WasmFunction } from "../components/functions/wasm-function";
import type { ApiGateway } from "../components/gateway/api-gateway";
import type { Observability } from "../components/observability/observability";
import type { Tenant } from "../components/tenancy/tenant";
import type { Plan, TenantQuota } from "./plan";

/** What a stack exports. */
export interface StackOutputs {
  readonly environment: string;
  readonly gateway: GatewayOutputs;
  /** Absent where something else watches the stack. */
  readonly observability?: ObservabilityOutputs;
  /** By function name. */
  readonly functions: Readonly<Record<string, FunctionOutputs>>;
  /** By tenant name. */
  readonly tenants: Readonly<Record<string, TenantOutputs>>;
  readonly plan: PlanOutputs;
  /** What is installed on the hosts of a cluster of this stack's own. */
  readonly k3sVersion?: string;
}

export interface FunctionOutputs {
  readonly namespace: Output<string>;
  readonly service: Output<string>;
  /** Address within the cluster. */
  readonly url: Output<string>;
  readonly deployment: Output<string>;
  readonly autoscaler: Output<string>;
  readonly image: Output<string>;
}

export interface GatewayOutputs {
  readonly namespace: string;
  /** The Service that clients come by. */
  readonly service: Output<string>;
  /** Port of HTTPS at its address, or at every node's where it has none of its own. */
  readonly httpsPort: number;
}

/** Services of the namespace; people reach them by `kubectl port-forward`. */
export interface ObservabilityOutputs {
  readonly namespace: string;
  readonly prometheus: Output<string>;
  readonly alertmanager: Output<string>;
  /** Its password is in the Secret `grafana-secrets`. */
  readonly grafana?: Output<string>;
}

export interface TenantOutputs {
  readonly namespace: Output<string>;
  readonly serviceAccount: Output<string>;
  readonly maxPods: number;
}

/** The plan's numbers that people and dashboards compare with what they see. */
export interface PlanOutputs {
  readonly agents: number;
  readonly maxPodsPerAgent: number;
  readonly nodeCidrMaskSize: number;
  /** Pods at the worst moment, and what there is for them with one agent lost. */
  readonly podsAtPeak: number;
  readonly podsOffered: number;
  /** By function name. */
  readonly secondsToMax: Readonly<Record<string, number>>;
  readonly warnings: number;
}

export function functionOutputs(fn: WasmFunction): FunctionOutputs {
  return {
    namespace: fn.namespace,
    service: fn.serviceName,
    url: fn.url,
    deployment: fn.deploymentName,
    autoscaler: fn.autoscalerName,
    image: fn.image,
  };
}

export function gatewayOutputs(gateway: ApiGateway, namespace: string): GatewayOutputs {
  return { namespace, service: gateway.serviceName, httpsPort: gateway.httpsPort };
}

export function tenantOutputs(tenant: Tenant, quota: TenantQuota): TenantOutputs {
  return { namespace: tenant.namespace, serviceAccount: tenant.serviceAccountName, maxPods: quota.pods };
}

export function planOutputs(plan: Plan): PlanOutputs {
  const { topology, capacity } = plan;
  return {
    agents: topology.agents,
    maxPodsPerAgent: topology.maxPodsPerAgent,
    nodeCidrMaskSize: topology.nodeCidrMaskSize,
    podsAtPeak: capacity.pods.total,
    podsOffered: capacity.offered.pods,
    secondsToMax: Object.fromEntries(Object.entries(plan.scaleOut).map(([name, s]) => [name, s.secondsToMax])),
    warnings: plan.warnings.length,
  };
}

export function observabilityOutputs(watching: Observability, namespace: string): ObservabilityOutputs {
  return {
    namespace,
    prometheus: watching.prometheusService,
    alertmanager: watching.alertmanagerService,
    ...(watching.grafanaService && { grafana: watching.grafanaService }),
  };
}

/** One value for each item, by its name. */
export function byName<Item extends { readonly name: string }, T>(
  items: readonly Item[],
  make: (item: Item) => T,
): Readonly<Record<string, T>> {
  return Object.fromEntries(items.map((item) => [item.name, make(item)]));
}

/** One value for each key. */
export function byKey<Key extends string, T>(keys: readonly Key[], make: (key: Key) => T): Readonly<Record<Key, T>> {
  return Object.fromEntries(keys.map((key) => [key, make(key)])) as Record<Key, T>;
}

/** The value of a name that the config has checked to be there. */
export function of<T>(values: Readonly<Record<string, T>>, name: string): T {
  const value = values[name];
  if (value === undefined) throw new Error(`nothing is known of "${name}"`);
  return value;
}
