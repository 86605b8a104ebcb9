import { join } from "node:path";
import type { types } from "@pulumi/kubernetes";
import type { Unwrap } from "@pulumi/pulumi";
import { describe, expect, it } from "vitest";
import { Keda, KEDA_PEER, type KedaArgs } from "../../../../components/autoscaling/keda";
import { parseManifest } from "../../../../components/manifest";
import { readManifest } from "../../../../infra/manifests";
import { KEDA_SIZE } from "../../../../infra/plan/autoscaling";
import { MANIFESTS } from "../../../../infra/versions";
import { find, register, type Registered } from "../../../support/mocks";

const MANIFEST = readManifest(MANIFESTS.keda, join(__dirname, "../../../.."));
const API_SERVER = { networks: [{ cidr: "192.0.2.0/24" }], ports: [6443] };
const RBAC = "kubernetes:rbac.authorization.k8s.io/v1";

async function create(changes: Partial<KedaArgs> = {}) {
  const { resources } = await register(
    () =>
      new Keda("keda", {
        environment: "test",
        metrics: ["s0-prometheus"],
        images: { operator: "registry.example.com/keda:1", adapter: "registry.example.com/adapter:1" },
        size: KEDA_SIZE,
        manifest: MANIFEST,
        target: { kind: "service" },
        apiServer: API_SERVER,
        prometheus: { namespace: "monitoring", labels: { app: "prometheus" }, port: 9090 },
        ...changes,
      }),
  );
  return resources;
}

type Deployment = Unwrap<types.input.apps.v1.DeploymentSpec>;
interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
  readonly resourceNames?: readonly string[];
}

const of = (resources: readonly Registered[], type: string, name: string) =>
  find(resources, type.startsWith("kubernetes:") ? type : `kubernetes:${type}`, `keda-${name}`);
const podOf = (resources: readonly Registered[], name: string) =>
  (of(resources, "apps/v1:Deployment", name).inputs["spec"] as Deployment).template.spec!;
const policy = (resources: readonly Registered[], name: string) =>
  of(resources, "networking.k8s.io/v1:NetworkPolicy", name).inputs["spec"];
const rules = (resources: readonly Registered[]) =>
  resources
    .filter(({ type }) => type.endsWith(":Role") || type.endsWith(":ClusterRole"))
    .flatMap(({ inputs }) => inputs["rules"] as Rule[]);

describe("KEDA", () => {
  it("is every object of the manifest, each with the stack's labels, an account for its adapter, and a kind that it wants to see", async () => {
    const resources = await create();
    const manifest = parseManifest(MANIFEST).map(({ kind, metadata }) => `${kind} ${metadata.name}`);
    const made = resources
      .filter(({ type }) => type.startsWith("kubernetes:") && !type.endsWith(":NetworkPolicy"))
      .map(({ inputs }) => `${String(inputs["kind"])} ${(inputs["metadata"] as { name: string }).name}`);
    expect(made.sort()).toEqual(
      [...manifest, "ServiceAccount keda-metrics-apiserver", "CustomResourceDefinition scaledjobs.keda.sh"].sort(),
    );
    for (const { inputs } of resources.filter(({ parent }) => parent === "keda")) {
      expect(inputs).toMatchObject({
        metadata: { labels: { "app.kubernetes.io/part-of": "wasm-functions", environment: "test" } },
      });
    }
  });

  it.each(["keda-operator", "keda-metrics-apiserver"])("has restricted pods of bounded size, %s", async (name) => {
    const resources = await create();
    const pod = podOf(resources, name);
    expect(of(resources, "core/v1:Namespace", "keda").inputs).toMatchObject({
      metadata: { labels: { "pod-security.kubernetes.io/enforce": "restricted" } },
    });
    expect(pod).toMatchObject({
      serviceAccountName: name,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      priorityClassName: "system-cluster-critical",
      securityContext: { runAsNonRoot: true, runAsUser: 65532, seccompProfile: { type: "RuntimeDefault" } },
    });
    const [container] = pod.containers;
    expect(container).toMatchObject({
      image: name === "keda-operator" ? "registry.example.com/keda:1" : "registry.example.com/adapter:1",
      imagePullPolicy: "IfNotPresent",
      securityContext: { readOnlyRootFilesystem: true, capabilities: { drop: ["ALL"] }, privileged: false },
      resources: {
        requests: { cpu: "100m", memory: "100Mi", "ephemeral-storage": "16Mi" },
        limits: { cpu: "1", memory: "1000Mi", "ephemeral-storage": "64Mi" },
      },
    });
    const scheme = name === "keda-operator" ? undefined : "HTTPS";
    for (const probe of [container?.startupProbe, container?.readinessProbe, container?.livenessProbe]) {
      expect(probe?.httpGet?.scheme).toBe(scheme);
    }
    expect(container?.volumeMounts?.map(({ name: mount }) => mount)).toContain("credentials");
  });

  it("refuses a workload that a release has added", async () => {
    const added = MANIFEST.replace(
      "name: keda-operator\n  namespace: keda\n  labels:\n    app:",
      "name: another\n  namespace: keda\n  labels:\n    app:",
    );
    await expect(create({ manifest: added })).rejects.toThrow(
      "Deployment/another: say its resources and privileges in components/autoscaling/pods.ts",
    );
  });

  it("may name what it needs alone: no wildcard, no Secret of anybody's, nothing but Deployments to scale", async () => {
    const all = rules(await create());
    expect(all.flatMap(({ apiGroups, resources, verbs }) => [...apiGroups, ...resources, ...verbs])).not.toContain("*");
    const scaled = all.filter(({ resources }) => resources.some((resource) => resource.endsWith("/scale")));
    expect(scaled).toEqual([
      { apiGroups: ["apps"], resources: ["deployments/scale"], verbs: ["get", "update", "patch"] },
    ]);
    const cluster = of(await create(), `${RBAC}:ClusterRole`, "keda-operator").inputs["rules"] as Rule[];
    expect(cluster.flatMap(({ resources }) => resources)).not.toContain("secrets");
    const secrets = all.filter(({ resources }) => resources.includes("secrets"));
    expect(secrets.filter(({ verbs }) => verbs.includes("get")).map(({ resourceNames }) => resourceNames)).toEqual([
      ["kedaorg-certs"],
    ]);
  });

  it("has who asks for metrics judged by an account that may do nothing else", async () => {
    const resources = await create();
    const adapter = { kind: "ServiceAccount", name: "keda-metrics-apiserver", namespace: "keda" };
    for (const [kind, name] of [
      ["ClusterRoleBinding", "keda-system-auth-delegator"],
      ["RoleBinding", "keda-auth-reader"],
    ] as const) {
      expect(of(resources, `${RBAC}:${kind}`, name).inputs["subjects"]).toEqual([adapter]);
    }
    expect(of(resources, `${RBAC}:ClusterRoleBinding`, "keda-operator").inputs["subjects"]).toMatchObject([
      { name: "keda-operator" },
    ]);
    expect(of(resources, `${RBAC}:ClusterRole`, "keda-external-metrics-reader").inputs["rules"]).toEqual([
      { apiGroups: ["external.metrics.k8s.io"], resources: ["s0-prometheus"], verbs: ["get", "list"] },
    ]);
  });

  it("is reached by the API server, and asks Prometheus and the API server alone", async () => {
    const resources = await create();
    expect(policy(resources, "default-deny")).toMatchObject({ podSelector: {}, policyTypes: ["Ingress", "Egress"] });
    expect(policy(resources, "from-api")).toMatchObject({
      podSelector: { matchLabels: { app: "keda-metrics-apiserver" } },
      ingress: [{ ports: [{ port: 6443 }] }],
    });
    expect(policy(resources, "from-adapter")).toMatchObject({
      podSelector: { matchLabels: { app: "keda-operator" } },
      ingress: [
        { from: [{ podSelector: { matchLabels: { app: "keda-metrics-apiserver" } } }], ports: [{ port: 9666 }] },
      ],
    });
    expect(policy(resources, "to-prometheus")).toMatchObject({
      podSelector: { matchLabels: KEDA_PEER.labels },
      egress: [{ to: [{ podSelector: { matchLabels: { app: "prometheus" } } }], ports: [{ port: 9090 }] }],
    });
    const without = await create({ prometheus: undefined });
    expect(without.some(({ name }) => name === "keda-to-prometheus")).toBe(false);
  });

  it("is asked over TLS that is verified: by the operator's own authority, or by that of a process", async () => {
    const own = of(await create(), "apiregistration.k8s.io/v1:APIService", "v1beta1.external.metrics.k8s.io");
    expect(own.inputs["spec"]).toEqual({
      ...{ group: "external.metrics.k8s.io", version: "v1beta1", groupPriorityMinimum: 100, versionPriority: 100 },
      service: { name: "keda-metrics-apiserver", namespace: "keda" },
    });
    const beside = await create({ target: { kind: "loopback", port: 20_001, certificate: "PEM" } });
    expect(of(beside, "apiregistration.k8s.io/v1:APIService", "v1beta1.external.metrics.k8s.io").inputs).toMatchObject({
      spec: { caBundle: "UEVN", service: { name: "keda-metrics-apiserver", namespace: "kube-system", port: 20_001 } },
    });
  });
});
