import type { ApiServerPeers } from "../components/gateway/network";
import type { StackConfig } from "./config";

/** K3s's port. */
const K3S_PORT = 6443;

/**
 * Where pods reach the cluster's API, for NetworkPolicies: they see packets after a Service's address was replaced by
 * that of a server. Of a cluster that this stack did not make the servers are not known: anything that is no pod.
 */
export function apiServerPeers({ cluster }: StackConfig): ApiServerPeers {
  if (cluster.kind === "k3s") {
    const networks = cluster.servers.map(({ address }) => ({ cidr: `${address}/32` }));
    return { networks, ports: [K3S_PORT] };
  }
  // Neither pods nor a cloud's metadata, which hands out credentials. Where `make up` starts it, the port is any.
  const networks = [{ cidr: "0.0.0.0/0", except: [cluster.network.podCidr.text, "169.254.0.0/16"] }];
  return { networks, ports: cluster.embedded === undefined ? [443, K3S_PORT] : [] };
}
