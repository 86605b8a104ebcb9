import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { hostsNamespaceName } from "../../../../components/observability/names";
import {
  Observability,
  PROMETHEUS_LABELS,
  type ObservabilityArgs,
} from "../../../../components/observability/observability";
import { ruleFile, ruleGroups } from "../../../../components/observability/rules";
import { apiServerPeers, hostPeers } from "../../../../infra/api-server";
import { parseConfig } from "../../../../infra/config";
import { planStack } from "../../../../infra/plan";
import { DEFAULT_IMAGES } from "../../../../infra/versions";
import { find, names, register, type Registered } from "../../../support/mocks";
import { existing, k3s, rawConfig, type Raw } from "../../infra/support";
import { containerOf, network, pods, policyOf, selectorOf, tcp, workload } from "./support";

const IMAGES = {
  prometheus: "prometheus:1",
  alertmanager: "alertmanager:1",
  loki: "loki:1",
  collector: "collector:1",
  kubeStateMetrics: "kube-state-metrics:1",
  nodeExporter: "node-exporter:1",
  grafana: "grafana:1",
};

const SMALL: Raw = {
  functions: [{ name: "checkout", scaling: { max: 100 }, workload: { peakRequestsPerSecond: 500 } }],
  cluster: k3s(3, 10),
};

async function create(raw: Raw = {}, more: Partial<ObservabilityArgs> = {}) {
  const config = parseConfig(rawConfig({ ...SMALL, ...raw }));
  const { observability, functions, tenants, gateway, routes, authorization, cluster } = config;
  const plan = planStack(config);
  const { resources, result } = await register(
    () =>
      new Observability("observability", {
        ...{ environment: "test", clusterKind: cluster.kind, priorityClassName: "wasm-platform" },
        ...{ observability, functions, tenants, gateway, routes, authorization, plan, images: IMAGES },
        namespace: observability.namespace,
        hostsNamespace: hostsNamespaceName(observability),
        requestPath: [
          { namespace: gateway.namespace, labels: { app: "gateway" }, ports: [9100] },
          { namespace: gateway.namespace, labels: { app: "authorizer" }, ports: [9001] },
        ],
        apiServer: apiServerPeers(config),
        hosts: hostPeers(config),
        receivers: {},
        ...more,
      }),
  );
  return { resources, result, config, plan };
}

const rulesOf = (resources: readonly Registered[], policy: string, way: "ingress" | "egress") =>
  (policyOf(resources, policy) as Record<string, readonly Record<string, unknown>[]>)[way]!;

describe("what watches a stack", () => {
  it("is these parts, each child of one", async () => {
    const { resources } = await create();
    const parts = names(resources).filter((name) => name.startsWith("wasm-functions:"));
    expect(parts).toEqual([
      "wasm-functions:observability:Alertmanager alertmanager",
      "wasm-functions:observability:Grafana grafana",
      "wasm-functions:observability:KubeStateMetrics kube-state-metrics",
      "wasm-functions:observability:LogCollector collector",
      "wasm-functions:observability:Loki loki",
      "wasm-functions:observability:NodeExporter node-exporter",
      "wasm-functions:observability:Observability observability",
      "wasm-functions:observability:Prometheus prometheus",
    ]);
    const children = resources.filter(
      ({ type, name }) => type.startsWith("wasm-functions:") && name !== "observability",
    );
    expect(new Set(children.map(({ parent }) => parent))).toEqual(new Set(["observability"]));
  });

  it("runs each part's own image, with what the plan gives it", async () => {
    const { resources, plan } = await create();
    const sizes = plan.observability;
    const images = (["StatefulSet", "Deployment", "DaemonSet"] as const).flatMap((kind) =>
      resources
        .filter(({ type }) => type === `kubernetes:apps/v1:${kind}`)
        .map(({ name }) => [name, containerOf(workload(resources, kind, name)).image]),
    );
    expect(Object.fromEntries(images)).toEqual({
      prometheus: "prometheus:1",
      alertmanager: "alertmanager:1",
      loki: "loki:1",
      "kube-state-metrics": "kube-state-metrics:1",
      grafana: "grafana:1",
      collector: "collector:1",
      "node-exporter": "node-exporter:1",
    });
    const requested = (kind: "StatefulSet" | "Deployment" | "DaemonSet", name: string) =>
      containerOf(workload(resources, kind, name)).resources.requests["memory"];
    const inMi = (bytes: number) => (bytes % 2 ** 30 === 0 ? `${bytes / 2 ** 30}Gi` : `${bytes / 2 ** 20}Mi`);
    expect(requested("StatefulSet", "prometheus")).toBe(inMi(sizes.prometheus.requests.memory));
    expect(requested("StatefulSet", "alertmanager")).toBe(inMi(sizes.alertmanager.requests.memory));
    expect(requested("StatefulSet", "loki")).toBe(inMi(sizes.loki.requests.memory));
    expect(requested("Deployment", "kube-state-metrics")).toBe(inMi(sizes.kubeStateMetrics.requests.memory));
    expect(requested("DaemonSet", "node-exporter")).toBe(inMi(sizes.nodeExporter.requests.memory));
  });

  it("is in two namespaces: what sees hosts apart from all else", async () => {
    const { resources } = await create();
    const namespaceOf = ({ inputs }: Registered) => (inputs["metadata"] as { namespace?: string }).namespace;
    const inHosts = resources.filter(
      (one) => one.type.startsWith("kubernetes:") && namespaceOf(one) === "monitoring-hosts",
    );
    const workloads = inHosts.filter(({ type }) => type.startsWith("kubernetes:apps/")).map(({ name }) => name);
    expect(workloads.sort()).toEqual(["collector", "node-exporter"]);
    const onHosts = resources
      .filter(({ type }) => type.startsWith("kubernetes:apps/"))
      .filter((one) => /hostPath|hostNetwork|hostPID/.test(JSON.stringify(one.inputs)))
      .map(({ name }) => name);
    expect(onHosts.sort()).toEqual(["collector", "node-exporter"]);
  });

  it("knows the rules of this stack", async () => {
    const { resources, config, plan } = await create();
    const { inputs } = find(resources, "kubernetes:core/v1:ConfigMap", "prometheus-config");
    const text = (inputs["data"] as Record<string, string>)["rules.yaml"]!;
    expect(text).toBe(ruleFile(ruleGroups({ ...config, plan })));
    expect((parse(text) as { groups: unknown[] }).groups.length).toBeGreaterThan(5);
  });

  it("tells the names of its Services", async () => {
    const { result } = await create();
    const value = (output: typeof result.prometheusService | undefined) =>
      new Promise((resolve) => output?.apply((name) => resolve(name)));
    expect(await value(result.prometheusService)).toBe("prometheus");
    expect(await value(result.alertmanagerService)).toBe("alertmanager");
    expect(await value(result.grafanaService)).toBe("grafana");
  });

  it("has no Grafana where that is not wanted, and does not look for one", async () => {
    const { resources, result } = await create({ observability: { grafana: { enabled: false } } });
    expect(names(resources).filter((name) => /grafana/i.test(name))).toEqual([]);
    expect(result.grafanaService).toBeUndefined();
    expect(JSON.stringify(rulesOf(resources, "prometheus-to-targets", "egress"))).not.toContain("grafana");
  });

  it("has as many Prometheus and Alertmanagers as the config says, each told to the other", async () => {
    const { resources } = await create({ observability: { metrics: { replicas: 2 } } });
    expect(workload(resources, "StatefulSet", "prometheus").replicas).toBe(2);
    expect(workload(resources, "StatefulSet", "alertmanager").replicas).toBe(2);
    const { inputs } = find(resources, "kubernetes:core/v1:ConfigMap", "prometheus-config");
    const text = (inputs["data"] as Record<string, string>)["prometheus.yaml"]!;
    const headless = find(resources, "kubernetes:core/v1:Service", "alertmanager-pods").inputs["metadata"];
    const { name, namespace } = headless as { name: string; namespace: string };
    for (const index of [0, 1]) expect(text).toContain(`alertmanager-${index}.${name}.${namespace}.svc:9093`);
  });
});

describe("the ways between its parts", () => {
  it("lead Prometheus to each pod that it scrapes, to hosts and API servers", async () => {
    const { resources } = await create();
    const to = (namespace: string, labels: object, port: number) => ({
      to: [pods(namespace, labels)],
      ports: tcp(port),
    });
    const own = (name: string, port: number, component = name) => to("monitoring", selectorOf(name, component), port);
    const hosts = [1, 2, 3].map((index) => network(`172.20.0.${index}/32`));
    const agents = Array.from({ length: 10 }, (_, index) => network(`172.21.0.${index + 1}/32`));
    expect(rulesOf(resources, "prometheus-to-targets", "egress")).toEqual([
      to("gateway", { app: "gateway" }, 9100),
      to("gateway", { app: "authorizer" }, 9001),
      own("alertmanager", 9093),
      own("loki", 3100, "logs"),
      own("kube-state-metrics", 8080),
      own("prometheus", 9090),
      to("monitoring-hosts", selectorOf("collector", "log-collector"), 8888),
      own("grafana", 3000, "dashboards"),
      { to: [...hosts, ...agents], ports: tcp(10_250, 9100) },
      { to: hosts, ports: tcp(6443) },
    ]);
  });

  it("lead it to hosts of a cluster that is not ours, at the control plane's ports too", async () => {
    const controlPlane = { scheduler: 10_259, controllerManager: 10_257 };
    const { resources } = await create({ cluster: existing(), observability: { controlPlane } });
    const anyButPods = [{ ipBlock: { cidr: "0.0.0.0/0", except: ["10.42.0.0/16", "169.254.0.0/16"] } }];
    expect(rulesOf(resources, "prometheus-to-targets", "egress").slice(-2)).toEqual([
      { to: anyButPods, ports: tcp(10_250, 9100, 10_259, 10_257) },
      { to: anyButPods, ports: tcp(443, 6443) },
    ]);
  });

  it("let in at each end who is sent from the other", async () => {
    const { resources } = await create();
    const prometheus = pods("monitoring", PROMETHEUS_LABELS);
    const grafana = pods("monitoring", selectorOf("grafana", "dashboards"));
    const collector = pods("monitoring-hosts", selectorOf("collector", "log-collector"));
    const from = (policy: string) => rulesOf(resources, policy, "ingress").flatMap((rule) => rule["from"]);
    expect(from("alertmanager-from-clients")).toEqual([prometheus, grafana]);
    expect(from("loki-from-clients")).toEqual([prometheus, collector, grafana]);
    expect(from("kube-state-metrics-from-prometheus")).toEqual([prometheus]);
    expect(from("prometheus-from-readers")).toEqual([grafana, prometheus]);
    expect(from("collector-policy")).toEqual([prometheus]);
    expect(workload(resources, "StatefulSet", "prometheus").template.metadata.labels).toMatchObject(PROMETHEUS_LABELS);
  });

  it("lead to the component and port by which each job finds its pods", async () => {
    const { resources } = await create();
    const { inputs } = find(resources, "kubernetes:core/v1:ConfigMap", "prometheus-config");
    const { scrape_configs } = parse((inputs["data"] as Record<string, string>)["prometheus.yaml"]!) as {
      scrape_configs: {
        job_name: string;
        kubernetes_sd_configs: { namespaces?: { names: string[] }; selectors?: { label: string }[] }[];
        relabel_configs: { source_labels: string[]; regex?: string }[];
      }[];
    };
    const made = (["StatefulSet", "Deployment", "DaemonSet"] as const).flatMap((kind) =>
      resources
        .filter(({ type }) => type === `kubernetes:apps/v1:${kind}`)
        .map((one) => {
          const { template } = workload(resources, kind, one.name);
          const { namespace } = one.inputs["metadata"] as { namespace: string };
          const { labels } = template.metadata as { labels: Record<string, string> };
          const ports = (containerOf(workload(resources, kind, one.name)).ports as { name: string }[]).map(
            ({ name }) => name,
          );
          return { namespace, component: labels["app.kubernetes.io/component"], ports };
        }),
    );
    const own = scrape_configs.filter(({ kubernetes_sd_configs: [sd] }) =>
      sd?.namespaces?.names[0]?.startsWith("monitoring"),
    );
    expect(own).toHaveLength(7);
    for (const { job_name, kubernetes_sd_configs, relabel_configs } of own) {
      const component = kubernetes_sd_configs[0]!.selectors![0]!.label.split("=")[1];
      const port = relabel_configs.find(({ source_labels: [label] }) => label?.endsWith("_port_name"))?.regex;
      const found = made.filter(
        (one) => one.component === component && one.namespace === kubernetes_sd_configs[0]!.namespaces!.names[0],
      );
      expect(found, job_name).toHaveLength(1);
      expect(found[0]!.ports, job_name).toContain(port);
    }
  });
});

describe("secrets", () => {
  it("are in Secrets, and nowhere else", async () => {
    const receivers = [{ name: "on-call", kind: "pagerduty", addresses: ["198.51.100.1/32"] }];
    const objectStorage = { endpoint: "https://s3.example.com", bucket: "logs", addresses: ["198.51.100.2/32"] };
    const { resources } = await create(
      {
        observability: { receivers, logs: { objectStorage } },
        alertReceivers: { "on-call": "<secret>" },
        logStorage: { accessKey: "<secret>", secretKey: "<secret>" },
      },
      { receivers: { "on-call": "hunter1" }, bucketKeys: { id: "hunter2", secret: "hunter3" } },
    );
    const holding = resources.filter((one) => JSON.stringify(one.inputs).includes("hunter"));
    expect(names(holding)).toEqual([
      "kubernetes:core/v1:Secret alertmanager-receivers",
      "kubernetes:core/v1:Secret loki-bucket",
    ]);
    for (const { inputs } of holding) {
      const { stringData, ...others } = inputs;
      expect(stringData).toHaveProperty("secret");
      expect(JSON.stringify(others)).not.toContain("hunter");
    }
  });
});

describe("images that are not named", () => {
  it("are the official ones, each by a version", () => {
    for (const key of Object.keys(IMAGES) as (keyof typeof IMAGES)[]) {
      expect(DEFAULT_IMAGES[key], key).toMatch(/^[\w.-]+\/[\w./-]+:v?\d+\.\d+\.\d+/);
    }
  });
});
