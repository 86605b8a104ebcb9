import type {
  AuthorizationConfig,
  FunctionConfig,
  GatewayConfig,
  ObservabilityConfig,
  TenantConfig,
} from "../../../infra/config";
import type { Plan } from "../../../infra/plan/types";
import type { Millis } from "../../../infra/units";

/** What dashboards are drawn for. */
export interface DashboardsArgs {
  readonly functions: readonly FunctionConfig[];
  readonly tenants: readonly Pick<TenantConfig, "name">[];
  /** Bounds and what a host offers. */
  readonly plan: Pick<Plan, "topology" | "capacity" | "requestPath" | "cost" | "observability">;
  readonly observability: ObservabilityConfig;
  readonly gateway: Pick<GatewayConfig, "kind" | "namespace" | "tls">;
  readonly authorization: Pick<AuthorizationConfig, "budgets">;
  /** Whether etcd is scraped: where the cluster is set up here, and keeps its state in etcd. */
  readonly etcd: boolean;
}

/** Matches the namespaces that functions are in: tenants' names are DNS labels, in which nothing is special to a pattern. */
export function tenantNamespaces({ tenants }: DashboardsArgs): string {
  return tenants.map(({ name }) => name).join("|");
}

/** Latency objectives in seconds, of all functions. */
export function latencyObjectives({ functions }: DashboardsArgs, objective: "p99" | "p999"): number[] {
  return functions.map(({ objectives }) => objectives[objective] / 1000);
}

/** Shares of requests that may fail, of all functions. */
export function errorObjectives({ functions }: DashboardsArgs): number[] {
  // Without the rounding error of binary fractions: 1 - 0.9999 is 0.00009999999999998899.
  return functions.map(({ objectives }) => Number((1 - objectives.availability).toFixed(9)));
}

/** The range that rates are taken over where nothing is recorded: Grafana makes it at least four scrapes. */
export const RATE = "[$__rate_interval]";

/** Kubelets look at CPU and memory about so often, however often they are asked: a rate over less finds a single value. */
const KUBELET_INTERVAL: Millis = 15_000;

/** The step that Grafana is to reckon with: it takes rates over at least four of these. */
export function samplingInterval({ scrapeInterval }: Pick<ObservabilityConfig, "scrapeInterval">): Millis {
  return Math.max(scrapeInterval, KUBELET_INTERVAL);
}
