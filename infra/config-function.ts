import { z } from "zod";
import * as field from "./config-fields";
import { check, section } from "./config-fields";
import { scaling, zeroProblems } from "./config-scaling";
import { formatBytes, formatCpu, formatDuration, formatPercent, type PodCount } from "./units";

const resources = section({
  requests: field.resources({ cpu: "10m", memory: "32Mi" }),
  limits: field.resources({ cpu: "100m", memory: "64Mi" }),
  /** Log files and the writable layer; a pod above its limit is evicted. */
  ephemeralStorage: section({ request: field.bytes.prefault("8Mi"), limit: field.bytes.prefault("16Mi") }).prefault({}),
}).superRefine(
  check((r) => [
    r.requests.cpu < 1 && {
      path: ["requests", "cpu"],
      value: formatCpu(r.requests.cpu),
      limit: "must be at least 1m",
      fix: 'for example "10m"',
    },
    r.requests.memory < 1 && {
      path: ["requests", "memory"],
      value: formatBytes(r.requests.memory),
      limit: "must be above 0, or nothing holds a pod to its node",
      fix: 'for example "32Mi"',
    },
    ...field.requestsAboveLimits(r),
    field.aboveLimit(
      ["ephemeralStorage", "request"],
      r.ephemeralStorage.request,
      r.ephemeralStorage.limit,
      formatBytes,
    ),
  ]),
);

const database = section({
  /** Addresses of the database; functions may reach these and nothing else. */
  addresses: z.array(field.cidr).min(1),
  port: field.port.default(5432),
  /** Secret in the tenant's namespace whose key `url` holds the connection; made from `databaseUrls` where that names the function. */
  secretName: field.dnsLabel.optional(),
});

const workload = section({
  /** The load at peak that the plan is held against. */
  peakRequestsPerSecond: field.positive.default(100_000),
  /** CPU time one request takes: 0.15–0.18 ms were measured on a real WasmEdge node. */
  cpuPerRequest: field.duration.prefault("180us"),
});

/** What is promised to who asks: recording rules, burn-rate alerts and the error budget are made of it. */
const objectives = section({
  /** Of the requests that are let through, those that are not answered with 5xx. */
  availability: field.percent.prefault("99.99%"),
  /** 99 of 100 requests are answered sooner; the CPU limit must be able to hold it. */
  p99: field.duration.prefault("20ms"),
  /** 999 of 1,000 are. */
  p999: field.duration.prefault("50ms"),
}).superRefine(
  check((o) => [
    (o.availability < 0.5 || o.availability >= 1) && {
      path: ["availability"],
      value: formatPercent(o.availability),
      limit: "must be from 50% to below 100%: what may never fail has no budget to burn",
      fix: 'for example "99.99%"',
    },
    o.p999 < o.p99 && {
      path: ["p999"],
      value: formatDuration(o.p999),
      limit: `is below p99 ${formatDuration(o.p99)}`,
      fix: "raise it, or lower p99",
    },
  ]),
);

export const DEFAULT_FUNCTION_NAME = "serverless-function";

/** One function, by default the one of the reference workload. */
export const functionSchema = section({
  name: field.dnsLabel.prefault(DEFAULT_FUNCTION_NAME),
  tenant: field.dnsLabel.prefault("shop"),
  image: field.image.prefault("registry.example.com/serverless-function:1.0.0"),
  resources: resources.prefault({}),
  scaling: scaling.prefault({}),
  server: section({
    port: field.port.default(8080),
    host: z.ipv4().default("0.0.0.0"),
    timeout: field.duration.prefault("30s"),
  }).prefault({}),
  maxConcurrentRequests: field.positiveCount.default(1000),
  requestTimeout: field.duration.prefault("30s"),
  /** Per client, enforced by the authorizer. */
  rateLimit: section({
    requestsPerSecond: field.positiveCount.default(100),
    burst: field.positiveCount.default(200),
  }).prefault({}),
  health: section({
    liveness: field.httpPath.prefault("/healthz"),
    readiness: field.httpPath.prefault("/readyz"),
  }).prefault({}),
  /**
   * How a pod leaves: the kubelet calls this path (a wasm function sees no signal), the function serves on for
   * `propagation` while gateways forget it, finishes what it has, and exits.
   */
  drain: section({
    path: field.httpPath.prefault("/drain"),
    port: field.port.default(8081),
    propagation: field.duration.prefault("5s"),
  }).prefault({}),
  rollout: section({
    maxSurge: field.podCount.prefault("25%"),
    maxUnavailable: field.podCount.prefault(0),
    /** Without any new ready pod for this long a rollout has failed: images are small and pods start in seconds. */
    progressDeadline: field.duration.prefault("5m"),
  }).prefault({}),
  /** Pods that a node drain may take away at once. */
  disruption: section({ maxUnavailable: field.podCount.prefault("10%") }).prefault({}),
  database: database.optional(),
  workload: workload.prefault({}),
  objectives: objectives.prefault({}),
}).superRefine(
  check((fn) => [
    fn.drain.port === fn.server.port && {
      path: ["drain", "port"],
      value: String(fn.drain.port),
      limit: "is the server's port, which clients reach",
      fix: "give draining a port of its own",
    },
    fn.health.liveness === fn.health.readiness && {
      path: ["health", "readiness"],
      value: fn.health.readiness,
      limit: "is also the liveness path, so a pod that is only busy would be killed",
      fix: "use two paths",
    },
    fn.requestTimeout > fn.server.timeout && {
      path: ["requestTimeout"],
      value: formatDuration(fn.requestTimeout),
      limit: `the server closes after ${formatDuration(fn.server.timeout)}`,
      fix: "lower requestTimeout or raise server.timeout",
    },
    isZero(fn.rollout.maxSurge) &&
      isZero(fn.rollout.maxUnavailable) && {
        path: ["rollout", "maxSurge"],
        value: "0",
        limit: "with maxUnavailable 0 no rollout can take a step",
        fix: "raise one of them",
      },
    (fn.rollout.progressDeadline < 10_000 || fn.rollout.progressDeadline % 1000 !== 0) && {
      path: ["rollout", "progressDeadline"],
      value: formatDuration(fn.rollout.progressDeadline),
      limit: "must be whole seconds from 10s on: a node may need that long to pull the image and start the pod",
      fix: 'write it as "300s"',
    },
    isZero(fn.disruption.maxUnavailable) && {
      path: ["disruption", "maxUnavailable"],
      value: "0",
      limit: "no node could ever be drained",
      fix: 'leave room, for example "10%"',
    },
    fn.rateLimit.burst < fn.rateLimit.requestsPerSecond && {
      path: ["rateLimit", "burst"],
      value: String(fn.rateLimit.burst),
      limit: `is below requestsPerSecond ${fn.rateLimit.requestsPerSecond}`,
      fix: "raise burst",
    },
    ...zeroProblems(fn),
  ]),
);

function isZero(count: PodCount): boolean {
  return ("pods" in count ? count.pods : count.share) === 0;
}
