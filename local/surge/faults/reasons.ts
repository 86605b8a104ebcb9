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
      return [lostAgents(fault, context), ejection(recovery, context)].join(" ");
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

/**
 * Seconds from the loss until the last agent's pods have to leave: at the least, and at the most. The node controller looks
 * at all nodes in turn: it takes over a lease's renewal at one look, gives the node up at a later one, and taints it at the
 * one after that.
 */
export function replacementSeconds({ agents }: FaultOf<"lose-agents">, { controlPlane }: Plan) {
  const { nodeMonitorGracePeriod, nodeMonitorPeriod } = controlPlane.controllerManager;
  const [grace, look] = [nodeMonitorGracePeriod / 1000, nodeMonitorPeriod / 1000];
  const toleration = controlPlane.apiServer.unreachableTolerationSeconds;
  return {
    // The last renewal may have been just before, or nearly its interval ago.
    least: grace - grace / LEASE_RENEWALS_PER_GRACE + look + toleration,
    most: grace + 3 * look + toleration + (agents - 1) * SECONDS_PER_EVICTED_AGENT,
  };
}

function lostAgents(fault: FaultOf<"lose-agents">, { plan, config }: ReasonContext): string {
  const { nodeMonitorGracePeriod, nodeMonitorPeriod } = plan.controlPlane.controllerManager;
  const { least, most } = replacementSeconds(fault, plan);
  const ways = [
    `Kubernetes gives an agent up after nodeMonitorGracePeriod (${formatDuration(nodeMonitorGracePeriod)}, by looks every ${formatDuration(nodeMonitorPeriod)})`,
    ...(fault.agents > 1 ? [`taints one each ${SECONDS_PER_EVICTED_AGENT} s`] : ["taints it a look later"]),
    `and has its pods leave after lostNodeToleration (${formatDuration(config.controlPlane.lostNodeToleration)})`,
  ];
  const text = `${ways.join(", ")}: in ${formatCount(least)} to ${formatCount(most)} s.`;
  return fault.for / 1000 < least ? `${text} They were back before.` : text;
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
