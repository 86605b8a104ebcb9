import { formatDuration } from "../../../infra/units";
import { errorObjectives, latencyObjectives, RATE, type DashboardsArgs } from "./args";
import type { Board, Line } from "./board";
import { above, figure, filling, graph, metric, UNITS, type PlacedPanel, type Query } from "./panels";

/** The authorizer has its budget within a request: so much of it is much. Seconds. */
const SLOW_DECISION = 0.005;
const DAY_SECONDS = 86_400;

/** What a kind of gateway tells of itself, each in its own words. */
interface Source {
  readonly codes: Query;
  readonly latency: (quantile: number) => string;
  readonly connections: Query;
  /** What only this kind tells. */
  readonly more: Line;
}

const SOURCES: Readonly<Record<DashboardsArgs["gateway"]["kind"], Source>> = {
  traefik: {
    codes: metric(`sum by (code) (rate(traefik_entrypoint_requests_total{entrypoint="https"}${RATE}))`, "{{code}}"),
    latency: (quantile) =>
      `histogram_quantile(${quantile}, sum by (le) (rate(traefik_entrypoint_request_duration_seconds_bucket{entrypoint="https"}${RATE})))`,
    connections: metric("sum by (entrypoint) (traefik_open_connections)", "{{entrypoint}}"),
    more: [reloads(), configAge()],
  },
  kong: {
    codes: metric(`sum by (code) (rate(kong_http_requests_total${RATE}))`, "{{code}}"),
    latency: (quantile) =>
      `histogram_quantile(${quantile}, sum by (le) (rate(kong_request_latency_ms_bucket${RATE}))) / 1000`,
    connections: metric('sum by (state) (kong_nginx_connections_total{state=~"active|reading|writing"})', "{{state}}"),
    more: [],
  },
};

/** The way in: the gateway, and the authorizer that it asks before each request. */
export function gatewayBoard(args: DashboardsArgs): Board {
  const source = SOURCES[args.gateway.kind];
  // Traefik tells the end of certificates that it was given; of one that it makes itself it tells nothing.
  const given = args.gateway.kind === "traefik" && args.gateway.tls.kind === "certificate";
  const more = [...source.more, ...(given ? [certificates()] : [])];
  return {
    uid: "wasm-gateway",
    title: "Gateway and authorization",
    description: `Requests at ${args.gateway.kind} and decisions of the authorizer.`,
    sections: [
      { title: "Now", lines: [now(args)] },
      { title: "Gateway", lines: [traffic(args, source), ...(more.length > 0 ? [more] : [])] },
      { title: "Authorizer", lines: [decisions(args), remembered(args)] },
      { title: "Pods", lines: [pods(args)] },
    ],
  };
}

function now(args: DashboardsArgs): Line {
  const { peakRequestsPerSecond: peak } = args.plan.requestPath;
  return [
    figure({
      title: "Requests",
      description: `Requests/s at the gateway, refused ones included, over five minutes. The plan is held against ${peak}/s.`,
      unit: UNITS.requests,
      steps: filling(peak * 0.9, peak),
      queries: [metric("sum(gateway:requests:rate5m)", "requests")],
    }),
    figure({
      title: "Errors",
      description:
        "Share of them that were answered with 5xx, over five minutes. Red is what the objective of availability does not allow.",
      unit: UNITS.share,
      steps: above(...errorObjectives(args)),
      queries: [metric("max(gateway:errors:ratio_rate5m)", "errors")],
    }),
    figure({
      title: "Decision P99",
      description: "Time in which the authorizer answers 99 of 100 questions, over five minutes.",
      unit: UNITS.seconds,
      steps: above(SLOW_DECISION),
      queries: [metric("max(authorizer:latency_seconds:p99_5m)", "P99")],
    }),
    figure({
      title: "Failures",
      description:
        "Questions in the last five minutes that the authorizer could not decide and answered with 500. None is normal.",
      unit: UNITS.count,
      steps: above(1),
      queries: [metric("sum(increase(authorizer_failures_total[5m]))", "failures")],
    }),
  ];
}

function traffic(args: DashboardsArgs, source: Source): Line {
  return [
    graph({
      title: "Requests by code",
      description:
        "Requests/s by the code of the answer: 401 and 403 are the authorizer's, 429 a budget that is used up.",
      unit: UNITS.requests,
      min: 0,
      stacked: true,
      queries: [source.codes],
    }),
    graph({
      title: "Latency",
      description:
        "Time from a request's head to its answer's end, authorization included. The lines are functions' objectives.",
      unit: UNITS.seconds,
      min: 0,
      steps: above(...latencyObjectives(args, "p99"), ...latencyObjectives(args, "p999")),
      queries: [0.5, 0.99, 0.999].map((quantile) =>
        metric(source.latency(quantile), `P${Number((quantile * 100).toFixed(1))}`),
      ),
    }),
    graph({
      title: "Open connections",
      description: "Connections of clients to all gateways.",
      unit: UNITS.count,
      min: 0,
      queries: [source.connections],
    }),
  ];
}

function reloads(): PlacedPanel {
  return graph({
    title: "Changes of routes",
    description:
      "How often gateways took over new routes or servers, in five minutes: with each pod that comes or goes.",
    unit: UNITS.count,
    min: 0,
    queries: [metric("sum(increase(traefik_config_reloads_total[5m]))", "changes")],
  });
}

function configAge(): PlacedPanel {
  return graph({
    title: "Age of routes",
    description:
      "Since a gateway last took over routes, the longest and the shortest. Where pods come and go, both are short.",
    unit: UNITS.duration,
    min: 0,
    queries: [
      metric("time() - min(traefik_config_last_reload_success)", "longest"),
      metric("time() - max(traefik_config_last_reload_success)", "shortest"),
    ],
  });
}

function certificates(): PlacedPanel {
  return graph({
    title: "Certificates end in",
    description: "Time for which each certificate that is served is still valid, in the pod that has the oldest.",
    unit: UNITS.duration,
    base: "red",
    steps: [
      { from: 7 * DAY_SECONDS, color: "orange" },
      { from: 21 * DAY_SECONDS, color: "green" },
    ],
    queries: [metric("min by (cn) (max by (cn, instance) (traefik_tls_certs_not_after)) - time()", "{{cn}}")],
  });
}

function decisions(args: DashboardsArgs): Line {
  const shared = args.authorization.budgets.kind === "shared";
  return [
    graph({
      title: "Decisions by status",
      description: "Decisions/s: 200 lets a request through, 401 knows no one, 403 forbids, 429 has no budget left.",
      unit: UNITS.requests,
      min: 0,
      stacked: true,
      queries: [metric("sum by (status) (authorizer:decisions:rate5m)", "{{status}}")],
    }),
    graph({
      title: "Decision P99",
      description: `Time in which 99 of 100 questions are answered, over five minutes. ${formatDuration(SLOW_DECISION * 1000)} of a request's time is much.`,
      unit: UNITS.seconds,
      min: 0,
      steps: above(SLOW_DECISION),
      queries: [metric("max(authorizer:latency_seconds:p99_5m)", "P99")],
    }),
    graph({
      title: "Failures",
      description:
        "Questions/s that the authorizer could not decide" +
        (shared ? ", and questions to the store of budgets that it did not answer; budgets are divided then." : "."),
      unit: UNITS.perSecond,
      min: 0,
      queries: [
        metric(`sum(rate(authorizer_failures_total${RATE}))`, "authorizer"),
        ...(shared ? [metric(`sum(rate(authorizer_store_failures_total${RATE}))`, "store")] : []),
      ],
    }),
  ];
}

function remembered({ plan, authorization }: DashboardsArgs): Line {
  const { remembered } = plan.requestPath;
  const panel = (title: string, what: string, series: string) =>
    graph({
      title,
      description: `${what} that the fullest authorizer keeps in memory. Beyond ${remembered} it forgets the oldest.`,
      unit: UNITS.count,
      min: 0,
      steps: filling(remembered * 0.9, remembered),
      queries: [metric(`max(${series})`, "most")],
    });
  return [
    panel("Clients remembered", "Clients' budgets", "authorizer_clients"),
    panel("Tokens remembered", "Verified tokens", "authorizer_tokens"),
    graph({
      title: "Replicas that share budgets",
      description:
        "How many authorizers each of them counts. Where they differ for long, clients get more or less than their budget.",
      unit: UNITS.count,
      min: 0,
      queries: [
        metric("min(authorizer_replicas)", "fewest"),
        metric("max(authorizer_replicas)", "most"),
        ...(authorization.budgets.kind === "shared" ? [metric("min(authorizer_store_up)", "store answers")] : []),
      ],
    }),
  ];
}

function pods({ gateway, plan }: DashboardsArgs): Line {
  const namespace = `namespace="${gateway.namespace}"`;
  const podsOf = (part: string) => `${namespace}, pod=~"${part}-[^-]+-[^-]+"`;
  const parts = ["gateway", "authorizer"] as const;
  return [
    graph({
      title: "CPU",
      description: "Cores that each part's pods use together, and request together.",
      unit: UNITS.cores,
      min: 0,
      queries: parts.flatMap((part) => [
        metric(`sum(rate(pod_cpu_usage_seconds_total{${podsOf(part)}}${RATE}))`, part),
        metric(`sum(kube_pod_container_resource_requests{resource="cpu", ${podsOf(part)}})`, `${part} requests`),
      ]),
    }),
    graph({
      title: "Memory",
      description: "Working set of the fullest pod of each part, and what its containers may have.",
      unit: UNITS.bytes,
      min: 0,
      queries: parts.flatMap((part) => [
        metric(`max(pod_memory_working_set_bytes{${podsOf(part)}})`, part),
        metric(
          `max(sum by (pod) (kube_pod_container_resource_limits{resource="memory", ${podsOf(part)}}))`,
          `${part} limit`,
        ),
      ]),
    }),
    graph({
      title: "Replicas",
      description: `Replicas of each part, of at most ${plan.requestPath.gateway.max} gateways and ${plan.requestPath.authorizer.max} authorizers.`,
      unit: UNITS.count,
      min: 0,
      queries: [
        metric(`kube_horizontalpodautoscaler_status_current_replicas{${namespace}}`, "{{horizontalpodautoscaler}}"),
        metric(`kube_horizontalpodautoscaler_spec_max_replicas{${namespace}}`, "{{horizontalpodautoscaler}} max"),
      ],
    }),
  ];
}
