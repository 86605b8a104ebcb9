import { describe, expect, it } from "vitest";
import { KUBE_STATE_FAMILIES, KubeStateMetrics } from "../../../../components/observability/kube-state-metrics";
import { find, names, register } from "../../../support/mocks";
import {
  containerOf,
  CREDENTIALS,
  grants,
  labelsOf,
  network,
  PART,
  pods,
  policyOf,
  RESTRICTED_CONTAINER,
  restrictedPod,
  selectorOf,
  SIZED,
  specOf,
  tcp,
  workload,
} from "./support";

const NAME = "kube-state-metrics";
const SELECTOR = selectorOf(NAME);

async function create() {
  const { resources } = await register(
    () =>
      new KubeStateMetrics(NAME, {
        ...PART,
        image: "registry.k8s.io/kube-state-metrics/kube-state-metrics:v2",
        sized: SIZED,
        apiServer: { networks: [{ cidr: "172.20.0.1/32" }, { cidr: "172.20.0.2/32" }], ports: [6443] },
        prometheus: { namespace: "monitoring", labels: { app: "prometheus" } },
      }),
  );
  return resources;
}

const flag = (args: readonly string[], name: string) =>
  args.find((arg) => arg.startsWith(`--${name}=`))?.slice(name.length + 3);

describe("kube-state-metrics", () => {
  it("is a Deployment of one with its grant, policies and budget", async () => {
    const resources = await create();
    expect(names(resources).filter((name) => name.startsWith("kubernetes:"))).toEqual([
      "kubernetes:apps/v1:Deployment kube-state-metrics",
      "kubernetes:core/v1:ServiceAccount kube-state-metrics-account",
      "kubernetes:networking.k8s.io/v1:NetworkPolicy kube-state-metrics-from-prometheus",
      "kubernetes:networking.k8s.io/v1:NetworkPolicy kube-state-metrics-to-api",
      "kubernetes:policy/v1:PodDisruptionBudget kube-state-metrics-budget",
      "kubernetes:rbac.authorization.k8s.io/v1:ClusterRole kube-state-metrics-watch",
      "kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding kube-state-metrics-watch",
    ]);
    for (const { type, inputs } of resources.filter((one) => one.type.startsWith("kubernetes:"))) {
      expect(inputs["metadata"], type).toMatchObject({ labels: labelsOf(NAME) });
    }
    const spec = workload(resources, "Deployment", NAME);
    expect(spec).toMatchObject({
      replicas: 1,
      selector: { matchLabels: SELECTOR },
      strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: "10%", maxUnavailable: 0 } },
    });
    expect(spec.template.metadata.labels).toEqual(labelsOf(NAME));
    expect(specOf(resources, "kubernetes:policy/v1:PodDisruptionBudget", `${NAME}-budget`)).toMatchObject({
      selector: { matchLabels: SELECTOR },
    });
  });

  it("is restricted, with a token that it mounts, and has its grant before it starts", async () => {
    const resources = await create();
    const spec = workload(resources, "Deployment", NAME);
    expect(spec.template.spec).toMatchObject({
      serviceAccountName: NAME,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      priorityClassName: "wasm-platform",
      securityContext: restrictedPod(65_534),
      volumes: [CREDENTIALS],
    });
    expect(containerOf(spec)).toMatchObject({ securityContext: RESTRICTED_CONTAINER });
    const { dependencies } = find(resources, "kubernetes:apps/v1:Deployment", NAME);
    expect(dependencies).toContainEqual(expect.stringMatching(/ClusterRoleBinding::kube-state-metrics-watch$/));
  });

  it("watches these kinds, of which it may list and watch the same: neither Secrets nor ConfigMaps", async () => {
    const resources = await create();
    const rule = (group: string, ...kinds: string[]) => ({
      apiGroups: [group],
      resources: kinds,
      verbs: ["list", "watch"],
    });
    const rules = [
      rule("", "nodes", "pods", "namespaces", "resourcequotas", "persistentvolumeclaims"),
      rule("apps", "deployments", "daemonsets", "statefulsets"),
      rule("autoscaling", "horizontalpodautoscalers"),
      rule("policy", "poddisruptionbudgets"),
    ];
    expect(grants(resources)).toEqual([
      {
        kind: "ClusterRole",
        name: "wasm-functions-kube-state-metrics",
        namespace: undefined,
        rules,
        to: [{ kind: "ServiceAccount", name: NAME, namespace: "monitoring" }],
        by: {
          apiGroup: "rbac.authorization.k8s.io",
          kind: "ClusterRole",
          name: "wasm-functions-kube-state-metrics",
        },
      },
    ]);
    const { args } = containerOf(workload(resources, "Deployment", NAME));
    expect(flag(args, "resources")?.split(",").sort()).toEqual(rules.flatMap((one) => one.resources).sort());
  });

  it("tells whole families by their names, and no labels of objects", async () => {
    const { args } = containerOf(workload(await create(), "Deployment", NAME));
    const allowed = flag(args, "metric-allowlist")!.split(",");
    expect(allowed).toHaveLength(KUBE_STATE_FAMILIES.length);
    const tells = (name: string) => allowed.some((family) => new RegExp(family).test(name));
    expect(tells("kube_pod_info")).toBe(true);
    expect(tells("kube_deployment_status_replicas_available")).toBe(true);
    expect(tells("kube_pod_labels")).toBe(false);
    expect(tells("kube_pod_info_extra")).toBe(false);
    expect(tells("kube_secret_info")).toBe(false);
  });

  it("is ready when its own port answers", async () => {
    const { args, ports, readinessProbe, livenessProbe } = containerOf(workload(await create(), "Deployment", NAME));
    expect([flag(args, "port"), flag(args, "telemetry-port")]).toEqual(["8080", "8081"]);
    expect(ports).toEqual([
      { name: "http", containerPort: 8080, protocol: "TCP" },
      { name: "telemetry", containerPort: 8081, protocol: "TCP" },
    ]);
    expect(readinessProbe).toMatchObject({ httpGet: { path: "/", port: "telemetry" } });
    expect(livenessProbe).toMatchObject({ httpGet: { path: "/livez", port: "http" } });
  });

  it("is asked by Prometheus, asks the API servers, and reaches nothing else", async () => {
    const resources = await create();
    const podSelector = { matchLabels: SELECTOR };
    expect(policyOf(resources, `${NAME}-from-prometheus`)).toEqual({
      podSelector,
      policyTypes: ["Ingress"],
      ingress: [{ from: [pods("monitoring", { app: "prometheus" })], ports: tcp(8080, 8081) }],
    });
    expect(policyOf(resources, `${NAME}-to-api`)).toEqual({
      podSelector,
      policyTypes: ["Egress"],
      egress: [{ to: [network("172.20.0.1/32"), network("172.20.0.2/32")], ports: tcp(6443) }],
    });
  });
});
