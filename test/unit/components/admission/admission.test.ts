import { join } from "node:path";
import type { types } from "@pulumi/kubernetes";
import type { Unwrap } from "@pulumi/pulumi";
import { describe, expect, it } from "vitest";
import { Admission, GATEKEEPER_PEER, type AdmissionArgs } from "../../../../components/admission/admission";
import { parseManifest } from "../../../../components/manifest";
import { parseConfig } from "../../../../infra/config";
import { readManifest } from "../../../../infra/manifests";
import { planStack } from "../../../../infra/plan";
import { MANIFESTS } from "../../../../infra/versions";
import { find, register, type Registered } from "../../../support/mocks";
import { rawConfig, type Raw } from "../../infra/support";

const MANIFEST = readManifest(MANIFESTS.gatekeeper, join(__dirname, "../../../.."));
const COMMON = {
  "app.kubernetes.io/name": "gatekeeper",
  "app.kubernetes.io/component": "admission",
  "app.kubernetes.io/part-of": "wasm-functions",
  "app.kubernetes.io/managed-by": "pulumi",
  environment: "test",
};
const WEBHOOK = ["kubernetes:apps/v1:Deployment", "admission-gatekeeper-controller-manager"] as const;
const AUDIT = ["kubernetes:apps/v1:Deployment", "admission-gatekeeper-audit"] as const;
const CONFIGURATION = [
  "kubernetes:admissionregistration.k8s.io/v1:ValidatingWebhookConfiguration",
  "admission-webhook",
] as const;
const TEMPLATE = ["kubernetes:templates.gatekeeper.sh/v1:ConstraintTemplate", "admission-no-cats-template"] as const;
const CONSTRAINT = ["kubernetes:constraints.gatekeeper.sh/v1beta1:NoCats", "admission-no-cats"] as const;
const SERVICES = { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["cats", "cats/scale"] };
const CONDITION = { name: "awake", expression: "true" };
const POLICY = {
  name: "no-cats",
  template: {
    ...{ apiVersion: "templates.gatekeeper.sh/v1", kind: "ConstraintTemplate", metadata: { name: "nocats" } },
    spec: { crd: {} },
  },
  constraint: {
    ...{ apiVersion: "constraints.gatekeeper.sh/v1beta1", kind: "NoCats", metadata: { name: "no-cats" } },
    spec: { enforcementAction: "deny" },
  },
};
const PROMETHEUS = { namespace: "monitoring", labels: { app: "prometheus" } };

/** @param admission - what the section of the config says */
async function create(admission: Raw = {}, changes: Partial<AdmissionArgs> = {}) {
  const config = parseConfig(rawConfig({ admission }));
  const { resources } = await register(
    () =>
      new Admission("admission", {
        environment: "test",
        admission: config.admission,
        plan: planStack(config).admission,
        image: "registry.example.com/gatekeeper:1",
        manifest: MANIFEST,
        policies: [POLICY],
        rules: [SERVICES],
        conditions: [CONDITION],
        target: { kind: "service" },
        apiServer: { networks: [{ cidr: "192.0.2.0/24" }], ports: [6443] },
        prometheus: PROMETHEUS,
        ...changes,
      }),
  );
  return resources;
}

type Deployment = Unwrap<types.input.apps.v1.DeploymentSpec>;
type Webhooks = { webhooks: Unwrap<types.input.admissionregistration.v1.ValidatingWebhook>[] };

const specOf = ({ inputs }: Registered) => inputs["spec"] as Deployment;
const podOf = (workload: Registered) => specOf(workload).template.spec!;
const containerOf = (workload: Registered) => podOf(workload).containers[0]!;
const policy = (resources: readonly Registered[], name: string) =>
  find(resources, "kubernetes:networking.k8s.io/v1:NetworkPolicy", `admission-${name}`).inputs["spec"];
const rulesOf = (resources: readonly Registered[], kind: "Role" | "ClusterRole") =>
  find(resources, `kubernetes:rbac.authorization.k8s.io/v1:${kind}`, "admission-gatekeeper-manager-role").inputs[
    "rules"
  ] as { apiGroups: string[]; resources: string[]; verbs: string[]; resourceNames?: string[] }[];
const waitsFor = ({ dependencies }: Registered) => dependencies.map((urn) => urn.split("::").at(-1) ?? "").sort();
const waitOf = ({ inputs }: Registered) =>
  (inputs["metadata"] as { annotations?: Record<string, string> }).annotations?.["pulumi.com/waitFor"];

describe("Gatekeeper", () => {
  it("is every object of the manifest but mutation's webhook, its own webhook and its budget, each with the stack's labels", async () => {
    const resources = await create();
    const manifest = parseManifest(MANIFEST).map(({ kind, metadata }) => `${kind} ${metadata.name}`);
    const made = resources
      .filter(({ type }) => type.startsWith("kubernetes:"))
      .map(({ inputs }) => `${String(inputs["kind"])} ${(inputs["metadata"] as { name: string }).name}`);
    expect(manifest.filter((object) => !made.includes(object))).toEqual([
      "MutatingWebhookConfiguration gatekeeper-mutating-webhook-configuration",
    ]);
    for (const { inputs } of resources.filter(({ parent }) => parent === "admission")) {
      expect(inputs).toMatchObject({ metadata: { labels: COMMON } });
    }
  });

  it("is asked last, once some pod that answers goes by each policy, and by its kind before", async () => {
    const resources = await create();
    const template = find(resources, ...TEMPLATE);
    const constraint = find(resources, ...CONSTRAINT);
    const webhook = find(resources, ...CONFIGURATION);
    expect(waitsFor(find(resources, "kubernetes:config.gatekeeper.sh/v1alpha1:Config", "admission-config"))).toEqual([
      "admission-gatekeeper-audit",
      "admission-gatekeeper-controller-manager",
    ]);
    expect(waitsFor(template)).toEqual(["admission-config"]);
    expect(waitsFor(constraint)).toEqual(["admission-config", "admission-no-cats-template"]);
    expect(waitsFor(webhook)).toContain("admission-no-cats");
    expect(JSON.parse(waitOf(template)!)).toEqual([
      "jsonpath={.status.created}=true",
      "jsonpath={.status.byPod[?(@.operations[?@ == 'webhook']) && @.observedGeneration == $.metadata.generation]}",
    ]);
    expect(JSON.parse(waitOf(constraint)!)).toEqual([
      "jsonpath={.status.byPod[?(@.operations[?@ == 'webhook']) && (@.enforced == true && @.observedGeneration == $.metadata.generation)]}",
    ]);
    // Without the authority that it makes itself, nobody could ask it.
    expect(waitOf(webhook)).toBe("jsonpath={.webhooks[0].clientConfig.caBundle}");
  });

  it("is asked about what policies are about, outside of exempt namespaces, and about policies", async () => {
    const resources = await create({ exemptNamespaces: ["kube-system"], timeout: "7s" });
    const { webhooks } = find(resources, ...CONFIGURATION).inputs as unknown as Webhooks;
    const clientConfig = {
      service: { name: "gatekeeper-webhook-service", namespace: "gatekeeper-system", path: "/v1/admit", port: 443 },
    };
    const common = {
      ...{ clientConfig, sideEffects: "None", timeoutSeconds: 7, matchPolicy: "Equivalent" },
      admissionReviewVersions: ["v1"],
    };
    const exempt = ["gatekeeper-system", "kube-system"];
    expect(webhooks).toEqual([
      {
        ...common,
        name: "validation.gatekeeper.sh",
        failurePolicy: "Fail",
        namespaceSelector: {
          matchExpressions: [{ key: "kubernetes.io/metadata.name", operator: "NotIn", values: exempt }],
        },
        rules: [SERVICES],
        matchConditions: [CONDITION],
      },
      {
        ...common,
        name: "policies.gatekeeper.sh",
        failurePolicy: "Ignore",
        rules: [
          {
            apiGroups: ["templates.gatekeeper.sh", "constraints.gatekeeper.sh"],
            ...{ apiVersions: ["*"], operations: ["CREATE", "UPDATE"], resources: ["*"] },
          },
        ],
      },
    ]);
    const config = find(resources, "kubernetes:config.gatekeeper.sh/v1alpha1:Config", "admission-config");
    expect(config.inputs["spec"]).toEqual({ match: [{ excludedNamespaces: exempt, processes: ["*"] }] });
  });

  it("lets objects in while it cannot be asked, where the config says so", async () => {
    const { webhooks } = find(await create({ failurePolicy: "ignore" }), ...CONFIGURATION)
      .inputs as unknown as Webhooks;
    expect(webhooks[0]?.failurePolicy).toBe("Ignore");
  });

  it("is asked by URL where it runs outside of the cluster, by the authority that it has", async () => {
    const target = { kind: "url", url: "https://127.0.0.1:9/v1/admit", certificate: "PEM" } as const;
    const configuration = find(await create({}, { target }), ...CONFIGURATION);
    const { webhooks } = configuration.inputs as unknown as Webhooks;
    expect(webhooks.map(({ clientConfig }) => clientConfig)).toEqual(
      Array(2).fill({ url: target.url, caBundle: Buffer.from("PEM").toString("base64") }),
    );
    expect(waitOf(configuration)).toBeUndefined();
  });

  it("may read what policies are about and change its own kinds, without a wildcard or a Secret of others", async () => {
    const resources = await create();
    const rules = rulesOf(resources, "ClusterRole");
    expect(rules[0]).toEqual({ apiGroups: [""], resources: ["cats"], verbs: ["get", "list", "watch"] });
    expect(JSON.stringify([rules, rulesOf(resources, "Role")])).not.toContain("*");
    expect(rules.flatMap(({ resources }) => resources)).not.toContain("secrets");
    const changing = ["create", "update", "patch", "delete"];
    const changes = rules.filter(
      ({ verbs, resourceNames }) => !resourceNames && verbs.some((v) => changing.includes(v)),
    );
    expect(changes.flatMap(({ apiGroups }) => apiGroups).filter((group) => !group.endsWith(".gatekeeper.sh"))).toEqual([
      "apiextensions.k8s.io",
    ]);
    expect(rules.flatMap(({ resourceNames = [] }) => resourceNames)).toEqual([
      "nocats.constraints.gatekeeper.sh",
      "gatekeeper-validating-webhook-configuration",
    ]);
    expect(rulesOf(resources, "Role").filter(({ resources }) => resources.includes("secrets"))).toEqual([
      { apiGroups: [""], resources: ["secrets"], verbs: ["list", "watch"] },
      {
        ...{ apiGroups: [""], resources: ["secrets"], verbs: ["get", "update", "patch"] },
        resourceNames: ["gatekeeper-webhook-server-cert"],
      },
    ]);
  });

  it("mutates nothing, asks no other server, and speaks TLS 1.3", async () => {
    const resources = await create();
    const webhook = containerOf(find(resources, ...WEBHOOK)).args ?? [];
    const audit = containerOf(find(resources, ...AUDIT)).args ?? [];
    const operations = (args: readonly string[]) => args.filter((arg) => arg.startsWith("--operation="));
    expect(operations(webhook)).toEqual(["--operation=webhook"]);
    expect(operations(audit)).toEqual(["--operation=audit", "--operation=status"]);
    expect(webhook).toContain("--tls-min-version=1.3");
    for (const args of [webhook, audit]) {
      expect(args).toEqual(
        expect.arrayContaining(["--disable-opa-builtin={http.send}", "--enable-external-data=false"]),
      );
    }
  });

  it("audits as the config says, without the webhook's certificate", async () => {
    const audit = find(await create({ audit: { interval: "90s", violationsLimit: 7, chunkSize: 99 } }), ...AUDIT);
    expect(containerOf(audit).args).toEqual(
      expect.arrayContaining([
        "--audit-interval=90",
        "--constraint-violations-limit=7",
        "--audit-chunk-size=99",
        "--audit-match-kind-only=true",
        "--disable-cert-rotation",
      ]),
    );
    expect(podOf(audit).volumes?.map(({ name }) => name)).toEqual(["tmp-volume", "credentials"]);
    expect(containerOf(audit).volumeMounts?.map(({ name }) => name)).toEqual(["tmp-volume", "credentials"]);
    expect(specOf(audit)).toMatchObject({ replicas: 1, strategy: { type: "Recreate" } });
  });

  it("runs restricted, bounded and probed, as many as the config says, each on another node where it can", async () => {
    const resources = await create({ replicas: 4, requests: { cpu: "33m" }, limits: { memory: "777Mi" } });
    const webhook = find(resources, ...WEBHOOK);
    expect(specOf(webhook)).toMatchObject({
      replicas: 4,
      strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
    });
    expect(podOf(webhook).topologySpreadConstraints).toEqual([
      expect.objectContaining({
        topologyKey: "kubernetes.io/hostname",
        labelSelector: { matchLabels: { "gatekeeper.sh/operation": "webhook" } },
      }),
    ]);
    for (const workload of [webhook, find(resources, ...AUDIT)]) {
      expect(podOf(workload)).toMatchObject({
        automountServiceAccountToken: false,
        priorityClassName: "system-cluster-critical",
        securityContext: {
          runAsNonRoot: true,
          runAsUser: 1000,
          fsGroup: 999,
          seccompProfile: { type: "RuntimeDefault" },
        },
      });
      const container = containerOf(workload);
      expect(container).toMatchObject({
        image: "registry.example.com/gatekeeper:1",
        imagePullPolicy: "IfNotPresent",
        resources: { requests: { cpu: "33m" }, limits: { memory: "777Mi" } },
        securityContext: { readOnlyRootFilesystem: true, privileged: false, capabilities: { drop: ["ALL"] } },
        startupProbe: { httpGet: { path: "/healthz" } },
        readinessProbe: { httpGet: { path: "/readyz" } },
        livenessProbe: { httpGet: { path: "/healthz" } },
      });
      expect(container.resources?.limits).toHaveProperty("ephemeral-storage");
      expect(container.env).toContainEqual({ name: "GOMEMLIMIT", value: String(Math.floor(777 * 2 ** 20 * 0.9)) });
    }
  });

  it("never keeps a node from being drained, of one replica neither", async () => {
    const resources = await create({ replicas: 1 });
    for (const [workload, operation] of [
      ["controller-manager", "webhook"],
      ["audit", "audit"],
    ]) {
      const budget = find(
        resources,
        "kubernetes:policy/v1:PodDisruptionBudget",
        `admission-gatekeeper-${workload}-budget`,
      );
      expect(budget.inputs["spec"]).toEqual({
        maxUnavailable: "10%",
        unhealthyPodEvictionPolicy: "AlwaysAllow",
        selector: { matchLabels: { "gatekeeper.sh/operation": operation } },
      });
    }
  });

  it("reaches the API alone, and is reached at its webhook, and by Prometheus", async () => {
    const resources = await create();
    expect(policy(resources, "default-deny")).toEqual({ podSelector: {}, policyTypes: ["Ingress", "Egress"] });
    expect(policy(resources, "to-api")).toEqual({
      podSelector: {},
      policyTypes: ["Egress"],
      egress: [{ to: [{ ipBlock: { cidr: "192.0.2.0/24" } }], ports: [{ protocol: "TCP", port: 6443 }] }],
    });
    expect(policy(resources, "from-api")).toEqual({
      podSelector: { matchLabels: { "gatekeeper.sh/operation": "webhook" } },
      policyTypes: ["Ingress"],
      ingress: [{ ports: [{ protocol: "TCP", port: 8443 }] }],
    });
    expect(policy(resources, "from-prometheus")).toMatchObject({ ingress: [{ ports: [{ port: 8888 }] }] });
    const unwatched = await create({}, { prometheus: undefined });
    expect(unwatched.map(({ name }) => name)).not.toContain("admission-from-prometheus");
  });

  it("tells its metrics where Prometheus looks for them", async () => {
    const resources = await create();
    for (const workload of [find(resources, ...WEBHOOK), find(resources, ...AUDIT)]) {
      expect(specOf(workload).template.metadata?.labels).toMatchObject(GATEKEEPER_PEER.labels);
      expect(containerOf(workload).ports).toContainEqual({ name: "metrics", containerPort: 8888, protocol: "TCP" });
    }
    expect(GATEKEEPER_PEER.labels["app.kubernetes.io/component"]).toBe(GATEKEEPER_PEER.component);
    expect(GATEKEEPER_PEER.ports).toEqual([8888]);
  });

  it("is refused with a workload that a release has added", async () => {
    const manifest = MANIFEST.replaceAll("name: gatekeeper-audit\n", "name: gatekeeper-novelty\n");
    await expect(create({}, { manifest })).rejects.toThrow(
      "Deployment/gatekeeper-novelty: say its resources and privileges in components/admission/pods.ts",
    );
  });
});
