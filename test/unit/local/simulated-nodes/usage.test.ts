import { describe, expect, it } from "vitest";
import { parseConfig } from "../../../../infra/config";
import { CPU_ANNOTATION, renderResourceMetrics, renderUsage } from "../../../../local/simulated-nodes/usage";
import { rawConfig } from "../../infra/support";

interface Usage {
  readonly apiVersion: string;
  readonly kind: string;
  readonly spec: {
    readonly selector?: unknown;
    readonly usages: readonly {
      readonly containers?: unknown;
      readonly usage: Readonly<Record<"cpu" | "memory", { readonly expression: string }>>;
    }[];
  };
}

interface Metrics {
  readonly spec: {
    readonly path: string;
    readonly metrics: readonly {
      readonly name: string;
      readonly kind: string;
      readonly dimension: string;
      readonly value: string;
      readonly labels?: readonly { readonly name: string }[];
    }[];
  };
}

const usageOf = (functions: readonly object[]) =>
  renderUsage(parseConfig(rawConfig({ functions })).functions) as unknown as Usage;

type Pod = Readonly<Record<"labels" | "annotations", Readonly<Record<string, string>>>>;

/**
 * The value of an expression for a pod. What these expressions use of CEL is JavaScript as well, but for one thing:
 * CEL fails where a key is not there, which a proxy does here too.
 */
function cpuOf(functions: readonly object[], pod: Partial<Pod>): string {
  const strict = (map: Readonly<Record<string, string>> = {}) =>
    new Proxy(map, {
      get: (target, key: string) => {
        if (!(key in target)) throw new Error(`no such key: ${key}`);
        return target[key];
      },
    });
  const expression = usageOf(functions).spec.usages[0]!.usage.cpu.expression;
  // eslint-disable-next-line @typescript-eslint/no-implied-eval -- the expression is the code under test
  const evaluate = new Function("pod", "Quantity", `return ${expression}`) as (
    pod: object,
    quantity: (text: string) => string,
  ) => string;
  return evaluate({ metadata: { labels: strict(pod.labels), annotations: strict(pod.annotations) } }, (text) => text);
}

const named = (name: string) => ({ "app.kubernetes.io/name": name });

const FUNCTIONS = [
  { name: "checkout", resources: { requests: { cpu: "10m" } }, scaling: { cpuTarget: "70%" } },
  { name: "search", resources: { requests: { cpu: "50m" } }, scaling: { cpuTarget: "50%" } },
  { name: "images", resources: { requests: { cpu: "100m" } }, scaling: { cpuTarget: "80%" } },
];

describe("a simulated pod's CPU", () => {
  it.each([
    ["checkout", "6300u"],
    ["search", "22500u"],
    ["images", "72000u"],
  ])("of %s is nine tenths of what its autoscaler aims at: %s", (name, cpu) => {
    expect(cpuOf(FUNCTIONS, { labels: named(name) })).toBe(cpu);
  });

  it("keeps the count of pods: with the 5 to 10 % that are added on reading it, it is within the tolerance", () => {
    for (const fn of parseConfig(rawConfig({ functions: FUNCTIONS })).functions) {
      const millis = Number.parseInt(cpuOf(FUNCTIONS, { labels: named(fn.name) }), 10) / 1000;
      for (const high of [1.05, 1.1]) {
        const ratio = (millis * high) / fn.resources.requests.cpu / fn.scaling.cpuTarget;
        expect(Math.abs(ratio - 1)).toBeLessThan(0.1);
      }
    }
  });

  it.each([
    ["of something else", { labels: named("coredns") }],
    ["without that label", { labels: { run: "shell" } }],
    ["without labels", {}],
  ])("of a pod %s is 1m", (_, pod) => {
    expect(cpuOf(FUNCTIONS, pod)).toBe("1m");
    expect(cpuOf([{}], pod)).toBe("1m");
  });

  it("is what its annotation says, whosever it is", () => {
    const annotations = { [CPU_ANNOTATION]: "250m" };
    expect(cpuOf(FUNCTIONS, { labels: named("checkout"), annotations })).toBe("250m");
    expect(cpuOf(FUNCTIONS, { annotations })).toBe("250m");
    expect(CPU_ANNOTATION).toBe("kwok.x-k8s.io/usage-cpu");
  });
});

describe("the usage object", () => {
  it("holds for every container of every pod", () => {
    const { apiVersion, kind, spec } = usageOf(FUNCTIONS);
    expect([apiVersion, kind]).toEqual(["kwok.x-k8s.io/v1alpha1", "ClusterResourceUsage"]);
    expect(spec.selector).toBeUndefined();
    expect(spec.usages).toHaveLength(1);
    expect(spec.usages[0]?.containers).toBeUndefined();
  });

  it("has the memory of a measured WasmEdge pod", () => {
    expect(usageOf(FUNCTIONS).spec.usages[0]?.usage.memory.expression).toBe('Quantity("18M")');
  });
});

describe("a node's metrics", () => {
  const { spec } = renderResourceMetrics() as unknown as Metrics;

  it("lie where the node's annotation points to", () => {
    expect(spec.path).toBe("/metrics/nodes/{nodeName}/metrics/resource");
  });

  it("are those that metrics-server reads, each of the kind and with the labels that it looks for", () => {
    const rows = spec.metrics.map(({ name, kind, dimension, labels }) =>
      [name, kind, dimension, ...(labels ?? []).map((label) => label.name)].join(" "),
    );
    expect(rows).toEqual([
      "scrape_error gauge node",
      "node_cpu_usage_seconds_total counter node",
      "node_memory_working_set_bytes gauge node",
      "container_start_time_seconds gauge container container namespace pod",
      "container_cpu_usage_seconds_total counter container container namespace pod",
      "container_memory_working_set_bytes gauge container container namespace pod",
    ]);
  });

  it("count CPU up, and give memory as it is", () => {
    const values = Object.fromEntries(spec.metrics.map(({ name, value }) => [name, value]));
    expect(values).toMatchObject({
      node_cpu_usage_seconds_total: 'node.CumulativeUsage("cpu")',
      node_memory_working_set_bytes: 'node.Usage("memory")',
      // Above 0 from the first time on: at 0 metrics-server would pass over it.
      container_cpu_usage_seconds_total: 'pod.CumulativeUsage("cpu", container.name) + 0.000001',
    });
  });
});
