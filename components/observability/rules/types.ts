import type { AuthorizationConfig, FunctionConfig, GatewayConfig } from "../../../infra/config";
import type { ObservabilityConfig, RouteConfig, TenantConfig } from "../../../infra/config";
import type { Plan } from "../../../infra/plan/types";

/** Somebody is woken, somebody looks at it in working hours, or somebody waits for it. */
export type Severity = ObservabilityConfig["receivers"][number]["severities"][number];

/** A series that Prometheus reckons and keeps, named `level:metric:operation`. */
export interface RecordingRule {
  readonly record: string;
  readonly expr: string;
  readonly labels?: Readonly<Record<string, string>>;
}

export interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  /** How long it must have been so, as Prometheus writes durations. Default: not at all. */
  readonly for?: string;
  readonly labels: Readonly<Record<string, string>> & { readonly severity: Severity };
  readonly annotations: {
    readonly summary: string;
    /** With the numbers that it is about. */
    readonly description: string;
    readonly runbook_url: string;
  };
}

export type Rule = RecordingRule | AlertRule;

export interface RuleGroup {
  readonly name: string;
  /** As Prometheus writes durations. */
  readonly interval: string;
  readonly rules: readonly Rule[];
}

/** An alert as its topic's file says it; where its runbook is, is added for all of them alike. */
export interface AlertArgs extends Omit<AlertRule, "labels" | "annotations"> {
  readonly severity: Severity;
  readonly labels?: Readonly<Record<string, string>>;
  readonly summary: string;
  readonly description: string;
}

/** What one topic has, before intervals and runbooks. */
export interface Topic {
  readonly name: string;
  readonly recordings?: readonly RecordingRule[];
  readonly alerts?: readonly AlertArgs[];
}

/** What the rules are made of. */
export interface RulesArgs {
  readonly functions: readonly FunctionConfig[];
  /** Gateways count requests by route, of which it must be known where they lead. */
  readonly routes: readonly RouteConfig[];
  readonly gateway: Pick<GatewayConfig, "kind" | "namespace" | "replicas">;
  readonly authorization: Pick<AuthorizationConfig, "budgets">;
  readonly observability: ObservabilityConfig;
  readonly tenants: readonly TenantConfig[];
  readonly plan: Pick<Plan, "observability">;
}
