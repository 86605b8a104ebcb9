import type { types } from "@pulumi/kubernetes";
import type { Input } from "@pulumi/pulumi";

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
