import type { K3sClusterConfig, StackConfig } from "../../infra/config";
import { ProblemsError, type Problem } from "../../infra/problems";
import { k3sRelease, shimRelease, type Architecture } from "../../components/cluster/releases";

/** A file that hosts are to download, and by what it is known to be the right one. */
export interface BundleFile {
  /** In the bundle, laid out as the servers that hosts download from lay it out. */
  readonly path: string;
  readonly url: string;
  /** What it is, in words. */
  readonly what: string;
  /** The config's key that says where it comes from. */
  readonly key: string;
  /** Its SHA-256, or the file of this bundle that has it; undefined for such a list itself. */
  readonly sum?: { readonly sha256: string } | { readonly list: string };
}

/** Who signs the shim's releases, as `install-shim.sh` has it. */
const SIGNER = [
  "--certificate-identity https://github.com/containerd/runwasi/.github/workflows/action-build.yml@refs/heads/main",
  "--certificate-oidc-issuer https://token.actions.githubusercontent.com",
].join(" ");

/**
 * What the stack's hosts download, a list of sums always before what it lists.
 *
 * @throws ProblemsError where there are no hosts, or where it is not known which file is the right one
 */
export function bundleFiles(config: StackConfig): readonly BundleFile[] {
  const { cluster } = config;
  if (cluster.kind !== "k3s") throw refusal([noHosts()]);
  const { servers, agents } = cluster;
  const all = new Set([...servers, ...agents].map(({ architecture }) => architecture));
  const ofAgents = new Set(agents.map(({ architecture }) => architecture));
  const problems = [...ofAgents].filter((of) => cluster.shim.sha256[of] === undefined).map((of) => noSum(cluster, of));
  if (problems.length > 0) throw refusal(problems);
  return [
    ...[...all].sort().flatMap((architecture) => k3sFiles(cluster, architecture)),
    ...[...ofAgents].sort().map((architecture) => shimFile(cluster, architecture)),
  ];
}

function k3sFiles(cluster: K3sClusterConfig, architecture: Architecture): BundleFile[] {
  const { binary, sums, images } = k3sRelease(cluster, architecture);
  const sha256 = cluster.k3s.sha256[architecture];
  const common = { key: "cluster.k3s.url" };
  const list = `k3s/${sums.path}`;
  return [
    { ...common, path: list, url: sums.url, what: `K3s's list of sums for ${architecture}` },
    {
      ...common,
      path: `k3s/${binary.path}`,
      url: binary.url,
      what: `K3s for ${architecture}`,
      sum: sha256 === undefined ? { list } : { sha256 },
    },
    {
      ...common,
      path: `k3s/${images.path}`,
      url: images.url,
      what: `K3s's own images for ${architecture}`,
      sum: { list },
    },
  ];
}

function shimFile(cluster: K3sClusterConfig, architecture: Architecture): BundleFile {
  const { url, path } = shimRelease(cluster, architecture);
  return {
    key: "cluster.shim.url",
    path: `shim/${path}`,
    url,
    what: `containerd's shim for WasmEdge for ${architecture}`,
    sum: { sha256: cluster.shim.sha256[architecture] ?? "" },
  };
}

function refusal(problems: readonly Problem[]): ProblemsError {
  return new ProblemsError("The bundle cannot be made", problems);
}

function noHosts(): Problem {
  return {
    path: "cluster.kind",
    value: "existing",
    limit: "nothing is installed on hosts of a cluster that is there",
    fix: "use a stack whose cluster.kind is k3s; make backup keeps the images of functions",
  };
}

function noSum(cluster: K3sClusterConfig, architecture: Architecture): Problem {
  const { url } = shimRelease(cluster, architecture);
  const file = "containerd-shim-wasmedge-v1";
  return {
    path: `cluster.shim.sha256.${architecture}`,
    value: "missing",
    limit: "no sums of the shim are published, and hosts without the internet cannot ask who has signed it",
    fix:
      `verify it once and set its sum: curl -LO ${url} && tar -xzf ${url.split("/").pop()} && ` +
      `cosign verify-blob ${file} --signature ${file}.sig --certificate ${file}.pem ${SIGNER} && ` +
      `sha256sum ${url.split("/").pop()}`,
  };
}
