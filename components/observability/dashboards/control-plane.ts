import { RATE, type DashboardsArgs } from "./args";
import type { Board, Line } from "./board";
import { above, figure, filling, graph, metric, UNITS } from "./panels";

/** Kubernetes' own objective for requests of one object: seconds. */
const API_OBJECTIVE = 1;
/** etcd's makers: so soon is P99 of a write to its log on a disk that will do. Seconds. */
const SLOW_FSYNC = 0.01;

/** What decides where pods run, and how many: API server, scheduler, controllers, and etcd where it is ours. */
export function controlPlaneBoard(args: DashboardsArgs): Board {
  return {
    uid: "wasm-control-plane",
    title: "Control plane",
    description:
      "API server, scheduler, controllers and etcd. What an existing cluster does not let be scraped stays empty.",
    sections: [
      { title: "API server", lines: [api(), admission()] },
      { title: "Scheduler", lines: [scheduler()] },
      { title: "Controllers", lines: [controllers()] },
      { title: "State", lines: [state(), ...(args.etcd ? [etcd()] : [])] },
      { title: "What watches", lines: [watching(args)] },
    ],
  };
}

function api(): Line {
  return [
    graph({
      title: "Requests by code",
      description:
        "Requests/s to API servers by the code of the answer. 429 is one that had to wait its turn for too long.",
      unit: UNITS.requests,
      min: 0,
      stacked: true,
      queries: [metric(`sum by (code) (rate(apiserver_request_total${RATE}))`, "{{code}}")],
    }),
    graph({
      title: "Latency P99",
      description: `Time in which 99 of 100 requests are answered, by verb, without watches. Kubernetes' objective for one object is ${API_OBJECTIVE} s.`,
      unit: UNITS.seconds,
      min: 0,
      steps: above(API_OBJECTIVE),
      queries: [
        metric(
          `histogram_quantile(0.99, sum by (verb, le) (rate(apiserver_request_duration_seconds_bucket{verb!~"WATCH|CONNECT"}[5m])))`,
          "{{verb}}",
        ),
      ],
    }),
    graph({
      title: "Requests in flight",
      description:
        "Requests that are being answered: those that read and those that change something have limits of their own.",
      unit: UNITS.count,
      min: 0,
      queries: [metric("sum by (request_kind) (apiserver_current_inflight_requests)", "{{request_kind}}")],
    }),
  ];
}

function admission(): Line {
  return [
    graph({
      title: "Webhooks P99",
      description:
        "Time in which 99 of 100 questions to an admission webhook are answered: each change of an object waits for it.",
      unit: UNITS.seconds,
      min: 0,
      queries: [
        metric(
          "histogram_quantile(0.99, sum by (name, le) (rate(apiserver_admission_webhook_admission_duration_seconds_bucket[5m])))",
          "{{name}}",
        ),
      ],
    }),
    graph({
      title: "Refused by webhooks",
      description: "Changes/s that an admission webhook refused, and those let through since it did not answer.",
      unit: UNITS.perSecond,
      min: 0,
      queries: [
        metric(`sum by (name) (rate(apiserver_admission_webhook_rejection_count${RATE}))`, "{{name}} refused"),
        metric(`sum by (name) (rate(apiserver_admission_webhook_fail_open_count${RATE}))`, "{{name}} not asked"),
      ],
    }),
  ];
}

function scheduler(): Line {
  return [
    graph({
      title: "Scheduling delay",
      description:
        "Time from a pod's creation until it has a node, less the time that it could not have had one; over five minutes.",
      unit: UNITS.seconds,
      min: 0,
      queries: [metric("scheduler:delay_seconds:p50_5m", "P50"), metric("scheduler:delay_seconds:p99_5m", "P99")],
    }),
    graph({
      title: "Pods that wait",
      description: "Pods without a node: active ones are about to be placed, unschedulable ones fit nowhere.",
      unit: UNITS.count,
      min: 0,
      stacked: true,
      queries: [metric("sum by (queue) (scheduler_pending_pods)", "{{queue}}")],
    }),
    graph({
      title: "Attempts",
      description: "Attempts/s to find a node for a pod, by their result.",
      unit: UNITS.perSecond,
      min: 0,
      queries: [metric(`sum by (result) (rate(scheduler_schedule_attempts_total${RATE}))`, "{{result}}")],
    }),
  ];
}

function controllers(): Line {
  return [
    graph({
      title: "Waiting work",
      description: "Objects that wait for a controller, of the ten longest queues. What stays above 0 is behind.",
      unit: UNITS.count,
      min: 0,
      queries: [metric('topk(10, sum by (name) (workqueue_depth{job="controller-manager"}))', "{{name}}")],
    }),
    graph({
      title: "Autoscaler P99",
      description: "Time in which 99 of 100 autoscalers are gone through. All of them have to fit into its period.",
      unit: UNITS.seconds,
      min: 0,
      queries: [
        metric(
          "histogram_quantile(0.99, sum by (le) (rate(horizontal_pod_autoscaler_controller_reconciliation_duration_seconds_bucket[5m])))",
          "P99",
        ),
      ],
    }),
  ];
}

function state(): Line {
  return [
    graph({
      title: "Objects",
      description: "Objects that are stored, of the ten kinds with the most.",
      unit: UNITS.count,
      min: 0,
      queries: [metric("topk(10, max by (resource) (apiserver_storage_objects))", "{{resource}}")],
    }),
    graph({
      title: "Store P99",
      description: "Time in which the API server's store answers 99 of 100 of its requests, by what is asked.",
      unit: UNITS.seconds,
      min: 0,
      queries: [
        metric(
          "histogram_quantile(0.99, sum by (operation, le) (rate(etcd_request_duration_seconds_bucket[5m])))",
          "{{operation}}",
        ),
      ],
    }),
  ];
}

function etcd(): Line {
  return [
    figure({
      title: "Members with a leader",
      description: "Members of etcd that know a leader. Without one nothing can be changed.",
      unit: UNITS.count,
      base: "red",
      steps: [{ from: 1, color: "green" }],
      queries: [metric("sum(etcd_server_has_leader)", "members")],
    }),
    figure({
      title: "Write to disk P99",
      description: "Time in which 99 of 100 writes of etcd's log are on disk. Above 10 ms the disk is too slow for it.",
      unit: UNITS.seconds,
      steps: above(SLOW_FSYNC),
      queries: [
        metric("histogram_quantile(0.99, sum by (le) (rate(etcd_disk_wal_fsync_duration_seconds_bucket[5m])))", "P99"),
      ],
    }),
    figure({
      title: "Database full",
      description: "Share of etcd's quota that the largest member's database has. At 100 % etcd takes no more changes.",
      unit: UNITS.share,
      steps: filling(0.6, 0.8),
      queries: [metric("max(etcd_mvcc_db_total_size_in_bytes / etcd_server_quota_backend_bytes)", "full")],
    }),
  ];
}

/** Prometheus and Alertmanager themselves, against what the plan gave them room for. */
function watching({ plan }: DashboardsArgs): Line {
  const { series } = plan.observability;
  return [
    graph({
      title: "Series",
      description: `Series that each Prometheus has in memory. The plan gave it room for ${series}.`,
      unit: UNITS.count,
      min: 0,
      steps: filling(series * 0.9, series),
      queries: [metric("prometheus_tsdb_head_series", "{{instance}}")],
    }),
    graph({
      title: "Targets that do not answer",
      description: "Targets of each job that Prometheus could not scrape.",
      unit: UNITS.count,
      min: 0,
      steps: above(1),
      queries: [metric("sum by (job) (up == bool 0)", "{{job}}")],
    }),
    graph({
      title: "Failures",
      description: "Rules/s that could not be evaluated, and notifications/s that did not reach their receiver.",
      unit: UNITS.perSecond,
      min: 0,
      queries: [
        metric(`sum(rate(prometheus_rule_evaluation_failures_total${RATE}))`, "rules"),
        metric(`sum by (integration) (rate(alertmanager_notifications_failed_total${RATE}))`, "{{integration}}"),
      ],
    }),
  ];
}
