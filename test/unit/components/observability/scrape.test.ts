import { describe, expect, it } from "vitest";
import { GATEKEEPER_PEER } from "../../../../components/admission/admission";
import { dashboardQueries } from "../../../../components/observability/dashboards";
import { KUBE_STATE_FAMILIES } from "../../../../components/observability/kube-state-metrics";
import { prometheusConfig } from "../../../../components/observability/prometheus-config";
import { expressions, ruleGroups } from "../../../../components/observability/rules";
import { functionLabels, type ScrapeJob } from "../../../../components/observability/scrape";
import { parseConfig } from "../../../../infra/config";
import { planStack } from "../../../../infra/plan";
import { metricNames } from "../../../support/promql";
import { relabel, type LabelSet, type RelabelRule } from "../../../support/relabel";
import { rulesArgs, STACK_NAMES } from "../../../support/rule-stacks";
import { existing, k3s, rawConfig, type Raw } from "../../infra/support";

const TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount";
const PORTS = { controlPlane: { scheduler: 10_259, controllerManager: 10_257 } };
const TWO: Raw = {
  tenants: [{ name: "shop" }, { name: "bank" }],
  functions: [{ name: "checkout" }, { name: "cart" }, { name: "transfer", tenant: "bank" }].map((fn) => ({
    ...fn,
    scaling: { max: 100 },
    workload: { peakRequestsPerSecond: 500 },
  })),
  routes: [{ path: "/checkout", to: [{ function: "checkout" }] }],
};

function jobs(raw: Raw = {}): ScrapeJob[] {
  const { cluster, observability, functions, gateway, admission } = parseConfig(rawConfig({ ...TWO, ...raw }));
  return prometheusConfig({
    clusterKind: cluster.kind,
    environment: "test",
    hostsNamespace: "monitoring-hosts",
    alertmanager: { service: "alertmanager-pods", replicas: 1 },
    admission: admission.enabled ? GATEKEEPER_PEER : undefined,
    ...{ observability, functions, gateway },
  }).scrape_configs;
}
const namesOf = (all: readonly ScrapeJob[]) => all.map(({ job_name }) => job_name);
const job = (name: string, raw: Raw = {}) => {
  const found = jobs(raw).filter(({ job_name }) => job_name === name);
  expect(found).toHaveLength(1);
  return found[0]!;
};
const targetsOf = (of: ScrapeJob, labels: LabelSet) => relabel((of["relabel_configs"] ?? []) as RelabelRule[], labels);
const metricsOf = (of: ScrapeJob, labels: LabelSet) =>
  relabel((of["metric_relabel_configs"] ?? []) as RelabelRule[], { job: of.job_name, ...labels });

/** What Prometheus knows of a container's port, before rules. */
const pod = (more: LabelSet = {}) => ({
  __address__: "10.42.1.7:9100",
  __meta_kubernetes_namespace: "gateway",
  __meta_kubernetes_pod_name: "traefik-5d8f-x",
  __meta_kubernetes_pod_node_name: "agent-1",
  __meta_kubernetes_pod_phase: "Running",
  __meta_kubernetes_pod_container_port_name: "admin",
  __meta_kubernetes_pod_label_app_kubernetes_io_component: "gateway",
  ...more,
});

describe("what is scraped", () => {
  const PLATFORM = ["gateway", "authorizer", "kubelet", "cadvisor", "resources", "apiserver"];
  const PARTS = [
    "kube-state-metrics",
    "node-exporter",
    "collector",
    "gatekeeper",
    "prometheus",
    "alertmanager",
    "loki",
  ];

  it("is every part, each job once", () => {
    expect(namesOf(jobs())).toEqual([...PLATFORM, ...PARTS, "grafana"]);
    expect(namesOf(jobs({ cluster: k3s(3, 10) }))).toEqual([...PLATFORM, ...PARTS, "grafana"]);
  });

  it("is no Grafana where there is none", () => {
    expect(namesOf(jobs({ observability: { grafana: { enabled: false } } }))).toEqual([...PLATFORM, ...PARTS]);
  });

  it("is no Gatekeeper where something else admits objects", () => {
    const parts = PARTS.filter((name) => name !== "gatekeeper");
    expect(namesOf(jobs({ admission: { enabled: false } }))).toEqual([...PLATFORM, ...parts, "grafana"]);
  });

  it("is scheduler and controller-manager beside the API servers, where their ports are known", () => {
    expect(namesOf(jobs({ observability: PORTS }))).toEqual([
      ...PLATFORM,
      "scheduler",
      "controller-manager",
      ...PARTS,
      "grafana",
    ]);
  });

  it.each([
    ["gateway", "gateway", "gateway", "admin"],
    ["authorizer", "gateway", "authorizer", "admin"],
    ["kube-state-metrics", "monitoring", "kube-state-metrics", "http"],
    ["node-exporter", "monitoring-hosts", "node-exporter", "metrics"],
    ["collector", "monitoring-hosts", "log-collector", "metrics"],
    ["gatekeeper", "gatekeeper-system", "admission", "metrics"],
    ["prometheus", "monitoring", "prometheus", "http"],
    ["alertmanager", "monitoring", "alertmanager", "http"],
    ["loki", "monitoring", "logs", "http"],
    ["grafana", "monitoring", "dashboards", "http"],
  ])("of %s is pods in %s with component %s at port %s", (name, namespace, component, port) => {
    expect(job(name)["kubernetes_sd_configs"]).toEqual([
      {
        role: "pod",
        namespaces: { names: [namespace] },
        selectors: [{ role: "pod", label: `app.kubernetes.io/component=${component}` }],
      },
    ]);
    const target = {
      __meta_kubernetes_pod_label_app_kubernetes_io_component: component,
      __meta_kubernetes_pod_container_port_name: port,
      __meta_kubernetes_namespace: namespace,
    };
    expect(targetsOf(job(name), pod(target))).toMatchObject({ namespace, pod: "traefik-5d8f-x", node: "agent-1" });
  });

  it("is no other port and no other component of a namespace", () => {
    const of = job("gateway");
    expect(targetsOf(of, pod({ __meta_kubernetes_pod_container_port_name: "https" }))).toBeUndefined();
    expect(
      targetsOf(of, pod({ __meta_kubernetes_pod_label_app_kubernetes_io_component: "gateway-helper" })),
    ).toBeUndefined();
  });

  it.each(["Succeeded", "Failed", "Pending"])("is no pod that is %s", (phase) => {
    expect(targetsOf(job("gateway"), pod({ __meta_kubernetes_pod_phase: phase }))).toBeUndefined();
  });

  it("keeps what kube-state-metrics says of other pods, and of nobody else", () => {
    expect(
      jobs()
        .filter((one) => one["honor_labels"])
        .map(({ job_name }) => job_name),
    ).toEqual(["kube-state-metrics"]);
  });
});

describe("labels of functions", () => {
  const of = job("gateway");
  const requests = (service: string) => ({ __name__: "traefik_service_requests_total", service, code: "200" });

  it.each([
    ["checkout", "shop"],
    ["cart", "shop"],
    ["transfer", "bank"],
  ])("are %s and its tenant %s, of the service that the gateway names", (name, tenant) => {
    expect(metricsOf(of, requests(`${name}@file`))).toEqual({
      job: "gateway",
      ...requests(`${name}@file`),
      function: name,
      tenant,
    });
  });

  it.each([
    "split-checkout@file",
    "checkout-next@file",
    "api@internal",
    "noop@internal",
    "ping@internal",
    "checkout@internal",
    "xcheckout@file",
    "",
  ])("are not there for the service %j, and neither are its series", (service) => {
    expect(metricsOf(of, requests(service))).toBeUndefined();
  });

  it("are there for routes that lead to one function, and not for those that are split", () => {
    const route = (router: string, service: string) => ({ __name__: "traefik_router_requests_total", router, service });
    const alone = route("cart-1a2b3c@file", "cart@file");
    expect(metricsOf(of, alone)).toEqual({ job: "gateway", ...alone, function: "cart", tenant: "shop" });
    const split = route("checkout-d20b00@file", "split-checkout-d20b00@file");
    expect(metricsOf(of, split)).toEqual({ job: "gateway", ...split });
  });

  it("leave alone what is about no service", () => {
    const entry = { __name__: "traefik_entrypoint_requests_total", entrypoint: "https" };
    expect(metricsOf(of, entry)).toEqual({ job: "gateway", ...entry });
  });

  it("are not made of what Kong says, since it names routes", () => {
    expect(job("gateway", { gateway: { kind: "kong" } })["metric_relabel_configs"]).toBeUndefined();
  });

  it("do not take one function's name for a part of another's", () => {
    const { functions } = parseConfig(
      rawConfig({
        tenants: [{ name: "shop" }, { name: "bank" }],
        functions: [{ name: "a" }, { name: "aa", tenant: "bank" }],
      }),
    );
    const tenants = ["a", "aa"].map((name) => relabel(functionLabels(functions), requests(`${name}@file`))?.["tenant"]);
    expect(tenants).toEqual(["shop", "bank"]);
  });
});

describe("kubelets", () => {
  it.each([
    ["kubelet", "/metrics"],
    ["cadvisor", "/metrics/cadvisor"],
    ["resources", "/metrics/resource"],
  ])("are asked for %s at %s, with a token, and known by their certificate", (name, path) => {
    const of = job(name);
    expect(of).toMatchObject({
      scheme: "https",
      metrics_path: path,
      authorization: { credentials_file: `${TOKEN}/token` },
      tls_config: { ca_file: `${TOKEN}/ca.crt` },
      kubernetes_sd_configs: [{ role: "node" }],
    });
    expect(of["tls_config"]).not.toHaveProperty("insecure_skip_verify");
    expect(targetsOf(of, { __meta_kubernetes_node_name: "agent-1" })).toMatchObject({ node: "agent-1" });
  });

  it("are believed without it where the config says so", () => {
    for (const name of ["kubelet", "cadvisor", "resources"]) {
      const { tls_config } = job(name, { observability: { verifyKubelets: false } });
      expect(tls_config).toEqual({ insecure_skip_verify: true });
    }
  });

  const row = (more: LabelSet) => ({
    __name__: "container_cpu_usage_seconds_total",
    ...{ namespace: "shop", pod: "checkout-1", id: "/kubepods/x", image: "i", name: "", container: "", cpu: "total" },
    ...more,
  });

  it("tell of pods and containers, without what changes with each start", () => {
    const of = job("cadvisor");
    expect(metricsOf(of, row({ container: "function", name: "0abc" }))).toEqual({
      job: "cadvisor",
      __name__: "container_cpu_usage_seconds_total",
      namespace: "shop",
      pod: "checkout-1",
      container: "function",
    });
    expect(metricsOf(of, row({}))).toMatchObject({ pod: "checkout-1" });
  });

  it("tell neither of groups of the system nor of sandboxes", () => {
    const of = job("cadvisor");
    expect(metricsOf(of, row({ namespace: "", pod: "", id: "/system.slice" }))).toBeUndefined();
    expect(metricsOf(of, row({ name: "0abc" }))).toBeUndefined();
  });
});

describe("the control plane", () => {
  const slice = (more: LabelSet = {}) => ({
    __address__: "172.20.0.1:6443",
    __meta_kubernetes_service_name: "kubernetes",
    __meta_kubernetes_endpointslice_port_name: "https",
    ...more,
  });

  it("is found by the slice of the Service kubernetes, and known by the name that all certificates have", () => {
    const of = job("apiserver");
    expect(of).toMatchObject({
      scheme: "https",
      authorization: { credentials_file: `${TOKEN}/token` },
      tls_config: { ca_file: `${TOKEN}/ca.crt`, server_name: "kubernetes.default.svc" },
      kubernetes_sd_configs: [{ role: "endpointslice", namespaces: { names: ["default"] } }],
    });
    expect(targetsOf(of, slice())).toMatchObject({ __address__: "172.20.0.1:6443" });
    expect(targetsOf(of, slice({ __meta_kubernetes_service_name: "other" }))).toBeUndefined();
    expect(targetsOf(of, slice({ __meta_kubernetes_endpointslice_port_name: "http" }))).toBeUndefined();
  });

  it.each([
    ["scheduler", 10_259],
    ["controller-manager", 10_257],
  ])("has %s at port %i of the same hosts", (name, port) => {
    const of = job(name, { observability: PORTS });
    expect(targetsOf(of, slice())).toMatchObject({ __address__: `172.20.0.1:${port}` });
    expect(targetsOf(of, slice({ __meta_kubernetes_service_name: "other" }))).toBeUndefined();
    expect(of).toMatchObject({ tls_config: { insecure_skip_verify: true } });
  });

  it("tells K3s's metrics under the jobs that they have elsewhere", () => {
    const of = job("apiserver", { cluster: k3s(3, 10) });
    const lands = (__name__: string) => metricsOf(of, { __name__ })?.["job"];
    expect(lands("apiserver_request_total")).toBe("apiserver");
    expect(lands("etcd_request_duration_seconds_bucket")).toBe("apiserver");
    expect(lands("scheduler_pending_pods")).toBe("scheduler");
    expect(lands("workqueue_depth")).toBe("controller-manager");
    expect(lands("horizontal_pod_autoscaler_controller_reconciliations_total")).toBe("controller-manager");
    expect(lands("etcd_server_has_leader")).toBe("etcd");
    expect(lands("kubelet_running_pods")).toBeUndefined();
    expect(lands("go_goroutines")).toBeUndefined();
  });

  it("tells of durations in the buckets that are asked for", () => {
    const bucket = (le: string) =>
      metricsOf(job("apiserver"), { __name__: "apiserver_request_duration_seconds_bucket", le });
    for (const le of ["0.1", "0.2", "0.5", "1.0", "1", "5.0", "10", "60.0", "+Inf"])
      expect(bucket(le), le).toBeDefined();
    for (const le of ["0.025", "0.15", "2", "2.0", "30.0", "1.5"]) expect(bucket(le), le).toBeUndefined();
  });
});

/** Metrics that are asked for with the pattern that their job has to match; any, where the expression says nothing of it. */
function selected(exprs: readonly string[]) {
  return exprs.flatMap((expr) =>
    metricNames(expr).flatMap((metric) => {
      const selectors = [...expr.matchAll(new RegExp(`(?<![\\w:])${metric}(?![\\w:])(?:\\s*\\{([^}]*)\\})?`, "g"))];
      return selectors.map(([, matchers = ""]) => {
        const [, operator, value = ""] = /(?:^|[,\s])job(=~|=)"([^"]*)"/.exec(matchers) ?? [];
        const pattern = operator === "=" ? value.replaceAll(".", "\\.") : value;
        return { metric, expr, matchesJob: new RegExp(operator === undefined ? ".*" : `^(?:${pattern})$`) };
      });
    }),
  );
}

/** All that rules and dashboards of the test stacks ask, and a job that each stack of theirs would have it from. */
function asked(kind: "k3s" | "existing") {
  const cluster = kind === "k3s" ? k3s(3, 10) : existing();
  const config = parseConfig(rawConfig({ cluster, ...TWO }));
  const { functions, tenants, observability, gateway, authorization, routes } = config;
  const boards = dashboardQueries({
    ...{ functions, tenants, observability, gateway, authorization, routes },
    plan: planStack(config),
    etcd: kind === "k3s",
  });
  return selected([
    ...STACK_NAMES.flatMap((name) => expressions(ruleGroups(rulesArgs(name)))),
    ...boards.filter((query) => query.kind === "prometheus").map(({ expr }) => expr),
  ]);
}

/** Jobs whose metrics are filtered by family, beside kube-state-metrics that does so itself. */
const FILTERED = [
  "kubelet",
  "cadvisor",
  "resources",
  "apiserver",
  "scheduler",
  "controller-manager",
  "etcd",
  "gatekeeper",
];
const THEIRS =
  /^(kubelet|container|pod|apiserver|scheduler|etcd|workqueue|gatekeeper|horizontal_pod_autoscaler_controller)_|^node_(cpu_usage_seconds_total|memory_working_set_bytes)$/;

describe.each([
  ["k3s", { cluster: k3s(3, 10) }],
  ["existing", { observability: PORTS }],
] as const)("what rules and dashboards ask, with a cluster of kind %s,", (kind, raw) => {
  const made = jobs(raw).filter(({ job_name }) => FILTERED.includes(job_name));
  const rows = asked(kind);
  /** Jobs under which a metric is kept. */
  const kept = (metric: string) =>
    made.flatMap((one) => {
      const labels = { __name__: metric, namespace: "shop", pod: "checkout-1", container: "function", le: "+Inf" };
      const result = metricsOf(one, labels);
      return result === undefined ? [] : [result["job"] ?? ""];
    });

  it("is kept, under the job that they select", () => {
    const theirs = rows.filter(
      ({ metric, matchesJob }) =>
        THEIRS.test(metric) || (/^process_/.test(metric) && FILTERED.some((name) => matchesJob.test(name))),
    );
    expect(new Set(theirs.map(({ metric }) => metric)).size).toBeGreaterThan(20);
    // Of a cluster that is not ours, etcd is not scraped.
    const sought = theirs.filter(({ metric }) => kind === "k3s" || !/^etcd_(server|mvcc|disk)_/.test(metric));
    const lost = sought.filter(({ metric, matchesJob }) => !kept(metric).some((name) => matchesJob.test(name)));
    expect([...new Set(lost.map(({ metric, expr }) => `${metric}: ${expr}`))]).toEqual([]);
  });

  it("is asked of one job alone where several tell it", () => {
    const twice = rows.filter(
      ({ metric, matchesJob }) => kept(metric).filter((name) => matchesJob.test(name)).length > 1,
    );
    expect([...new Set(twice.map(({ metric, expr }) => `${metric}: ${expr}`))]).toEqual([]);
  });

  it("is told by kube-state-metrics", () => {
    const families = KUBE_STATE_FAMILIES.map((family) => new RegExp(`^${family}$`));
    const names = [...new Set(rows.map(({ metric }) => metric))].filter((name) => name.startsWith("kube_"));
    expect(names.length).toBeGreaterThan(15);
    expect(names.filter((name) => !families.some((family) => family.test(name)))).toEqual([]);
  });
});
