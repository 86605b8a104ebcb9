import { describe, expect, it } from "vitest";
import { PlatformNamespace, type PlatformNamespaceArgs } from "../../../../components/platform/platform-namespace";
import { find, names, register, valueOf } from "../../../support/mocks";

const COMMON = {
  "app.kubernetes.io/name": "gateway",
  "app.kubernetes.io/component": "platform",
  "app.kubernetes.io/part-of": "wasm-functions",
  "app.kubernetes.io/managed-by": "pulumi",
  environment: "test",
};
const NAMESPACE = ["kubernetes:core/v1:Namespace", "gateway-namespace"] as const;
const POLICY = "kubernetes:networking.k8s.io/v1:NetworkPolicy";

const create = (args: Partial<PlatformNamespaceArgs> = {}) =>
  register(() => new PlatformNamespace("gateway", { environment: "test", ...args }));

describe("a namespace of the platform's", () => {
  it("is these objects, and tells its name", async () => {
    const { resources, result } = await create();
    expect(names(resources)).toEqual([
      "kubernetes:core/v1:Namespace gateway-namespace",
      `${POLICY} gateway-allow-dns`,
      `${POLICY} gateway-default-deny`,
      "wasm-functions:platform:PlatformNamespace gateway",
    ]);
    expect(await valueOf(result.namespace)).toBe("gateway");
  });

  it("refuses pods below Pod Security restricted, of a version that no upgrade changes", async () => {
    const { resources } = await create();
    expect(find(resources, ...NAMESPACE).inputs).toEqual({
      apiVersion: "v1",
      kind: "Namespace",
      metadata: {
        name: "gateway",
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
  });

  it("lets nothing in and nothing out but questions to the cluster's DNS", async () => {
    const { resources } = await create();
    expect(find(resources, POLICY, "gateway-default-deny").inputs).toEqual({
      apiVersion: "networking.k8s.io/v1",
      kind: "NetworkPolicy",
      metadata: { name: "default-deny", namespace: "gateway", labels: COMMON },
      spec: { podSelector: {}, policyTypes: ["Ingress", "Egress"] },
    });
    expect(find(resources, POLICY, "gateway-allow-dns").inputs).toEqual({
      apiVersion: "networking.k8s.io/v1",
      kind: "NetworkPolicy",
      metadata: { name: "allow-dns", namespace: "gateway", labels: COMMON },
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

  it("may be deleted, unless it is protected, and then the namespace alone", async () => {
    const protectedOnes = async (args: Partial<PlatformNamespaceArgs>) =>
      (await create(args)).resources.filter(({ options }) => options.protect).map(({ name }) => name);
    expect(await protectedOnes({})).toEqual([]);
    expect(await protectedOnes({ protect: true })).toEqual(["gateway-namespace"]);
  });
});
