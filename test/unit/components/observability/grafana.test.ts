import { isSecret } from "@pulumi/pulumi";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { dashboards, DATA_SOURCES, type DashboardModel } from "../../../../components/observability/dashboards";
import { Grafana, grafanaLabels, type GrafanaArgs } from "../../../../components/observability/grafana";
import { parseConfig } from "../../../../infra/config";
import { planStack } from "../../../../infra/plan";
import { find, names, register, RESOURCE_VERSION, secret, valueOf, type Registered } from "../../../support/mocks";
import { k3s, rawConfig } from "../../infra/support";

const SELECTOR = {
  "app.kubernetes.io/name": "grafana",
  "app.kubernetes.io/component": "dashboards",
  "app.kubernetes.io/part-of": "wasm-functions",
};
const COMMON = { ...SELECTOR, "app.kubernetes.io/managed-by": "pulumi", environment: "test" };
const source = (name: string, port: number) => ({
  url: `http://${name}.monitoring.svc.cluster.local:${port}`,
  podLabels: { "app.kubernetes.io/name": name },
  port,
});

const config = parseConfig(
  rawConfig({
    cluster: k3s(3, 10),
    functions: [{ name: "checkout", scaling: { max: 200 }, workload: { peakRequestsPerSecond: 1000 } }],
  }),
);
const plan = planStack(config);

function create(more: Partial<GrafanaArgs> = {}) {
  return register(
    () =>
      new Grafana("grafana", {
        environment: "test",
        namespace: "monitoring",
        image: "docker.io/grafana/grafana:12.4.5",
        sized: plan.observability.grafana,
        dashboards: dashboards({ ...config, plan, etcd: true }),
        scrapeInterval: 15_000,
        sources: {
          prometheus: source("prometheus", 9090),
          loki: source("loki", 3100),
          alertmanager: source("alertmanager", 9093),
        },
        priorityClassName: "wasm-platform",
        ...more,
      }),
  );
}

const maps = (resources: readonly Registered[]) =>
  resources.filter(({ type }) => type === "kubernetes:core/v1:ConfigMap");
const configMap = (resources: readonly Registered[], prefix: string) =>
  maps(resources).find(({ name }) => name.startsWith(prefix))!;
const data = (resources: readonly Registered[], prefix: string) =>
  configMap(resources, prefix).inputs["data"] as Record<string, string>;

interface PodSpec extends Readonly<Record<string, unknown>> {
  readonly containers: readonly Readonly<Record<string, unknown>>[];
  readonly volumes: readonly (Readonly<Record<string, unknown>> & { readonly name: string })[];
}
const deployment = (resources: readonly Registered[]) =>
  find(resources, "kubernetes:apps/v1:Deployment", "grafana").inputs["spec"] as {
    readonly replicas: number;
    readonly selector: object;
    readonly template: { readonly metadata: { readonly annotations: object }; readonly spec: PodSpec };
  };
const pod = (resources: readonly Registered[]) => deployment(resources).template.spec;
const policy = (resources: readonly Registered[], name: string) =>
  find(resources, "kubernetes:networking.k8s.io/v1:NetworkPolicy", name).inputs["spec"];

/** An INI file as sections. */
function ini(text: string): Record<string, Record<string, string>> {
  const sections: Record<string, Record<string, string>> = {};
  let section = "";
  for (const line of text.split("\n")) {
    const header = /^\[(.+)\]$/.exec(line)?.[1];
    if (header !== undefined) section = header;
    const [, key, value] = /^(\w+) = (.+)$/.exec(line) ?? [];
    if (key !== undefined) (sections[section] ??= {})[key] = value!;
  }
  return sections;
}

describe("Grafana", () => {
  it("is these objects", async () => {
    const { resources } = await create();
    expect(names(resources).map((name) => name.replace(/-[0-9a-f]{10}$/, "-*"))).toEqual([
      "kubernetes:apps/v1:Deployment grafana",
      "kubernetes:core/v1:ConfigMap grafana-config-*",
      "kubernetes:core/v1:ConfigMap grafana-dashboard-control-plane-*",
      "kubernetes:core/v1:ConfigMap grafana-dashboard-function-*",
      "kubernetes:core/v1:ConfigMap grafana-dashboard-gateway-*",
      "kubernetes:core/v1:ConfigMap grafana-dashboard-logs-*",
      "kubernetes:core/v1:ConfigMap grafana-dashboard-nodes-*",
      "kubernetes:core/v1:ConfigMap grafana-dashboard-overview-*",
      "kubernetes:core/v1:Secret grafana-secrets",
      "kubernetes:core/v1:Service grafana",
      "kubernetes:core/v1:ServiceAccount grafana-account",
      "kubernetes:networking.k8s.io/v1:NetworkPolicy grafana-from-prometheus",
      "kubernetes:networking.k8s.io/v1:NetworkPolicy grafana-to-sources",
      "random:index/randomPassword:RandomPassword grafana-admin-password",
      "random:index/randomPassword:RandomPassword grafana-secret-key",
      "wasm-functions:observability:Grafana grafana",
    ]);
    for (const { type, inputs } of resources.filter(({ type }) => type.startsWith("kubernetes:"))) {
      expect(inputs["metadata"], type).toMatchObject({ namespace: "monitoring", labels: COMMON });
    }
  });

  it("tells where it is, who it is and what opens it", async () => {
    const { result } = await create();
    expect([await valueOf(result.serviceName), result.port, result.podLabels]).toEqual(["grafana", 3000, SELECTOR]);
    expect(grafanaLabels("grafana")).toEqual(SELECTOR);
    expect(await valueOf(result.adminPassword)).toBe("secret of grafana-admin-password");
    expect(await isSecret(result.adminPassword)).toBe(true);
  });

  it("runs as its image's user, restricted, with nothing to write but its data and temporary files", async () => {
    const { resources } = await create();
    expect(deployment(resources)).toMatchObject({ replicas: 1, selector: { matchLabels: SELECTOR } });
    expect(pod(resources)).toMatchObject({
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      priorityClassName: "wasm-platform",
      securityContext: {
        runAsNonRoot: true,
        ...{ runAsUser: 472, runAsGroup: 472, fsGroup: 472 },
        seccompProfile: { type: "RuntimeDefault" },
      },
    });
    const [container] = pod(resources).containers;
    expect(container).toMatchObject({
      image: "docker.io/grafana/grafana:12.4.5",
      securityContext: {
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ["ALL"] },
      },
      resources: {
        requests: { cpu: "50m", memory: "256Mi", "ephemeral-storage": "16Mi" },
        limits: { cpu: "500m", memory: "512Mi", "ephemeral-storage": "144Mi" },
      },
    });
    const mounts = container!["volumeMounts"] as {
      readonly name: string;
      readonly mountPath: string;
      readonly readOnly?: boolean;
    }[];
    expect(mounts.filter(({ readOnly }) => readOnly !== true).map(({ mountPath }) => mountPath)).toEqual([
      "/var/lib/grafana",
      "/tmp",
    ]);
  });

  it("has minutes for its first migrations, and is then ready when its database is", async () => {
    const { resources } = await create();
    expect(pod(resources).containers[0]).toMatchObject({
      startupProbe: { httpGet: { path: "/healthz", port: "http" }, periodSeconds: 1, failureThreshold: 300 },
      readinessProbe: { httpGet: { path: "/api/health", port: "http" } },
      livenessProbe: { httpGet: { path: "/healthz", port: "http" } },
    });
  });

  it("has its secrets as files, and none of them in the environment or in a ConfigMap", async () => {
    const { resources } = await create();
    const inputs = find(resources, "kubernetes:core/v1:Secret", "grafana-secrets").inputs;
    expect(inputs["stringData"]).toEqual(
      // All of it is one, once a part is.
      secret({
        "admin-password": "secret of grafana-admin-password",
        "secret-key": "secret of grafana-secret-key",
      }),
    );
    expect(pod(resources).volumes).toContainEqual({
      name: "secrets",
      secret: { secretName: "grafana-secrets", defaultMode: 0o440 },
    });
    expect(pod(resources).containers[0]!["env"]).toEqual([
      { name: "GOMEMLIMIT", value: String(Math.floor(512 * 2 ** 20 * 0.8)) },
    ]);
    expect(JSON.stringify(maps(resources))).not.toContain("secret of");
    expect(ini(data(resources, "grafana-config")["grafana.ini"]!)["security"]).toMatchObject({
      admin_password: "$__file{/run/secrets/grafana/admin-password}",
      secret_key: "$__file{/run/secrets/grafana/secret-key}",
    });
    expect(deployment(resources).template.metadata.annotations).toEqual({
      "wasm-functions.dev/secrets-version": RESOURCE_VERSION,
    });
  });

  it("lets nobody in without a password and asks nobody outside", async () => {
    const { resources } = await create();
    expect(ini(data(resources, "grafana-config")["grafana.ini"]!)).toMatchObject({
      "auth.anonymous": { enabled: "false" },
      users: { allow_sign_up: "false" },
      public_dashboards: { enabled: "false" },
      snapshots: { external_enabled: "false" },
      analytics: { reporting_enabled: "false", check_for_updates: "false", check_for_plugin_updates: "false" },
      plugins: { plugin_admin_enabled: "false", preinstall_disabled: "true", public_key_retrieval_disabled: "true" },
      news: { news_feed_enabled: "false" },
      security: { disable_gravatar: "true" },
      unified_alerting: { execute_alerts: "false" },
    });
  });

  it("is reached by Prometheus, and reaches its sources", async () => {
    const { resources } = await create();
    expect(policy(resources, "grafana-from-prometheus")).toEqual({
      podSelector: { matchLabels: SELECTOR },
      policyTypes: ["Ingress"],
      ingress: [
        {
          from: [{ podSelector: { matchLabels: { "app.kubernetes.io/name": "prometheus" } } }],
          ports: [{ protocol: "TCP", port: 3000 }],
        },
      ],
    });
    const to = (name: string, port: number) => ({
      to: [{ podSelector: { matchLabels: { "app.kubernetes.io/name": name } } }],
      ports: [{ protocol: "TCP", port }],
    });
    expect(policy(resources, "grafana-to-sources")).toEqual({
      podSelector: { matchLabels: SELECTOR },
      policyTypes: ["Egress"],
      egress: [to("prometheus", 9090), to("loki", 3100), to("alertmanager", 9093)],
    });
  });
});

describe("what Grafana is provisioned with", () => {
  it("is each source that dashboards name, by its Service", async () => {
    const { resources } = await create();
    const { datasources } = parse(data(resources, "grafana-config")["sources.yaml"]!) as {
      readonly datasources: readonly {
        readonly type: string;
        readonly uid: string;
        readonly url: string;
        readonly editable: boolean;
      }[];
    };
    expect(datasources.map(({ type, uid, url, editable }) => ({ type, uid, url, editable }))).toEqual([
      { ...DATA_SOURCES.prometheus, url: "http://prometheus.monitoring.svc.cluster.local:9090", editable: false },
      { ...DATA_SOURCES.loki, url: "http://loki.monitoring.svc.cluster.local:3100", editable: false },
      {
        ...{ type: "alertmanager", uid: "alertmanager" },
        ...{ url: "http://alertmanager.monitoring.svc.cluster.local:9093", editable: false },
      },
    ]);
    expect(datasources[0]).toMatchObject({ isDefault: true, jsonData: { timeInterval: "15s" } });
  });

  it("is all dashboards, where it looks for them, and none is changed there", async () => {
    const { resources } = await create();
    const { providers } = parse(data(resources, "grafana-config")["folder.yaml"]!) as {
      readonly providers: readonly object[];
    };
    expect(providers).toEqual([
      expect.objectContaining({ allowUiUpdates: false, options: { path: "/etc/grafana-dashboards" } }),
    ]);
    const { projected } = pod(resources).volumes.find(({ name }) => name === "dashboards") as unknown as {
      readonly projected: { readonly sources: readonly { readonly configMap: { readonly name: string } }[] };
    };
    const mounted = projected.sources.map((each) => each.configMap.name);
    expect([...mounted].sort()).toEqual(
      maps(resources)
        .map(({ name }) => name)
        .filter((name) => name.startsWith("grafana-dashboard-"))
        .sort(),
    );
    const mount = { name: "dashboards", mountPath: "/etc/grafana-dashboards", readOnly: true };
    expect(pod(resources).containers[0]!["volumeMounts"]).toContainEqual(mount);
    expect(ini(data(resources, "grafana-config")["grafana.ini"]!)["dashboards"]).toEqual({
      default_home_dashboard_path: "/etc/grafana-dashboards/overview.json",
    });
    expect(Object.keys(data(resources, "grafana-dashboard-overview"))).toEqual(["overview.json"]);
  });

  it("is named by its content, so that a change rolls the pod", async () => {
    const some = (title: string) => ({ one: { title, panels: [] } as unknown as DashboardModel });
    const nameOf = async (more: Partial<GrafanaArgs>, prefix: string) =>
      configMap((await create(more)).resources, prefix).name;
    const before = await nameOf({ dashboards: some("a") }, "grafana-dashboard-one");
    expect(await nameOf({ dashboards: some("a") }, "grafana-dashboard-one")).toBe(before);
    expect(await nameOf({ dashboards: some("b") }, "grafana-dashboard-one")).not.toBe(before);
    expect(await nameOf({ scrapeInterval: 30_000 }, "grafana-config")).not.toBe(await nameOf({}, "grafana-config"));
    expect(configMap((await create()).resources, "grafana-config").inputs["immutable"]).toBe(true);
  });

  it("is refused where it is larger than a ConfigMap may be", async () => {
    const large = { large: { title: "x".repeat(2 ** 20) } as unknown as DashboardModel };
    await expect(create({ dashboards: large })).rejects.toThrow(
      /^dashboard large has \d+ bytes, a ConfigMap takes 1048576/,
    );
  });
});
