import { stringify } from "yaml";
import { functionTopic, objectiveTopics } from "./objectives";
import { authorizerTopic } from "./platform-authorizer";
import { controlPlaneTopic } from "./platform-control-plane";
import { gatewayTopic } from "./platform-gateway";
import { logsTopic } from "./platform-logs";
import { monitoringTopic } from "./platform-monitoring";
import { nodesTopic } from "./platform-nodes";
import { podsTopic } from "./platform-pods";
import { scalingTopic } from "./platform-scaling";
import { tenantsTopic } from "./platform-tenants";
import { gatewaySource } from "./sources";
import type { AlertArgs, AlertRule, RuleGroup, RulesArgs, Topic } from "./types";
import { promDuration, windowsOf } from "./windows";

export type { AlertRule, RecordingRule, Rule, RuleGroup, RulesArgs, Severity } from "./types";

/** The file, from the project's root, that every alert's runbook is a section of. */
export const ALERT_RUNBOOK_FILE = "docs/runbooks.md";

/** What is reckoned from steps need not be reckoned more often; and a series that is asked for must not be older than 5m. */
const LONG_INTERVAL = 60_000;

/** All rules of a stack, in groups that Prometheus evaluates side by side. */
export function ruleGroups(args: RulesArgs): RuleGroup[] {
  const { scrapeInterval } = args.observability;
  const { step } = windowsOf(args.observability);
  const source = gatewaySource(args);
  const [objectives, steps, long] = objectiveTopics(args, source);
  const each = [
    functionTopic(args, source),
    objectives,
    scalingTopic(args),
    podsTopic(args),
    nodesTopic(),
    gatewayTopic(args, source),
    authorizerTopic(args),
    controlPlaneTopic(),
    logsTopic(),
    monitoringTopic(args),
    tenantsTopic(args),
  ];
  const group = (topic: Topic, interval: number) => toGroup(topic, interval, args.observability.runbooks);
  return [
    ...each.map((topic) => group(topic, scrapeInterval)),
    group(steps, step),
    group(long, Math.max(scrapeInterval, Math.min(step, LONG_INTERVAL))),
  ].filter(({ rules }) => rules.length > 0);
}

/** The file of rules that Prometheus reads. */
export function ruleFile(groups: readonly RuleGroup[]): string {
  return stringify({ groups }, { lineWidth: 0, aliasDuplicateObjects: false });
}

/** Every expression of these groups, for whoever wants to know which metrics they ask for. */
export function expressions(groups: readonly RuleGroup[]): string[] {
  return groups.flatMap(({ rules }) => rules.map(({ expr }) => expr));
}

/** The alerts of these groups. */
export function alertsOf(groups: readonly RuleGroup[]): AlertRule[] {
  return groups.flatMap(({ rules }) => rules.flatMap((rule) => ("alert" in rule ? [rule] : [])));
}

/** The anchor of an alert's section: its name in small letters, as the renderers of Markdown have it. */
export function runbookAnchor(alert: string): string {
  return alert.toLowerCase();
}

function toGroup({ name, recordings = [], alerts = [] }: Topic, interval: number, runbooks: string): RuleGroup {
  return {
    name,
    interval: promDuration(interval),
    rules: [...recordings, ...alerts.map((alert) => toRule(alert, runbooks))],
  };
}

function toRule(
  { alert, expr, for: pending, severity, labels, summary, description }: AlertArgs,
  runbooks: string,
): AlertRule {
  return {
    alert,
    expr,
    ...(pending !== undefined && { for: pending }),
    labels: { severity, ...labels },
    annotations: { summary, description, runbook_url: `${runbooks}#${runbookAnchor(alert)}` },
  };
}
