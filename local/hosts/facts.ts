import { API_PORT, kernelModules } from "../../components/cluster/host-needs";
import { registrationAddress } from "../../components/cluster/k3s-config";
import { k3sRelease, shimRelease } from "../../components/cluster/releases";
import type { K3sClusterConfig } from "../../infra/config";
import type { Host } from "./ssh";

export type Role = "server" | "agent";

/** What is asked of one host. */
export interface Questions {
  readonly modules: readonly string[];
  readonly sysctls: readonly string[];
  readonly programs: readonly string[];
  /** Such as `tcp/6443`. */
  readonly ports: readonly string[];
  /** Other nodes' addresses and ports, such as `192.0.2.11 6443`. */
  readonly peers: readonly string[];
  readonly urls: readonly string[];
}

/** What a host says of itself, by name; see `check-host.sh`. */
export type Facts = ReadonlyMap<string, string>;

/** What the scripts that run on hosts call; K3s brings everything else itself. */
const PROGRAMS = [
  ...["curl", "tar", "sha256sum", "awk", "find", "timeout", "cmp", "hostname", "pkill", "ip"],
  ...["systemctl", "journalctl", "modprobe", "sysctl"],
];

/** Ports of K3s's inbound rules (https://docs.k3s.io/installation/requirements): etcd, and the kubelet. */
const [ETCD_PORTS, KUBELET_PORT] = [[2379, 2380], 10250] as const;

const BACKEND_PORTS: Readonly<Record<K3sClusterConfig["flannelBackend"], readonly string[]>> = {
  "wireguard-native": ["udp/51820"],
  vxlan: ["udp/8472"],
  "host-gw": [],
};

export function questionsFor(cluster: K3sClusterConfig, host: Host, sysctls: readonly string[]): Questions {
  const role = roleOf(cluster, host);
  const { architecture } = host;
  const { binary, sums, images } = k3sRelease(cluster, architecture);
  const { airgapImages, sha256 } = cluster.k3s;
  const downloads = [
    binary,
    ...(airgapImages ? [images] : []),
    ...(airgapImages || sha256[architecture] === undefined ? [sums] : []),
    ...(role === "agent" ? [shimRelease(cluster, architecture)] : []),
  ];
  const ownPorts = role === "server" ? [API_PORT, ...ETCD_PORTS, KUBELET_PORT] : [KUBELET_PORT];
  return {
    modules: kernelModules(cluster),
    sysctls,
    programs: [...PROGRAMS, ...(role === "agent" && cluster.shim.sha256[architecture] === undefined ? ["cosign"] : [])],
    ports: [...ownPorts.map((port) => `tcp/${port}`), ...BACKEND_PORTS[cluster.flannelBackend]],
    peers: peersOf(cluster, host, role),
    urls: downloads.map(({ url }) => url),
  };
}

export function roleOf(cluster: K3sClusterConfig, host: Host): Role {
  return cluster.servers.some(({ name }) => name === host.name) ? "server" : "agent";
}

/** Every node asks the servers' API, servers talk to each other's etcd and to every kubelet. */
function peersOf(cluster: K3sClusterConfig, host: Host, role: Role): string[] {
  const others = (hosts: readonly Host[]) => hosts.filter(({ name }) => name !== host.name);
  const servers = others(cluster.servers);
  const to = (hosts: readonly Host[], port: number) => hosts.map(({ address }) => `${address} ${port}`);
  const front = registrationAddress(cluster);
  const isServer = cluster.servers.some(({ address }) => address === front);
  return [
    ...to(servers, API_PORT),
    ...(isServer ? [] : [`${front} ${API_PORT}`]),
    ...(role === "server" ? ETCD_PORTS.flatMap((port) => to(servers, port)) : []),
    ...(role === "server" ? to(others([...cluster.servers, ...cluster.agents]), KUBELET_PORT) : []),
  ];
}

/** As settings of `check-host.sh`. */
export function settingsOf({ modules, sysctls, programs, ports, peers, urls }: Questions): Record<string, string> {
  const lines = { MODULES: modules, SYSCTLS: sysctls, PROGRAMS: programs, PORTS: ports, PEERS: peers, URLS: urls };
  return Object.fromEntries(Object.entries(lines).map(([name, values]) => [name, values.join("\n")]));
}

/** A name may hold an equals sign, as URLs do, so what is asked for is looked for first. */
export function parseFacts(text: string, { urls }: Pick<Questions, "urls">): Facts {
  return new Map(
    text.split("\n").flatMap((line): [string, string][] => {
      const url = urls.find((one) => line.startsWith(`url.${one}=`));
      const end = url === undefined ? line.indexOf("=") : `url.${url}`.length;
      return end < 0 ? [] : [[line.slice(0, end), line.slice(end + 1).trim()]];
    }),
  );
}
