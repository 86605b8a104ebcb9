import type { ApiServerPeers } from "../components/network";
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
  // Where `make up` starts it, the port is any.
  return { networks: [notPods(cluster)], ports: cluster.embedded === undefined ? [443, K3S_PORT] : [] };
}

/** Where the hosts are, with the ports at which parts of the control plane tell their metrics there. */
export function hostPeers({ cluster, observability }: StackConfig): ApiServerPeers {
  if (cluster.kind === "k3s") {
    const networks = [...cluster.servers, ...cluster.agents].map(({ address }) => ({ cidr: `${address}/32` }));
    return { networks, ports: [] };
  }
  const { scheduler, controllerManager } = observability.controlPlane;
  const ports = [scheduler, controllerManager].filter((port) => port !== undefined);
  return { networks: [notPods(cluster)], ports };
}

/** Neither pods nor a cloud's metadata, which hands out credentials. */
function notPods({ network }: StackConfig["cluster"]) {
  return { cidr: "0.0.0.0/0", except: [network.podCidr.text, "169.254.0.0/16"] };
}
