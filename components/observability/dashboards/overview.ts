import { formatCpu, humanBytes } from "../../../infra/units";
import { errorObjectives, latencyObjectives, tenantNamespaces, type DashboardsArgs } from "./args";
import type { Board, Line } from "./board";
import { above, bars, figure, filling, graph, metric, remaining, UNITS } from "./panels";

/** How the platform does as a whole: what is promised, what is asked, what it takes. */
export function overview(args: DashboardsArgs): Board {
  return {
    uid: "wasm-overview",
    title: "Overview",
    description: "Objectives, traffic, replicas and cost of all functions.",
    sections: [
      { title: "Objectives", lines: [now(args), objectives()] },
      { title: "Traffic", lines: [traffic(args), latency(args)] },
      { title: "Replicas and scheduling", lines: [replicas(args)] },
      { title: "Cost", lines: cost(args) },
    ],
  };
}

function now({ plan }: DashboardsArgs): Line {
  const { peakRequestsPerSecond } = plan.requestPath;
  return [
    figure({
      title: "Requests",
      description: `Requests/s to all functions, over five minutes. The plan is held against a peak of ${peakRequestsPerSecond}/s.`,
      unit: UNITS.requests,
      steps: filling(peakRequestsPerSecond * 0.9, peakRequestsPerSecond),
      queries: [metric("sum(function:requests:rate5m)", "requests")],
    }),
    figure({
      title: "Least budget left",
      description:
        "Of all functions and objectives, the least of an error budget that is left. At 0 an objective is missed.",
      unit: UNITS.share,
      base: "red",
      steps: remaining(0, 0.25),
      queries: [metric("min(slo:budget_left:ratio)", "budget left")],
    }),
    figure({
      title: "Alerts firing",
      description: "Alerts that fire now, as Prometheus judges; Alertmanager may have silenced some.",
      unit: UNITS.count,
      steps: above(1),
      queries: [metric('count(ALERTS{alertstate="firing"}) or vector(0)', "alerts")],
    }),
    figure({
      title: "Nodes not ready",
      description: `Nodes whose kubelet is not ready, or has not been heard of. The plan counts ${plan.topology.agents} agents and can lose one.`,
      unit: UNITS.count,
      steps: above(1),
      queries: [metric('sum(kube_node_status_condition{condition="Ready", status!="true"})', "nodes")],
    }),
  ];
}

function objectives(): Line {
  return [
    bars({
      title: "Error budget left",
      description:
        "Per function and objective, the share of the error budget that is left of the whole window. 100 % is untouched; at 0 the objective is missed.",
      unit: UNITS.share,
      base: "red",
      steps: remaining(0, 0.25),
      min: 0,
      max: 1,
      queries: [metric("slo:budget_left:ratio", "{{function}} {{objective}}")],
    }),
    graph({
      title: "Error budget left, over time",
      description: "The same as it went: what falls steeply is burning now.",
      unit: UNITS.share,
      queries: [metric("slo:budget_left:ratio", "{{function}} {{objective}}")],
    }),
  ];
}

function traffic(args: DashboardsArgs): Line {
  return [
    graph({
      title: "Requests by function",
      description: "Requests/s to functions that were not refused, as the gateway counts them, over five minutes.",
      unit: UNITS.requests,
      min: 0,
      stacked: true,
      queries: [metric("function:requests:rate5m", "{{function}}")],
    }),
    graph({
      title: "Errors by function",
      description:
        "Share of requests that were answered with 5xx, over five minutes. The line is what the objective of availability allows.",
      unit: UNITS.share,
      min: 0,
      steps: above(...errorObjectives(args)),
      queries: [metric("function:errors:ratio_rate5m", "{{function}}")],
    }),
  ];
}

function latency(args: DashboardsArgs): Line {
  const panel = (title: string, quantile: string, objective: "p99" | "p999" | undefined) =>
    graph({
      title,
      description:
        `Time in which that share of requests was answered, at the gateway, over five minutes.` +
        (objective === undefined ? "" : " The line is the objective; of several, the strictest is orange."),
      unit: UNITS.seconds,
      min: 0,
      ...(objective !== undefined && { steps: above(...latencyObjectives(args, objective)) }),
      queries: [metric(`function:latency_seconds:${quantile}_5m`, "{{function}}")],
    });
  return [
    panel("Latency P50", "p50", undefined),
    panel("Latency P99", "p99", "p99"),
    panel("Latency P99.9", "p999", "p999"),
  ];
}

function replicas(args: DashboardsArgs): Line {
  const ofTenants = `{namespace=~"${tenantNamespaces(args)}"}`;
  return [
    graph({
      title: "Replicas against max",
      description:
        "Replicas of each function as a share of the most that its autoscaler may make. At 100 % more load makes it slower.",
      unit: UNITS.share,
      min: 0,
      steps: filling(0.8, 1),
      queries: [
        metric(
          `kube_horizontalpodautoscaler_status_current_replicas${ofTenants} / kube_horizontalpodautoscaler_spec_max_replicas`,
          "{{horizontalpodautoscaler}}",
        ),
      ],
    }),
    graph({
      title: "Replicas",
      description: `Replicas of all functions: as autoscalers want them and as they are. The plan has room for ${args.plan.capacity.pods.replicas}.`,
      unit: UNITS.count,
      min: 0,
      steps: above(args.plan.capacity.pods.replicas),
      queries: [
        metric(`sum(kube_horizontalpodautoscaler_status_desired_replicas${ofTenants})`, "wanted"),
        metric(`sum(kube_horizontalpodautoscaler_status_current_replicas${ofTenants})`, "there"),
      ],
    }),
    graph({
      title: "Scheduling delay",
      description:
        "Time from a pod's creation until it has a node, less the time that it could not have had one; over five minutes.",
      unit: UNITS.seconds,
      min: 0,
      queries: [metric("scheduler:delay_seconds:p50_5m", "P50"), metric("scheduler:delay_seconds:p99_5m", "P99")],
    }),
  ];
}

/** No price is in the config: hosts and cores are what a price would be multiplied by. */
function cost(args: DashboardsArgs): Line[] {
  const { agentAllocatable: host } = args.plan.topology;
  const { platform } = args.plan.cost;
  const requested = (resource: string) =>
    `kube_pod_container_resource_requests{resource="${resource}", namespace=~"${tenantNamespaces(args)}"}`;
  const ofHost = `An agent offers ${formatCpu(host.cpu)} cores and ${humanBytes(host.memory)}`;
  return [
    [
      figure({
        title: "Cores requested",
        description: `Cores that functions' pods request. No price is configured: a price per core and hour times this is the rate of cost. The plan's peak is ${formatCpu(platform.requested.cpu)} cores.`,
        unit: UNITS.cores,
        queries: [metric(`sum(${requested("cpu")})`, "cores")],
      }),
      figure({
        title: "Hosts by CPU",
        description: `Hosts that the requested CPU would fill. ${ofHost}; the plan's peak is ${platform.hosts.toFixed(2)} hosts, bound by ${platform.boundBy}.`,
        unit: UNITS.hosts,
        queries: [metric(`sum(${requested("cpu")}) / ${host.cpu / 1000}`, "hosts")],
      }),
      figure({
        title: "Hosts by memory",
        description: `Hosts that the requested memory would fill, without the runtime's overhead for each pod. ${ofHost}.`,
        unit: UNITS.hosts,
        queries: [metric(`sum(${requested("memory")}) / ${host.memory}`, "hosts")],
      }),
      figure({
        title: "Replica-hours of a day",
        description: `Replicas of all functions, averaged over the last day, times 24. At peak all day they would be ${platform.replicaHoursPerDay}.`,
        unit: UNITS.count,
        queries: [
          metric(
            `sum(avg_over_time(kube_horizontalpodautoscaler_status_current_replicas{namespace=~"${tenantNamespaces(args)}"}[1d])) * 24`,
            "replica-hours",
          ),
        ],
      }),
    ],
    [
      graph({
        title: "Cores used by tenant",
        description: "Cores that each tenant's pods use, over five minutes.",
        unit: UNITS.cores,
        min: 0,
        stacked: true,
        queries: [metric("tenant:cpu_cores:rate5m", "{{tenant}}")],
      }),
      graph({
        title: "Cores used by tenant, averaged over a day",
        description: budgetsOf(args),
        unit: UNITS.cores,
        min: 0,
        queries: [
          metric("tenant:cpu_cores:avg1d", "{{tenant}}"),
          ...(Object.keys(args.observability.tenantBudgets).length > 0
            ? [metric("tenant:cpu_cores:budget", "{{tenant}} budget")]
            : []),
        ],
      }),
    ],
  ];
}

function budgetsOf({ observability }: DashboardsArgs): string {
  const budgets = Object.entries(observability.tenantBudgets).map(([tenant, cpu]) => `${tenant} ${formatCpu(cpu)}`);
  const said =
    budgets.length === 0
      ? "No tenant has a budget."
      : `Budgets in cores, above which an alert says so: ${budgets.join(", ")}.`;
  return `What tenants' budgets are held against. ${said}`;
}
