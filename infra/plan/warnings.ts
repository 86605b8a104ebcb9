import type { FunctionConfig, StackConfig } from "../config";
import type { Problem } from "../problems";
import { KUBERNETES_NAMESPACES } from "../config-admission";
import { formatDuration, formatPercent } from "../units";
import { K3S_RELEASES, K3S_RELEASES_REVIEWED, k3sMinor } from "../versions";
import type { Plan, ScaleOut } from "./types";
import { LONGEST_SCALE_OUT } from "./autoscaler";
import { costWarnings } from "./cost";
import { formatCount } from "./numbers";

/** The period that Kubernetes uses unless a feature gate lets it be set. */
const DEFAULT_CFS_PERIOD = 100;

/** A version that the program does not know how to set up. */
export function versionProblems(config: StackConfig): Problem[] {
  const minor = k3sMinor(config.cluster.version);
  if (K3S_RELEASES.some((release) => release.minor === minor)) return [];
  const accepted = K3S_RELEASES.map((release) => release.minor).join(", ");
  return [
    {
      path: "cluster.version",
      value: config.cluster.version,
      limit: `K3s ${minor} is none of the accepted minors ${accepted}`,
      fix: "use a release of one of them",
    },
  ];
}

/** What holds, but falls short of a target or rests on something old. */
export function planWarnings(config: StackConfig, plan: Omit<Plan, "warnings">): Problem[] {
  return [
    ...oldVersion(config),
    ...singleAgent(config, plan),
    ...alphaFeature(config),
    ...config.functions.flatMap((fn) => {
      const scaleOut = plan.scaleOut[fn.name];
      return scaleOut ? scaleOutWarnings(fn, scaleOut) : [];
    }),
    ...tokenWarnings(config),
    ...entryWarnings(config, plan),
    ...watchingWarnings(config),
    ...admissionWarnings(config),
    ...sharedClusterWarnings(config),
    ...costWarnings(config, plan.cost),
  ];
}

/** What a protected stack is watched by, and is not protected itself. */
function watchingWarnings({ platform, observability: { enabled, receivers, storage } }: StackConfig): Problem[] {
  if (!enabled || !platform.protect) return [];
  return [
    ...(receivers.some(({ severities }) => severities.includes("page"))
      ? []
      : [
          {
            path: "observability.receivers",
            value: receivers.length === 0 ? "none" : "none for page",
            limit: "this stack is protected, and nobody hears when it fails",
            fix: "name a receiver with severities: [page]",
          },
        ]),
    ...(storage.kind === "persistent"
      ? []
      : [
          {
            path: "observability.storage.kind",
            value: "ephemeral",
            limit: "this stack is protected, and loses its metrics and logs with a pod",
            fix: "use kind: persistent",
          },
        ]),
  ];
}

/** What a protected stack lets in, or would stand still for. */
function admissionWarnings({ platform, admission }: StackConfig): Problem[] {
  const { enabled, failurePolicy, replicas, webhook } = admission;
  if (!enabled || !platform.protect) return [];
  return [
    ...(failurePolicy === "fail"
      ? []
      : [
          {
            path: "admission.failurePolicy",
            value: failurePolicy,
            limit: "this stack is protected, and objects pass unseen while Gatekeeper cannot be asked",
            fix: "use fail, with 2 replicas or more",
          },
        ]),
    ...(failurePolicy === "ignore" || replicas > 1 || webhook.kind === "url"
      ? []
      : [
          {
            path: "admission.replicas",
            value: String(replicas),
            limit: "this stack is protected, and no pod can be made while the only one restarts",
            fix: "use 2 or more",
          },
        ]),
  ];
}

/** Policies are about all namespaces that are not exempt, whoever's they are. */
function sharedClusterWarnings({ cluster, admission }: StackConfig): Problem[] {
  if (cluster.kind !== "existing" || cluster.embedded !== undefined) return [];
  const { enabled, enforcement, exemptNamespaces } = admission;
  const exemptsOthers = exemptNamespaces.some((name) => !KUBERNETES_NAMESPACES.includes(name));
  if (!enabled || enforcement !== "deny" || exemptsOthers) return [];
  return [
    {
      path: "admission.enforcement",
      value: enforcement,
      limit: "every namespace of this cluster is judged, those of others too",
      fix: "begin with dryrun, or name theirs in admission.exemptNamespaces beside Kubernetes' own",
    },
  ];
}

function oldVersion(config: StackConfig): Problem[] {
  const minor = k3sMinor(config.cluster.version);
  const release = K3S_RELEASES.find((candidate) => candidate.minor === minor);
  // Dates in this form compare as text.
  if (release === undefined || release.endOfLife > K3S_RELEASES_REVIEWED) return [];
  const newest = K3S_RELEASES[K3S_RELEASES.length - 1];
  return [
    {
      path: "cluster.version",
      value: config.cluster.version,
      limit: `Kubernetes ${minor} gets no fixes since its end of life on ${release.endOfLife}`,
      fix: `upgrade minor by minor, up to ${newest?.minor ?? minor}`,
    },
  ];
}

function singleAgent(config: StackConfig, plan: Pick<Plan, "topology">): Problem[] {
  if (plan.topology.agents > 1) return [];
  return [
    {
      path: "cluster.agents",
      value: config.cluster.kind === "k3s" ? "1 host" : "1",
      limit: "it may not be lost: with it all functions are",
      fix: "add a second agent",
    },
  ];
}

function alphaFeature(config: StackConfig): Problem[] {
  const { cfsQuotaPeriod } = config.controlPlane;
  if (cfsQuotaPeriod === DEFAULT_CFS_PERIOD) return [];
  return [
    {
      path: "controlPlane.cfsQuotaPeriod",
      value: formatDuration(cfsQuotaPeriod),
      limit:
        "it needs the kubelet's feature gate CustomCPUCFSQuotaPeriod, which was alpha when Kubernetes 1.30 came out",
      fix: "keep it for P99 under a CPU limit, and test it at each upgrade; 100ms needs no gate",
    },
  ];
}

function tokenWarnings({ authorization, routes }: StackConfig): Problem[] {
  const asking = routes.filter((route) => route.auth === "token").length;
  if (authorization.jwt !== undefined || asking === 0) return [];
  return [
    {
      path: "authorization.jwt",
      value: "missing",
      limit: `nobody's tokens are believed, so ${asking === 1 ? "the route" : `all ${formatCount(asking)} routes`} that ask for one answer 401`,
      fix: "set issuer, audience and keys of who issues them",
    },
  ];
}

/** MetalLB's layer 2: one node at a time has the address, and with `local` hands packets to its own pods alone. */
function entryWarnings({ gateway: { entry } }: StackConfig, { requestPath }: Pick<Plan, "requestPath">): Problem[] {
  if (entry.kind !== "metallb" || entry.trafficPolicy !== "local") return [];
  return [
    {
      path: "gateway.entry.trafficPolicy",
      value: "local",
      limit: `one node announces the address, and its gateways alone get requests, of the ${formatCount(requestPath.gateway.needed)} that the peak needs`,
      fix: "use cluster, or an external load balancer that knows all nodes",
    },
  ];
}

function scaleOutWarnings(fn: FunctionConfig, scaleOut: ScaleOut): Problem[] {
  const { max, min, metric, cpuTarget, requestsPerPod } = fn.scaling;
  const { cpu, requestRate } = scaleOut.wantedAtPeak;
  const perPod = `at ${formatCount(requestsPerPod)}/s per pod`;
  const [wanted, by] =
    metric === "cpu"
      ? [cpu, `by CPU (${formatPercent(cpuTarget)} of the request)`]
      : [requestRate, `by request rate (${perPod})`];
  const path = `functions.${fn.name}.scaling.max`;
  const value = formatCount(max);
  return [
    wanted < max &&
      max > min && {
        path,
        value,
        ...(metric === "cpu"
          ? {
              limit: `${by} peak load asks for ${formatCount(cpu)} replicas: the autoscaler, which holds CPU, will not reach max (request rate, ${perPod}, would ask for ${formatCount(requestRate)})`,
              fix: "declare a heavier workload.cpuPerRequest if requests are, or lower max",
            }
          : {
              limit: `${by} peak load asks for ${formatCount(requestRate)} replicas: the autoscaler will not reach max`,
              fix: "lower requestsPerPod or max",
            }),
      },
    wanted > max && {
      path,
      value,
      limit: `${by} peak load asks for ${formatCount(wanted)} replicas: at peak pods run above that`,
      fix: `raise it to ${wanted} for room, if the agents hold it`,
    },
    scaleOut.secondsToMax >= LONGEST_SCALE_OUT && {
      path: `functions.${fn.name}.scaling.up`,
      value: `${formatCount(min)} to ${formatCount(max)} replicas`,
      limit: `takes longer than ${formatDuration(LONGEST_SCALE_OUT * 1000)}, held back by: ${scaleOut.bottleneck}`,
      fix: "allow larger steps, or raise min",
    },
  ].filter((warning) => warning !== false);
}
