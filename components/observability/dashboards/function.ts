import { formatDuration, type Millis } from "../../../infra/units";
import { errorObjectives, latencyObjectives, RATE, type DashboardsArgs } from "./args";
import { choice, derived, type Board, type Line } from "./board";
import { above, bars, figure, filling, graph, lines, log, metric, remaining, UNITS } from "./panels";

const OF_FUNCTION = '{function="$function"}';
/** The function's Deployment and autoscaler, which have its name. */
const DEPLOYMENT = '{namespace="$tenant", deployment="$function"}';
/** By CPU, or KEDA's. */
const AUTOSCALER = '{namespace="$tenant", horizontalpodautoscaler=~"$function(-rps)?-hpa"}';
/** Labels of its pods, which have its name and two more parts without a dash. */
const PODS = 'namespace="$tenant", pod=~"$function-[^-]+-[^-]+"';

/** One function: rate, errors and duration of its requests, its budget, its replicas and what they use, its lines. */
export function functionBoard(args: DashboardsArgs): Board {
  return {
    uid: "wasm-function",
    title: "Function",
    description: "One function: requests, objectives, replicas, resources and logs.",
    variables: [
      choice(
        "function",
        "Function",
        args.functions.map(({ name }) => name),
      ),
      derived("tenant", { source: "prometheus", series: `slo:objective:budget${OF_FUNCTION}`, label: "tenant" }),
    ],
    sections: [
      { title: "Requests", lines: [requests(args)] },
      { title: "Error budget", lines: [[budgetLeft(), ...burn(args)]] },
      { title: "Replicas", lines: [replicaFigures(), replicas()] },
      { title: "Resources of a pod", lines: [resources()] },
      { title: "Logs", lines: [logs()] },
    ],
  };
}

function requests(args: DashboardsArgs): Line {
  const objectives = [...latencyObjectives(args, "p99"), ...latencyObjectives(args, "p999")];
  return [
    graph({
      title: "Requests",
      description: "Requests/s to the function that were not refused, as the gateway counts them, over five minutes.",
      unit: UNITS.requests,
      min: 0,
      queries: [metric(`function:requests:rate5m${OF_FUNCTION}`, "requests")],
    }),
    graph({
      title: "Errors",
      description:
        "Share of requests that were answered with 5xx, over five minutes. The line is what the objective of availability allows.",
      unit: UNITS.share,
      min: 0,
      steps: above(...errorObjectives(args)),
      queries: [metric(`function:errors:ratio_rate5m${OF_FUNCTION}`, "errors")],
    }),
    graph({
      title: "Latency",
      description: `Time in which that share of requests was answered, at the gateway, over five minutes. Objectives: ${objectivesText(args)}.`,
      unit: UNITS.seconds,
      min: 0,
      steps: above(...objectives),
      queries: (["p50", "p99", "p999"] as const).map((quantile) =>
        metric(`function:latency_seconds:${quantile}_5m${OF_FUNCTION}`, QUANTILES[quantile]),
      ),
    }),
  ];
}

const QUANTILES = { p50: "P50", p99: "P99", p999: "P99.9" } as const;

function objectivesText({ functions }: DashboardsArgs): string {
  return functions
    .map(({ name, objectives: { p99, p999 } }) => `${name} P99 ${formatDuration(p99)}, P99.9 ${formatDuration(p999)}`)
    .join("; ");
}

function budgetLeft() {
  return bars({
    title: "Budget left",
    description:
      "Share of each objective's error budget that is left of the whole window. At 0 the objective is missed.",
    unit: UNITS.share,
    base: "red",
    steps: remaining(0, 0.25),
    min: 0,
    max: 1,
    queries: [metric(`slo:budget_left:ratio${OF_FUNCTION}`, "{{objective}}")],
  });
}

/** One panel for each objective, with all windows that alerts look at. */
function burn({ observability: { burnRates } }: DashboardsArgs): Line {
  const windows = [...new Set<Millis>(burnRates.flatMap(({ short, long }) => [short, long]))].sort((a, b) => a - b);
  const rates = burnRates.map(
    ({ factor, long, short }) => `${factor} over ${formatDuration(long)} and ${formatDuration(short)}`,
  );
  return Object.entries({ availability: "availability", p99: "P99", p999: "P99.9" }).map(([objective, name]) =>
    graph({
      title: `Burn of ${name}`,
      description:
        `How many times faster than it lasts the budget of ${name} is used up, over each window. ` +
        `Alerts fire while both of their windows are above the line: ${rates.join(", ")}.`,
      unit: UNITS.times,
      min: 0,
      steps: above(...burnRates.map(({ factor }) => factor)),
      queries: windows.map((window) => metric(burnRate(window, objective), formatDuration(window))),
    }),
  );
}

function burnRate(window: Millis, objective: string): string {
  const selector = `{function="$function", objective="${objective}"}`;
  return `slo:burned:ratio_rate${formatDuration(window)}${selector} / slo:objective:budget${selector}`;
}

function replicaFigures(): Line {
  return [
    figure({
      title: "Ready",
      description: "Replicas that are ready to serve.",
      unit: UNITS.count,
      queries: [metric(`sum(kube_deployment_status_replicas_ready${DEPLOYMENT})`, "ready")],
    }),
    figure({
      title: "Of max",
      description: "Replicas as a share of the most that the autoscaler may make.",
      unit: UNITS.share,
      steps: filling(0.8, 1),
      queries: [
        metric(
          `kube_horizontalpodautoscaler_status_current_replicas${AUTOSCALER} / kube_horizontalpodautoscaler_spec_max_replicas`,
          "of max",
        ),
      ],
    }),
    figure({
      title: "Requests for each replica",
      description: "Requests/s that one ready replica serves.",
      unit: UNITS.requests,
      queries: [
        metric(
          `sum(function:requests:rate5m${OF_FUNCTION}) / sum(kube_deployment_status_replicas_ready${DEPLOYMENT})`,
          "requests",
        ),
      ],
    }),
    figure({
      title: "Restarts in an hour",
      description: "Containers that were started again in the last hour. None is normal.",
      unit: UNITS.count,
      steps: above(1),
      queries: [metric(`sum(increase(kube_pod_container_status_restarts_total{${PODS}}[1h]))`, "restarts")],
    }),
  ];
}

function replicas(): Line {
  return [
    graph({
      title: "Replicas",
      description: "As the autoscaler wants them, as they are and as they are ready, within its bounds.",
      unit: UNITS.count,
      min: 0,
      queries: [
        metric(`kube_horizontalpodautoscaler_status_desired_replicas${AUTOSCALER}`, "wanted"),
        metric(`kube_horizontalpodautoscaler_status_current_replicas${AUTOSCALER}`, "there"),
        metric(`kube_deployment_status_replicas_ready${DEPLOYMENT}`, "ready"),
        metric(`kube_horizontalpodautoscaler_spec_min_replicas${AUTOSCALER}`, "min"),
        metric(`kube_horizontalpodautoscaler_spec_max_replicas${AUTOSCALER}`, "max"),
      ],
    }),
    graph({
      title: "Pods by phase",
      description:
        "Pods that wait for a node or an image are Pending; those that failed were evicted or lost their node.",
      unit: UNITS.count,
      min: 0,
      stacked: true,
      queries: [metric(`sum by (phase) (kube_pod_status_phase{${PODS}}) > 0`, "{{phase}}")],
    }),
  ];
}

function resources(): Line {
  const cpu = `rate(pod_cpu_usage_seconds_total{${PODS}}${RATE})`;
  const memory = `pod_memory_working_set_bytes{${PODS}}`;
  const bound = (bound: "requests" | "limits", resource: "cpu" | "memory") =>
    metric(`max(kube_pod_container_resource_${bound}{resource="${resource}", ${PODS}})`, bound.slice(0, -1));
  return [
    graph({
      title: "CPU",
      description:
        "Cores that a pod uses: the average, which the autoscaler holds at its target of the request, and the busiest.",
      unit: UNITS.cores,
      min: 0,
      queries: [
        metric(`avg(${cpu})`, "average"),
        metric(`max(${cpu})`, "most"),
        bound("requests", "cpu"),
        bound("limits", "cpu"),
      ],
    }),
    graph({
      title: "Throttling",
      description:
        "Share of CPU periods in which a pod had used up its limit and had to wait. What waits answers late: near 0 is good.",
      unit: UNITS.share,
      min: 0,
      steps: filling(0.05, 0.25),
      queries: [metric(`function:throttled:ratio_rate5m${OF_FUNCTION}`, "throttled")],
    }),
    graph({
      title: "Memory",
      description: "Working set of a pod, the runtime's part included. A container that reaches its limit is killed.",
      unit: UNITS.bytes,
      min: 0,
      queries: [
        metric(`avg(${memory})`, "average"),
        metric(`max(${memory})`, "most"),
        bound("requests", "memory"),
        bound("limits", "memory"),
      ],
    }),
  ];
}

function logs(): Line {
  return [
    lines({
      title: "Lines of the function",
      description: "What its pods wrote, the newest first. Of requests that succeed a function logs one in many.",
      query: log(OF_FUNCTION),
    }),
  ];
}
