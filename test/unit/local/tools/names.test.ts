import { describe, expect, it } from "vitest";
import { TOOL_GROUPS, TOOL_NAMES } from "../../../../local/tools/catalog";
import { wantedTools } from "../../../../local/tools/names";
import { problemsOf } from "../../infra/support";

describe("the tools that a command line asks for", () => {
  it("are those of the embedded default where it names none", () => {
    expect(wantedTools([])).toEqual(TOOL_GROUPS.local);
    expect(wantedTools([])).not.toContain("kubelet");
    expect(wantedTools([])).not.toContain("pulumi-resource-command");
  });

  it("are named by tool and by group, each made ready once", () => {
    expect(wantedTools(["pulumi", "etcd"])).toEqual(["pulumi", "etcd"]);
    expect(wantedTools(["node"])).toEqual(["kubelet", "kube-proxy", "kube-router", "coredns", "traefik"]);
    const once = ["coredns", "kubelet", "kube-proxy", "kube-router", "traefik"];
    expect(wantedTools(["coredns", "node", "node"])).toEqual(once);
    expect(wantedTools(["hosts"])).toEqual(["pulumi-resource-command"]);
    expect(wantedTools(["tests"])).toEqual(["etcdutl", "opa", "gator", "actionlint", "kubeconform", "kube-score"]);
    const monitoring = ["prometheus", "promtool", "loki", "otelcol", "kube-state-metrics"];
    expect(wantedTools(["monitoring"])).toEqual(monitoring);
    expect(wantedTools(["scaling"])).toEqual(["keda-operator", "keda-adapter"]);
    expect([...wantedTools(["node", "hosts", "monitoring", "scaling", "tests", "local"])].sort()).toEqual(
      [...TOOL_NAMES].sort(),
    );
  });

  it.each([
    ["kubelt", "did you mean kubelet?"],
    ["nodes", "did you mean node?"],
    ["prometheus-server", "leave names out to get those of the group local"],
    ["constructor", "leave names out to get those of the group local"],
  ])("are refused when one is unknown: %s", (name, hint) => {
    const known = `known are the groups local, node, monitoring, scaling, hosts, tests and the tools ${TOOL_NAMES.join(", ")}`;
    expect(problemsOf(() => wantedTools(["etcd", name]))).toEqual([`tools: ${name}: ${known}; ${hint}`]);
  });
});

it("a tool belongs to one group", () => {
  expect(new Set(TOOL_NAMES).size).toBe(TOOL_NAMES.length);
});
