import type { FunctionConfig } from "../../infra/config";
import type { MilliCpu } from "../../infra/units";

/** A whole WasmEdge pod was measured to use 16–19 MB on a real node. */
const POD_MEMORY = "18M";

/** Sets one pod's usage by hand: `kubectl annotate pod NAME kwok.x-k8s.io/usage-cpu=50m`. */
export const CPU_ANNOTATION = "kwok.x-k8s.io/usage-cpu";

const NAME_LABEL = "app.kubernetes.io/name";
const OTHER_CPU = 'Quantity("1m")';

const API_VERSION = "kwok.x-k8s.io/v1alpha1";
const USAGE_NAME = "simulated-usage";

/** Where the API server has it. */
export const USAGE_PATH = `/apis/${API_VERSION}/clusterresourceusages/${USAGE_NAME}`;

export interface RenderedUsage {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: object;
}

/**
 * What simulated pods are said to use. Nothing runs in them, so unless told otherwise a function's pods use exactly
 * what its autoscaler aims at: the count then holds until somebody changes the load.
 *
 * @param driven - CPU of each pod of the functions that somebody plays a load to, by the function's name
 */
export function renderUsage(
  functions: readonly FunctionConfig[],
  driven: Readonly<Record<string, MilliCpu>> = {},
): RenderedUsage {
  const steady = functions.reduceRight(
    (otherwise, fn) =>
      `(pod.metadata.labels["${NAME_LABEL}"] == "${fn.name}" ? Quantity("${cpuQuantity(driven[fn.name] ?? steadyCpu(fn))}") : ${otherwise})`,
    OTHER_CPU,
  );
  // Asking for a label that a pod does not have is an error, not an empty text.
  const unlessSet = `("${NAME_LABEL}" in pod.metadata.labels ? ${steady} : ${OTHER_CPU})`;
  return {
    apiVersion: API_VERSION,
    kind: "ClusterResourceUsage",
    metadata: { name: USAGE_NAME },
    spec: {
      usages: [
        {
          usage: {
            cpu: {
              expression: `"${CPU_ANNOTATION}" in pod.metadata.annotations ? Quantity(pod.metadata.annotations["${CPU_ANNOTATION}"]) : ${unlessSet}`,
            },
            memory: { expression: `Quantity("${POD_MEMORY}")` },
          },
        },
      ],
    },
  };
}

/** metrics-server reads simulated pods 5–10 % high (measured): at nine tenths of the target the reading lies on it. */
const STEADY_SHARE = 0.9;

function steadyCpu(fn: FunctionConfig): MilliCpu {
  return fn.resources.requests.cpu * fn.scaling.cpuTarget * STEADY_SHARE;
}

/** In microcores; never none, of which metrics-server makes a pod without metrics. */
function cpuQuantity(cpu: MilliCpu): string {
  return `${Math.max(1, Math.round(cpu * 1000))}u`;
}

/**
 * KWOK counts a container's CPU from when it is first asked for it, and then says 0, which metrics-server takes for no reading at
 * all: without this, it would need three of a new pod, where it needs two.
 */
const FIRST_CPU_SECONDS = 0.000001;

/**
 * The node endpoint that metrics-server scrapes, as a kubelet serves it at /metrics/resource, without what only others read:
 * KWOK reckons each series of each pod anew at each reading, which with thousands takes it a good part of a core.
 */
export function renderResourceMetrics(): object {
  const labels = [
    { name: "container", value: "container.name" },
    { name: "namespace", value: "pod.metadata.namespace" },
    { name: "pod", value: "pod.metadata.name" },
  ];
  const metric = (name: string, kind: "gauge" | "counter", dimension: "node" | "container", value: string) => ({
    ...{ name, kind, dimension, value },
    ...(dimension === "container" && { labels }),
  });
  return {
    apiVersion: API_VERSION,
    kind: "Metric",
    metadata: { name: "metrics-resource" },
    spec: {
      path: "/metrics/nodes/{nodeName}/metrics/resource",
      metrics: [
        metric("scrape_error", "gauge", "node", "0"),
        metric("node_cpu_usage_seconds_total", "counter", "node", 'node.CumulativeUsage("cpu")'),
        metric("node_memory_working_set_bytes", "gauge", "node", 'node.Usage("memory")'),
        metric("container_start_time_seconds", "gauge", "container", "pod.SinceSecond()"),
        metric(
          "container_cpu_usage_seconds_total",
          "counter",
          "container",
          `pod.CumulativeUsage("cpu", container.name) + ${FIRST_CPU_SECONDS}`,
        ),
        metric("container_memory_working_set_bytes", "gauge", "container", 'pod.Usage("memory", container.name)'),
      ],
    },
  };
}
