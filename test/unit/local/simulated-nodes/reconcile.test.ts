import { describe, expect, it } from "vitest";
import { planStack } from "../../../../infra/plan";
import type { Kubectl } from "../../../../local/control-plane/kubectl";
import { renderNodes, type NodeObject } from "../../../../local/simulated-nodes/nodes";
import { reconcileNodes } from "../../../../local/simulated-nodes/reconcile";
import { prodConfig } from "../../infra/support";

const CONFIG = prodConfig();
const TOPOLOGY = planStack(CONFIG).topology;

function nodes(agents: number, overrides: Partial<typeof TOPOLOGY> = {}): NodeObject[] {
  return renderNodes({ ...TOPOLOGY, agents, ...overrides }, CONFIG.cluster.network.podCidr);
}

/** A cluster that has these nodes; every other call is recorded and succeeds. */
function clusterOf(found: readonly object[]) {
  const calls: { readonly args: readonly string[]; readonly input?: string }[] = [];
  const kubectl: Kubectl = (args, options) => {
    if (args.join(" ") === "get nodes -o json") return Promise.resolve(JSON.stringify({ items: found }));
    calls.push({ args, ...(options?.input !== undefined && { input: options.input }) });
    return Promise.resolve("");
  };
  return { kubectl, calls };
}

/** As the API server gives them back. */
function withQuantities(node: NodeObject, quantities: Partial<NodeObject["status"]["capacity"]>): NodeObject {
  const { capacity, allocatable } = node.status;
  const status = {
    ...node.status,
    capacity: { ...capacity, ...quantities },
    allocatable: { ...allocatable, ...quantities },
  };
  return { ...node, status };
}

const names = (input: string | undefined) =>
  (JSON.parse(input ?? "") as { items: NodeObject[] }).items.map((node) => node.metadata.name);

describe("reconciling nodes", () => {
  it("changes nothing where all is as it should be", async () => {
    const { kubectl, calls } = clusterOf(nodes(3));
    expect(await reconcileNodes(kubectl, nodes(3))).toBe("unchanged");
    expect(calls).toEqual([]);
  });

  it("creates all nodes of a new cluster in one call", async () => {
    const { kubectl, calls } = clusterOf([]);
    expect(await reconcileNodes(kubectl, nodes(10))).toBe("10 added");
    expect(calls).toHaveLength(1);
    expect(calls[0]?.args).toEqual(["create", "-f", "-"]);
    expect(JSON.parse(calls[0]?.input ?? "")).toEqual({ apiVersion: "v1", kind: "List", items: nodes(10) });
  });

  it("adds those that are missing", async () => {
    const { kubectl, calls } = clusterOf(nodes(3).filter((node) => node.metadata.name !== "agent-2"));
    expect(await reconcileNodes(kubectl, nodes(4))).toBe("2 added");
    expect(calls.map(({ args, input }) => [args[0], names(input)])).toEqual([["create", ["agent-2", "agent-4"]]]);
  });

  it("removes those that the plan has no more, and leaves the others", async () => {
    const { kubectl, calls } = clusterOf(nodes(4));
    expect(await reconcileNodes(kubectl, nodes(2))).toBe("2 removed");
    expect(calls).toEqual([{ args: ["delete", "nodes", "agent-3", "agent-4"] }]);
  });

  it("gives its annotations back to a node that a killed surge has left as lost", async () => {
    const [node] = nodes(1) as [NodeObject];
    const annotations = { ...node.metadata.annotations, "metrics.k8s.io/resource-metrics-path": "/lost" };
    const { kubectl, calls } = clusterOf([{ ...node, metadata: { ...node.metadata, annotations } }]);
    expect(await reconcileNodes(kubectl, nodes(1))).toBe("1 resized");
    expect(calls[0]?.args.at(-1)).toContain('"/metrics/nodes/agent-1/metrics/resource"');
  });

  it("gives the new size and labels to a node that stays", async () => {
    const wanted = nodes(1, { maxPodsPerAgent: 900, agentLabels: { tier: "new" } });
    const { kubectl, calls } = clusterOf(nodes(1));
    expect(await reconcileNodes(kubectl, wanted)).toBe("1 resized");
    expect(calls.map(({ args }) => args.slice(0, -1))).toEqual([
      ["patch", "node", "agent-1", "--type=merge", "-p"],
      ["patch", "node", "agent-1", "--subresource=status", "--type=merge", "-p"],
    ]);
    expect(calls.map(({ args }) => JSON.parse(args.at(-1) ?? "") as unknown)).toEqual([
      { metadata: { labels: wanted[0]?.metadata.labels, annotations: wanted[0]?.metadata.annotations } },
      { status: wanted[0]?.status },
    ]);
  });

  it("makes a node anew whose pod network is another, since a node keeps its own for life", async () => {
    const { kubectl, calls } = clusterOf(nodes(3, { nodeCidrMaskSize: 24 }));
    const wanted = nodes(3, { nodeCidrMaskSize: 22, maxPodsPerAgent: 900 });
    // The first starts at the same address, with another mask.
    expect(await reconcileNodes(kubectl, wanted)).toBe("3 moved");
    expect(calls[0]).toEqual({ args: ["delete", "nodes", "agent-1", "agent-2", "agent-3"] });
    expect(calls[1]?.args).toEqual(["create", "-f", "-"]);
    expect(names(calls[1]?.input)).toEqual(["agent-1", "agent-2", "agent-3"]);
    expect(calls).toHaveLength(2);
  });

  it("says all that it did, and deletes before it creates", async () => {
    const found = [
      ...nodes(1, { maxPodsPerAgent: 5 }),
      { ...nodes(2)[1]!, spec: { podCIDR: "10.42.252.0/22", podCIDRs: ["10.42.252.0/22"] } },
      { ...nodes(1)[0]!, metadata: { ...nodes(1)[0]!.metadata, name: "agent-99" } },
    ];
    const { kubectl, calls } = clusterOf(found);
    expect(await reconcileNodes(kubectl, nodes(4))).toBe("2 added, 1 resized, 1 moved, 1 removed");
    expect(calls.map(({ args }) => args[0])).toEqual(["delete", "create", "patch", "patch"]);
    expect(calls[0]?.args).toEqual(["delete", "nodes", "agent-99", "agent-2"]);
    expect(names(calls[1]?.input)).toEqual(["agent-3", "agent-4", "agent-2"]);
  });

  it("puts back a label that was taken away, and leaves labels of others alone", async () => {
    const [node] = nodes(1);
    const metadata = { ...node!.metadata, labels: { ...node!.metadata.labels, "of-somebody": "else" } };
    expect(await reconcileNodes(clusterOf([{ ...node!, metadata }]).kubectl, nodes(1))).toBe("unchanged");
    const { "kubernetes.io/os": taken, ...fewer } = node!.metadata.labels;
    expect(taken).toBe("linux");
    const without = { ...node!, metadata: { ...node!.metadata, labels: fewer } };
    expect(await reconcileNodes(clusterOf([without]).kubectl, nodes(1))).toBe("1 resized");
  });

  it.each([
    ["none", undefined],
    ["an empty list", []],
    ["one", [{ type: "InternalIP", address: "127.0.0.1" }]],
  ])("gives its addresses back to a node that has %s", async (_, addresses) => {
    const [node] = nodes(1);
    const { kubectl, calls } = clusterOf([{ ...node!, status: { ...node!.status, addresses } }]);
    expect(await reconcileNodes(kubectl, nodes(1))).toBe("1 resized");
    expect(calls.at(-1)?.args.at(-1)).toContain('"address":"localhost"');
  });

  it("passes on what kubectl fails with", async () => {
    const kubectl: Kubectl = () => Promise.reject(new Error("connection refused"));
    await expect(reconcileNodes(kubectl, nodes(1))).rejects.toThrow("connection refused");
  });
});

describe("quantities", () => {
  const wanted = nodes(1, { maxPodsPerAgent: 1000, agentCapacity: { cpu: 16_000, memory: 64 * 2 ** 30 } }).map((node) =>
    withQuantities(node, { cpu: "16", memory: "64Gi", pods: "1000" }),
  );

  it.each([
    ["pods", "1k"],
    ["cpu", "16000m"],
    ["memory", "65536Mi"],
    ["memory", "68719476736"],
    ["ephemeral-storage", "204800Mi"],
  ] as const)("of %s are the same as %s", async (key, quantity) => {
    const { kubectl, calls } = clusterOf(wanted.map((node) => withQuantities(node, { [key]: quantity })));
    expect(await reconcileNodes(kubectl, wanted)).toBe("unchanged");
    expect(calls).toEqual([]);
  });

  it.each([
    ["pods", "1001"],
    ["pods", "1Ki"],
    ["cpu", "16001m"],
    ["memory", "64G"],
    ["memory", "a lot"],
    ["memory", undefined],
  ] as const)("of %s are not the same as %s", async (key, quantity) => {
    const found = wanted.map((node) => ({
      ...node,
      status: { ...node.status, capacity: { ...node.status.capacity, [key]: quantity } },
    }));
    expect(await reconcileNodes(clusterOf(found).kubectl, wanted)).toBe("1 resized");
  });
});
