import { MINIMUM_PULUMI, TOOL_RELEASES, TOOL_VERSIONS, type ToolRelease } from "../../infra/versions";

/** The tools by what needs them: each group costs minutes to build, so only what is used is made ready. */
export const TOOL_GROUPS = {
  /** The embedded default with simulated nodes: what `make tools` makes ready when it is given no names. */
  local: [
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubectl",
    "kwok",
    "kwokctl",
    "metrics-server",
    "gatekeeper",
    "pulumi",
    "pulumi-resource-kubernetes",
    "pulumi-resource-random",
  ],
  /** A real node beside them: what K3s has built in, or brings as an image. */
  node: ["kubelet", "kube-proxy", "kube-router", "coredns", "traefik"],
  /** What watches a real node from its pods, and the tool by which its rules are tested. */
  monitoring: ["prometheus", "promtool", "loki", "otelcol", "kube-state-metrics"],
  /** What scales a function by its requests, on simulated nodes: with Prometheus, of the group above. */
  scaling: ["keda-operator", "keda-adapter"],
  /** K3s on hosts: what a stack's program enters them by, and makes their tokens. */
  hosts: ["pulumi-resource-command"],
  /**
   * The tests alone: what K3s restores a snapshot by, which is built into it; what policies are built and tested by; what
   * reads the workflows, and every stack's objects.
   */
  tests: ["etcdutl", "opa", "gator", "actionlint", "kubeconform", "kube-score"],
} as const;

export type ToolGroup = keyof typeof TOOL_GROUPS;

/** Every tool, in the order in which they are made ready. */
export const TOOL_NAMES = [
  ...TOOL_GROUPS.local,
  ...TOOL_GROUPS.node,
  ...TOOL_GROUPS.monitoring,
  ...TOOL_GROUPS.scaling,
  ...TOOL_GROUPS.hosts,
  ...TOOL_GROUPS.tests,
] as const;

export type ToolName = (typeof TOOL_NAMES)[number];

export interface Tool {
  readonly name: ToolName;
  /** Without the `v`. */
  readonly version: string;
  /**
   * How the program is asked for its version; the first group of `pattern` is the version without its `v`. Without a
   * probe a program on PATH cannot be told from another version and is not used.
   */
  readonly probe?: { readonly args: readonly string[]; readonly pattern: RegExp };
  /** Whether a version found on PATH will do, and how that reads in a message. */
  readonly accepts: { readonly text: string; readonly test: (version: string) => boolean };
  /** The publisher's own binary, where there is one that can be verified. */
  readonly release?: ToolRelease;
  readonly build: Build;
}

/** One `go build`. Several tools may come out of it: the names under which one program is started. */
export interface Build {
  readonly name: string;
  /** The folder under local/tools with go.mod and go.sum, and a main package where there is no published one. */
  readonly module: string;
  readonly package: string;
  readonly version: string;
  /** Variables set by the linker. */
  readonly set: Readonly<Record<string, string>>;
  /** Go's build tags: what of the package is compiled. */
  readonly tags?: readonly string[];
  /**
   * Compiled with optimizations. Without them a build takes 30 % less, so only what the measurements of the control
   * plane and of nodes rest on has them.
   */
  readonly optimized: boolean;
  /** Files of a dependency that the main package embeds, copied beside it. */
  readonly embed?: { readonly module: string; readonly folder: string; readonly files: readonly string[] };
  /** Of a program of ours that takes another one's place: what is said where it is used. */
  readonly standIn?: string;
}

const versions = TOOL_VERSIONS;

/** Several of Kubernetes' programs in one. */
function kubernetesBuild(name: "kubernetes" | "kubernetes-node"): Build {
  return {
    name,
    module: name,
    package: ".",
    version: versions.kubernetes,
    set: {
      // What --version and `kubectl version` report, and what the user agent of every request says.
      "k8s.io/component-base/version.gitVersion": `v${versions.kubernetes}`,
      "k8s.io/component-base/version.gitMajor": minor(versions.kubernetes)[0],
      "k8s.io/component-base/version.gitMinor": minor(versions.kubernetes)[1],
      "k8s.io/client-go/pkg/version.gitVersion": `v${versions.kubernetes}`,
    },
    optimized: true,
  };
}

const controlPlane = kubernetesBuild("kubernetes");
const node = kubernetesBuild("kubernetes-node");

type KubernetesProgram = "kube-apiserver" | "kube-controller-manager" | "kube-scheduler" | "kubelet" | "kube-proxy";

function kubernetesTool(name: KubernetesProgram, build: Build): Tool {
  return {
    name,
    version: versions.kubernetes,
    probe: { args: ["--version"], pattern: /^Kubernetes v(\S+)/m },
    accepts: exactly(versions.kubernetes),
    release: TOOL_RELEASES[name],
    build,
  };
}

/** A Pulumi plugin with a main package of ours. No probe: a plugin tells its version over its own protocol only. */
function pluginTool(name: "pulumi-resource-command" | "pulumi-resource-random", more: Partial<Build>): Tool {
  const version = versions[name];
  const set = { "main.version": version };
  return {
    name,
    version,
    accepts: exactly(version),
    build: { name, module: name, package: ".", version, set, optimized: false, ...more },
  };
}

function kwokTool(name: "kwok" | "kwokctl"): Tool {
  return {
    name,
    version: versions.kwok,
    probe: { args: ["--version"], pattern: /version v(\S+)/ },
    accepts: exactly(versions.kwok),
    build: {
      name,
      module: "kwok",
      package: `sigs.k8s.io/kwok/cmd/${name}`,
      version: versions.kwok,
      set: { "sigs.k8s.io/kwok/pkg/consts.Version": versions.kwok },
      optimized: false,
    },
  };
}

/** A tool of one main package, small enough to be built wherever it is not in the cache. */
function checkerTool(name: "actionlint" | "kubeconform" | "kube-score", path: string): Tool {
  const version = versions[name];
  const build = { name, module: name, package: path, version, set: {}, optimized: true };
  // No probe: built from modules, they do not know their version.
  return { name, version, accepts: exactly(version), build };
}

/** etcd's server and its tool for data on disk, in one program. */
function etcdTool(name: "etcd" | "etcdutl", probe: NonNullable<Tool["probe"]>): Tool {
  return {
    name,
    version: versions.etcd,
    probe,
    accepts: exactly(versions.etcd),
    release: TOOL_RELEASES[name],
    build: { name: "etcd", module: "etcd", package: ".", version: versions.etcd, set: {}, optimized: true },
  };
}

/**
 * Prometheus' server and its tool for rules, each a program of its own: tests of rules need the tool alone. Of the ways to
 * find targets it has those of files, HTTP and Kubernetes, since the clouds' make most of the build. The module lacks
 * the compiled web UI, which the official binaries embed: the API is all there.
 */
function prometheusTool(name: "prometheus" | "promtool"): Tool {
  return {
    name,
    version: versions.prometheus,
    probe: { args: ["--version"], pattern: new RegExp(`^${name}, version (\\S+)`, "m") },
    accepts: exactly(versions.prometheus),
    release: TOOL_RELEASES[name],
    build: {
      name,
      module: "prometheus",
      package: `github.com/prometheus/prometheus/cmd/${name}`,
      version: versions.prometheus,
      set: { "github.com/prometheus/common/version.Version": versions.prometheus },
      tags: ["remove_all_sd", "enable_kubernetes_sd", "netgo"],
      optimized: false,
    },
  };
}

/** KEDA's operator, and its metrics adapter by a main package of ours: see its file. No probe: they take no such flag. */
function kedaTool(name: "keda-operator" | "keda-adapter", path: string): Tool {
  const version = versions.keda;
  const set = { "github.com/kedacore/keda/v2/version.Version": version };
  // Neither is asked more than a few times a second.
  const build = { name, module: "keda", package: path, version, set, optimized: false };
  return { name, version, accepts: exactly(version), build };
}

export const TOOLS: Readonly<Record<ToolName, Tool>> = {
  etcd: etcdTool("etcd", { args: ["--version"], pattern: /^etcd Version: (\S+)/m }),
  etcdutl: etcdTool("etcdutl", { args: ["version"], pattern: /^etcdutl version: (\S+)/m }),
  "kube-apiserver": kubernetesTool("kube-apiserver", controlPlane),
  "kube-controller-manager": kubernetesTool("kube-controller-manager", controlPlane),
  "kube-scheduler": kubernetesTool("kube-scheduler", controlPlane),
  kubectl: {
    name: "kubectl",
    version: versions.kubernetes,
    probe: { args: ["version", "--client"], pattern: /^Client Version: v(\S+)/m },
    // A client of the same minor speaks every API of the server; patches do not change commands.
    accepts: {
      text: `v${minor(versions.kubernetes).join(".")}.x`,
      test: (version) => minor(version).join(".") === minor(versions.kubernetes).join("."),
    },
    release: TOOL_RELEASES.kubectl,
    build: controlPlane,
  },
  kwok: kwokTool("kwok"),
  kwokctl: kwokTool("kwokctl"),
  "metrics-server": {
    name: "metrics-server",
    version: versions["metrics-server"],
    probe: { args: ["--version"], pattern: /^v(\S+)/m },
    accepts: exactly(versions["metrics-server"]),
    build: {
      name: "metrics-server",
      module: "metrics-server",
      package: "sigs.k8s.io/metrics-server/cmd/metrics-server",
      version: versions["metrics-server"],
      set: { "k8s.io/client-go/pkg/version.gitVersion": `v${versions["metrics-server"]}` },
      optimized: false,
    },
  },
  gatekeeper: {
    name: "gatekeeper",
    version: versions.gatekeeper,
    // No probe: the manager tells its version to the API server alone.
    accepts: exactly(versions.gatekeeper),
    build: {
      name: "gatekeeper",
      module: "gatekeeper",
      package: "github.com/open-policy-agent/gatekeeper/v3",
      version: versions.gatekeeper,
      set: { "github.com/open-policy-agent/gatekeeper/v3/pkg/version.Version": `v${versions.gatekeeper}` },
      // Each admission waits for it.
      optimized: true,
    },
  },
  pulumi: {
    name: "pulumi",
    version: versions.pulumi,
    probe: { args: ["version"], pattern: /^v(\S+)/m },
    accepts: {
      text: `3.x from v${MINIMUM_PULUMI} on`,
      test: (version) => version.startsWith("3.") && !isOlder(version, MINIMUM_PULUMI),
    },
    release: TOOL_RELEASES.pulumi,
    build: {
      name: "pulumi",
      module: "pulumi",
      package: "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
      version: versions.pulumi,
      // Without it the Automation API cannot parse the engine's version.
      set: { "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version": `v${versions.pulumi}` },
      optimized: false,
    },
  },
  "pulumi-resource-kubernetes": {
    name: "pulumi-resource-kubernetes",
    version: versions["pulumi-resource-kubernetes"],
    // No probe: a provider tells its version over its own protocol only.
    accepts: exactly(versions["pulumi-resource-kubernetes"]),
    release: TOOL_RELEASES["pulumi-resource-kubernetes"],
    build: {
      name: "pulumi-resource-kubernetes",
      module: "pulumi-resource-kubernetes",
      package: ".",
      version: versions["pulumi-resource-kubernetes"],
      set: {
        "github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/version.Version": `v${versions["pulumi-resource-kubernetes"]}`,
      },
      optimized: false,
      embed: {
        module: "github.com/pulumi/pulumi-kubernetes/provider/v4",
        folder: "cmd/pulumi-resource-kubernetes",
        files: ["schema.json", "terraform-mapping.json"],
      },
    },
  },
  kubelet: kubernetesTool("kubelet", node),
  "kube-proxy": kubernetesTool("kube-proxy", node),
  "kube-router": {
    name: "kube-router",
    version: versions["kube-router"],
    probe: { args: ["--version"], pattern: /version v(\S+?),/ },
    accepts: exactly(versions["kube-router"]),
    build: {
      name: "kube-router",
      module: "kube-router",
      package: "github.com/cloudnativelabs/kube-router/v2/cmd/kube-router",
      version: versions["kube-router"],
      set: { "github.com/cloudnativelabs/kube-router/v2/pkg/version.Version": `v${versions["kube-router"]}` },
      optimized: false,
    },
  },
  coredns: {
    name: "coredns",
    version: versions.coredns,
    probe: { args: ["-version"], pattern: /^CoreDNS-(\S+)/m },
    accepts: exactly(versions.coredns),
    release: TOOL_RELEASES.coredns,
    build: {
      name: "coredns",
      module: "coredns",
      package: "github.com/coredns/coredns",
      version: versions.coredns,
      set: {},
      optimized: false,
    },
  },
  traefik: {
    name: "traefik",
    version: versions.traefik,
    probe: { args: ["version"], pattern: /^Version:\s+v?(\S+)/m },
    accepts: exactly(versions.traefik),
    release: TOOL_RELEASES.traefik,
    build: {
      name: "traefik",
      module: "traefik",
      package: "github.com/traefik/traefik/v3/cmd/traefik",
      version: versions.traefik,
      set: { "github.com/traefik/traefik/v3/pkg/version.Version": versions.traefik },
      optimized: true,
    },
  },
  "keda-operator": kedaTool("keda-operator", "github.com/kedacore/keda/v2/cmd/operator"),
  "keda-adapter": kedaTool("keda-adapter", "."),
  prometheus: prometheusTool("prometheus"),
  promtool: prometheusTool("promtool"),
  loki: {
    name: "loki",
    version: versions.loki,
    probe: { args: ["-version"], pattern: /^loki, version (\S+)/m },
    accepts: exactly(versions.loki),
    build: {
      name: "loki",
      module: "loki",
      package: "github.com/grafana/loki/v3/cmd/loki",
      version: versions.loki,
      set: { "github.com/grafana/loki/v3/pkg/util/build.Version": versions.loki },
      optimized: false,
    },
  },
  otelcol: {
    name: "otelcol",
    version: versions.otelcol,
    // Of the official ones only `otelcol-contrib` reads log files: the smaller, `otelcol`, is not taken from PATH.
    probe: { args: ["--version"], pattern: /^otelcol-(?:contrib|wasm-functions) version v?(\S+)/m },
    accepts: exactly(versions.otelcol),
    release: TOOL_RELEASES.otelcol,
    build: {
      name: "otelcol",
      module: "otelcol",
      package: ".",
      version: versions.otelcol,
      set: { "main.version": versions.otelcol },
      optimized: false,
    },
  },
  "kube-state-metrics": {
    name: "kube-state-metrics",
    version: versions["kube-state-metrics"],
    probe: { args: ["version"], pattern: /version v(\S+)/ },
    accepts: exactly(versions["kube-state-metrics"]),
    build: {
      name: "kube-state-metrics",
      module: "kube-state-metrics",
      package: "k8s.io/kube-state-metrics/v2",
      version: versions["kube-state-metrics"],
      set: { "github.com/prometheus/common/version.Version": `v${versions["kube-state-metrics"]}` },
      optimized: false,
    },
  },
  opa: {
    name: "opa",
    version: versions.opa,
    probe: { args: ["version"], pattern: /^Version: (\S+)/m },
    accepts: exactly(versions.opa),
    release: TOOL_RELEASES.opa,
    build: {
      name: "opa",
      module: "opa",
      package: "github.com/open-policy-agent/opa",
      version: versions.opa,
      set: { "github.com/open-policy-agent/opa/version.Version": versions.opa },
      optimized: false,
    },
  },
  gator: {
    name: "gator",
    version: versions.gator,
    probe: { args: ["version"], pattern: /^GitVersion:\s+v(\S+)/m },
    accepts: exactly(versions.gator),
    build: {
      name: "gator",
      module: "gator",
      package: "github.com/open-policy-agent/gatekeeper/v3/cmd/gator",
      version: versions.gator,
      set: { "sigs.k8s.io/release-utils/version.gitVersion": `v${versions.gator}` },
      optimized: false,
    },
  },
  actionlint: checkerTool("actionlint", "github.com/rhysd/actionlint/cmd/actionlint"),
  kubeconform: checkerTool("kubeconform", "github.com/yannh/kubeconform/cmd/kubeconform"),
  "kube-score": checkerTool("kube-score", "github.com/zegl/kube-score/cmd/kube-score"),
  "pulumi-resource-command": {
    ...pluginTool("pulumi-resource-command", {
      standIn: "a stand-in of this project's, over this machine's OpenSSH, in the place of Pulumi's own plugin",
    }),
    release: TOOL_RELEASES["pulumi-resource-command"],
  },
  "pulumi-resource-random": pluginTool("pulumi-resource-random", {}),
};

function exactly(version: string): Tool["accepts"] {
  return { text: `v${version}`, test: (found) => found === version };
}

function minor(version: string): [string, string] {
  const [major = "", minor = ""] = version.split(".");
  return [major, minor];
}

/** Compares the numbers of two versions; what follows them (`-rc.1`, `+build`) does not count. */
export function isOlder(version: string, than: string): boolean {
  const a = numbers(version);
  const b = numbers(than);
  const differing = [0, 1, 2].find((i) => a[i] !== b[i]);
  return differing !== undefined && (a[differing] ?? 0) < (b[differing] ?? 0);
}

function numbers(version: string): number[] {
  return version.split(/[-+]/, 1).join("").split(".").map(Number);
}
