import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { LogCollector } from "../../../../components/observability/collector";
import { collectorConfig, LARGEST_BATCH, LONGEST_LINE } from "../../../../components/observability/collector-config";
import { find, names, register, valueOf, type Registered } from "../../../support/mocks";

const MiB = 2 ** 20;
const SELECTOR = {
  "app.kubernetes.io/name": "collector",
  "app.kubernetes.io/component": "log-collector",
  "app.kubernetes.io/part-of": "wasm-functions",
};
const LOKI = { namespace: "monitoring", labels: { "app.kubernetes.io/name": "loki" } };
const PROMETHEUS = { namespace: "monitoring", labels: { "app.kubernetes.io/name": "prometheus" } };
const ARGS = {
  namespaceName: "monitoring-hosts",
  lokiUrl: "http://loki.monitoring.svc.cluster.local:3100",
  functions: [{ name: "checkout", tenant: "shop" }],
  logs: { linesPerSecond: 450, bytesPerDay: 24 * 700 * MiB },
  sized: { requests: { cpu: 30, memory: 96 * MiB }, limits: { cpu: 500, memory: 288 * MiB } },
  kubelet: { maxPods: 600, containerLogMaxFiles: 2 },
};
const config = (more: Partial<typeof ARGS> = {}) => collectorConfig({ ...ARGS, ...more, name: "collector" });
const create = (more: Partial<typeof ARGS> = {}) =>
  register(
    () =>
      new LogCollector("collector", {
        ...ARGS,
        ...more,
        environment: "test",
        namespace: "monitoring-hosts",
        image: "docker.io/otel/opentelemetry-collector-contrib:0.160.0",
        priorityClassName: "wasm-platform",
        loki: LOKI,
        prometheus: PROMETHEUS,
      }),
  );

interface DaemonSetSpec {
  readonly updateStrategy: object;
  readonly template: {
    readonly spec: {
      readonly tolerations: unknown;
      readonly securityContext: unknown;
      readonly automountServiceAccountToken: boolean;
      readonly containers: readonly {
        readonly args: readonly string[];
        readonly env: readonly object[];
        readonly resources: object;
        readonly securityContext: object;
        readonly volumeMounts: readonly { readonly name: string; readonly readOnly?: boolean }[];
      }[];
      readonly volumes: readonly object[];
    };
  };
}
const daemonSet = (resources: readonly Registered[]) =>
  find(resources, "kubernetes:apps/v1:DaemonSet", "collector").inputs["spec"] as DaemonSetSpec;
const configMap = (resources: readonly Registered[]) =>
  resources.find(({ type }) => type === "kubernetes:core/v1:ConfigMap")!;

describe("what the collector is told", () => {
  it("holds what the whole stack writes in an hour, twice over", () => {
    expect(config().exporters.otlp_http.sending_queue.queue_size).toBe(2 * 700 * MiB);
    const quiet = config({ logs: { linesPerSecond: 0.1, bytesPerDay: 1000 } });
    expect(quiet.exporters.otlp_http.sending_queue.queue_size).toBe(64 * MiB);
  });

  it("waits for Loki without end, with a queue that is on disk and blocks", () => {
    const { retry_on_failure, sending_queue } = config().exporters.otlp_http;
    expect(retry_on_failure.max_elapsed_time).toBe("0s");
    expect(sending_queue).toMatchObject({ storage: "file_storage", block_on_overflow: true, num_consumers: 1 });
    expect(config().receivers.file_log.retry_on_failure).toEqual({ enabled: true, max_elapsed_time: "0s" });
  });

  it("has room in a request for its longest line: a longer one would be dropped", () => {
    expect(LARGEST_BATCH).toBeGreaterThanOrEqual(2 * LONGEST_LINE);
    expect(config().receivers.file_log.max_log_size).toBe(LONGEST_LINE);
  });

  it("keeps open every file that a full node has", () => {
    // 600 pods of two containers, each with the file that is written and one before it; half of the limit is kept open.
    expect(config().receivers.file_log.max_concurrent_files).toBe(2 * 600 * 2 * 2);
    const small = config({ kubelet: { maxPods: 10, containerLogMaxFiles: 2 } });
    expect(small.receivers.file_log.max_concurrent_files).toBe(2048);
  });

  it("does not read what it writes itself", () => {
    expect(config().receivers.file_log.exclude).toEqual(["/var/log/pods/monitoring-hosts_collector-*/*/*"]);
  });

  it("stays below its memory", () => {
    const { limit_mib, spike_limit_mib } = config().processors.memory_limiter;
    expect({ limit_mib, spike_limit_mib }).toEqual({ limit_mib: 230, spike_limit_mib: 46 });
  });

  it("knows a function by its pod's name, and by the config where that is cut", () => {
    const statements = (functions: typeof ARGS.functions) =>
      config({ functions }).processors.transform.log_statements[0]?.statements.filter((text) =>
        text.includes('set(attributes["function"]'),
      );
    expect(statements([{ name: "a".repeat(46), tenant: "shop" }])).toEqual([]);
    const name = "b".repeat(60);
    expect(statements([{ name, tenant: "shop" }])).toEqual([
      `set(attributes["function"], "${name}") where attributes["k8s.container.name"] == "function" and attributes["namespace"] == "shop" and HasPrefix(attributes["pod"], "${"b".repeat(58)}")`,
    ]);
  });
});

describe("LogCollector", () => {
  it("is a DaemonSet with its config, its account and who may reach it", async () => {
    const { resources, result } = await create();
    expect(names(resources).filter((name) => name.startsWith("kubernetes:"))).toEqual([
      "kubernetes:apps/v1:DaemonSet collector",
      `kubernetes:core/v1:ConfigMap ${configMap(resources).name}`,
      "kubernetes:core/v1:ServiceAccount collector-account",
      "kubernetes:networking.k8s.io/v1:NetworkPolicy collector-policy",
    ]);
    expect(result.podLabels).toEqual(SELECTOR);
    expect(await valueOf(result.daemonSetName)).toBe("collector");
  });

  it("names its config by its content", async () => {
    const [first, second, third] = [await create(), await create(), await create({ lokiUrl: "http://other:3100" })];
    const nameOf = ({ resources }: Awaited<ReturnType<typeof create>>) => configMap(resources).name;
    expect(nameOf(first)).toBe(nameOf(second));
    expect(nameOf(first)).not.toBe(nameOf(third));
    const { data, immutable } = configMap(first.resources).inputs as {
      data: Record<string, string>;
      immutable: boolean;
    };
    expect(immutable).toBe(true);
    expect(parse(data["config.yaml"] ?? "")).toEqual(config());
  });

  it("is on every node, a tenth of them at a time without", async () => {
    const { updateStrategy, template } = daemonSet((await create()).resources);
    expect(template.spec.tolerations).toEqual([{ operator: "Exists" }]);
    expect(updateStrategy).toEqual({ type: "RollingUpdate", rollingUpdate: { maxUnavailable: "10%" } });
  });

  it("is root without a single right, and writes its storage alone", async () => {
    const { spec } = daemonSet((await create()).resources).template;
    expect(spec.securityContext).toEqual({ runAsUser: 0, runAsGroup: 0, seccompProfile: { type: "RuntimeDefault" } });
    expect(spec.automountServiceAccountToken).toBe(false);
    const [container] = spec.containers;
    expect(container?.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      capabilities: { drop: ["ALL"] },
      privileged: false,
      readOnlyRootFilesystem: true,
    });
    expect(container?.volumeMounts.filter(({ readOnly }) => readOnly !== true)).toEqual([
      { name: "storage", mountPath: "/var/lib/wasm-functions/collector" },
    ]);
    expect(spec.volumes).toEqual([
      { name: "config", configMap: { name: expect.stringMatching(/^collector-config-[0-9a-f]{10}$/) as string } },
      { name: "logs", hostPath: { path: "/var/log/pods", type: "DirectoryOrCreate" } },
      { name: "storage", hostPath: { path: "/var/lib/wasm-functions/collector", type: "DirectoryOrCreate" } },
    ]);
  });

  it("hands lines on before it notes their place", async () => {
    const [container] = daemonSet((await create()).resources).template.spec.containers;
    expect(container?.args).toEqual([
      "--config=/etc/collector/config.yaml",
      "--feature-gates=stanza.synchronousLogEmitter",
    ]);
    expect(container?.env[0]).toEqual({
      name: "NODE_NAME",
      valueFrom: { fieldRef: { fieldPath: "spec.nodeName" } },
    });
  });

  it("reaches Loki and DNS, and is reached by Prometheus", async () => {
    const { resources } = await create();
    const { inputs } = find(resources, "kubernetes:networking.k8s.io/v1:NetworkPolicy", "collector-policy");
    const pods = (peer: typeof LOKI) => ({
      namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": peer.namespace } },
      podSelector: { matchLabels: peer.labels },
    });
    expect(inputs["spec"]).toEqual({
      podSelector: { matchLabels: SELECTOR },
      policyTypes: ["Ingress", "Egress"],
      ingress: [{ from: [pods(PROMETHEUS)], ports: [{ protocol: "TCP", port: 8888 }] }],
      egress: [
        { to: [pods(LOKI)], ports: [{ protocol: "TCP", port: 3100 }] },
        {
          to: [pods({ namespace: "kube-system", labels: { "k8s-app": "kube-dns" } as unknown as typeof LOKI.labels })],
          ports: [
            { protocol: "UDP", port: 53 },
            { protocol: "TCP", port: 53 },
          ],
        },
      ],
    });
  });
});
