import { describe, expect, it } from "vitest";
import { parseConfig } from "../../../../infra/config";
import { planStack, summarize } from "../../../../infra/plan";
import { formatProblem } from "../../../../infra/problems";
import { K3S_RELEASES } from "../../../../infra/versions";
import { existing, k3s, planOf, problemsOf, prodConfig, rawConfig, withFunction } from "../support";

function warnings(raw: Record<string, unknown>, path: string): string[] {
  return planOf(raw)
    .warnings.filter((warning) => warning.path === path)
    .map(formatProblem);
}

const small = { scaling: { max: 200 }, workload: { peakRequestsPerSecond: 4000 } };

describe("a K3s version", () => {
  it("past its end of life is warned about, with the day", () => {
    expect(warnings(rawConfig(), "cluster.version")).toEqual([
      "cluster.version: v1.30.4+k3s1: Kubernetes 1.30 gets no fixes since its end of life on 2025-06-28; upgrade minor by minor, up to 1.35",
    ]);
  });

  it("that still gets fixes is not", () => {
    expect(warnings(rawConfig({ cluster: existing({ version: "v1.35.1+k3s1" }) }), "cluster.version")).toEqual([]);
  });

  it.each(["v1.29.8+k3s1", "v1.99.0+k3s1", "v2.30.0+k3s1"])("of an unknown minor is refused: %s", (version) => {
    expect(problemsOf(() => planOf(rawConfig({ cluster: existing({ version }) })))).toEqual([
      `cluster.version: ${version}: K3s ${version.split(".").slice(0, 2).join(".").slice(1)} is none of the accepted minors 1.30, 1.31, 1.32, 1.33, 1.34, 1.35; use a release of one of them`,
    ]);
  });

  it("is accepted for every minor of the table", () => {
    for (const { minor } of K3S_RELEASES) {
      const plan = planOf(rawConfig({ cluster: existing({ version: `v${minor}.1+k3s2` }) }));
      expect(plan.topology.agents).toBe(10);
    }
  });
});

describe("the plan warns", () => {
  it("that the only agent may not be lost", () => {
    const expected = "it may not be lost: with it all functions are; add a second agent";
    expect(warnings(withFunction(small, { cluster: existing({ agents: 1 }) }), "cluster.agents")).toEqual([
      `cluster.agents: 1: ${expected}`,
    ]);
    expect(warnings(withFunction(small, { cluster: k3s(1, 1) }), "cluster.agents")).toEqual([
      `cluster.agents: 1 host: ${expected}`,
    ]);
    expect(warnings(withFunction(small, { cluster: existing({ agents: 2 }) }), "cluster.agents")).toEqual([]);
  });

  it("that a CFS period of its own needs an alpha feature", () => {
    expect(warnings(rawConfig(), "controlPlane.cfsQuotaPeriod")).toEqual([
      "controlPlane.cfsQuotaPeriod: 10ms: it needs the kubelet's feature gate CustomCPUCFSQuotaPeriod, which was alpha when Kubernetes 1.30 came out; keep it for P99 under a CPU limit, and test it at each upgrade; 100ms needs no gate",
    ]);
  });

  it("that CPU will not reach max", () => {
    expect(warnings(withFunction({}), "functions.checkout.scaling.max")).toEqual([
      "functions.checkout.scaling.max: 5,000: by CPU (70% of the request) peak load asks for 2,572 replicas: the autoscaler, which holds CPU, will not reach max (request rate, at 20/s per pod, would ask for 5,000); declare a heavier workload.cpuPerRequest if requests are, or lower max",
    ]);
  });

  it("that pods run above their target at max", () => {
    expect(warnings(withFunction({ scaling: { max: 2000 } }), "functions.checkout.scaling.max")).toEqual([
      "functions.checkout.scaling.max: 2,000: by CPU (70% of the request) peak load asks for 2,572 replicas: at peak pods run above that; raise it to 2572 for room, if the agents hold it",
    ]);
  });

  it("of neither where CPU asks for just max", () => {
    expect(warnings(withFunction({ scaling: { max: 2572 } }), "functions.checkout.scaling.max")).toEqual([]);
  });
});

describe("every problem of a plan", () => {
  it("comes in one error", () => {
    const raw = withFunction(
      { scaling: { max: 20, initial: 10 } },
      { cluster: existing({ version: "v1.29.1+k3s1" }), controlPlane: { cfsQuotaPeriod: "100ms" } },
    );
    expect(problemsOf(() => planStack(parseConfig(raw))).map((problem) => problem.split(":")[0])).toEqual([
      "cluster.version",
      "controlPlane.cfsQuotaPeriod",
      "functions.checkout.workload.peakRequestsPerSecond",
    ]);
  });
});

it("sums up the reference production stack in eight lines", () => {
  const config = prodConfig();
  expect(summarize(planStack(config), config)).toEqual([
    "Agents: 10, one lost: 9; up to 890 pods each, /22 of 10.42.0.0/16",
    "Pods at the worst moment: 7,940 of 8,010 (replicas 5,000, surge 1,250, leaving 1,418, system 272)",
    "Requested: 213.5 CPU of 274.4 CPU, 340.5Gi of 1.1Ti memory",
    "serverless-function at peak: 20 requests/s per pod at max; wanted 2,572 replicas by CPU, 5,000 by request rate",
    "serverless-function from min to max: 126 s (control plane alone 75 s), held back by: nodes; reckoned by request rate, since CPU, which the autoscaler holds, ends at 2,572",
    "Way in at 100,000 requests/s: gateways 79 (of up to 80; 550us each, 70% of 1 CPU), authorizers 75 (of up to 76; 260us each, 70% of 0.5 CPU)",
    "Cost at peak: 0.82 hosts (by cpu) against 2.86 of reference containers (by cpu); saves 71.4% of hosts, 71.4% of CPU, -134.1% of memory",
    "Cost at peak: 0.82 hosts (by cpu) against 0.82 of lean containers (by cpu); saves 0% of hosts, 0% of CPU, -179.6% of memory",
  ]);
});
