import type { StackConfig } from "../config";
import type { Problem } from "../problems";
import { humanBytes, type Bytes } from "../units";
import { formatCount, nextPowerOfTwo, roundUp, sum } from "./numbers";
import { planRequestPath } from "./request-path";
import { agentCount } from "./topology";
import { podsThere, worstMoment } from "./demand";
import type { ObservabilityPlan, ReplicaPlan, Sized } from "./types";

const MiB = 2 ** 20;
const GB = 1e9;
const DAY_SECONDS = 86_400;

/**
 * Series that one pod has: 17 states and resources from kube-state-metrics, of its kubelet 3 of the pod and 8 of CPU, memory
 * and throttling, for the pod and its container. test/real/observability.test.ts counts them.
 */
const SERIES_PER_POD = 28;
/** A node's: its exporter, its kubelet and what kube-state-metrics knows of it. */
const SERIES_PER_NODE = 700;
/** The control plane's own, merged or not, once for each server. */
const SERIES_PER_SERVER = 6_000;
/** A gateway's for one function: buckets of latency by method and status that it has seen, about ten of those. */
const SERIES_PER_GATEWAY_AND_FUNCTION = 250;
const SERIES_PER_PLATFORM_POD = 200;
/** Prometheus keeps about 1.3 bytes of each sample, and an index beside them. */
const BYTES_PER_SAMPLE = 2;
/** Memory of a series in the head, with what queries and a rollout's new series take: Prometheus' own rule is 4 KiB and twice that. */
const BYTES_PER_SERIES = 8192;
/** A core takes in about so many samples per second, and answers rules beside. */
const SAMPLES_PER_CORE = 50_000;

/** Bytes of one line of gateway, authorizer and function together, as each request that is logged has them. */
const BYTES_PER_LOGGED_REQUEST = 1_300;
/** Loki compresses lines of JSON to about an eighth. */
const LOG_COMPRESSION = 8;
/** What one Loki is good for: its makers' figure for the monolithic mode. */
export const MONOLITHIC_BYTES_PER_DAY = 20 * GB;
/** A function logs one in so many of its requests, as does the authorizer unless its config says otherwise. */
const FUNCTION_LOG_SAMPLING = 1000;

/** What watching the stack takes, so that it neither falls short at peak nor is paid for in a small cluster. */
export function planObservability(config: StackConfig): ObservabilityPlan {
  const { observability } = config;
  const series = countSeries(config);
  const samplesPerSecond = roundUp(series / (observability.scrapeInterval / 1000));
  const logs = logVolume(config);
  const bucket = observability.logs.objectStorage !== undefined;
  const days = (millis: number) => millis / 1000 / DAY_SECONDS;
  return {
    series,
    samplesPerSecond,
    prometheus: {
      ...sized(
        50 + (samplesPerSecond / SAMPLES_PER_CORE) * 1000,
        160 * MiB + series * BYTES_PER_SERIES,
        // Queries and the replay of its log at start take more than the rest of its life.
        2,
      ),
      storage: room(samplesPerSecond * BYTES_PER_SAMPLE * DAY_SECONDS * days(observability.metrics.retention)),
    },
    logs,
    loki: {
      ...sized(50 + (logs.bytesPerDay / GB) * 25, 192 * MiB + (logs.bytesPerDay / GB) * 48 * MiB, 2),
      replicas: logs.bytesPerDay > MONOLITHIC_BYTES_PER_DAY ? 3 : 1,
      store: bucket ? "objectStorage" : "filesystem",
      storage: room((logs.bytesPerDay / LOG_COMPRESSION) * (bucket ? 1 : days(observability.logs.retention))),
    },
    alertmanager: { ...sized(10, 32 * MiB, 4), storage: 64 * MiB },
    // Its objects are in memory, each with its labels.
    kubeStateMetrics: sized(20 + pods(config) / 50, 48 * MiB + pods(config) * 16 * 1024, 2),
    collector: sized(30, 96 * MiB, 3),
    nodeExporter: sized(10, 24 * MiB, 4),
    // Its makers ask for 512 MB; it was not run here.
    grafana: { ...sized(50, 256 * MiB, 2), storage: 64 * MiB },
  };
}

/** CPU in thousandths of a core; the limit on CPU is wide, since what is throttled answers late when it is needed most. */
function sized(cpu: number, memory: number, factor: number): Sized {
  const requests = { cpu: roundUp(cpu), memory: roundUp(memory / MiB) * MiB };
  return { requests, limits: { cpu: Math.max(500, requests.cpu * 4), memory: requests.memory * factor } };
}

/** A quarter more than is reckoned; in powers of two, as a volume's size cannot follow each change of the config. */
function room(bytes: Bytes): Bytes {
  return nextPowerOfTwo(Math.max(1, roundUp((bytes * 1.25) / 2 ** 30))) * 2 ** 30;
}

function pods(config: StackConfig): number {
  return podsThere(worstMoment(config, config.functions, agentCount(config)));
}

function countSeries(config: StackConfig): number {
  const { gateway, authorizer } = planRequestPath(config);
  const servers = config.cluster.kind === "k3s" ? config.cluster.servers.length : 1;
  return roundUp(
    pods(config) * SERIES_PER_POD +
      agentCount(config) * SERIES_PER_NODE +
      servers * SERIES_PER_SERVER +
      gateway.max * config.functions.length * SERIES_PER_GATEWAY_AND_FUNCTION +
      platformPods(gateway, authorizer) * SERIES_PER_PLATFORM_POD,
  );
}

function platformPods(...parts: readonly ReplicaPlan[]): number {
  return sum(parts, ({ max }) => max) + 10;
}

/** Lines after sampling, the peak held all day: what fails is logged three times, of the rest one in so many. */
function logVolume(config: StackConfig): ObservabilityPlan["logs"] {
  const { gateway, authorization, observability } = config;
  const peak = sum(config.functions, (fn) => fn.workload.peakRequestsPerSecond);
  const failed = peak * observability.logs.errorRatio;
  const sampled =
    gateway.accessLog === "all" ? peak : peak / Math.min(authorization.logSampling, FUNCTION_LOG_SAMPLING);
  const requests = failed + sampled;
  return { linesPerSecond: requests * 3, bytesPerDay: requests * BYTES_PER_LOGGED_REQUEST * DAY_SECONDS };
}

/** Pods of what watches, beside those of every node, and what they request. */
export function observabilityDemand(config: StackConfig) {
  const { observability } = config;
  if (!observability.enabled) return { pods: 0, cpu: 0, memory: 0, largest: { cpu: 0, memory: 0 } };
  const plan = planObservability(config);
  const { replicas } = observability.metrics;
  const parts = [
    { ...plan.prometheus, pods: replicas },
    { ...plan.alertmanager, pods: replicas },
    { ...plan.loki, pods: plan.loki.replicas },
    { ...plan.kubeStateMetrics, pods: 1 },
    ...(observability.grafana.enabled ? [{ ...plan.grafana, pods: 1 }] : []),
  ];
  return {
    pods: sum(parts, (part) => part.pods),
    cpu: sum(parts, (part) => part.pods * part.requests.cpu),
    memory: sum(parts, (part) => part.pods * part.requests.memory),
    largest: {
      cpu: Math.max(...parts.map((part) => part.requests.cpu)),
      memory: Math.max(...parts.map((part) => part.requests.memory)),
    },
  };
}

/** Where more is logged than what keeps it can take. */
export function observabilityProblems(config: StackConfig): Problem[] {
  const { enabled, logs } = config.observability;
  const { bytesPerDay, linesPerSecond } = planObservability(config).logs;
  if (!enabled || logs.objectStorage !== undefined || bytesPerDay <= MONOLITHIC_BYTES_PER_DAY) return [];
  const volume = `${humanBytes(bytesPerDay)} a day (${formatCount(linesPerSecond)} lines/s)`;
  return [
    {
      path: "observability.logs.objectStorage",
      value: `missing, with ${volume} of logs`,
      limit: `one Loki with a volume takes ${humanBytes(MONOLITHIC_BYTES_PER_DAY)} a day`,
      fix: "name a bucket, raise authorization.logSampling, or say gateway.accessLog: errors",
    },
  ];
}
