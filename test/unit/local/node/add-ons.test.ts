import { describe, expect, it } from "vitest";
import { addOns } from "../../../../local/node/add-ons";

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

interface Subject {
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string;
}

interface Container {
  readonly name: string;
  readonly image: string;
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly securityContext: object;
  readonly resources: { readonly requests?: object };
  readonly readinessProbe?: object;
  readonly livenessProbe?: object;
  readonly volumeMounts: readonly { readonly name: string }[];
}

interface PodSpec {
  readonly serviceAccountName: string;
  readonly hostNetwork?: boolean;
  readonly containers: readonly Container[];
  readonly volumes: readonly { readonly name: string; readonly configMap?: { readonly name: string } }[];
}

type Labels = Readonly<Record<string, string>>;

/** What any of the objects may have, as far as it is looked at. */
interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: Labels };
  readonly rules?: readonly Rule[];
  readonly roleRef?: { readonly kind: string; readonly name: string };
  readonly subjects?: readonly Subject[];
}

type Deployment = KubernetesObject & {
  readonly spec: {
    readonly selector: { readonly matchLabels: Labels };
    readonly template: { readonly metadata: { readonly labels: Labels }; readonly spec: PodSpec };
  };
};

type Service = KubernetesObject & {
  readonly spec: {
    readonly selector: Labels;
    readonly clusterIP?: string;
    readonly ports: readonly { readonly name: string; readonly port: number; readonly targetPort?: string | number }[];
  };
};

const IMAGES = { coredns: "registry.invalid/dns:v1", metricsServer: "registry.invalid/metrics:v2" };
const NETWORK = { clusterCidr: "10.50.0.0/16", serviceCidr: "10.60.0.0/16", clusterDns: "10.60.0.10" };

const OBJECTS = addOns(IMAGES, NETWORK) as KubernetesObject[];
const ofKind = <T extends KubernetesObject>(kind: string) => OBJECTS.filter((object) => object.kind === kind) as T[];
const DEPLOYMENTS = ofKind<Deployment>("Deployment");
const named = ({ kind, metadata }: KubernetesObject) => `${kind} ${metadata.namespace ?? ""}/${metadata.name}`;
const byName = <T extends KubernetesObject>(objects: readonly T[]) =>
  objects.map((object): [string, T] => [named(object), object]);

describe("the add-ons", () => {
  it("are DNS and metrics in K3s's namespace, and rights for what enforces NetworkPolicies", () => {
    expect(OBJECTS.map(named).sort()).toEqual([
      "APIService /v1beta1.metrics.k8s.io",
      "ClusterRole /system:aggregated-metrics-reader",
      "ClusterRole /system:coredns",
      "ClusterRole /system:kube-router",
      "ClusterRole /system:metrics-server",
      "ClusterRoleBinding /metrics-server:system:auth-delegator",
      "ClusterRoleBinding /system:coredns",
      "ClusterRoleBinding /system:kube-router",
      "ClusterRoleBinding /system:metrics-server",
      "ConfigMap kube-system/coredns",
      "Deployment kube-system/coredns",
      "Deployment kube-system/metrics-server",
      "RoleBinding kube-system/metrics-server-auth-reader",
      "Service kube-system/kube-dns",
      "Service kube-system/metrics-server",
      "ServiceAccount kube-system/coredns",
      "ServiceAccount kube-system/metrics-server",
    ]);
  });

  it("run the images that are given, and no other", () => {
    const used = DEPLOYMENTS.flatMap(({ spec }) => spec.template.spec.containers.map(({ image }) => image));
    expect(used.sort()).toEqual(Object.values(IMAGES).sort());
  });
});

describe("labels and selectors", () => {
  it.each(byName(DEPLOYMENTS))("%s selects its own pods, and no other's", (_, { spec }) => {
    expect(Object.keys(spec.selector.matchLabels)).not.toEqual([]);
    expect(spec.template.metadata.labels).toMatchObject(spec.selector.matchLabels);
    const same = DEPLOYMENTS.filter((other) => selects(spec.selector.matchLabels, other));
    expect(same).toHaveLength(1);
  });

  it.each(byName(ofKind<Service>("Service")))(
    "%s leads to one Deployment's pods, at ports that they have",
    (_, { spec }) => {
      const [deployment, ...others] = DEPLOYMENTS.filter((each) => selects(spec.selector, each));
      expect(others).toEqual([]);
      const ports = deployment?.spec.template.spec.containers.flatMap((container) => container.ports) ?? [];
      for (const { port, targetPort } of spec.ports) {
        // CoreDNS's metrics are on a port that its container does not declare, as it need not.
        if (port === 9153) continue;
        expect(
          ports.some(
            ({ name, containerPort }) => (targetPort ?? port) === name || (targetPort ?? port) === containerPort,
          ),
        ).toBe(true);
      }
    },
  );

  it("give DNS the address that the kubelet tells pods", () => {
    const dns = ofKind<Service>("Service").find(({ metadata }) => metadata.name === "kube-dns");
    expect(dns?.spec.clusterIP).toBe("10.60.0.10");
  });

  function selects(selector: Labels, { spec }: Deployment): boolean {
    return Object.entries(selector).every(([key, value]) => spec.template.metadata.labels[key] === value);
  }
});

describe("rights", () => {
  const ROLES = ofKind("ClusterRole");

  it.each(byName(ROLES))("%s: has no wildcard, changes nothing and reads no secrets", (_, { rules = [] }) => {
    expect(rules).not.toEqual([]);
    for (const { apiGroups, resources, verbs } of rules) {
      expect([...apiGroups, ...resources, ...verbs]).not.toContain("*");
      expect(["get", "list", "watch"]).toEqual(expect.arrayContaining([...verbs]));
      expect(resources.filter((resource) => /^(secrets|configmaps)/.test(resource))).toEqual([]);
    }
  });

  it("are those that each needs, and no more", () => {
    const rights = Object.fromEntries(
      ROLES.map(({ metadata, rules = [] }) => [
        metadata.name,
        rules.flatMap(({ apiGroups, resources }) =>
          apiGroups.flatMap((group) => resources.map((resource) => (group === "" ? resource : `${group}/${resource}`))),
        ),
      ]),
    );
    expect(rights).toEqual({
      "system:kube-router": [
        "namespaces",
        "pods",
        "services",
        "nodes",
        "endpoints",
        "networking.k8s.io/networkpolicies",
        "discovery.k8s.io/endpointslices",
      ],
      "system:coredns": ["services", "pods", "namespaces", "discovery.k8s.io/endpointslices"],
      "system:metrics-server": ["nodes/metrics", "pods", "nodes"],
      "system:aggregated-metrics-reader": ["metrics.k8s.io/pods", "metrics.k8s.io/nodes"],
    });
  });

  it("are given to accounts that there are, of roles that there are", () => {
    const builtIn = ["system:auth-delegator", "extension-apiserver-authentication-reader"];
    const roles = [...ROLES.map(({ metadata }) => metadata.name), ...builtIn];
    const accounts = ofKind("ServiceAccount").map(({ metadata }) => `${metadata.namespace ?? ""}/${metadata.name}`);
    for (const { roleRef, subjects = [] } of [...ofKind("ClusterRoleBinding"), ...ofKind("RoleBinding")]) {
      expect(roles).toContain(roleRef?.name);
      expect(subjects).toHaveLength(1);
      const [{ kind, name, namespace } = { kind: "", name: "", namespace: "" }] = subjects;
      if (kind === "ServiceAccount") expect(accounts).toContain(`${namespace ?? ""}/${name}`);
      // The name in the certificate of the node's controller.
      else expect([kind, name]).toEqual(["User", "system:kube-router"]);
    }
  });
});

describe.each(byName(DEPLOYMENTS))("%s", (_, { spec }) => {
  const pod = spec.template.spec;

  it("runs containers as the restricted Pod Security standard has it, and with a root file system that is read only", () => {
    expect(pod.hostNetwork).toBeUndefined();
    expect(pod).not.toHaveProperty("hostPID");
    for (const { securityContext } of pod.containers) {
      expect(securityContext).toEqual({
        allowPrivilegeEscalation: false,
        capabilities: { drop: ["ALL"] },
        readOnlyRootFilesystem: true,
        runAsNonRoot: true,
        seccompProfile: { type: "RuntimeDefault" },
      });
    }
    for (const volume of pod.volumes) expect(volume).not.toHaveProperty("hostPath");
  });

  it("requests what it needs, and tells whether it is ready and alive", () => {
    for (const { resources, readinessProbe, livenessProbe } of pod.containers) {
      expect(resources.requests).toEqual({ cpu: "100m", memory: "70Mi" });
      expect([readinessProbe, livenessProbe]).toEqual([expect.any(Object), expect.any(Object)]);
    }
  });

  it("mounts the volumes and runs under the account that there are", () => {
    const volumes = pod.volumes.map(({ name }) => name);
    expect(pod.containers.flatMap(({ volumeMounts }) => volumeMounts.map(({ name }) => name)).sort()).toEqual(
      volumes.sort(),
    );
    const maps = ofKind("ConfigMap").map(({ metadata }) => metadata.name);
    for (const { configMap } of pod.volumes) if (configMap) expect(maps).toContain(configMap.name);
    expect(ofKind("ServiceAccount").map(({ metadata }) => metadata.name)).toContain(pod.serviceAccountName);
  });
});

it("CoreDNS answers for the cluster's names, and asks nobody else", () => {
  const [map] = ofKind<KubernetesObject & { data: { Corefile: string } }>("ConfigMap");
  expect(map?.data.Corefile).toMatch(/^\.:53 \{\n/);
  expect(map?.data.Corefile).toMatch(/^ {2}kubernetes cluster\.local in-addr\.arpa \{$/m);
  expect(map?.data.Corefile).not.toMatch(/forward/);
});

it("metrics-server is asked for what the aggregated API promises", () => {
  const [api] = ofKind<KubernetesObject & { spec: object }>("APIService");
  expect(api?.spec).toMatchObject({
    group: "metrics.k8s.io",
    version: "v1beta1",
    service: { name: "metrics-server", namespace: "kube-system" },
  });
});
