import { ALWAYS_SCRAPED } from "../../../components/observability/rules/platform-monitoring";
import { rulesArgs } from "../../support/rule-stacks";
import { from, type AlertCases, type Series } from "./case";

const up = (job: string, count: number, values: string): Series =>
  Object.fromEntries(
    Array.from({ length: count }, (_, index) => [`up{job="${job}",instance="${job}-${index}"}`, values]),
  );
const allUp = (but: string) =>
  Object.assign({}, ...ALWAYS_SCRAPED.filter((job) => job !== but).map((job) => up(job, 1, "1x60"))) as Series;
const prometheus = (metric: string, values: string) => from("prometheus", { [`${metric}{instance="p"}`]: values });
const blocks = (bytes: string, limit: string) => ({
  ...prometheus("prometheus_tsdb_storage_blocks_bytes", bytes),
  ...prometheus("prometheus_tsdb_retention_limit_bytes", limit),
});
const notified = (failed: number, all: number) =>
  from("alertmanager", {
    'alertmanager_notifications_failed_total{integration="webhook",reason="serverError"}': `0+${failed}x60`,
    'alertmanager_notifications_total{integration="webhook"}': `0+${all}x60`,
  });
const members = (values: string) => from("alertmanager", { 'alertmanager_cluster_members{instance="a"}': values });
const P = { instance: "p" };

export const monitoring: AlertCases = {
  Watchdog: {
    fires: [
      {
        when: "nothing else does",
        series: {},
        at: "0m",
        alerts: [
          {
            labels: { severity: "heartbeat" },
            summary: "Alerts arrive",
            description: "This alert always fires. When it no longer arrives, no other does.",
          },
        ],
      },
    ],
    silent: [],
  },
  TargetsDown: {
    fires: [
      {
        when: "one of five does not answer",
        series: { ...up("gateway", 4, "1x60"), 'up{job="gateway",instance="lost"}': "0x60" },
        at: "15m",
        alerts: [
          {
            labels: { severity: "ticket", job: "gateway" },
            summary: "Targets of gateway do not answer",
            description: "Prometheus cannot scrape 20% of the targets of gateway: alerts about them are blind.",
          },
        ],
      },
    ],
    silent: [
      {
        when: "one of twenty does not answer",
        series: { ...up("kubelet", 19, "1x60"), 'up{job="kubelet",instance="lost"}': "0x60" },
        at: "15m",
      },
      {
        when: "pods of a rollout are gone after a minute",
        series: { ...up("gateway", 4, "1x60"), 'up{job="gateway",instance="old"}': "1x5 0 stale" },
        at: "6m",
      },
    ],
  },
  TargetsMissing: {
    fires: [
      {
        when: "there is no kubelet among the targets",
        series: allUp("kubelet"),
        at: "15m",
        alerts: [
          {
            labels: { severity: "ticket", job: "kubelet" },
            summary: "There are no targets of kubelet",
            description: "Prometheus has had no target of kubelet for 10m: alerts about it are blind.",
          },
        ],
      },
    ],
    silent: [
      {
        when: "all are there, though one is down",
        series: { ...allUp("kubelet"), ...up("kubelet", 1, "0x60") },
        at: "15m",
      },
      { when: "Prometheus has just started", series: {}, at: "5m" },
    ],
  },
  RulesFailing: {
    fires: [
      {
        when: "a rule fails each minute",
        series: from("prometheus", {
          'prometheus_rule_evaluation_failures_total{rule_group="/etc/rules.yml;slo"}': "0+1x60",
        }),
        at: "15m",
        alerts: [
          {
            labels: { severity: "ticket", rule_group: "/etc/rules.yml;slo" },
            summary: "Rules of /etc/rules.yml;slo cannot be evaluated",
            description:
              "5 evaluations of rules in /etc/rules.yml;slo failed in the last 5m: alerts made of them are blind.",
          },
        ],
      },
    ],
    silent: [
      {
        when: "one failed an hour ago",
        series: from("prometheus", {
          'prometheus_rule_evaluation_failures_total{rule_group="/etc/rules.yml;slo"}': "1x60",
        }),
        at: "15m",
      },
    ],
  },
  PrometheusConfigRejected: {
    fires: [
      {
        when: "the last reload failed",
        series: prometheus("prometheus_config_last_reload_successful", "1x2 0x60"),
        at: "15m",
        alerts: [
          {
            labels: { severity: "ticket", ...P },
            summary: "Prometheus refused its configuration",
            description: "p works by the configuration before the last one, for 5m by now.",
          },
        ],
      },
    ],
    silent: [
      {
        when: "the next one succeeded",
        series: prometheus("prometheus_config_last_reload_successful", "1 0 1x60"),
        at: "1m",
      },
    ],
  },
  NotificationsDropped: {
    fires: [
      {
        when: "no Alertmanager takes them",
        series: prometheus("prometheus_notifications_dropped_total", "0+60x60"),
        at: "15m",
        alerts: [
          {
            labels: { severity: "page", ...P },
            summary: "Prometheus cannot hand its alerts to Alertmanager",
            description: "Alerts that p drops per second, since no Alertmanager takes them: 1.",
          },
        ],
      },
    ],
    silent: [
      {
        when: "some were while Alertmanager started",
        series: prometheus("prometheus_notifications_dropped_total", "0 3x60"),
        at: "5m",
      },
    ],
  },
  PrometheusAlmostFull: {
    fires: [
      {
        when: "95 % of its size are used",
        series: blocks("950x120", "1000x120"),
        at: "90m",
        alerts: [
          {
            labels: { severity: "ticket", ...P },
            summary: "Prometheus is about to drop its oldest data for its size",
            description: "p has 95% of the bytes that it may keep; beyond it, less than the retention is kept.",
          },
        ],
      },
    ],
    silent: [
      { when: "80 % are", series: blocks("800x120", "1000x120"), at: "90m" },
      { when: "no size is set", series: blocks("950x120", "0x120"), at: "90m" },
    ],
  },
  TooManySeries: {
    fires: [
      {
        when: "there are a million",
        series: prometheus("prometheus_tsdb_head_series", "1e6x60"),
        at: "40m",
        alerts: [
          {
            labels: { severity: "ticket", ...P },
            summary: "Prometheus has more series than it is sized for",
            description: "p has 1M series in memory, more than 1.5 times the 297300 of the plan.",
          },
        ],
      },
    ],
    silent: [
      {
        when: "there are as many as planned",
        series: prometheus("prometheus_tsdb_head_series", `${rulesArgs("reference").plan.observability.series}x60`),
        at: "40m",
      },
    ],
  },
  AlertmanagerClusterBroken: {
    fires: [
      {
        when: "one of two is alone",
        series: members("1x60"),
        at: "15m",
        alerts: [
          {
            labels: { severity: "ticket" },
            summary: "Alertmanagers do not hear of each other",
            description: "An Alertmanager sees 1 of 2 members: alerts may be told more than once.",
          },
        ],
      },
    ],
    silent: [
      { when: "both are there", series: members("2x60"), at: "15m" },
      { when: "there is but one", stack: "plain", series: members("1x60"), at: "15m" },
    ],
  },
  AlertmanagerFailing: {
    fires: [
      {
        when: "every tenth notification fails",
        series: notified(1, 10),
        at: "15m",
        alerts: [
          {
            labels: { severity: "page", integration: "webhook" },
            summary: "Alerts do not get to webhook",
            description: "10% of the notifications to webhook of the last 5m failed.",
          },
        ],
      },
    ],
    silent: [
      { when: "none fails", series: notified(0, 10), at: "15m" },
      { when: "one in two hundred fails", series: notified(1, 200), at: "15m" },
      { when: "there is nothing to tell", series: notified(0, 0), at: "15m" },
    ],
  },
};
