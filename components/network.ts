import * as k8s from "@pulumi/kubernetes";
import type { types } from "@pulumi/kubernetes";
import type { CustomResourceOptions, Input } from "@pulumi/pulumi";

/** Pods by their namespace and labels. */
export interface Peer {
  readonly namespace: Input<string>;
  readonly labels: Record<string, string>;
}

/** Networks that the cluster's API answers at. */
export interface ApiServerPeers {
  readonly networks: readonly { readonly cidr: string; readonly except?: readonly string[] }[];
  /** None: any, where it is not known. */
  readonly ports: readonly number[];
}

/** Nothing comes in and nothing goes out, until another policy lets it. */
export const DENY_ALL: types.input.networking.v1.NetworkPolicySpec = {
  podSelector: {},
  policyTypes: ["Ingress", "Egress"],
};

/** Names can be looked up: at the cluster's DNS and nowhere else. */
export const ALLOW_DNS: types.input.networking.v1.NetworkPolicySpec = {
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
};

export const tcp = (...ports: number[]) => ports.map((port) => ({ protocol: "TCP", port }));

export function podPeer({ namespace, labels }: Peer): types.input.networking.v1.NetworkPolicyPeer {
  return {
    namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": namespace } },
    podSelector: { matchLabels: labels },
  };
}

/** Where a pod may ask the cluster's API. */
export function toApiServer({ networks, ports }: ApiServerPeers): types.input.networking.v1.NetworkPolicyEgressRule {
  return {
    to: networks.map(({ cidr, except }) => ({ ipBlock: { cidr, ...(except && { except: [...except] }) } })),
    ...(ports.length > 0 && { ports: tcp(...ports) }),
  };
}

/** These pods may be asked by those, at these ports. */
export function fromPods(
  selector: Record<string, string>,
  peers: readonly Peer[],
  ports: readonly number[],
): types.input.networking.v1.NetworkPolicySpec {
  return {
    podSelector: { matchLabels: selector },
    policyTypes: ["Ingress"],
    ingress: [{ from: peers.map(podPeer), ports: tcp(...ports) }],
  };
}

/** A NetworkPolicy for each of these, called by the part that it is of and its key. */
export function createPolicies(
  name: string,
  metadata: (objectName: string) => types.input.meta.v1.ObjectMeta,
  policies: Readonly<Record<string, types.input.networking.v1.NetworkPolicySpec>>,
  opts: CustomResourceOptions,
): k8s.networking.v1.NetworkPolicy[] {
  return Object.entries(policies).map(([key, spec]) => {
    const policyName = `${name}-${key}`;
    return new k8s.networking.v1.NetworkPolicy(policyName, { metadata: metadata(policyName), spec }, opts);
  });
}

/** A Service of the cluster's own that is not waited for: its pods are, by what makes them. */
export function createService(
  name: string,
  metadata: types.input.meta.v1.ObjectMeta,
  spec: types.input.core.v1.ServiceSpec,
  opts: CustomResourceOptions,
): k8s.core.v1.Service {
  return new k8s.core.v1.Service(
    name,
    {
      metadata: { ...metadata, annotations: { "pulumi.com/skipAwait": "true" } },
      spec: { type: "ClusterIP", ...spec },
    },
    opts,
  );
}
