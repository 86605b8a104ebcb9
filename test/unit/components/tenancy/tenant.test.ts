import { describe, expect, it } from "vitest";
import { Tenant, type TenantArgs } from "../../../../components/tenancy/tenant";
import { dockerConfig } from "../../../../components/tenancy/pull-secret";
import { parseConfig, type FunctionConfig } from "../../../../infra/config";
import { find, names, register, secret, valueOf } from "../../../support/mocks";

const COMMON = {
  "app.kubernetes.io/name": "shop",
  "app.kubernetes.io/component": "tenant",
  "app.kubernetes.io/part-of": "wasm-functions",
  "app.kubernetes.io/managed-by": "pulumi",
  environment: "test",
  "wasm-functions.dev/tenant": "shop",
};
const metadata = (name: string) => ({ name, namespace: "shop", labels: COMMON });

const MIB = 2 ** 20;
const QUOTA: TenantArgs["quota"] = {
  pods: 130,
  requests: { cpu: 1500, memory: 4000 * MIB, ephemeralStorage: 1000 * MIB },
  limits: { cpu: 13_000, memory: 8192 * MIB, ephemeralStorage: 2048 * MIB },
  services: 12,
  configMaps: 21,
  secrets: 14,
};

function create(args: Partial<TenantArgs> = {}) {
  return register(() => new Tenant("shop", { environment: "test", quota: QUOTA, functions: functions({}), ...args }));
}

function functions(...resources: object[]): readonly FunctionConfig[] {
  return parseConfig({
    cluster: { kind: "existing", kubeconfig: "kubeconfig" },
    functions: resources.map((r, index) => ({ name: `function-${index}`, resources: r })),
  }).functions;
}

describe("Tenant", () => {
  it("is a namespace that admits restricted pods only, with quota, limits and isolation", async () => {
    const { resources, result } = await create();
    expect(names(resources)).toEqual([
      "kubernetes:core/v1:LimitRange shop-limits",
      "kubernetes:core/v1:Namespace shop",
      "kubernetes:core/v1:ResourceQuota shop-quota",
      "kubernetes:core/v1:ServiceAccount shop-functions",
      "kubernetes:networking.k8s.io/v1:NetworkPolicy shop-allow-dns",
      "kubernetes:networking.k8s.io/v1:NetworkPolicy shop-default-deny",
      "wasm-functions:tenancy:Tenant shop",
    ]);
    const namespace = find(resources, "kubernetes:core/v1:Namespace", "shop");
    expect(namespace).toMatchObject({ parent: "shop", options: {}, dependencies: [] });
    expect(namespace.inputs).toEqual({
      apiVersion: "v1",
      kind: "Namespace",
      metadata: {
        name: "shop",
        labels: {
          ...COMMON,
          "pod-security.kubernetes.io/enforce": "restricted",
          "pod-security.kubernetes.io/enforce-version": "v1.30",
          "pod-security.kubernetes.io/warn": "restricted",
          "pod-security.kubernetes.io/warn-version": "v1.30",
          "pod-security.kubernetes.io/audit": "restricted",
          "pod-security.kubernetes.io/audit-version": "v1.30",
        },
      },
    });
    expect(await valueOf(result.namespace)).toBe("shop");
    expect(result.pullSecretName).toBeUndefined();
  });

  it("is held to the plan's quota, and to no node port, load balancer or volume claim", async () => {
    const { resources } = await create();
    expect(find(resources, "kubernetes:core/v1:ResourceQuota", "shop-quota").inputs).toEqual({
      apiVersion: "v1",
      kind: "ResourceQuota",
      metadata: metadata("tenant-quota"),
      spec: {
        hard: {
          pods: "130",
          "requests.cpu": "1500m",
          "requests.memory": "4000Mi",
          "requests.ephemeral-storage": "1000Mi",
          "limits.cpu": "13",
          "limits.memory": "8Gi",
          "limits.ephemeral-storage": "2Gi",
          services: "12",
          "services.nodeports": "0",
          "services.loadbalancers": "0",
          configmaps: "21",
          secrets: "14",
          persistentvolumeclaims: "0",
        },
      },
    });
  });

  it("takes default resources from its smallest function and the maximum from its largest", async () => {
    const { resources } = await create({
      functions: functions({}, { requests: { cpu: "5m", memory: "48Mi" }, limits: { cpu: "200m", memory: "128Mi" } }),
    });
    expect(find(resources, "kubernetes:core/v1:LimitRange", "shop-limits").inputs).toEqual({
      apiVersion: "v1",
      kind: "LimitRange",
      metadata: metadata("container-limits"),
      spec: {
        limits: [
          {
            type: "Container",
            defaultRequest: { cpu: "5m", memory: "32Mi", "ephemeral-storage": "8Mi" },
            default: { cpu: "100m", memory: "64Mi", "ephemeral-storage": "16Mi" },
            max: { cpu: "200m", memory: "128Mi", "ephemeral-storage": "16Mi" },
          },
        ],
      },
    });
  });

  it("has the reference function's limits as long as it has no function", async () => {
    const withNone = find((await create({ functions: [] })).resources, "kubernetes:core/v1:LimitRange", "shop-limits");
    const withReference = find((await create()).resources, "kubernetes:core/v1:LimitRange", "shop-limits");
    expect(withNone.inputs).toEqual(withReference.inputs);
  });

  it("lets nothing in or out but questions to the cluster's DNS", async () => {
    const { resources } = await create();
    const policy = (name: string) => find(resources, "kubernetes:networking.k8s.io/v1:NetworkPolicy", name).inputs;
    expect(policy("shop-default-deny")).toEqual({
      apiVersion: "networking.k8s.io/v1",
      kind: "NetworkPolicy",
      metadata: metadata("default-deny"),
      spec: { podSelector: {}, policyTypes: ["Ingress", "Egress"] },
    });
    expect(policy("shop-allow-dns")).toEqual({
      apiVersion: "networking.k8s.io/v1",
      kind: "NetworkPolicy",
      metadata: metadata("allow-dns"),
      spec: {
        podSelector: {},
        policyTypes: ["Egress"],
        egress: [
          {
            to: [
              {
                namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "kube-system" } },
                podSelector: { matchLabels: { "k8s-app": "kube-dns" } },
              },
            ],
            ports: [
              { protocol: "UDP", port: 53 },
              { protocol: "TCP", port: 53 },
            ],
          },
        ],
      },
    });
  });

  it("gives functions an account without token", async () => {
    const { resources, result } = await create();
    expect(find(resources, "kubernetes:core/v1:ServiceAccount", "shop-functions").inputs).toEqual({
      apiVersion: "v1",
      kind: "ServiceAccount",
      metadata: metadata("functions"),
      automountServiceAccountToken: false,
    });
    expect(await valueOf(result.serviceAccountName)).toBe("functions");
  });

  it("lets its group deploy and read functions, and see no secret", async () => {
    const { resources } = await create({ group: "shop-developers" });
    const read = ["get", "list", "watch"];
    expect(find(resources, "kubernetes:rbac.authorization.k8s.io/v1:Role", "shop-developer").inputs).toEqual({
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "Role",
      metadata: metadata("function-developer"),
      rules: [
        { apiGroups: [""], resources: ["pods", "pods/log", "events", "services", "configmaps"], verbs: read },
        { apiGroups: ["events.k8s.io"], resources: ["events"], verbs: read },
        { apiGroups: ["apps"], resources: ["replicasets"], verbs: read },
        { apiGroups: ["apps"], resources: ["deployments"], verbs: [...read, "patch", "update"] },
        { apiGroups: ["autoscaling"], resources: ["horizontalpodautoscalers"], verbs: read },
        { apiGroups: ["policy"], resources: ["poddisruptionbudgets"], verbs: read },
      ],
    });
    expect(find(resources, "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding", "shop-developer").inputs).toEqual({
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "RoleBinding",
      metadata: metadata("function-developer"),
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "function-developer" },
      subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "Group", name: "shop-developers" }],
    });
  });

  it("keeps pull credentials a secret, from input to output", async () => {
    const { resources, result } = await create({ pullCredentials: { "registry.example.com": "bob:pa:ss" } });
    const auth = Buffer.from("bob:pa:ss").toString("base64");
    expect(find(resources, "kubernetes:core/v1:Secret", "shop-pull").inputs).toEqual({
      apiVersion: "v1",
      kind: "Secret",
      metadata: metadata("registry-pull"),
      type: "kubernetes.io/dockerconfigjson",
      stringData: secret({ ".dockerconfigjson": JSON.stringify({ auths: { "registry.example.com": { auth } } }) }),
    });
    expect(await valueOf(result.pullSecretName!)).toBe("registry-pull");
    expect(JSON.stringify(resources.filter((resource) => resource.name !== "shop-pull"))).not.toContain(auth);
  });

  it("protects the namespace, and nothing that could be made again", async () => {
    const { resources } = await create({ protect: true });
    expect(resources.filter((resource) => resource.options.protect).map((resource) => resource.type)).toEqual([
      "kubernetes:core/v1:Namespace",
    ]);
  });
});

describe("dockerConfig", () => {
  it.each(["bob", "bob:", ":pass"])("refuses %j, telling the registry and not the credential", (credential) => {
    expect(() => dockerConfig({ "registry.example.com": credential })).toThrow(
      /^pullCredentials\.registry\.example\.com: must be "user:password"$/,
    );
  });
});
