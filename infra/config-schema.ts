import { z } from "zod";
import { overlaps } from "./addresses";
import * as field from "./config-fields";
import { check, section } from "./config-fields";
import { formatBytes, formatCpu, formatDuration, formatPercent, type PodCount } from "./units";
import { DEFAULT_K3S_VERSION } from "./versions";

/**
 * Every section of the config with its defaults: together they are the reference workload, so a stack file
 * names only what differs from it. `Pulumi.yaml` describes the keys for users.
 */

/** Each has its own default, so that setting the one does not lose the other. */
const resourceSchema = (defaults: { cpu: string; memory: string }) =>
  section({
    cpu: field.cpu.prefault(defaults.cpu),
    memory: field.bytes.prefault(defaults.memory),
  }).prefault({});

/** What every agent has, and what of it the system keeps for itself. */
const agentShape = section({
  cpu: field.cpu.prefault("16"),
  memory: field.bytes.prefault("64Gi"),
  /** Kept for the operating system, K3s and containerd, never given to pods. */
  reserved: resourceSchema({ cpu: "500m", memory: "2Gi" }),
}).superRefine(
  check((shape) => [
    shape.reserved.cpu >= shape.cpu && {
      path: ["reserved", "cpu"],
      value: formatCpu(shape.reserved.cpu),
      limit: `nothing is left of the agent's ${formatCpu(shape.cpu)}`,
      fix: "reserve less or use larger agents",
    },
    shape.reserved.memory >= shape.memory && {
      path: ["reserved", "memory"],
      value: formatBytes(shape.reserved.memory),
      limit: `nothing is left of the agent's ${formatBytes(shape.memory)}`,
      fix: "reserve less or use larger agents",
    },
  ]),
);

const network = section({
  podCidr: field.cidr.prefault("10.42.0.0/16"),
  serviceCidr: field.cidr.prefault("10.43.0.0/16"),
  /** The size of each node's share of podCidr, fixed when a node joins. Default: the smallest that holds the planned pods. */
  nodeCidrMaskSize: z.int().min(16).max(28).optional(),
}).superRefine(
  check((net) => [
    overlaps(net.podCidr, net.serviceCidr) && {
      path: ["serviceCidr"],
      value: net.serviceCidr.text,
      limit: `overlaps podCidr ${net.podCidr.text}`,
      fix: 'use apart networks, for example "10.42.0.0/16" and "10.43.0.0/16"',
    },
    net.nodeCidrMaskSize !== undefined &&
      net.nodeCidrMaskSize < net.podCidr.prefix && {
        path: ["nodeCidrMaskSize"],
        value: String(net.nodeCidrMaskSize),
        limit: `is wider than podCidr ${net.podCidr.text}`,
        fix: "leave it out, or widen podCidr",
      },
  ]),
);

const k3sVersion = field.pattern(/^v\d+\.\d+\.\d+\+k3s\d+$/, {
  limit: "must be a K3s release, which is a semantic version with its K3s build",
  fix: `for example "${DEFAULT_K3S_VERSION}"`,
});

const clusterCommon = {
  version: k3sVersion.prefault(DEFAULT_K3S_VERSION),
  agentShape: agentShape.prefault({}),
  network: network.prefault({}),
  /** Pods of the platform itself that each agent runs: DNS, collector, exporter, a gateway's or authorizer's share. */
  systemPodsPerAgent: field.count.default(10),
  /** Pods an agent may hold. Default: what the plan needs when one agent is lost. */
  maxPodsPerAgent: field.positiveCount.optional(),
};

const host = section({
  name: field.dnsLabel,
  host: z.string().min(1),
  port: field.port.default(22),
  user: z.string().min(1).default("root"),
});

/** A cluster that is already there, reached by a kubeconfig. */
const existingCluster = section({
  kind: z.literal("existing"),
  ...clusterCommon,
  /** Path of its kubeconfig, from the project's folder; or set the secret key `kubeconfig` instead. */
  kubeconfig: z.string().min(1).optional(),
  context: z.string().min(1).optional(),
  /** Names the cluster for good: a new address or port of the same cluster replaces nothing while this stays. */
  identifier: field.dnsLabel.prefault("wasm-functions"),
  /** How many agents (nodes that run functions) it has. */
  agents: field.positiveCount.default(10),
  /** Set where `make up` itself starts this cluster on this machine; the Pulumi program does not look at it. */
  embedded: z.enum(["simulated-nodes"]).optional(),
});

/** A cluster that this program makes from bare Linux hosts. */
const k3sCluster = section({
  kind: z.literal("k3s"),
  ...clusterCommon,
  servers: z.array(host).min(1),
  agents: z.array(host).min(1),
}).superRefine(
  check((cluster) => [
    cluster.servers.length % 2 === 0 && {
      path: ["servers"],
      value: `${cluster.servers.length} servers`,
      limit: "etcd needs an odd number to hold a majority when one is lost",
      fix: "use 1 for a disposable cluster, 3 or 5 for one that must survive",
    },
    ...duplicates(
      [
        ...cluster.servers.map((h) => ({ at: "servers", ...h })),
        ...cluster.agents.map((h) => ({ at: "agents", ...h })),
      ],
      (h) => h.name,
    ).map((h) => ({ path: [h.at], value: h.name, limit: "names two hosts", fix: "give each host a name of its own" })),
  ]),
);

const cluster = z.discriminatedUnion("kind", [existingCluster, k3sCluster]);

const platform = section({
  /** Goes into every object's `environment` label. */
  environment: field.dnsLabel.prefault("local"),
  /** Protects what holds data or tenants from deletion; `make down` then asks for the stack's name. */
  protect: z.boolean().default(false),
});

const runtime = section({
  /** false where the cluster brings its own RuntimeClass `wasmedge`, as K3s does unless told otherwise. */
  createRuntimeClass: z.boolean().default(true),
  /**
   * What a pod costs beside its container, for scheduler, quota and the pod's own memory limit: an allowance for
   * the shim process within the 16–19 MB that a whole WasmEdge pod was measured to use.
   */
  overhead: resourceSchema({ cpu: "0", memory: "8Mi" }),
  /** Pods/s that one agent starts: 4–5 real WasmEdge pods/s were measured on 2 cores. */
  startRate: field.positive.default(4.5),
});

const gateway = section({
  kind: z.enum(["traefik", "kong"]).default("traefik"),
  namespace: field.dnsLabel.prefault("gateway"),
});

const tenant = section({
  name: field.dnsLabel,
  /** The group in the cluster's identity provider whose members may deploy and read this tenant's functions. */
  group: z.string().min(1).optional(),
});

const scalePolicy = (defaults: { percent: string; pods: number; period: string; stabilization: string }) =>
  section({
    percent: field.percent.prefault(defaults.percent),
    pods: field.positiveCount.default(defaults.pods),
    period: field.duration.prefault(defaults.period),
    stabilization: field.duration.prefault(defaults.stabilization),
  }).superRefine(
    check((policy) => [
      (policy.period < 1000 || policy.period > 1_800_000 || policy.period % 1000 !== 0) && {
        path: ["period"],
        value: formatDuration(policy.period),
        limit: "Kubernetes takes whole seconds from 1s to 30m",
        fix: 'write it as "15s"',
      },
      (policy.stabilization > 3_600_000 || policy.stabilization % 1000 !== 0) && {
        path: ["stabilization"],
        value: formatDuration(policy.stabilization),
        limit: "Kubernetes takes whole seconds up to 1h",
        fix: 'write it as "60s"',
      },
    ]),
  );

const scaling = section({
  min: field.positiveCount.default(10),
  max: field.positiveCount.default(5000),
  /** Replicas at the first creation; from then on the autoscaler owns the count. */
  initial: field.positiveCount.default(100),
  /** CPU of a pod, as a share of its request, that the autoscaler holds. */
  cpuTarget: field.percent.prefault("70%"),
  /** Requests/s per pod that scaling by request rate would hold; the plan compares both. */
  requestsPerPod: field.positive.default(20),
  /** Up to ten times the pods, or 1,000 more, each 15 s; whichever is more. */
  up: scalePolicy({ percent: "900%", pods: 1000, period: "15s", stabilization: "0s" }).prefault({}),
  /** A tenth of the pods each 15 s, after two calm minutes: a flash sale has lulls. */
  down: scalePolicy({ percent: "10%", pods: 1, period: "15s", stabilization: "2m" }).prefault({}),
}).superRefine(
  check((s) => [
    s.min > s.max && {
      path: ["min"],
      value: String(s.min),
      limit: `is above max ${s.max}`,
      fix: "lower min or raise max",
    },
    s.initial > s.max && {
      path: ["initial"],
      value: String(s.initial),
      limit: `is above max ${s.max}`,
      fix: "lower initial or raise max",
    },
    s.min <= s.max &&
      s.initial < s.min && {
        path: ["initial"],
        value: String(s.initial),
        limit: `is below min ${s.min}`,
        fix: "raise initial or lower min",
      },
    (s.cpuTarget < 0.01 || s.cpuTarget > 1) && {
      path: ["cpuTarget"],
      value: formatPercent(s.cpuTarget),
      limit: "must be from 1% to 100% of the request",
      fix: 'for example "70%"',
    },
  ]),
);

const resources = section({
  requests: resourceSchema({ cpu: "10m", memory: "32Mi" }),
  limits: resourceSchema({ cpu: "100m", memory: "64Mi" }),
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
    r.requests.cpu > r.limits.cpu &&
      aboveLimit(["requests", "cpu"], formatCpu(r.requests.cpu), formatCpu(r.limits.cpu)),
    r.requests.memory > r.limits.memory &&
      aboveLimit(["requests", "memory"], formatBytes(r.requests.memory), formatBytes(r.limits.memory)),
    r.ephemeralStorage.request > r.ephemeralStorage.limit &&
      aboveLimit(
        ["ephemeralStorage", "request"],
        formatBytes(r.ephemeralStorage.request),
        formatBytes(r.ephemeralStorage.limit),
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
  /** The latency objective that the CPU limit must be able to hold. */
  p99: field.duration.prefault("20ms"),
});

export const DEFAULT_FUNCTION_NAME = "serverless-function";

const functionSchema = section({
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
  rollout: section({ maxSurge: field.podCount.prefault("25%"), maxUnavailable: field.podCount.prefault(0) }).prefault(
    {},
  ),
  /** Pods that a node drain may take away at once. */
  disruption: section({ maxUnavailable: field.podCount.prefault("10%") }).prefault({}),
  database: database.optional(),
  workload: workload.prefault({}),
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
  ]),
);

/** Settings of the control plane and kubelets from which the plan's tuning is made. */
const controlPlane = section({
  /** Requests/s (and as burst twice that) that controller-manager may send; the scheduler gets twice as much. Kubernetes' own default is 20. */
  clientQps: field.positiveCount.default(500),
  hpaSyncPeriod: field.duration.prefault("5s"),
  /** How long the CPU of a young pod is left out of account; Kubernetes' default of 5m delays every step. */
  hpaCpuInitializationPeriod: field.duration.prefault("20s"),
  hpaInitialReadinessDelay: field.duration.prefault("5s"),
  /** A node that misses its leases (renewed every 10 s) for this long is lost; Kubernetes' default is 40s. */
  nodeMonitorGracePeriod: field.duration.prefault("20s"),
  /** How long pods stay bound to a lost node; Kubernetes' default is 5m. */
  lostNodeToleration: field.duration.prefault("10s"),
  /** The kernel's CPU accounting period: at Kubernetes' 100ms, P99 at a 100m limit was measured as 84 ms, at 10ms as 9 ms. */
  cfsQuotaPeriod: field.duration.prefault("10ms"),
  containerLog: section({ maxSize: field.bytes.prefault("4Mi"), maxFiles: z.int().min(2).default(2) }).prefault({}),
}).superRefine(
  check((c) => [
    (c.cfsQuotaPeriod < 1 || c.cfsQuotaPeriod > 1000) && {
      path: ["cfsQuotaPeriod"],
      value: formatDuration(c.cfsQuotaPeriod),
      limit: "the kernel takes 1ms to 1s",
      fix: 'for example "10ms"',
    },
    c.nodeMonitorGracePeriod < 20_000 && {
      path: ["nodeMonitorGracePeriod"],
      value: formatDuration(c.nodeMonitorGracePeriod),
      limit: "leases are renewed every 10 s, so under 20s one late renewal loses a node",
      fix: 'use "20s" or more',
    },
    ...(["lostNodeToleration", "hpaSyncPeriod", "nodeMonitorGracePeriod"] as const).map(
      (key) =>
        (c[key] < 1000 || c[key] % 1000 !== 0) && {
          path: [key],
          value: formatDuration(c[key]),
          limit: "must be whole seconds, at least one",
          fix: 'write it as "10s"',
        },
    ),
  ]),
);

/** A way to run the same load, priced against. */
const baseline = (defaults: { cpu: string; memory: string; utilization: string }) =>
  section({
    cpu: field.cpu.prefault(defaults.cpu),
    memory: field.bytes.prefault(defaults.memory),
    /** Share of its CPU that is used on average. */
    utilization: field.percent.prefault(defaults.utilization),
  }).superRefine(
    check((b) => [
      b.cpu < 1 && {
        path: ["cpu"],
        value: formatCpu(b.cpu),
        limit: "must be at least 1m",
        fix: `for example "${defaults.cpu}"`,
      },
      (b.utilization < 0.01 || b.utilization > 1) && {
        path: ["utilization"],
        value: formatPercent(b.utilization),
        limit: "must be from 1% to 100%",
        fix: `for example "${defaults.utilization}"`,
      },
    ]),
  );

const cost = section({
  /** The container platform of the reference. */
  baseline: baseline({ cpu: "500m", memory: "256M", utilization: "20%" }).prefault({}),
  /** A lean native container: 12–15 MB were measured per pod, at the same CPU settings. */
  lean: baseline({ cpu: "10m", memory: "15M", utilization: "70%" }).prefault({}),
  /** Saving against `baseline` below which the plan warns. */
  minimumSaving: field.percent.prefault("80%"),
});

const PRESENT = z.literal("<secret>");

export const stackSchema = section({
  platform: platform.prefault({}),
  cluster,
  runtime: runtime.prefault({}),
  gateway: gateway.prefault({}),
  tenants: z
    .array(tenant)
    .min(1)
    .prefault([{ name: "shop" }]),
  functions: z.array(functionSchema).min(1).prefault([{}]),
  controlPlane: controlPlane.prefault({}),
  cost: cost.prefault({}),
  /** Secrets come as markers of their presence; their values go straight to the component that needs them. */
  kubeconfig: PRESENT.optional(),
  databaseUrls: z.record(z.string(), PRESENT).default({}),
  pullCredentials: z.record(z.string(), PRESENT).default({}),
});

function isZero(count: PodCount): boolean {
  return ("pods" in count ? count.pods : count.share) === 0;
}

function aboveLimit(path: string[], value: string, limit: string) {
  return { path, value, limit: `is above its limit ${limit}`, fix: "lower the request or raise the limit" };
}

/** The second and further items that share a key with an earlier one. */
export function duplicates<T>(items: readonly T[], key: (item: T) => string): T[] {
  return items.filter((item, index) => items.findIndex((other) => key(other) === key(item)) !== index);
}
