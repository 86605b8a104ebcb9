import type { types } from "@pulumi/kubernetes";
import type { Input } from "@pulumi/pulumi";
import type { Upstream } from "./routes";

type Policy = types.input.networking.v1.NetworkPolicySpec;

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

const tcp = (...ports: number[]) => ports.map((port) => ({ protocol: "TCP", port }));

/** From anywhere, which is what it is for, to the ports that are published. */
export function fromAnywhere(selector: Record<string, string>, ports: readonly number[]): Policy {
  return { podSelector: { matchLabels: selector }, policyTypes: ["Ingress"], ingress: [{ ports: tcp(...ports) }] };
}

/** To the authorizer, to the functions that routes lead to, and to the API where it asks that. */
export function toUpstreams(
  selector: Record<string, string>,
  upstreams: readonly Upstream[],
  authorizer: Peer & { readonly port: number },
  apiServer: ApiServerPeers | undefined,
): Policy {
  return {
    podSelector: { matchLabels: selector },
    policyTypes: ["Egress"],
    egress: [
      { to: [podPeer(authorizer)], ports: tcp(authorizer.port) },
      ...upstreams.map(({ namespace, function: name, port }) => ({
        to: [
          podPeer({ namespace, labels: { "app.kubernetes.io/name": name, "app.kubernetes.io/component": "function" } }),
        ],
        ports: tcp(port),
      })),
      ...(apiServer
        ? [
            {
              to: apiServer.networks.map(({ cidr, except }) => ({
                ipBlock: { cidr, ...(except && { except: [...except] }) },
              })),
              ...(apiServer.ports.length > 0 && { ports: tcp(...apiServer.ports) }),
            },
          ]
        : []),
    ],
  };
}

function podPeer({ namespace, labels }: Peer): types.input.networking.v1.NetworkPolicyPeer {
  return {
    namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": namespace } },
    podSelector: { matchLabels: labels },
  };
}
