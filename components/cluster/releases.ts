import type { K3sClusterConfig } from "../../infra/config";

export type Architecture = K3sClusterConfig["servers"][number]["architecture"];

/** A file of a release: what it is called, and where hosts download it. */
export interface ReleaseFile {
  readonly name: string;
  readonly url: string;
  /** Its path under the folder that the config's `url` stands for, as a web server that decodes URLs finds it. */
  readonly path: string;
}

export interface K3sRelease {
  readonly binary: ReleaseFile;
  /** SHA-256 sums of the others, one a line. */
  readonly sums: ReleaseFile;
  /** The images that K3s itself starts, for hosts that reach no registry. */
  readonly images: ReleaseFile;
}

/** The files of the cluster's release of K3s, for hosts of one architecture. */
export function k3sRelease({ version, k3s }: K3sClusterConfig, architecture: Architecture): K3sRelease {
  const file = (name: string) => ({
    name,
    url: `${k3s.url}/${encodeURIComponent(version)}/${name}`,
    path: `${version}/${name}`,
  });
  return {
    binary: file(architecture === "amd64" ? "k3s" : `k3s-${architecture}`),
    sums: file(`sha256sum-${architecture}.txt`),
    images: file(`k3s-airgap-images-${architecture}.tar.zst`),
  };
}

/** The archive of the shim's release, which is named after its project and so has a slash in its name. */
export function shimRelease({ shim }: K3sClusterConfig, architecture: Architecture): ReleaseFile {
  const machine = { amd64: "x86_64", arm64: "aarch64" }[architecture];
  const name = `containerd-shim-wasmedge-${machine}-linux-musl.tar.gz`;
  const release = `containerd-shim-wasmedge/${shim.version}`;
  return { name, url: `${shim.url}/${encodeURIComponent(release)}/${name}`, path: `${release}/${name}` };
}
