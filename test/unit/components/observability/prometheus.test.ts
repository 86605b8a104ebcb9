import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { Prometheus, type PrometheusArgs } from "../../../../components/observability/prometheus";
import { prometheusConfig, type PrometheusConfigArgs } from "../../../../components/observability/prometheus-config";
import { parseConfig } from "../../../../infra/config";
import { find, names, register } from "../../../support/mocks";
import { rawConfig, type Raw } from "../../infra/support";
import {
  containerOf,
  CREDENTIALS,
  GiB,
  grants,
  labelsOf,
  network,
  PART,
  pods,
  policyNames,
  policyOf,
  RESTRICTED_CONTAINER,
  restrictedPod,
  selectorOf,
  SIZED,
  specOf,
  tcp,
  workload,
} from "./support";

const SELECTOR = selectorOf("prometheus");
const LABELS = labelsOf("prometheus");

function config(observability: Raw = {}): PrometheusConfigArgs {
  const parsed = parseConfig(rawConfig({ observability }));
  return {
    ...{ clusterKind: "existing", environment: "test", hostsNamespace: "monitoring-hosts" },
    ...{ observability: parsed.observability, functions: parsed.functions, gateway: parsed.gateway },
    alertmanager: { service: "alertmanager-pods", replicas: parsed.observability.metrics.replicas },
  };
}

async function create(observability: Raw = {}, more: Partial<PrometheusArgs> = {}) {
  const { resources } = await register(
    () =>
      new Prometheus("prometheus", {
        ...PART,
        image: "docker.io/prom/prometheus:v3",
        config: config(observability),
        rules: "groups: []\n",
        plan: { ...SIZED, storage: 10 * GiB },
        scraped: { gateway: "gateway", monitoring: "monitoring" },
        targets: [{ namespace: "gateway", labels: { app: "traefik" }, ports: [9100, 9101] }],
        hosts: { networks: [{ cidr: "172.20.0.1/32" }, { cidr: "172.21.0.1/32" }], ports: [] },
        apiServer: { networks: [{ cidr: "172.20.0.1/32" }], ports: [6443] },
        readers: [{ namespace: "monitoring", labels: { app: "grafana" } }],
        ...more,
      }),
  );
  return resources;
}

describe("Prometheus' configuration", () => {
  it("looks at everything as often as is said", () => {
    expect(prometheusConfig(config()).global).toMatchObject({
      scrape_interval: "15s",
      scrape_timeout: "15s",
      evaluation_interval: "15s",
    });
    expect(prometheusConfig(config({ scrapeInterval: "30s" })).global.scrape_interval).toBe("30s");
  });

  it("tells its replicas apart, but not in alerts", () => {
    const { global, alerting } = prometheusConfig(config());
    expect(global.external_labels).toEqual({ environment: "test", replica: "${POD_NAME}" });
    expect(alerting.alert_relabel_configs).toEqual([{ regex: "replica", action: "labeldrop" }]);
  });

  it.each([1, 2, 3])("sends alerts to each of %i Alertmanagers, by its own name", (replicas) => {
    const { alerting } = prometheusConfig(config({ metrics: { replicas } }));
    const targets = Array.from(
      { length: replicas },
      (_, index) => `alertmanager-${index}.alertmanager-pods.monitoring.svc:9093`,
    );
    expect(alerting.alertmanagers).toEqual([{ static_configs: [{ targets }] }]);
  });
});

describe("Prometheus", () => {
  it("is a StatefulSet with its Services, grants, policies and budget", async () => {
    const resources = await create();
    expect(names(resources).filter((name) => name.startsWith("kubernetes:"))).toEqual([
      "kubernetes:apps/v1:StatefulSet prometheus",
      "kubernetes:core/v1:ConfigMap prometheus-config",
      "kubernetes:core/v1:Service prometheus-pods",
      "kubernetes:core/v1:Service prometheus-service",
      "kubernetes:core/v1:ServiceAccount prometheus-account",
      "kubernetes:networking.k8s.io/v1:NetworkPolicy prometheus-from-readers",
      "kubernetes:networking.k8s.io/v1:NetworkPolicy prometheus-to-targets",
      "kubernetes:policy/v1:PodDisruptionBudget prometheus-budget",
      "kubernetes:rbac.authorization.k8s.io/v1:ClusterRole prometheus-metrics",
      "kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding prometheus-metrics",
      "kubernetes:rbac.authorization.k8s.io/v1:Role prometheus-targets-api",
      "kubernetes:rbac.authorization.k8s.io/v1:Role prometheus-targets-gateway",
      "kubernetes:rbac.authorization.k8s.io/v1:Role prometheus-targets-monitoring",
      "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding prometheus-targets-api",
      "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding prometheus-targets-gateway",
      "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding prometheus-targets-monitoring",
    ]);
    for (const { type, inputs } of resources.filter((one) => one.type.startsWith("kubernetes:"))) {
      expect(inputs["metadata"], type).toMatchObject({ labels: LABELS });
    }
  });

  it("takes over configuration and rules while it runs: from a ConfigMap that keeps its name", async () => {
    const resources = await create({}, { rules: "groups: [] # changed\n" });
    const { inputs } = find(resources, "kubernetes:core/v1:ConfigMap", "prometheus-config");
    expect(inputs).toMatchObject({ metadata: { name: "prometheus-config", namespace: "monitoring" } });
    expect(inputs).not.toHaveProperty("immutable");
    const data = inputs["data"] as Record<string, string>;
    expect(Object.keys(data).sort()).toEqual(["prometheus.yaml", "rules.yaml"]);
    expect(parse(data["prometheus.yaml"]!)).toEqual(JSON.parse(JSON.stringify(prometheusConfig(config()))));
    expect(data["rules.yaml"]).toBe("groups: [] # changed\n");
    const spec = workload(resources, "StatefulSet", "prometheus");
    expect(spec.template.spec.volumes).toContainEqual({ name: "config", configMap: { name: "prometheus-config" } });
    expect(spec.template.metadata).toEqual({ labels: LABELS });
    expect(containerOf(spec).args).toEqual(
      expect.arrayContaining([
        "--config.file=/etc/prometheus/config/prometheus.yaml",
        "--enable-feature=auto-reload-config",
      ]),
    );
    expect(prometheusConfig(config()).rule_files).toEqual(["/etc/prometheus/config/rules.yaml"]);
  });

  it("keeps metrics for as long as is said, and no more than four fifths of its volume", async () => {
    const { args } = containerOf(workload(await create(), "StatefulSet", "prometheus"));
    expect(args).toContain(`--storage.tsdb.retention.time=${31 * 86_400}s`);
    expect(args).toContain(`--storage.tsdb.retention.size=${0.8 * 10 * 1024}MB`);
    // Nobody may change or delete anything over HTTP.
    expect(args.filter((arg) => /enable-(admin-api|lifecycle|remote-write)/.test(arg))).toEqual([]);
  });

  it("collects its garbage before its limit", async () => {
    const { env } = containerOf(workload(await create(), "StatefulSet", "prometheus"));
    expect(env).toEqual([
      { name: "POD_NAME", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
      { name: "GOMEMLIMIT", value: String(Math.floor(0.9 * GiB)) },
    ]);
  });

  it("has a quarter of an hour to read its log again", async () => {
    const { startupProbe, readinessProbe, livenessProbe } = containerOf(
      workload(await create(), "StatefulSet", "prometheus"),
    );
    expect(startupProbe).toMatchObject({
      httpGet: { path: "/-/ready", port: "http" },
      periodSeconds: 2,
      failureThreshold: 450,
    });
    expect(readinessProbe).toMatchObject({ httpGet: { path: "/-/ready", port: "http" } });
    expect(livenessProbe).toMatchObject({ httpGet: { path: "/-/healthy", port: "http" } });
  });

  it.each([1, 2])("has %i replicas, spread over nodes, each by a name of its own", async (replicas) => {
    const resources = await create({ metrics: { replicas } });
    const spec = workload(resources, "StatefulSet", "prometheus");
    expect(spec).toMatchObject({
      replicas,
      serviceName: "prometheus-pods",
      podManagementPolicy: "Parallel",
      selector: { matchLabels: SELECTOR },
    });
    expect(spec.template.spec["topologySpreadConstraints"]).toMatchObject([
      { topologyKey: "kubernetes.io/hostname", labelSelector: { matchLabels: SELECTOR } },
    ]);
    expect(specOf(resources, "kubernetes:core/v1:Service", "prometheus-pods")).toEqual({
      type: "ClusterIP",
      clusterIP: "None",
      selector: SELECTOR,
      ports: [{ name: "http", protocol: "TCP", port: 9090, targetPort: "http" }],
    });
    expect(specOf(resources, "kubernetes:policy/v1:PodDisruptionBudget", "prometheus-budget")).toEqual({
      maxUnavailable: "10%",
      unhealthyPodEvictionPolicy: "AlwaysAllow",
      selector: { matchLabels: SELECTOR },
    });
  });

  it("is restricted, with a token of its own that it mounts", async () => {
    const spec = workload(await create(), "StatefulSet", "prometheus");
    expect(spec.template.spec).toMatchObject({
      serviceAccountName: "prometheus",
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      priorityClassName: "wasm-platform",
      securityContext: restrictedPod(65_534),
    });
    expect(containerOf(spec).securityContext).toEqual(RESTRICTED_CONTAINER);
    expect(spec.template.spec.volumes).toContainEqual(CREDENTIALS);
    expect(spec.template.spec).not.toHaveProperty("hostNetwork");
  });

  it("writes to a claim of the class that is named, or of the cluster's own", async () => {
    const claim = (more: object) => ({
      metadata: { name: "data" },
      spec: { accessModes: ["ReadWriteOnce"], ...more, resources: { requests: { storage: "10Gi" } } },
    });
    const claims = async (storage?: Raw) =>
      workload(await create({ ...(storage && { storage }) }), "StatefulSet", "prometheus");
    expect((await claims()).volumeClaimTemplates).toEqual([claim({})]);
    expect((await claims({ kind: "persistent", className: "fast" })).volumeClaimTemplates).toEqual([
      claim({ storageClassName: "fast" }),
    ]);
    expect(containerOf(await claims()).resources.limits["ephemeral-storage"]).toBe("64Mi");
    expect(containerOf(await claims()).volumeMounts).toContainEqual({ name: "data", mountPath: "/prometheus" });
  });

  it("may fill the node by what it keeps, where that is gone with it", async () => {
    const spec = workload(await create({ storage: { kind: "ephemeral" } }), "StatefulSet", "prometheus");
    expect(spec).not.toHaveProperty("volumeClaimTemplates");
    expect(spec.template.spec.volumes).toContainEqual({ name: "data", emptyDir: { sizeLimit: "10Gi" } });
    expect(containerOf(spec).resources.limits["ephemeral-storage"]).toBe("10304Mi");
  });

  it("may see pods where it scrapes, the API servers' addresses and metrics, and change nothing", async () => {
    const watch = ["get", "list", "watch"];
    const to = [{ kind: "ServiceAccount", name: "prometheus", namespace: "monitoring" }];
    const by = (kind: string, name: string) => ({ apiGroup: "rbac.authorization.k8s.io", kind, name });
    const pods = [{ apiGroups: [""], resources: ["pods"], verbs: watch }];
    const role = (namespace: string, rules: object[]) => ({
      ...{ kind: "Role", name: "prometheus-targets", namespace, rules, to },
      by: by("Role", "prometheus-targets"),
    });
    const granted = grants(await create());
    expect(granted).toHaveLength(4);
    expect(granted).toEqual(
      expect.arrayContaining([
        {
          kind: "ClusterRole",
          name: "wasm-functions-prometheus",
          namespace: undefined,
          rules: [
            { apiGroups: [""], resources: ["nodes"], verbs: watch },
            { apiGroups: [""], resources: ["nodes/metrics"], verbs: ["get"] },
            { nonResourceURLs: ["/metrics"], verbs: ["get"] },
          ],
          to,
          by: by("ClusterRole", "wasm-functions-prometheus"),
        },
        role("gateway", pods),
        role("monitoring", pods),
        role("default", [
          { apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"], verbs: watch },
          { apiGroups: [""], resources: ["services", "pods"], verbs: watch },
        ]),
      ]),
    );
  });

  it("has its grants before it starts", async () => {
    const { dependencies } = find(await create(), "kubernetes:apps/v1:StatefulSet", "prometheus");
    expect(dependencies).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/ClusterRoleBinding::prometheus-metrics$/),
        expect.stringMatching(/RoleBinding::prometheus-targets-api$/),
        expect.stringMatching(/RoleBinding::prometheus-targets-gateway$/),
      ]),
    );
  });

  it("is asked by its readers and by another of itself, at one port", async () => {
    const resources = await create();
    expect(policyNames(resources)).toEqual(["prometheus-from-readers", "prometheus-to-targets"]);
    expect(policyOf(resources, "prometheus-from-readers")).toEqual({
      podSelector: { matchLabels: SELECTOR },
      policyTypes: ["Ingress"],
      ingress: [{ from: [pods("monitoring", { app: "grafana" }), pods("monitoring", SELECTOR)], ports: tcp(9090) }],
    });
  });

  it("reaches what it scrapes: pods, hosts' kubelets and exporters, API servers; nothing else", async () => {
    expect(policyOf(await create(), "prometheus-to-targets")).toEqual({
      podSelector: { matchLabels: SELECTOR },
      policyTypes: ["Egress"],
      egress: [
        { to: [pods("gateway", { app: "traefik" })], ports: tcp(9100, 9101) },
        { to: [network("172.20.0.1/32"), network("172.21.0.1/32")], ports: tcp(10_250, 9100) },
        { to: [network("172.20.0.1/32")], ports: tcp(6443) },
      ],
    });
  });

  it("reaches hosts that are not known in all networks but pods', at the control plane's ports too", async () => {
    const networks = [{ cidr: "0.0.0.0/0", except: ["10.42.0.0/16", "169.254.0.0/16"] }];
    const resources = await create({}, { hosts: { networks, ports: [10_259, 10_257] }, targets: [] });
    expect(policyOf(resources, "prometheus-to-targets")).toMatchObject({
      egress: [
        {
          to: [{ ipBlock: { cidr: "0.0.0.0/0", except: ["10.42.0.0/16", "169.254.0.0/16"] } }],
          ports: tcp(10_250, 9100, 10_259, 10_257),
        },
        { to: [network("172.20.0.1/32")], ports: tcp(6443) },
      ],
    });
  });
});
