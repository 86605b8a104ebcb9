import { BlockList } from "node:net";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseCidr, type Cidr } from "../../../../infra/addresses";
import { planStack, type Topology } from "../../../../infra/plan";
import { nodeCidr, renderNodes } from "../../../../local/simulated-nodes/nodes";
import { prodConfig } from "../../infra/support";

const TOPOLOGY = planStack(prodConfig()).topology;

function cidr(text: string): Cidr {
  const parsed = parseCidr(text);
  if ("error" in parsed) throw new Error(`${text} ${parsed.error.limit}`);
  return parsed.ok;
}

describe("a simulated node", () => {
  it("is what a K3s agent of the plan would register, marked for KWOK", () => {
    const topology: Topology = {
      ...TOPOLOGY,
      agents: 1,
      agentLabels: { "wasm-runtime": "wasmedge" },
      agentCapacity: { cpu: 16_000, memory: 64 * 2 ** 30 },
      agentAllocatable: { cpu: 15_500, memory: 62 * 2 ** 30 },
      maxPodsPerAgent: 870,
      nodeCidrMaskSize: 22,
    };
    expect(renderNodes(topology, cidr("10.42.0.0/16"))).toEqual([
      {
        apiVersion: "v1",
        kind: "Node",
        metadata: {
          name: "agent-1",
          labels: {
            "kubernetes.io/hostname": "agent-1",
            "kubernetes.io/os": "linux",
            "kubernetes.io/arch": "amd64",
            "wasm-runtime": "wasmedge",
          },
          annotations: {
            "kwok.x-k8s.io/node": "fake",
            "metrics.k8s.io/resource-metrics-path": "/metrics/nodes/agent-1/metrics/resource",
          },
        },
        spec: { podCIDR: "10.42.0.0/22", podCIDRs: ["10.42.0.0/22"] },
        status: {
          capacity: { cpu: "16", memory: "64Gi", pods: "870", "ephemeral-storage": "200Gi" },
          allocatable: { cpu: "15500m", memory: "62Gi", pods: "870", "ephemeral-storage": "200Gi" },
          addresses: [
            { type: "InternalIP", address: "127.0.0.1" },
            { type: "Hostname", address: "localhost" },
          ],
        },
      },
    ]);
  });

  it("is one of as many as the plan has agents, each with a name of its own", () => {
    const names = renderNodes(TOPOLOGY, cidr("10.42.0.0/16")).map((node) => node.metadata.name);
    expect(names).toEqual(["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"].map((index) => `agent-${index}`));
  });

  it("has the labels that RuntimeClass wasmedge selects", () => {
    const [node] = renderNodes(TOPOLOGY, cidr("10.42.0.0/16"));
    expect(Object.keys(TOPOLOGY.agentLabels)).not.toEqual([]);
    expect(node?.metadata.labels).toMatchObject(TOPOLOGY.agentLabels);
  });
});

describe("a node's pod network", () => {
  it.each([
    ["10.42.0.0", 22, 0, "10.42.0.0/22"],
    ["10.42.0.0", 22, 9, "10.42.36.0/22"],
    ["10.42.0.0", 24, 255, "10.42.255.0/24"],
    ["10.42.128.0", 26, 5, "10.42.129.64/26"],
    ["10.255.0.0", 16, 1, "11.0.0.0/16"],
    ["192.168.0.0", 24, 3, "192.168.3.0/24"],
  ])("of %s with mask %d is, for node %d, %s", (network, mask, index, expected) => {
    expect(nodeCidr(network, mask, index)).toBe(expected);
  });

  it("lies within the pods' network and apart from every other node's, whatever their sizes", () => {
    const networks = fc
      .record({
        prefix: fc.integer({ min: 8, max: 20 }),
        bits: fc.integer({ min: 1, max: 6 }),
        address: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
      })
      .map(({ prefix, bits, address }) => {
        const size = 2 ** (32 - prefix);
        const base = Math.floor(address / size) * size;
        const octets = [24, 16, 8, 0].map((shift) => Math.floor(base / 2 ** shift) % 256).join(".");
        return { podCidr: cidr(`${octets}/${prefix}`), mask: prefix + bits, agents: 2 ** bits };
      });
    fc.assert(
      fc.property(networks, ({ podCidr, mask, agents }) => {
        const nodes = renderNodes({ ...TOPOLOGY, agents, nodeCidrMaskSize: mask }, podCidr);
        const within = new BlockList();
        within.addSubnet(podCidr.address, podCidr.prefix, "ipv4");
        const cidrs = nodes.map((node) => node.spec.podCIDR);
        // All of one size with no host bits set: those that differ do not overlap.
        expect(new Set(cidrs).size).toBe(agents);
        expect(cidrs.filter((text) => cidr(text).prefix !== mask)).toEqual([]);
        expect(cidrs.filter((text) => !within.check(cidr(text).address, "ipv4"))).toEqual([]);
      }),
      { numRuns: 50 },
    );
  });
});
