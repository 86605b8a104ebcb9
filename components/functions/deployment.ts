import type { types } from "@pulumi/kubernetes";
import type { Input } from "@pulumi/pulumi";
import type { FunctionConfig } from "../../infra/config";
import { formatBytes, formatCpu, formatPodCount } from "../../infra/units";
import { RESTRICTED_CONTAINER, RESTRICTED_POD } from "../security";
import { spread } from "../workload";
import { CONFIG_DIR, CONFIG_FILE, DATABASE_DIR, DATABASE_KEY } from "./function-config";

/** Beside serving on and finishing requests, a pod needs a moment to be told and to exit. */
const GRACE_MARGIN_SECONDS = 5;

/** Old ReplicaSets that are kept to roll back to. */
const REVISIONS = 5;

export interface DeploymentArgs {
  readonly fn: FunctionConfig;
  readonly selector: Record<string, string>;
  readonly podLabels: Record<string, string>;
  /** A new value rolls the pods. */
  readonly podAnnotations: Input<Record<string, Input<string>>>;
  readonly serviceAccountName: Input<string>;
  readonly runtimeClassName: Input<string>;
  readonly priorityClassName: Input<string>;
  readonly configMapName: Input<string>;
  readonly databaseSecretName: Input<string> | undefined;
  readonly pullSecretName: Input<string> | undefined;
  readonly lostNodeToleration: LostNodeToleration;
}

/** Seconds that a pod stays bound to a node that is not ready or unreachable. */
export interface LostNodeToleration {
  readonly notReady: number;
  readonly unreachable: number;
}

/** The spec of a function's Deployment. */
export function deploymentSpec(args: DeploymentArgs): types.input.apps.v1.DeploymentSpec {
  const { fn, selector } = args;
  return {
    replicas: fn.scaling.initial,
    selector: { matchLabels: selector },
    strategy: {
      type: "RollingUpdate",
      rollingUpdate: {
        maxSurge: formatPodCount(fn.rollout.maxSurge),
        maxUnavailable: formatPodCount(fn.rollout.maxUnavailable),
      },
    },
    progressDeadlineSeconds: fn.rollout.progressDeadline / 1000,
    revisionHistoryLimit: REVISIONS,
    template: { metadata: { labels: args.podLabels, annotations: args.podAnnotations }, spec: podSpec(args) },
  };
}

/** The spec of its pods. */
export function podSpec(args: DeploymentArgs): types.input.core.v1.PodSpec {
  return {
    runtimeClassName: args.runtimeClassName,
    priorityClassName: args.priorityClassName,
    serviceAccountName: args.serviceAccountName,
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: graceSeconds(args.fn),
    securityContext: RESTRICTED_POD,
    ...(args.pullSecretName !== undefined && { imagePullSecrets: [{ name: args.pullSecretName }] }),
    tolerations: [
      lostNode("node.kubernetes.io/not-ready", args.lostNodeToleration.notReady),
      lostNode("node.kubernetes.io/unreachable", args.lostNodeToleration.unreachable),
    ],
    topologySpreadConstraints: spread(args.selector),
    containers: [container(args)],
    volumes: volumes(args),
  };
}

function container({ fn, databaseSecretName }: DeploymentArgs): types.input.core.v1.Container {
  return {
    name: "function",
    image: fn.image.text,
    imagePullPolicy: "IfNotPresent",
    ports: [
      { name: "http", containerPort: fn.server.port, protocol: "TCP" },
      { name: "drain", containerPort: fn.drain.port, protocol: "TCP" },
    ],
    ...probes(fn),
    // An HTTP call, since a wasm pod knows no exec and its function sees no signal.
    lifecycle: { preStop: { httpGet: { path: fn.drain.path, port: "drain" } } },
    resources: resources(fn.resources),
    securityContext: RESTRICTED_CONTAINER,
    volumeMounts: [
      { name: "config", mountPath: CONFIG_DIR, readOnly: true },
      ...(databaseSecretName !== undefined ? [{ name: "database", mountPath: DATABASE_DIR, readOnly: true }] : []),
    ],
  };
}

/**
 * Slow to kill, quick to stop sending: a pod that hangs leaves the endpoints within 8 s, one that is only busy is
 * never restarted. The startup probe gives a node that starts hundreds of pods at once its time.
 */
function probes({ health }: FunctionConfig) {
  const liveness = { httpGet: { path: health.liveness, port: "http" } };
  return {
    startupProbe: { ...liveness, periodSeconds: 1, timeoutSeconds: 2, failureThreshold: 60 },
    livenessProbe: { ...liveness, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 3 },
    readinessProbe: {
      httpGet: { path: health.readiness, port: "http" },
      periodSeconds: 3,
      timeoutSeconds: 2,
      failureThreshold: 2,
    },
  } satisfies Partial<types.input.core.v1.Container>;
}

function resources({ requests, limits, ephemeralStorage }: FunctionConfig["resources"]) {
  return {
    requests: {
      cpu: formatCpu(requests.cpu),
      memory: formatBytes(requests.memory),
      "ephemeral-storage": formatBytes(ephemeralStorage.request),
    },
    limits: {
      cpu: formatCpu(limits.cpu),
      memory: formatBytes(limits.memory),
      "ephemeral-storage": formatBytes(ephemeralStorage.limit),
    },
  };
}

function volumes({ configMapName, databaseSecretName }: DeploymentArgs): types.input.core.v1.Volume[] {
  return [
    { name: "config", configMap: { name: configMapName, items: [{ key: CONFIG_FILE, path: CONFIG_FILE }] } },
    ...(databaseSecretName !== undefined
      ? [
          {
            name: "database",
            secret: {
              secretName: databaseSecretName,
              items: [{ key: DATABASE_KEY, path: DATABASE_KEY }],
              defaultMode: 0o440,
            },
          },
        ]
      : []),
  ];
}

/** Long enough to serve on while gateways forget the pod, and then to finish the longest request. */
function graceSeconds(fn: FunctionConfig): number {
  return Math.ceil((fn.drain.propagation + fn.requestTimeout) / 1000) + GRACE_MARGIN_SECONDS;
}

/** In the template from the start: the API server's own default would roll every pod when it is changed later. */
function lostNode(key: string, tolerationSeconds: number): types.input.core.v1.Toleration {
  return { key, operator: "Exists", effect: "NoExecute", tolerationSeconds };
}
