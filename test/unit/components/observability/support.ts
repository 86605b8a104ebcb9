import type { PartArgs } from "../../../../components/observability/pods";
import { find, type Registered } from "../../../support/mocks";

export const MiB = 2 ** 20;
export const GiB = 2 ** 30;

/** What every part is told here. */
export const PART = {
  environment: "test",
  namespace: "monitoring",
  priorityClassName: "wasm-platform",
} as const satisfies Partial<PartArgs>;

export const SIZED = { requests: { cpu: 250, memory: GiB / 2 }, limits: { cpu: 1000, memory: GiB } };

/** Labels that select the pods of a part. */
export const selectorOf = (name: string, component = name) => ({
  "app.kubernetes.io/name": name,
  "app.kubernetes.io/component": component,
  "app.kubernetes.io/part-of": "wasm-functions",
});

/** Labels of its objects and pods. */
export const labelsOf = (name: string, component = name) => ({
  ...selectorOf(name, component),
  "app.kubernetes.io/managed-by": "pulumi",
  environment: "test",
});

/** What tests look at of a Deployment, StatefulSet or DaemonSet. */
export interface WorkloadSpec {
  readonly replicas?: number;
  readonly serviceName?: string;
  readonly selector: object;
  readonly strategy?: object;
  readonly updateStrategy?: object;
  readonly podManagementPolicy?: string;
  readonly volumeClaimTemplates?: readonly object[];
  readonly template: {
    readonly metadata: { readonly labels: object; readonly annotations?: object };
    readonly spec: {
      readonly [key: string]: unknown;
      readonly containers: readonly ContainerSpec[];
      readonly volumes: readonly object[];
    };
  };
}

export interface ContainerSpec {
  readonly image: string;
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly env?: readonly object[];
  readonly ports: readonly object[];
  readonly resources: {
    readonly requests: Readonly<Record<string, string>>;
    readonly limits: Readonly<Record<string, string>>;
  };
  readonly securityContext: object;
  readonly volumeMounts: readonly object[];
  readonly startupProbe: object;
  readonly readinessProbe: object;
  readonly livenessProbe: object;
}

const APPS = "kubernetes:apps/v1";

export function workload(
  resources: readonly Registered[],
  kind: "Deployment" | "StatefulSet" | "DaemonSet",
  name: string,
): WorkloadSpec {
  return find(resources, `${APPS}:${kind}`, name).inputs["spec"] as WorkloadSpec;
}

/** Of a workload with one container, that one. */
export function containerOf({ template }: WorkloadSpec): ContainerSpec {
  const [container, ...others] = template.spec.containers;
  if (container === undefined || others.length > 0) throw new Error("it has not one container");
  return container;
}

export const specOf = (resources: readonly Registered[], type: string, name: string) =>
  find(resources, type, name).inputs["spec"];
export const policyOf = (resources: readonly Registered[], name: string) =>
  specOf(resources, "kubernetes:networking.k8s.io/v1:NetworkPolicy", name);
export const policyNames = (resources: readonly Registered[]) =>
  resources
    .filter(({ type }) => type === "kubernetes:networking.k8s.io/v1:NetworkPolicy")
    .map(({ name }) => name)
    .sort();

/** Pods in a policy. */
export const pods = (namespace: string, labels: object) => ({
  namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": namespace } },
  podSelector: { matchLabels: labels },
});

export const tcp = (...ports: number[]) => ports.map((port) => ({ protocol: "TCP", port }));
export const network = (cidr: string) => ({ ipBlock: { cidr } });

/** What Pod Security `restricted` asks for, of a pod of this user and of its container, with a root that is read-only. */
export const restrictedPod = (user: number) => ({
  runAsNonRoot: true,
  runAsUser: user,
  runAsGroup: user,
  fsGroup: user,
  seccompProfile: { type: "RuntimeDefault" },
});
export const RESTRICTED_CONTAINER = {
  allowPrivilegeEscalation: false,
  capabilities: { drop: ["ALL"] },
  privileged: false,
  readOnlyRootFilesystem: true,
  runAsNonRoot: true,
};

/** A token that is renewed, where clients look for it. */
export const CREDENTIALS = {
  name: "credentials",
  projected: {
    defaultMode: 0o440,
    sources: [
      { serviceAccountToken: { path: "token", expirationSeconds: 3600 } },
      { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
    ],
  },
};

/** Rules, and who has them, of every Role and ClusterRole with its binding of the same name. */
export function grants(resources: readonly Registered[]) {
  const of = (kind: string) =>
    resources.filter(({ type }) => type === `kubernetes:rbac.authorization.k8s.io/v1:${kind}`);
  return [...of("ClusterRole"), ...of("Role")].map((role) => {
    const kind = role.type.split(":").at(-1)!;
    const binding = find(resources, `${role.type}Binding`, role.name).inputs;
    const { name, namespace } = role.inputs["metadata"] as { name: string; namespace?: string };
    return { kind, name, namespace, rules: role.inputs["rules"], to: binding["subjects"], by: binding["roleRef"] };
  });
}
