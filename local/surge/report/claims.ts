import type { StackConfig } from "../../../infra/config";
import type { Plan } from "../../../infra/plan";
import { podSize } from "../../../infra/plan/demand";
import { formatCount } from "../../../infra/plan/numbers";
import { formatBytes, formatCpu, formatDuration, formatPercent } from "../../../infra/units";
import type { SurgeCost } from "../cost";
import { fastest } from "../model";
import { quantile } from "../pods";
import type { SurgeRun } from "../run";
import { most, secondsToMin, secondsToReady } from "../verdict";
import { recoveryClaim } from "./faults";
import { shedShare } from "./figures";

/** One thing that the platform is said to do. */
export interface Claim {
  readonly claim: string;
  readonly target: string;
  readonly figure: string;
  readonly how: "measured here" | "computed" | "not provable here";
  /** How it was measured or computed, or what would prove it. */
  readonly from: string;
}

type Args = { readonly run: SurgeRun; readonly cost: SurgeCost; readonly config: StackConfig; readonly plan: Plan };
type Figure = Pick<Claim, "figure" | "from">;

/** Every target that the platform is sized and judged by, with what this run says of it. */
export function claimsOf(args: Args): Claim[] {
  return [...scale(args), ...time(args), ...resources(args), ...elsewhere(args)];
}

function scale({ run, plan }: Args): Claim[] {
  const { samples, nodes, scenario } = run;
  const { fn } = scenario;
  const real = run.kind === "real";
  const used = nodes.filter((_, index) => samples.some(({ onNodes }) => (onNodes[index] ?? 0) > 0)).length;
  const densest = most(samples, ({ onNodes }) => Math.max(0, ...onNodes));
  const wanted = most(samples, ({ desired }) => desired);
  return [
    measured(
      "nodes",
      "10 or more",
      `${used} of ${nodes.length} had pods`,
      `where the watch saw pods; ${real ? "a node is real where pods run" : "the nodes are simulated"}`,
    ),
    measured(
      "function pods at peak",
      "5,000 or more",
      `${formatCount(most(samples, ({ ready }) => ready))} ready at once`,
      `the watch; ${real ? "real pods, ready by their own probes" : "simulated pods, which are ready at once"}`,
    ),
    measured(
      "autoscaling",
      `${fn.scaling.min} to ${formatCount(fn.scaling.max)} by ${heldAt(fn)}`,
      `wanted ${formatCount(wanted)} at most, ${formatCount(samples[samples.length - 1]?.desired ?? 0)} at the end`,
      `the real HorizontalPodAutoscaler, which read what ${real ? "pods used" : fn.scaling.metric === "cpu" ? "simulated pods are said to use" : "a gateway would count, by the real Prometheus and KEDA"}`,
    ),
    measured(
      "pods on one node",
      `up to ${formatCount(plan.topology.maxPodsPerAgent)} (max-pods)`,
      `${formatCount(densest)} at most`,
      `the watch; ${real ? "a real node" : "that a real node holds so many is not proved by it"}`,
    ),
    either(real, "requests/s", "100,000", {
      figure: `${formatCount(Math.round(most(samples, ({ load }) => load)))} came, ${formatCount(Math.round(most(samples, ({ served }) => served)))} were served at most`,
      from: real
        ? "counted by the client, through gateway and authorizer"
        : `no request was sent: load over ready pods, ${formatDuration(fn.workload.cpuPerRequest)} of CPU each, up to ${formatCpu(fn.resources.limits.cpu)} of a pod`,
    }),
    computed("pods at the worst moment, a rollout at max", "fit, with a node lost", {
      figure: `${formatCount(plan.capacity.pods.total)} of ${formatCount(plan.capacity.offered.pods)}`,
      from: "the plan: replicas, surge, leaving and system pods against agents, quota and addresses",
    }),
    elsewhereRow(
      "users",
      "10 million",
      `the plan keeps memory for ${formatCount(plan.requestPath.remembered)} clients in each authorizer`,
    ),
  ];
}

function time({ run, plan }: Args): Claim[] {
  const { expected, delays, scenario } = run;
  const up = secondsToReady(run, expected.enough);
  const down = secondsToMin(run);
  const [p50, p99] = [0.5, 0.99].map((share) => seconds(quantile(delays, share)));
  const real = run.kind === "real";
  const queue =
    expected.secondsOnRealNodes === undefined
      ? "the plan knows no time for this curve"
      : `with each node's start queue the plan reckons ${expected.secondsOnRealNodes} s`;
  return [
    measured(
      "scaling out",
      "seconds",
      up === undefined
        ? "not reached"
        : `${scenario.fn.scaling.min} to ${formatCount(expected.enough)} ready in ${up} s`,
      `${real ? "real pods" : "control plane only"}; ${queue}`,
    ),
    computed("scaling out, as planned", "within 20% of what is measured", {
      figure: expected.scaleOut === undefined ? "no prediction" : `${expected.scaleOut.seconds} s`,
      from: `the plan's model, ${real ? "with" : "without"} start queues: autoscaler steps, client limits; it knows jumps in load, no slow climbs`,
    }),
    measured(
      "pods created",
      `${formatCount(plan.controlPlane.controllerManager.kubeApiQps)}/s allowed; Kubernetes' own limit is 20/s`,
      `${formatCount(Math.round(fastest(run.samples, ({ pods }) => pods)))}/s over 5 s`,
      "the watch",
    ),
    measured("scheduling delay P50", "under 1 s", p50!, `from created to bound, of ${formatCount(delays.length)} pods`),
    measured("scheduling delay P99", "under 3 s", p99!, "the same; kubelets and their queues are not in it"),
    measured(
      "scaling in",
      `${expected.secondsToMin} s by the autoscaler's behaviour`,
      down === undefined ? "not reached" : `back to ${scenario.fn.scaling.min} in ${down} s`,
      `the watch; ${real ? "pods live out their drain" : "simulated pods leave at once, real ones live out their drain"}`,
    ),
    either(real, "requests shed while it scaled", "none", {
      figure: `${shedShare(run)} of all`,
      from: real
        ? "counted by the client: other answers than 2xx, none at all, and what was not sent since too many waited"
        : "load above what ready pods serve at their CPU limit; gateways and retries are not reckoned",
    }),
  ];
}

function resources({ run, cost, config, plan }: Args): Claim[] {
  const { fn } = run.scenario;
  const { limits } = fn.resources;
  const agents = plan.topology.agentAllocatable.cpu * plan.topology.agents;
  const packed = (most(run.samples, ({ pods }) => pods) * podSize(config, fn).requests.cpu) / agents;
  const [, reference] = cost.run;
  return [
    computed("CPU of a function's pod", "under 100m", {
      figure: `limit ${formatCpu(limits.cpu)}`,
      from: "the stack's config",
    }),
    computed("memory of a function's pod", "under 64 MB", {
      figure: `limit ${formatBytes(limits.memory)}`,
      from: "the stack's config; what a pod takes: make bench STACK=real",
    }),
    computed("storage of a function", "under 10 MB", {
      figure: `request ${formatBytes(fn.resources.ephemeralStorage.request)} beside an image of at most 1 MB`,
      from: "the stack's config; make function refuses larger images",
    }),
    computed("cost against reference containers, over the run", "80% less", {
      figure: reference?.saved === undefined ? "–" : `${formatPercent(Number(reference.saved.toFixed(3)))} less`,
      from: "replica hours as measured, in hosts of the agents' shape; assumptions above",
    }),
    computed("cost against reference containers, at peak", "80% less", {
      figure: `${formatPercent(Number((cost.peak.baselines[0]?.savedHosts ?? 0).toFixed(3)))} less`,
      from: `the plan, bound by ${cost.peak.platform.boundBy}; assumptions above`,
    }),
    computed("utilization", "90%", {
      figure: `pods are held at ${heldAt(fn)}; at most ${formatPercent(Number(packed.toFixed(3)))} of the agents' CPU was requested`,
      from: "the autoscaler's target; pods that were seen, by what each requests",
    }),
  ];
}

/** `CPU at 70% of the request`, `requests at 20/s each`. */
function heldAt({ scaling }: SurgeRun["scenario"]["fn"]): string {
  return scaling.metric === "cpu"
    ? `CPU at ${formatPercent(scaling.cpuTarget)} of the request`
    : `requests at ${formatCount(scaling.requestsPerPod)}/s each`;
}

/** What simulated pods cannot show, and what shows it. */
function elsewhere({ run }: Args): Claim[] {
  const { availability } = run.scenario.fn.objectives;
  const bench =
    run.kind === "real"
      ? "make bench STACK=real measures it"
      : "nothing runs in simulated pods: make bench STACK=real measures it";
  return [
    latencyRow(run, bench),
    elsewhereRow("cold start in the runtime", "under 1 ms", bench),
    startRow(run, bench),
    elsewhereRow("authorization decision", "under 1 ms", "make bench STACK=real measures it"),
    elsewhereRow(
      "availability",
      formatPercent(availability),
      "takes months of traffic; alerts and error budgets watch it",
    ),
    recoveryClaim(run) ??
      elsewhereRow("recovery from a fault", "under 10 s", "make real kills functions, gateways and nodes"),
    elsewhereRow("rolling update", "no request lost", "make real rolls functions under load"),
    elsewhereRow("memory of a pod on a real node", "at most a lean container's", bench),
  ];
}

function latencyRow({ client, scenario }: SurgeRun, bench: string): Claim {
  const { p99, p999 } = scenario.fn.objectives;
  const target = `under 10 ms, ${formatDuration(p99)}, ${formatDuration(p999)}`;
  const latency = client?.phases["scaled out"];
  if (latency === undefined) return elsewhereRow("latency P50, P99, P99.9", target, bench);
  return measured(
    "latency P50, P99, P99.9",
    target,
    `${latency.p50}, ${latency.p99} and ${latency.p999} ms`,
    `at the client, of ${formatCount(latency.count)} requests once all pods were there; client and platform share the machine`,
  );
}

function startRow({ kind, starts }: SurgeRun, bench: string): Claim {
  const [claim, target] = ["cold start of a pod", "seconds, as containers"];
  if (kind === "simulated" || starts.length === 0) return elsewhereRow(claim, target, bench);
  const [p50, p99] = [0.5, 0.99].map((share) => seconds(quantile(starts, share)));
  const from = `from created to ready, of ${formatCount(starts.length)} pods; the node's queue is in it`;
  return measured(claim, target, `P50 ${p50}, P99 ${p99}`, from);
}

/** Counted of real pods, reckoned of simulated ones. */
function either(real: boolean, claim: string, target: string, figure: Figure): Claim {
  return real ? measured(claim, target, figure.figure, figure.from) : computed(claim, target, figure);
}

function measured(claim: string, target: string, figure: string, from: string): Claim {
  return { claim, target, figure, how: "measured here", from };
}

function computed(claim: string, target: string, { figure, from }: Figure): Claim {
  return { claim, target, figure, how: "computed", from };
}

function elsewhereRow(claim: string, target: string, from: string): Claim {
  return { claim, target, figure: "–", how: "not provable here", from };
}

function seconds(millis: number | undefined): string {
  return millis === undefined ? "no pod was seen to wait" : `${(millis / 1000).toFixed(3)} s`;
}
