/** The K3s release of the reference workload; the embedded control plane runs the same Kubernetes. */
export const DEFAULT_K3S_VERSION = "v1.30.4+k3s1";

/** The release of runwasi's shim that has WasmEdge 0.14.1 in it. */
export const DEFAULT_SHIM_VERSION = "v0.6.0";

/** A minor version of K3s that the program knows how to set up. */
export interface K3sRelease {
  readonly minor: string;
  /** The day on which Kubernetes stops patching this minor, by its release calendar. */
  readonly endOfLife: string;
}

/** The accepted minors, oldest first; a plan for any other one fails. 1.30 is the one whose flags and defaults were run. */
export const K3S_RELEASES: readonly K3sRelease[] = [
  { minor: "1.30", endOfLife: "2025-06-28" },
  { minor: "1.31", endOfLife: "2025-10-28" },
  { minor: "1.32", endOfLife: "2026-02-28" },
  { minor: "1.33", endOfLife: "2026-06-28" },
  { minor: "1.34", endOfLife: "2026-10-27" },
  { minor: "1.35", endOfLife: "2027-02-28" },
];

/**
 * The day on which the table was last gone through: a minor that ended before it is old. A plan reads no clock,
 * or the same config would come to another plan tomorrow.
 */
export const K3S_RELEASES_REVIEWED = "2026-11-24";

/** `v1.30.4+k3s1` as `1.30`. */
export function k3sMinor(version: string): string {
  return version.replace(/^v(\d+\.\d+)\..*$/, "$1");
}

/**
 * What `local/tools` finds, downloads or builds; the programs of Kubernetes itself share one version. K3s v1.30.4 brings
 * CoreDNS 1.10.1; 1.11.4 is the one that builds from its module. Pulumi's random provider 4.21.1 is made of HashiCorp's
 * 3.9.0, which its module here pins. Prometheus' Go module counts on from 0.300.0: v0.316.0 is release 3.16.0. Gatekeeper's
 * manager 3.15.1, of the manifest, does not build from its module (it needs a patched controller-runtime); 3.17.0 does.
 */
export const TOOL_VERSIONS = {
  pulumi: "3.259.0",
  "pulumi-resource-kubernetes": "4.25.0",
  "pulumi-resource-command": "1.2.1",
  "pulumi-resource-random": "4.21.1",
  kubernetes: "1.30.4",
  etcd: "3.6.16",
  kwok: "0.8.0",
  "metrics-server": "0.7.2",
  coredns: "1.11.4",
  "kube-router": "2.1.0",
  traefik: "3.6.12",
  opa: "0.60.0",
  gator: "3.15.1",
  gatekeeper: "3.17.0",
  keda: "2.15.1",
  prometheus: "3.16.0",
  loki: "3.4.2",
  otelcol: "0.160.0",
  "kube-state-metrics": "2.13.0",
  actionlint: "1.7.12",
  kubeconform: "0.8.0",
  "kube-score": "1.20.0",
} as const;

/**
 * Images of the request path, of observability, admission and autoscaling, where a stack names no other: Traefik as it was run here, and official
 * Node, of which any from 20.12 on will do. Kong 3.9 is the last line with open-source images. Alertmanager and
 * node-exporter are of the versions that Debian 13 has, which are run here.
 */
export const DEFAULT_IMAGES = {
  traefik: `docker.io/library/traefik:v${TOOL_VERSIONS.traefik}`,
  kong: "docker.io/library/kong:3.9.1",
  node: "docker.io/library/node:22.21.1-bookworm-slim",
  prometheus: `quay.io/prometheus/prometheus:v${TOOL_VERSIONS.prometheus}`,
  alertmanager: "quay.io/prometheus/alertmanager:v0.28.1",
  grafana: "docker.io/grafana/grafana:12.4.5",
  loki: `docker.io/grafana/loki:${TOOL_VERSIONS.loki}`,
  collector: `docker.io/otel/opentelemetry-collector-contrib:${TOOL_VERSIONS.otelcol}`,
  kubeStateMetrics: `registry.k8s.io/kube-state-metrics/kube-state-metrics:v${TOOL_VERSIONS["kube-state-metrics"]}`,
  nodeExporter: "quay.io/prometheus/node-exporter:v1.9.0",
  gatekeeper: "docker.io/openpolicyagent/gatekeeper:v3.15.1",
  kedaOperator: `ghcr.io/kedacore/keda:${TOOL_VERSIONS.keda}`,
  kedaAdapter: `ghcr.io/kedacore/keda-metrics-apiserver:${TOOL_VERSIONS.keda}`,
} as const;

/**
 * A controller's release manifest, of which this repository keeps a copy: each of its objects is planned as a resource, and a
 * preview needs no network for it.
 */
export interface ReleaseManifest {
  readonly version: string;
  /** Where its publisher has it, or the folder that has its parts. */
  readonly url: string;
  /** Of a manifest that is published as a list of files: they follow each other in the copy. */
  readonly parts?: readonly string[];
  readonly sha256: string;
  /** The copy, from the project's root. */
  readonly file: string;
  /** The publisher's Go module that has the same file, or folder, for where the URL is out of reach. */
  readonly module?: { readonly path: string; readonly file: string };
}

/**
 * `make manifests` renews the copies. MetalLB from 0.15 on: earlier manifests bring an expired certificate in a CRD, and the
 * webhooks fail until the controller has replaced it.
 */
export const MANIFESTS = {
  metallb: {
    version: "0.15.3",
    url: "https://raw.githubusercontent.com/metallb/metallb/v0.15.3/config/manifests/metallb-native.yaml",
    sha256: "84b4e102f2b65f5d69085f5816c29362b74641873d8ac3de996e5f86a8219176",
    file: "components/gateway/metallb/metallb-native.yaml",
    module: { path: "go.universe.tf/metallb", file: "config/manifests/metallb-native.yaml" },
  },
  gatekeeper: {
    version: "3.15.1",
    url: "https://raw.githubusercontent.com/open-policy-agent/gatekeeper/v3.15.1/deploy/gatekeeper.yaml",
    sha256: "f23d0b312f19c614d9db37b26492d3f9045d0e0bbbf3cfc15a73fbed4cac3550",
    file: "components/admission/gatekeeper/gatekeeper.yaml",
    module: { path: "github.com/open-policy-agent/gatekeeper/v3", file: "deploy/gatekeeper.yaml" },
  },
  // What kustomize makes the release's own file of, which has labels with the version in it besides. Left out are the webhooks,
  // since this program checks what it makes, and the CRD of ScaledJob, of half a megabyte: components/autoscaling/ has a small one.
  keda: {
    version: "2.15.1",
    url: "https://raw.githubusercontent.com/kedacore/keda/v2.15.1/config",
    parts: [
      "general/namespace.yaml",
      "crd/bases/keda.sh_scaledobjects.yaml",
      "crd/bases/keda.sh_triggerauthentications.yaml",
      "crd/bases/keda.sh_clustertriggerauthentications.yaml",
      "crd/bases/eventing.keda.sh_cloudeventsources.yaml",
      "service_account/service_account.yaml",
      "rbac/role.yaml",
      "rbac/role_binding.yaml",
      "manager/manager.yaml",
      "manager/service.yaml",
      "metrics-server/role.yaml",
      "metrics-server/role_binding.yaml",
      "metrics-server/deployment.yaml",
      "metrics-server/service.yaml",
      "metrics-server/api_service.yaml",
    ],
    sha256: "88a2df314c1530dfd7ae6a37085e9ff68c89ac0be7b3857e0c61272afda5216a",
    file: "components/autoscaling/keda/keda.yaml",
    module: { path: "github.com/kedacore/keda/v2", file: "config" },
  },
} as const satisfies Record<string, ReleaseManifest>;

/** A `pulumi` on PATH is used as it is from the release of the SDK in package.json on: older engines were not tried with it. */
export const MINIMUM_PULUMI = "3.248.0";

/** The newest `go` line of the modules in local/tools: Prometheus'. */
export const MINIMUM_GO = "1.26.7";

/** Where the publishers' own files lie; tests put a loopback server in their place. */
export const RELEASE_HOSTS = {
  pulumi: "https://get.pulumi.com",
  github: "https://github.com",
  kubernetes: "https://dl.k8s.io",
} as const;

export type ReleaseHost = keyof typeof RELEASE_HOSTS;

/** Go's names of the processor architectures. */
export type Arch = "amd64" | "arm64";

export interface ReleaseFile {
  readonly host: ReleaseHost;
  readonly path: (arch: Arch) => string;
}

/** An official binary for Linux. Each is verified before it is run, so one of `checksums` and `sha256` has to be known. */
export interface ToolRelease extends ReleaseFile {
  /** The publisher's own list of SHA-256 sums: `sum  file` lines, or one bare sum. */
  readonly checksums?: ReleaseFile;
  /** Sums known beforehand; they win over the publisher's list. */
  readonly sha256?: Partial<Record<Arch, string>>;
  /** The program inside a .tar.gz; without it the file is the program itself. */
  readonly member?: (arch: Arch) => string;
}

const v = TOOL_VERSIONS;
const TRAEFIK_RELEASE = `/traefik/traefik/releases/download/v${v.traefik}`;
const OTELCOL_RELEASE = `/open-telemetry/opentelemetry-collector-releases/releases/download/v${v.otelcol}`;
const OPA_RELEASE = `/open-policy-agent/opa/releases/download/v${v.opa}`;

/**
 * kwok publishes bare binaries and gator archives, both without a list of sums, metrics-server, kube-state-metrics,
 * Gatekeeper and KEDA images and manifests only, Loki zip archives, and kube-router archives without a list of sums, of a program that
 * does not know its version; the sums of Pulumi's random provider are SHA-1: these are built.
 * The names of the Kubernetes and the command provider's lists are what their release tool makes by default; were one
 * another, or of another sum, the download would be refused and the provider built.
 */
export const TOOL_RELEASES = {
  pulumi: {
    host: "pulumi",
    path: (arch) => `/releases/sdk/pulumi-v${v.pulumi}-linux-${arch === "amd64" ? "x64" : arch}.tar.gz`,
    checksums: {
      host: "github",
      path: () => `/pulumi/pulumi/releases/download/v${v.pulumi}/pulumi-${v.pulumi}-checksums.txt`,
    },
    member: () => "pulumi/pulumi",
  },
  "pulumi-resource-kubernetes": pluginRelease("kubernetes"),
  "pulumi-resource-command": pluginRelease("command"),
  "kube-apiserver": kubernetesRelease("kube-apiserver"),
  "kube-controller-manager": kubernetesRelease("kube-controller-manager"),
  "kube-scheduler": kubernetesRelease("kube-scheduler"),
  kubectl: kubernetesRelease("kubectl"),
  kubelet: kubernetesRelease("kubelet"),
  "kube-proxy": kubernetesRelease("kube-proxy"),
  etcd: etcdRelease("etcd"),
  etcdutl: etcdRelease("etcdutl"),
  coredns: {
    host: "github",
    path: corednsRelease,
    checksums: { host: "github", path: (arch) => `${corednsRelease(arch)}.sha256` },
    member: () => "coredns",
  },
  traefik: {
    host: "github",
    path: (arch) => `${TRAEFIK_RELEASE}/traefik_v${v.traefik}_linux_${arch}.tar.gz`,
    checksums: { host: "github", path: () => `${TRAEFIK_RELEASE}/traefik_v${v.traefik}_checksums.txt` },
    member: () => "traefik",
  },
  opa: {
    host: "github",
    path: (arch) => `${OPA_RELEASE}/opa_linux_${arch}_static`,
    checksums: { host: "github", path: (arch) => `${OPA_RELEASE}/opa_linux_${arch}_static.sha256` },
  },
  prometheus: prometheusRelease("prometheus"),
  promtool: prometheusRelease("promtool"),
  otelcol: {
    host: "github",
    path: (arch) => `${OTELCOL_RELEASE}/otelcol-contrib_${v.otelcol}_linux_${arch}.tar.gz`,
    checksums: {
      host: "github",
      path: () => `${OTELCOL_RELEASE}/opentelemetry-collector-releases_otelcol-contrib_checksums.txt`,
    },
    member: () => "otelcol-contrib",
  },
} as const satisfies Record<string, ToolRelease>;

function pluginRelease(name: "kubernetes" | "command"): ToolRelease {
  const plugin = `pulumi-resource-${name}` as const;
  const version = v[plugin];
  const folder = `/pulumi/pulumi-${name}/releases/download/v${version}`;
  return {
    host: "github",
    path: (arch) => `${folder}/${plugin}-v${version}-linux-${arch}.tar.gz`,
    checksums: { host: "github", path: () => `${folder}/pulumi-${name}_${version}_checksums.txt` },
    member: () => plugin,
  };
}

function etcdRelease(name: "etcd" | "etcdutl"): ToolRelease {
  const folder = `/etcd-io/etcd/releases/download/v${v.etcd}`;
  return {
    host: "github",
    path: (arch) => `${folder}/etcd-v${v.etcd}-linux-${arch}.tar.gz`,
    checksums: { host: "github", path: () => `${folder}/SHA256SUMS` },
    member: (arch) => `etcd-v${v.etcd}-linux-${arch}/${name}`,
  };
}

function prometheusRelease(name: "prometheus" | "promtool"): ToolRelease {
  const folder = `/prometheus/prometheus/releases/download/v${v.prometheus}`;
  const archive = (arch: Arch) => `prometheus-${v.prometheus}.linux-${arch}`;
  return {
    host: "github",
    path: (arch) => `${folder}/${archive(arch)}.tar.gz`,
    checksums: { host: "github", path: () => `${folder}/sha256sums.txt` },
    member: (arch) => `${archive(arch)}/${name}`,
  };
}

function corednsRelease(arch: Arch): string {
  return `/coredns/coredns/releases/download/v${v.coredns}/coredns_${v.coredns}_linux_${arch}.tgz`;
}

function kubernetesRelease(name: string): ToolRelease {
  const path = (arch: Arch) => `/release/v${v.kubernetes}/bin/linux/${arch}/${name}`;
  return { host: "kubernetes", path, checksums: { host: "kubernetes", path: (arch) => `${path(arch)}.sha256` } };
}
