import type { FunctionConfig, StackConfig } from "../../../infra/config";
import type { Plan } from "../../../infra/plan";
import { formatCount } from "../../../infra/plan/numbers";
import { METRICS_RESOLUTION } from "../../../infra/plan/scale-out";
import { formatDuration, formatPodCount } from "../../../infra/units";
import type { Expected } from "../expected";
import type { Recovery } from "./recovery";
import type { Fault, FaultOf } from "./schema";

/** Seconds in which the demand is to be met again, where physics allows it. */
export const AIM = 10;

/** kube-controller-manager's --node-eviction-rate is 0.1/s, which the plan leaves as it is. */
const SECONDS_PER_EVICTED_AGENT = 10;
/** Failed requests in a row after which a gateway passes over a pod (docs/gateway.md). */
const FAILURES_TO_EJECT = 10;
/** KWOK renews its leases four times in their duration, which is half the grace period. */
const LEASE_RENEWALS_PER_GRACE = 8;
/** Nodes that the node controller looks at side by side (nodeUpdateWorkerSize of Kubernetes 1.30). */
const NODES_AT_ONCE = 8;
/**
 * Seconds that it takes to mark one pod not ready, where each change has all controllers look at 5,000 pods: measured on two
 * cores without other work, 501 pods in 20.1 s; a write of a pod's status takes 8 ms there where nothing else goes on.
 */
const SECONDS_PER_MARK = 0.04;
/**
 * What the controller that evicts asks of the API server for each pod: it reads it, writes why it leaves, and deletes it. Its
 * event is left out: one writer of events waits behind all that evict.
 */
const REQUESTS_PER_EVICTED_POD = 3;

export interface ReasonContext {
  readonly config: StackConfig;
  readonly plan: Plan;
  readonly expected: Expected;
  readonly fn: FunctionConfig;
}

/** Why it took as long as it did, by what the stack is set to. */
export function reasonOf(recovery: Recovery, context: ReasonContext): string {
  const { fault } = recovery.record;
  const parts = [
    recovery.metAgain === 0 && "The demand was met all the time.",
    causeOf(fault, recovery, context),
    recovery.climbing && onItsWay(recovery, context.expected),
  ];
  return parts.filter((part) => part !== false).join(" ");
}

function causeOf(fault: Fault, recovery: Recovery, context: ReasonContext): string {
  switch (fault.kind) {
    case "lose-agents":
      return [lostAgents(fault, recovery, context), ejection(recovery, context)].join(" ");
    case "kill":
      return `It was down for ${formatDuration(fault.for)}, after which K3s's unit starts it again, and took its time to start: ${MEANWHILE[fault.process]}`;
    case "metrics-server-gone":
      if (context.fn.scaling.metric === "rps")
        return "Requests are counted by Prometheus: who scales by them does not ask metrics-server.";
      return `Without a reading the autoscaler keeps its count, for ${formatDuration(fault.for)}; then it needs two readings, ${METRICS_RESOLUTION} s apart, before it acts.`;
    case "rollout":
      return rolling(context, recovery);
    case "quota":
      return `No pod is made above the quota, for ${formatDuration(fault.for)}; then the ReplicaSet's controller tries again by itself at intervals that double while it fails, so up to about as long again, or as soon as the autoscaler wants another number.`;
    case "up":
      return "It changes nothing, restarts nothing, and leaves the replicas to the autoscaler; it only takes CPU.";
  }
}

/** What stands still while it is away; pods that run serve on in any case. */
const MEANWHILE: Readonly<Record<FaultOf<"kill">["process"], string>> = {
  etcd: "nothing is stored meanwhile, so nothing changes; pods that run serve on.",
  "kube-apiserver": "nobody is told anything meanwhile, so nothing changes; pods that run serve on.",
  "kube-controller-manager": "no pod is made meanwhile, and the autoscaler decides nothing; pods that run serve on.",
  "kube-scheduler": "no pod gets a node meanwhile; pods that run serve on.",
};

/** Seconds from the loss of agents. */
export interface Replacement {
  /** When the first pods have to leave, at the least: agents that are back later lose them all the same. */
  readonly begins: number;
  /** When the last pod has to leave: at the least, and at the most. */
  readonly least: number;
  readonly most: number;
}

/**
 * When the pods of lost agents have to leave. The node controller looks at all nodes in turn: it takes over a lease's renewal
 * at one look, gives the node up at a later one, and taints it at the one after that. The look that gives a node up marks its
 * pods not ready, one after the other, and ends only then. After the toleration another controller evicts them all at once.
 * Each of the two sends what its own client may: `clientQps`, and so many at once where nothing was sent before.
 *
 * @param pods - pods that the lost agents have between them, about as many each
 */
export function replacementSeconds(
  { agents }: Pick<FaultOf<"lose-agents">, "agents">,
  pods: number,
  plan: Plan,
): Replacement {
  const { nodeMonitorGracePeriod, nodeMonitorPeriod, kubeApiQps, kubeApiBurst } = plan.controlPlane.controllerManager;
  const [grace, look] = [nodeMonitorGracePeriod / 1000, nodeMonitorPeriod / 1000];
  const toleration = plan.controlPlane.apiServer.unreachableTolerationSeconds;
  const each = pods / agents;
  const afterBurst = (requests: number) => Math.max(0, requests - kubeApiBurst) / kubeApiQps;
  const evenly = (requests: number) => requests / kubeApiQps;
  // The marks of the agents share the limit with one writer of events, who sends as many as are marked on one agent.
  const marks = pods + each;
  const evicted = (of: number, send: (requests: number) => number) =>
    Math.max(
      (of - 1) * SECONDS_PER_EVICTED_AGENT + send(each * REQUESTS_PER_EVICTED_POD),
      send(of * each * REQUESTS_PER_EVICTED_POD),
    );
  // The last renewal may have been just before, or nearly its interval ago.
  const begins = grace * (1 - 1 / LEASE_RENEWALS_PER_GRACE) + afterBurst(marks) + look + toleration;
  const marked = Math.max(evenly(marks), Math.ceil(agents / NODES_AT_ONCE) * each * SECONDS_PER_MARK);
  // Several are given up at one look, or the last ones at the next, which comes when the first ones' pods are marked.
  const last = Math.max(marked + evicted(agents, evenly), agents > 1 ? 2 * marked + evicted(agents - 1, evenly) : 0);
  return { begins, least: begins + evicted(agents, afterBurst), most: grace + 3 * look + toleration + last };
}

function lostAgents(fault: FaultOf<"lose-agents">, { podsOnLost }: Recovery, { plan, config }: ReasonContext): string {
  const { nodeMonitorGracePeriod, nodeMonitorPeriod, kubeApiQps } = plan.controlPlane.controllerManager;
  const { begins, least, most } = replacementSeconds(fault, podsOnLost, plan);
  const several = fault.agents > 1;
  const ways = [
    `Kubernetes gives ${several ? "agents" : "an agent"} up after nodeMonitorGracePeriod (${formatDuration(nodeMonitorGracePeriod)}, by looks every ${formatDuration(nodeMonitorPeriod)})`,
    `marks the function's ${formatCount(podsOnLost)} pods there not ready, ${several ? "those of each agent " : ""}one after the other`,
    several ? `taints one agent each ${SECONDS_PER_EVICTED_AGENT} s` : "taints the agent a look later",
    `and after lostNodeToleration (${formatDuration(config.controlPlane.lostNodeToleration)}) evicts them by ${REQUESTS_PER_EVICTED_POD} requests each`,
    `at ${formatCount(kubeApiQps)} requests/s (clientQps)`,
  ];
  const text = `${ways.join(", ")}: in ${formatCount(least)} to ${formatCount(most)} s.`;
  return fault.for / 1000 < begins ? `${text} They were back before.` : text;
}

/** Seconds until no gateway sends anything to pods that are lost; each gateway finds out by itself. */
export function ejectionSeconds({ loadBefore, answeringBefore }: Recovery, { config, plan }: ReasonContext): number {
  const toEachPod = loadBefore / Math.max(1, answeringBefore) / gatewaysOf(plan);
  return config.gateway.connectTimeout / 1000 + FAILURES_TO_EJECT / toEachPod;
}

function ejection(recovery: Recovery, context: ReasonContext): string {
  const timeout = formatDuration(context.config.gateway.connectTimeout);
  const seconds = ejectionSeconds(recovery, context);
  const after = Number.isFinite(seconds) ? `after about ${formatCount(seconds)} s` : "when anything is asked";
  return `Gateways are not played: computed of connectTimeout (${timeout}) and ${FAILURES_TO_EJECT} failed requests of each pod at each of ${gatewaysOf(context.plan)} gateways, they would pass over its pods ${after}, or when they are told that it is given up; until then each such request is tried elsewhere.`;
}

/** At the stack's peak; at less load there are fewer, and each finds out sooner. */
function gatewaysOf({ requestPath }: Plan): number {
  return Math.max(requestPath.gateway.min, requestPath.gateway.needed);
}

function rolling({ fn }: ReasonContext, { record }: Recovery): string {
  const { maxSurge, maxUnavailable } = fn.rollout;
  const took = record.ended === undefined ? "" : ` It took ${formatCount(record.ended - record.began)} s.`;
  return `New pods come before old ones leave: ${formatPodCount(maxSurge)} more at once, ${formatPodCount(maxUnavailable)} fewer.${took}`;
}

function onItsWay({ record }: Recovery, { scaleOut, climbFrom }: Expected): string {
  const left = scaleOut === undefined ? undefined : climbFrom + scaleOut.seconds - record.began;
  const plan =
    left === undefined || left <= 0 ? "" : `, which by the plan takes ${formatCount(left)} s more without a fault`;
  return `The autoscaler was on its way${plan}.`;
}
