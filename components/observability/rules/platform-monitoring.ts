import type { AlertArgs, RulesArgs, Topic } from "./types";

const PROMETHEUS = 'job="prometheus"';
const ALERTMANAGER = 'job="alertmanager"';

/** Jobs that every cluster has targets of; others depend on its kind. */
export const ALWAYS_SCRAPED = [
  "gateway",
  "authorizer",
  "kubelet",
  "cadvisor",
  "resources",
  "apiserver",
  "kube-state-metrics",
  "node-exporter",
  "collector",
  "loki",
  "alertmanager",
] as const;

/** Series in the head are those of the last hours, pods that are gone included. */
const HEAD_FACTOR = 1.5;

/** Whether what watches is well itself. */
export function monitoringTopic({ observability, plan }: RulesArgs): Topic {
  const { replicas } = observability.metrics;
  return {
    name: "monitoring",
    alerts: [
      {
        alert: "Watchdog",
        expr: "vector(1)",
        severity: "heartbeat",
        summary: "Alerts arrive",
        description: "This alert always fires. When it no longer arrives, no other does.",
      },
      {
        alert: "TargetsDown",
        // In a rollout or scale-in pods leave the targets within seconds.
        expr: "count by (job) (up == 0) / count by (job) (up) > 0.1",
        for: "10m",
        severity: "ticket",
        summary: "Targets of {{ $labels.job }} do not answer",
        description:
          "Prometheus cannot scrape {{ $value | humanizePercentage }} of the targets of {{ $labels.job }}: alerts about them are blind.",
      },
      {
        alert: "TargetsMissing",
        expr: ALWAYS_SCRAPED.map((job) => `absent(up{job="${job}"})`).join(" or "),
        for: "10m",
        severity: "ticket",
        summary: "There are no targets of {{ $labels.job }}",
        description: "Prometheus has had no target of {{ $labels.job }} for 10m: alerts about it are blind.",
      },
      ...prometheusAlerts(plan.observability.series),
      ...(replicas > 1 ? [clusterAlert(replicas)] : []),
      {
        alert: "AlertmanagerFailing",
        expr:
          `sum by (integration) (rate(alertmanager_notifications_failed_total{${ALERTMANAGER}}[5m])) / ` +
          `(sum by (integration) (rate(alertmanager_notifications_total{${ALERTMANAGER}}[5m])) > 0) > 0.01`,
        for: "5m",
        severity: "page",
        summary: "Alerts do not get to {{ $labels.integration }}",
        description:
          "{{ $value | humanizePercentage }} of the notifications to {{ $labels.integration }} of the last 5m failed.",
      },
    ],
  };
}

function prometheusAlerts(series: number): AlertArgs[] {
  const most = Math.round(series * HEAD_FACTOR);
  return [
    {
      alert: "RulesFailing",
      expr: `sum by (rule_group) (increase(prometheus_rule_evaluation_failures_total{${PROMETHEUS}}[5m])) > 0`,
      for: "5m",
      severity: "ticket",
      summary: "Rules of {{ $labels.rule_group }} cannot be evaluated",
      description:
        '{{ $value | printf "%.0f" }} evaluations of rules in {{ $labels.rule_group }} failed in the last 5m: alerts made of them are blind.',
    },
    {
      alert: "PrometheusConfigRejected",
      expr: `min by (instance) (prometheus_config_last_reload_successful{${PROMETHEUS}}) == 0`,
      for: "5m",
      severity: "ticket",
      summary: "Prometheus refused its configuration",
      description: "{{ $labels.instance }} works by the configuration before the last one, for 5m by now.",
    },
    {
      alert: "NotificationsDropped",
      expr: `sum by (instance) (rate(prometheus_notifications_dropped_total{${PROMETHEUS}}[5m])) > 0`,
      for: "5m",
      severity: "page",
      summary: "Prometheus cannot hand its alerts to Alertmanager",
      description:
        "Alerts that {{ $labels.instance }} drops per second, since no Alertmanager takes them: {{ $value | humanize }}.",
    },
    {
      alert: "PrometheusAlmostFull",
      // 0 where no size is set.
      expr: `max by (instance) (prometheus_tsdb_storage_blocks_bytes{${PROMETHEUS}} / (prometheus_tsdb_retention_limit_bytes{${PROMETHEUS}} > 0)) > 0.9`,
      for: "1h",
      severity: "ticket",
      summary: "Prometheus is about to drop its oldest data for its size",
      description:
        "{{ $labels.instance }} has {{ $value | humanizePercentage }} of the bytes that it may keep; beyond it, less than the retention is kept.",
    },
    {
      alert: "TooManySeries",
      expr: `max by (instance) (prometheus_tsdb_head_series{${PROMETHEUS}}) > ${most}`,
      for: "30m",
      severity: "ticket",
      summary: "Prometheus has more series than it is sized for",
      description: `{{ $labels.instance }} has {{ $value | humanize }} series in memory, more than ${HEAD_FACTOR} times the ${series} of the plan.`,
    },
  ];
}

/** Alertmanagers that do not hear of each other tell everything twice. */
function clusterAlert(replicas: number): AlertArgs {
  return {
    alert: "AlertmanagerClusterBroken",
    expr: `min(alertmanager_cluster_members{${ALERTMANAGER}}) < ${replicas}`,
    for: "10m",
    severity: "ticket",
    summary: "Alertmanagers do not hear of each other",
    description: `An Alertmanager sees {{ $value }} of ${replicas} members: alerts may be told more than once.`,
  };
}
