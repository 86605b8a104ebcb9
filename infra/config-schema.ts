import { z } from "zod";
import { folderOf, type ImageRef } from "./addresses";
import { admissionSchema } from "./config-admission";
import { authorizationSchema } from "./config-authorization";
import { clusterSchema } from "./config-cluster";
import * as field from "./config-fields";
import { check, section } from "./config-fields";
import { functionSchema } from "./config-function";
import { gatewaySchema, routeSchema } from "./config-gateway";
import { observabilitySchema } from "./config-observability";
import { autoscalingSchema } from "./config-scaling";
import { formatCpu, formatDuration, formatPercent } from "./units";

/**
 * The sections of a stack's config with their defaults: together they are the reference workload, so a stack file
 * names only what differs from it. `Pulumi.yaml` describes the keys for users.
 */

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
   * the shim within the 7.1–7.8 MB that a whole pod holds, of which 1.9 MB are its container's own
   * (`make bench STACK=real`: 10 to 200 pods, shims, sandboxes and the kernel's part included).
   */
  overhead: field.resources({ cpu: "0", memory: "8Mi" }),
  /** Pods/s that one agent starts: 3.8–4.6 WasmEdge pods/s on 2 cores, where a lean container's are 2.9–3.8 (`make bench STACK=real`). */
  startRate: field.positive.default(4.5),
});

const tenant = section({
  name: field.dnsLabel,
  /** The group in the cluster's identity provider whose members may deploy and read this tenant's functions. */
  group: z.string().min(1).optional(),
});

/** Settings of the control plane and kubelets from which the plan's tuning is made. */
const controlPlane = section({
  /**
   * Requests/s (and as many at once) that controller-manager may send; the scheduler gets twice as much. Kubernetes' own default is 20. Measured
   * on 2 cores, 10 to 5,000 pods by CPU: with 90 pods waited 0.09 s (P50) and 1.1 s (P99) for a node, with 100 on the same machine 0.17 s and
   * 3.2 s, and were ready in 143 and 145 s: what comes faster than it is bound queues for the scheduler. On a slower machine, where 100 took 175 s,
   * it was 2.9 to 3.0 s (P99), with 80 2.4 s, with 150 and bursts of 300 4.9 s. All of that with simulated pods that count from their third
   * reading on; since they do from the second, the same takes 114 to 122 s.
   */
  clientQps: field.positiveCount.default(90),
  hpaSyncPeriod: field.duration.prefault("5s"),
  /** Until then the CPU of a young pod counts only by two readings since it was ready; Kubernetes has 5m. */
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
  /** A lean native container, at the same CPU settings: 12–15 MB per pod were measured for one in Go, 5.7–7.3 for the sample function's source. */
  lean: baseline({ cpu: "10m", memory: "15M", utilization: "70%" }).prefault({}),
  /** Saving against `baseline` below which the plan warns. */
  minimumSaving: field.percent.prefault("80%"),
});

const PRESENT = z.literal("<secret>");

export const stackSchema = section({
  platform: platform.prefault({}),
  cluster: clusterSchema,
  runtime: runtime.prefault({}),
  gateway: gatewaySchema.prefault({}),
  authorization: authorizationSchema.prefault({}),
  tenants: z
    .array(tenant)
    .min(1)
    .prefault([{ name: "shop" }]),
  functions: z.array(functionSchema).min(1).prefault([{}]),
  /** Default: the reference's, to the first function. */
  routes: z.array(routeSchema).min(1).prefault([{}]),
  autoscaling: autoscalingSchema.prefault({}),
  observability: observabilitySchema.prefault({}),
  admission: admissionSchema.prefault({}),
  controlPlane: controlPlane.prefault({}),
  cost: cost.prefault({}),
  /** Secrets come as markers of their presence; their values go straight to the component that needs them. */
  kubeconfig: PRESENT.optional(),
  databaseUrls: z.record(z.string(), PRESENT).default({}),
  pullCredentials: z.record(z.string(), PRESENT).default({}),
  sshKeys: z.record(z.string(), PRESENT).default({}),
  snapshotStorage: z.record(z.string(), PRESENT).default({}),
  gatewayTls: z.record(z.string(), PRESENT).default({}),
  budgetStore: z.record(z.string(), PRESENT).default({}),
  alertReceivers: z.record(z.string(), PRESENT).default({}),
  logStorage: z.record(z.string(), PRESENT).default({}),
}).transform((config) => ({
  ...config,
  routes: withTargets(config),
  admission: { ...config.admission, registries: config.admission.registries ?? ownRegistries(config.functions) },
}));

/** Where the stack's own functions have their images. */
function ownRegistries(functions: readonly { readonly image: ImageRef }[]): string[] {
  return [...new Set(functions.map(({ image }) => folderOf(image)))].sort();
}

interface Routed<Route> {
  readonly functions: readonly { readonly name: string }[];
  readonly routes: readonly Route[];
}

/** A route that names no function goes to the stack's first. */
function withTargets<Route extends { to?: { function: string; weight: number }[] | undefined }>({
  functions,
  routes,
}: Routed<Route>) {
  const first = functions.slice(0, 1).map(({ name }) => ({ function: name, weight: 100 }));
  return routes.map((route) => ({ ...route, to: route.to ?? first }));
}
