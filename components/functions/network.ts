import type { types } from "@pulumi/kubernetes";
import type { FunctionConfig } from "../../infra/config";

/** Whose pods may call functions. */
export interface GatewayPeer {
  readonly namespace: string;
  /** The `app.kubernetes.io/name` of the gateway's pods. */
  readonly name: string;
}

/** Only the `http` port is published: draining is the kubelet's business alone. */
export function serviceSpec(selector: Record<string, string>): types.input.core.v1.ServiceSpec {
  return {
    type: "ClusterIP",
    selector,
    ports: [{ name: "http", protocol: "TCP", port: 80, targetPort: "http" }],
  };
}

/** A name with an address for each pod that is ready, for a gateway that finds them by DNS. */
export function headlessSpec(fn: FunctionConfig, selector: Record<string, string>): types.input.core.v1.ServiceSpec {
  return {
    type: "ClusterIP",
    clusterIP: "None",
    selector,
    ports: [{ name: "http", protocol: "TCP", port: fn.server.port, targetPort: "http" }],
  };
}

/** Requests come through the gateway; probes and the drain call come from the node itself, which is never held up. */
export function ingressPolicy(
  fn: FunctionConfig,
  selector: Record<string, string>,
  gateway: GatewayPeer,
): types.input.networking.v1.NetworkPolicySpec {
  return {
    podSelector: { matchLabels: selector },
    policyTypes: ["Ingress"],
    ingress: [
      {
        from: [
          {
            namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": gateway.namespace } },
            podSelector: { matchLabels: { "app.kubernetes.io/name": gateway.name } },
          },
        ],
        ports: [{ protocol: "TCP", port: fn.server.port }],
      },
    ],
  };
}

/** Of all addresses, those of the database. */
export function databasePolicy(
  database: NonNullable<FunctionConfig["database"]>,
  selector: Record<string, string>,
): types.input.networking.v1.NetworkPolicySpec {
  return {
    podSelector: { matchLabels: selector },
    policyTypes: ["Egress"],
    egress: [
      {
        to: database.addresses.map((address) => ({ ipBlock: { cidr: address.text } })),
        ports: [{ protocol: "TCP", port: database.port }],
      },
    ],
  };
}
