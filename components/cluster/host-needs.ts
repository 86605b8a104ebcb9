import type { K3sClusterConfig } from "../../infra/config";

type Host = K3sClusterConfig["servers"][number];

/** Where the API server listens on every server. */
export const API_PORT = 6443;

/** Modules that pods' networks and file systems need, and that of packets between nodes. */
export function kernelModules({ flannelBackend }: Pick<K3sClusterConfig, "flannelBackend">): readonly string[] {
  const backend = { "wireguard-native": ["wireguard"], vxlan: ["vxlan"], "host-gw": [] }[flannelBackend];
  return ["overlay", "br_netfilter", "nf_conntrack", ...backend];
}

export interface K3sDownload {
  readonly url: string;
  /** The release's list of SHA-256 sums, and the binary's name in it. */
  readonly sumsUrl: string;
  readonly binary: string;
  /** Known beforehand; it wins over the list. */
  readonly sha256: string | undefined;
}

/** K3s's binary for a host, as its releases are laid out. */
export function k3sDownload({ k3s, version }: K3sClusterConfig, { architecture }: Host): K3sDownload {
  const release = `${k3s.url}/${encodeURIComponent(version)}`;
  const binary = architecture === "amd64" ? "k3s" : `k3s-${architecture}`;
  return {
    url: `${release}/${binary}`,
    sumsUrl: `${release}/sha256sum-${architecture}.txt`,
    binary,
    sha256: k3s.sha256[architecture],
  };
}

export interface ShimDownload {
  readonly url: string;
  /** Without it the signature in the archive is verified, by `cosign` on the host. */
  readonly sha256: string | undefined;
}

/** The WasmEdge shim's archive for a host, as runwasi's releases are laid out. */
export function shimDownload({ shim }: K3sClusterConfig, { architecture }: Host): ShimDownload {
  const machine = { amd64: "x86_64", arm64: "aarch64" }[architecture];
  const release = encodeURIComponent(`containerd-shim-wasmedge/${shim.version}`);
  return {
    url: `${shim.url}/${release}/containerd-shim-wasmedge-${machine}-linux-musl.tar.gz`,
    sha256: shim.sha256[architecture],
  };
}
