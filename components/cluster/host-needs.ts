import type { K3sClusterConfig } from "../../infra/config";

/** Where the API server listens on every server. */
export const API_PORT = 6443;

/** Modules that pods' networks and file systems need, and that of packets between nodes. */
export function kernelModules({ flannelBackend }: Pick<K3sClusterConfig, "flannelBackend">): readonly string[] {
  const backend = { "wireguard-native": ["wireguard"], vxlan: ["vxlan"], "host-gw": [] }[flannelBackend];
  return ["overlay", "br_netfilter", "nf_conntrack", ...backend];
}
