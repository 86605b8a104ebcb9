import type { types } from "@pulumi/kubernetes";
import { podPeer, tcp, toApiServer, type ApiServerPeers, type Peer } from "../network";
import type { Upstream } from "./routes";

type Policy = types.input.networking.v1.NetworkPolicySpec;

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
      ...(apiServer ? [toApiServer(apiServer)] : []),
    ],
  };
}
