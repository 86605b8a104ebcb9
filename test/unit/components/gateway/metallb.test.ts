import { join } from "node:path";
import type { types } from "@pulumi/kubernetes";
import type { Unwrap } from "@pulumi/pulumi";
import { describe, expect, it } from "vitest";
import { ADDRESS_POOL_ANNOTATION, MetalLb } from "../../../../components/gateway/metallb";
import { parseImage } from "../../../../infra/addresses";
import { readManifest } from "../../../../infra/manifests";
import { MANIFESTS } from "../../../../infra/versions";
import { find, names, register, valueOf, type Registered } from "../../../support/mocks";

const MANIFEST = readManifest(MANIFESTS.metallb, join(__dirname, "../../../.."));
const ADDRESSES = ["192.0.2.240/28", "192.0.2.10-192.0.2.20"];
const COMMON = {
  "app.kubernetes.io/name": "metallb",
  "app.kubernetes.io/component": "load-balancer",
  "app.kubernetes.io/part-of": "wasm-functions",
  "app.kubernetes.io/managed-by": "pulumi",
  environment: "test",
};
const metadata = (name: string) => ({ name, namespace: "metallb-system", labels: COMMON });

const CRD = "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition";
const DEPLOYMENT = ["kubernetes:apps/v1:Deployment", "metallb-controller"] as const;
const DAEMON_SET = ["kubernetes:apps/v1:DaemonSet", "metallb-speaker"] as const;
const WORKLOADS = [DEPLOYMENT, DAEMON_SET] as const;
const POOL = ["kubernetes:metallb.io/v1beta1:IPAddressPool", "metallb-pool"] as const;
const ADVERTISEMENT = ["kubernetes:metallb.io/v1beta1:L2Advertisement", "metallb-advertisement"] as const;

function create(manifest: string = MANIFEST) {
  return register(() => new MetalLb("metallb", { environment: "test", addresses: ADDRESSES, manifest }));
}

type Template = Unwrap<types.input.core.v1.PodTemplateSpec>;
type PodSpec = NonNullable<Template["spec"]>;

const templateOf = ({ inputs }: Registered) => (inputs["spec"] as { template: Template }).template;
const podOf = (workload: Registered) => templateOf(workload).spec as PodSpec;
/** Of everything that a resource waits for, the last part of its URN's type, and its name. */
const waitsFor = ({ dependencies }: Registered) =>
  dependencies
    .map((dependency) =>
      dependency
        .split("$")
        .pop()
        ?.replace(/^.*:(\w+)::/, "$1 "),
    )
    .sort();

describe("MetalLb", () => {
  it("registers each object of the manifest, a policy, the pool and its advertisement", async () => {
    const { resources, result } = await create();
    expect(names(resources)).toEqual([
      "kubernetes:admissionregistration.k8s.io/v1:ValidatingWebhookConfiguration metallb-metallb-webhook-configuration",
      `${CRD} metallb-bfdprofiles.metallb.io`,
      `${CRD} metallb-bgpadvertisements.metallb.io`,
      `${CRD} metallb-bgppeers.metallb.io`,
      `${CRD} metallb-communities.metallb.io`,
      `${CRD} metallb-configurationstates.metallb.io`,
      `${CRD} metallb-ipaddresspools.metallb.io`,
      `${CRD} metallb-l2advertisements.metallb.io`,
      `${CRD} metallb-servicebgpstatuses.metallb.io`,
      `${CRD} metallb-servicel2statuses.metallb.io`,
      "kubernetes:apps/v1:DaemonSet metallb-speaker",
      "kubernetes:apps/v1:Deployment metallb-controller",
      "kubernetes:core/v1:ConfigMap metallb-metallb-excludel2",
      "kubernetes:core/v1:Namespace metallb-metallb-system",
      "kubernetes:core/v1:Secret metallb-metallb-webhook-cert",
      "kubernetes:core/v1:Service metallb-metallb-webhook-service",
      "kubernetes:core/v1:ServiceAccount metallb-controller",
      "kubernetes:core/v1:ServiceAccount metallb-speaker",
      "kubernetes:metallb.io/v1beta1:IPAddressPool metallb-pool",
      "kubernetes:metallb.io/v1beta1:L2Advertisement metallb-advertisement",
      "kubernetes:networking.k8s.io/v1:NetworkPolicy metallb-controller",
      "kubernetes:rbac.authorization.k8s.io/v1:ClusterRole metallb-metallb-system:controller",
      "kubernetes:rbac.authorization.k8s.io/v1:ClusterRole metallb-metallb-system:speaker",
      "kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding metallb-metallb-system:controller",
      "kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding metallb-metallb-system:speaker",
      "kubernetes:rbac.authorization.k8s.io/v1:Role metallb-controller",
      "kubernetes:rbac.authorization.k8s.io/v1:Role metallb-pod-lister",
      "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding metallb-controller",
      "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding metallb-pod-lister",
      "wasm-functions:gateway:MetalLb metallb",
    ]);
    const children = resources.filter(({ type }) => type !== "wasm-functions:gateway:MetalLb");
    expect(children.filter(({ parent }) => parent !== "metallb")).toEqual([]);
    for (const { inputs } of children) expect(inputs).toMatchObject({ metadata: { labels: COMMON } });
    expect(await valueOf(result.poolName)).toBe("gateway");
  });

  it("gives addresses to those alone who ask for the pool, and announces no other", async () => {
    const { resources } = await create();
    expect(ADDRESS_POOL_ANNOTATION).toBe("metallb.io/address-pool");
    expect(find(resources, ...POOL).inputs).toEqual({
      apiVersion: "metallb.io/v1beta1",
      kind: "IPAddressPool",
      metadata: metadata("gateway"),
      spec: { addresses: ADDRESSES, autoAssign: false },
    });
    expect(find(resources, ...ADVERTISEMENT).inputs).toEqual({
      apiVersion: "metallb.io/v1beta1",
      kind: "L2Advertisement",
      metadata: metadata("gateway"),
      spec: { ipAddressPools: ["gateway"] },
    });
  });

  it("makes namespace and CRDs first, and workloads once all that they need is there", async () => {
    const { resources } = await create();
    const foundations = [
      "CustomResourceDefinition metallb-bfdprofiles.metallb.io",
      "CustomResourceDefinition metallb-bgpadvertisements.metallb.io",
      "CustomResourceDefinition metallb-bgppeers.metallb.io",
      "CustomResourceDefinition metallb-communities.metallb.io",
      "CustomResourceDefinition metallb-configurationstates.metallb.io",
      "CustomResourceDefinition metallb-ipaddresspools.metallb.io",
      "CustomResourceDefinition metallb-l2advertisements.metallb.io",
      "CustomResourceDefinition metallb-servicebgpstatuses.metallb.io",
      "CustomResourceDefinition metallb-servicel2statuses.metallb.io",
      "Namespace metallb-metallb-system",
    ];
    const first = resources.filter(({ type }) => type === CRD || type.endsWith(":Namespace"));
    expect(first.flatMap(waitsFor)).toEqual([]);
    const account = find(resources, "kubernetes:core/v1:ServiceAccount", "metallb-controller");
    expect(waitsFor(account)).toEqual(foundations);
    expect(waitsFor(find(resources, "kubernetes:networking.k8s.io/v1:NetworkPolicy", "metallb-controller"))).toEqual(
      foundations,
    );
    for (const [type, name] of WORKLOADS) {
      expect(waitsFor(find(resources, type, name))).toEqual([
        "ClusterRole metallb-metallb-system:controller",
        "ClusterRole metallb-metallb-system:speaker",
        "ClusterRoleBinding metallb-metallb-system:controller",
        "ClusterRoleBinding metallb-metallb-system:speaker",
        "ConfigMap metallb-metallb-excludel2",
        "Role metallb-controller",
        "Role metallb-pod-lister",
        "RoleBinding metallb-controller",
        "RoleBinding metallb-pod-lister",
        "Secret metallb-metallb-webhook-cert",
        "Service metallb-metallb-webhook-service",
        "ServiceAccount metallb-controller",
        "ServiceAccount metallb-speaker",
        "ValidatingWebhookConfiguration metallb-metallb-webhook-configuration",
      ]);
    }
  });

  it("has the controller ready before the pool and its advertisement, which its webhooks validate", async () => {
    const { resources } = await create();
    expect(waitsFor(find(resources, ...POOL))).toEqual(["Deployment metallb-controller"]);
    expect(waitsFor(find(resources, ...ADVERTISEMENT))).toEqual([
      "Deployment metallb-controller",
      "IPAddressPool metallb-pool",
    ]);
  });

  it("waits for no endpoints of the webhooks' Service, whose pods come after it", async () => {
    const { resources } = await create();
    const { inputs } = find(resources, "kubernetes:core/v1:Service", "metallb-metallb-webhook-service");
    expect(inputs["metadata"]).toMatchObject({ annotations: { "pulumi.com/skipAwait": "true" } });
  });

  it("gives every container requests, limits and the release's pinned image", async () => {
    const { resources } = await create();
    const containers = WORKLOADS.flatMap(([type, name]) => {
      const pod = podOf(find(resources, type, name));
      return [...(pod.initContainers ?? []), ...pod.containers];
    });
    const image = (name: string) => `quay.io/metallb/${name}:v${MANIFESTS.metallb.version}`;
    expect(containers.map(({ name, image, resources }) => ({ name, image, resources }))).toEqual([
      {
        name: "controller",
        image: image("controller"),
        resources: { requests: { cpu: "20m", memory: "64Mi" }, limits: { cpu: "500m", memory: "256Mi" } },
      },
      {
        name: "speaker",
        image: image("speaker"),
        resources: { requests: { cpu: "50m", memory: "64Mi" }, limits: { cpu: "1", memory: "256Mi" } },
      },
    ]);
    expect(containers.map((container) => parseImage(container.image ?? ""))).toEqual([
      { ok: expect.objectContaining({ tag: "v0.15.3" }) },
      { ok: expect.objectContaining({ tag: "v0.15.3" }) },
    ]);
  });

  it("has pods that functions cannot push off a node, with the labels that they are selected by", async () => {
    const { resources } = await create();
    const controller = find(resources, ...DEPLOYMENT);
    const speaker = find(resources, ...DAEMON_SET);
    expect(podOf(controller).priorityClassName).toBe("system-cluster-critical");
    expect(podOf(speaker).priorityClassName).toBe("system-node-critical");
    expect(templateOf(controller).metadata?.labels).toEqual({ ...COMMON, app: "metallb", component: "controller" });
    expect(templateOf(speaker).metadata?.labels).toEqual({ ...COMMON, app: "metallb", component: "speaker" });
  });

  it("holds the controller to what restricted namespaces admit", async () => {
    const { resources } = await create();
    const { securityContext, containers, hostNetwork } = podOf(find(resources, ...DEPLOYMENT));
    expect(hostNetwork).toBeUndefined();
    expect(securityContext).toEqual({
      runAsNonRoot: true,
      runAsUser: 65534,
      fsGroup: 65534,
      seccompProfile: { type: "RuntimeDefault" },
    });
    expect(containers[0]?.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      capabilities: { drop: ["ALL"] },
      privileged: false,
      readOnlyRootFilesystem: true,
      runAsNonRoot: true,
    });
  });

  it("leaves the speaker the node's network and NET_RAW, which a privileged namespace admits, and nothing else", async () => {
    const { resources } = await create();
    const { securityContext, containers, hostNetwork, hostPID, volumes } = podOf(find(resources, ...DAEMON_SET));
    expect({ hostNetwork, hostPID, securityContext }).toEqual({
      hostNetwork: true,
      hostPID: undefined,
      securityContext: { seccompProfile: { type: "RuntimeDefault" } },
    });
    expect(volumes?.map(({ name }) => name)).toEqual(["memberlist", "metallb-excludel2"]);
    expect(volumes?.filter(({ hostPath }) => hostPath !== undefined)).toEqual([]);
    expect(containers[0]?.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      capabilities: { add: ["NET_RAW"], drop: ["ALL"] },
      privileged: false,
      readOnlyRootFilesystem: true,
    });
    expect(find(resources, "kubernetes:core/v1:Namespace", "metallb-metallb-system").inputs).toEqual({
      apiVersion: "v1",
      kind: "Namespace",
      metadata: {
        name: "metallb-system",
        labels: {
          ...COMMON,
          "pod-security.kubernetes.io/enforce": "privileged",
          "pod-security.kubernetes.io/warn": "privileged",
          "pod-security.kubernetes.io/audit": "privileged",
        },
      },
    });
  });

  it("lets others reach the controller's webhooks and nothing else of it", async () => {
    const { resources } = await create();
    const controller = find(resources, ...DEPLOYMENT);
    expect(find(resources, "kubernetes:networking.k8s.io/v1:NetworkPolicy", "metallb-controller").inputs).toEqual({
      apiVersion: "networking.k8s.io/v1",
      kind: "NetworkPolicy",
      metadata: metadata("controller"),
      spec: {
        podSelector: { matchLabels: { app: "metallb", component: "controller" } },
        policyTypes: ["Ingress"],
        ingress: [{ ports: [{ protocol: "TCP", port: 9443 }] }],
      },
    });
    expect(templateOf(controller).metadata?.labels).toMatchObject({ app: "metallb", component: "controller" });
    expect(podOf(controller).containers[0]?.ports).toContainEqual({
      containerPort: 9443,
      name: "webhook-server",
      protocol: "TCP",
    });
  });

  it("has no certificate in CRDs and webhooks, where the controller puts its own", () => {
    expect(MANIFEST).not.toContain("caBundle");
  });

  it("refuses a workload that a release has added, until somebody says what it may use", async () => {
    const added = MANIFEST.replace("kind: DaemonSet", "kind: Deployment").replaceAll("name: speaker", "name: frr");
    await expect(create(added)).rejects.toThrow(
      "Deployment/frr: say its resources and privileges in components/gateway/metallb.ts",
    );
  });
});
