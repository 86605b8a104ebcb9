import * as fs from "node:fs";
import * as path from "node:path";
import { describe, expect, it } from "vitest";
import { DEFAULT_K3S_VERSION, MINIMUM_GO, MINIMUM_PULUMI, TOOL_VERSIONS } from "../../../../infra/versions";
import { isOlder, TOOL_GROUPS, TOOL_NAMES, TOOLS } from "../../../../local/tools/catalog";

const ROOT = path.resolve(__dirname, "../../../..");
const read = (...parts: string[]) => fs.readFileSync(path.join(ROOT, ...parts), "utf8");

describe("the versions of the tools", () => {
  const { dependencies } = JSON.parse(read("package.json")) as { dependencies: Record<string, string> };

  it("are the same Kubernetes as the default K3s", () => {
    expect(DEFAULT_K3S_VERSION).toMatch(new RegExp(`^v${TOOL_VERSIONS.kubernetes}\\+`));
  });

  it.each([
    ["pulumi-resource-kubernetes", "@pulumi/kubernetes"],
    ["pulumi-resource-command", "@pulumi/command"],
    ["pulumi-resource-random", "@pulumi/random"],
  ] as const)("pair %s with its SDK", (plugin, sdk) => {
    expect(TOOL_VERSIONS[plugin]).toBe(dependencies[sdk]);
  });

  it("are told to the plugins that do not know them by themselves", () => {
    for (const plugin of TOOL_GROUPS.hosts) {
      expect(TOOLS[plugin].build.set).toEqual({ "main.version": TOOL_VERSIONS[plugin] });
    }
  });

  it("accept a pulumi on PATH from the SDK's own release on", () => {
    expect(MINIMUM_PULUMI).toBe(dependencies["@pulumi/pulumi"]);
  });

  it.each([
    ["etcd", `go.etcd.io/etcd/server/v3 v${TOOL_VERSIONS.etcd}`],
    ["etcd", `go.etcd.io/etcd/etcdutl/v3 v${TOOL_VERSIONS.etcd}`],
    ["kubernetes", `k8s.io/kubernetes v${TOOL_VERSIONS.kubernetes}`],
    ["kubernetes-node", `k8s.io/kubernetes v${TOOL_VERSIONS.kubernetes}`],
    ["kwok", `sigs.k8s.io/kwok v${TOOL_VERSIONS.kwok}`],
    ["metrics-server", `sigs.k8s.io/metrics-server v${TOOL_VERSIONS["metrics-server"]}`],
    ["pulumi", `github.com/pulumi/pulumi/pkg/v3 v${TOOL_VERSIONS.pulumi}`],
    ["kube-router", `github.com/cloudnativelabs/kube-router/v2 v${TOOL_VERSIONS["kube-router"]}`],
    ["coredns", `github.com/coredns/coredns v${TOOL_VERSIONS.coredns}`],
    ["traefik", `github.com/traefik/traefik/v3 v${TOOL_VERSIONS.traefik}`],
    ["opa", `github.com/open-policy-agent/opa v${TOOL_VERSIONS.opa}`],
    ["gator", `github.com/open-policy-agent/gatekeeper/v3 v${TOOL_VERSIONS.gator}`],
    ["gatekeeper", `github.com/open-policy-agent/gatekeeper/v3 v${TOOL_VERSIONS.gatekeeper}`],
    ["keda", `github.com/kedacore/keda/v2 v${TOOL_VERSIONS.keda}`],
    ["prometheus", `github.com/prometheus/prometheus v${TOOL_VERSIONS.prometheus.replace(/^3\.(\d+)/, "0.3$1")}`],
    ["loki", `github.com/grafana/loki/v3 v${TOOL_VERSIONS.loki}`],
    ["otelcol", `go.opentelemetry.io/collector/otelcol v${TOOL_VERSIONS.otelcol}`],
    ["kube-state-metrics", `k8s.io/kube-state-metrics/v2 v${TOOL_VERSIONS["kube-state-metrics"]}`],
    ["actionlint", `github.com/rhysd/actionlint v${TOOL_VERSIONS.actionlint}`],
    ["kubeconform", `github.com/yannh/kubeconform v${TOOL_VERSIONS.kubeconform}`],
    ["kube-score", `github.com/zegl/kube-score v${TOOL_VERSIONS["kube-score"]}`],
  ])("are what the module of %s pins", (name, requirement) => {
    expect(read("local", "tools", name, "go.mod")).toContain(requirement);
  });

  it("need no newer Go than is asked for", () => {
    for (const name of new Set(TOOL_NAMES.map((tool) => TOOLS[tool].build.module))) {
      const [, needed = ""] = /^go (\S+)$/m.exec(read("local", "tools", name, "go.mod")) ?? [];
      expect(isOlder(MINIMUM_GO, needed)).toBe(false);
    }
  });
});

describe("the releases of Pulumi's plugins", () => {
  it.each([
    ["kubernetes", "4.25.0"],
    ["command", "1.2.1"],
  ] as const)("are those of %s's repository, with its list of sums", (name, version) => {
    const release = TOOLS[`pulumi-resource-${name}`].release;
    const folder = `/pulumi/pulumi-${name}/releases/download/v${version}`;
    expect(release?.path("arm64")).toBe(`${folder}/pulumi-resource-${name}-v${version}-linux-arm64.tar.gz`);
    expect(release?.checksums?.path("arm64")).toBe(`${folder}/pulumi-${name}_${version}_checksums.txt`);
    expect(release?.member?.("arm64")).toBe(`pulumi-resource-${name}`);
  });

  it("are not downloaded where the list has no SHA-256", () => {
    expect(TOOLS["pulumi-resource-random"].release).toBeUndefined();
  });
});

it("only the command plugin is a stand-in, and not taken from PATH, where it cannot be told from another", () => {
  expect(TOOL_NAMES.filter((name) => TOOLS[name].build.standIn !== undefined)).toEqual(["pulumi-resource-command"]);
  expect(TOOLS["pulumi-resource-command"].probe).toBeUndefined();
});

it("KEDA's operator is its own main package, and its adapter is built of the same module", () => {
  expect(TOOLS["keda-operator"].build.package).toBe("github.com/kedacore/keda/v2/cmd/operator");
  expect(TOOLS["keda-adapter"].build).toEqual({ ...TOOLS["keda-operator"].build, name: "keda-adapter", package: "." });
  expect(TOOLS["keda-adapter"].build.set).toEqual({ "github.com/kedacore/keda/v2/version.Version": "2.15.1" });
});

describe("the releases of observability's programs", () => {
  it.each([
    ["prometheus", "prometheus/prometheus/releases/download/v3.16.0/prometheus-3.16.0.linux-arm64.tar.gz"],
    ["promtool", "prometheus/prometheus/releases/download/v3.16.0/prometheus-3.16.0.linux-arm64.tar.gz"],
    [
      "otelcol",
      "open-telemetry/opentelemetry-collector-releases/releases/download/v0.160.0/otelcol-contrib_0.160.0_linux_arm64.tar.gz",
    ],
  ] as const)("has %s in an archive", (name, file) => {
    expect(TOOLS[name].release?.path("arm64")).toBe(`/${file}`);
    const program = name === "otelcol" ? "otelcol-contrib" : `prometheus-3.16.0.linux-arm64/${name}`;
    expect(TOOLS[name].release?.member?.("arm64")).toBe(program);
  });
});

describe("what is accepted on PATH", () => {
  it.each([
    ["pulumi", "3.259.0", true],
    ["pulumi", "3.248.0", true],
    ["pulumi", "3.300.1", true],
    ["pulumi", "3.247.9", false],
    ["pulumi", "4.0.0", false],
    ["kubectl", "1.30.9", true],
    ["kubectl", "1.32.4-dispatcher", false],
    ["kubectl", "1.3.0", false],
    ["kube-apiserver", "1.30.4", true],
    ["kube-apiserver", "1.30.5", false],
    ["etcd", "3.6.1", false],
    ["traefik", "3.6.11", false],
    ["opa", "0.60.0", true],
    ["opa", "0.61.0", false],
    ["prometheus", "3.16.0", true],
    ["prometheus", "2.53.3", false],
    ["loki", "3.4.3", false],
  ] as const)("%s %s: %s", (name, version, accepted) => {
    expect(TOOLS[name].accepts.test(version)).toBe(accepted);
  });
});

describe("a version probe reads what the tool prints", () => {
  it.each([
    ["etcd", "etcd Version: 3.6.16\nGit SHA: Not provided\nGo Version: go1.26.8\n", "3.6.16"],
    ["etcdutl", "etcdutl version: 3.6.16\nAPI version: 3.6\n", "3.6.16"],
    ["kube-apiserver", "Kubernetes v1.30.4\n", "1.30.4"],
    ["kubectl", "Client Version: v1.30.4\nKustomize Version: v5.0.4\n", "1.30.4"],
    ["kwok", "kwok version v0.8.0 go1.26.8 (linux/amd64)\n", "0.8.0"],
    ["kwokctl", "kwokctl version v0.8.0 go1.26.8 (linux/amd64)\n", "0.8.0"],
    ["metrics-server", "v0.7.2\n", "0.7.2"],
    ["pulumi", "v3.259.0\n", "3.259.0"],
    ["kubelet", "Kubernetes v1.30.4\n", "1.30.4"],
    ["kube-proxy", "Kubernetes v1.30.4\n", "1.30.4"],
    ["kube-router", "Running kube-router version v2.1.0, built on , go1.26.8\n", "2.1.0"],
    ["coredns", "CoreDNS-1.11.4\nlinux/amd64, go1.26.8, \n", "1.11.4"],
    ["traefik", "Version:      3.6.12\nCodename:     cheddar\nGo version:   go1.26.8\nBuilt:        now\n", "3.6.12"],
    ["opa", "Version: 0.60.0\nBuild Commit: \nBuild Timestamp: \nGo Version: go1.26.8\n", "0.60.0"],
    ["gator", "gator: a suite of tools\n\nGitVersion:    v3.15.1\nGitCommit:     unknown\n", "3.15.1"],
    ["prometheus", "prometheus, version 3.16.0 (branch: , revision: unknown)\n  build user:       \n", "3.16.0"],
    ["promtool", "promtool, version 3.16.0 (branch: , revision: unknown)\n  build user:       \n", "3.16.0"],
    ["loki", "loki, version 3.4.2 (branch: , revision: )\n  build user:       \n", "3.4.2"],
    ["otelcol", "otelcol-wasm-functions version 0.160.0\n", "0.160.0"],
    ["otelcol", "otelcol-contrib version 0.160.0\n", "0.160.0"],
    ["otelcol", "otelcol version 0.160.0\n", undefined],
    ["kube-state-metrics", "kube-state-metrics, version v2.13.0 (branch: , revision: unknown)\n", "2.13.0"],
  ] as const)("%s", (name, output, version) => {
    expect(TOOLS[name].probe?.pattern.exec(output)?.[1]).toBe(version);
  });
});

it("compares versions by number", () => {
  expect(isOlder("1.9.0", "1.10.0")).toBe(true);
  expect(isOlder("1.26", "1.26.0-rc.1")).toBe(false);
  expect(isOlder("1.26.8", "1.26.0")).toBe(false);
});
