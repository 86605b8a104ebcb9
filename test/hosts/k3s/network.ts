import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { writeIfChanged } from "../../../local/files";
import { cniConfig, K3S, type AgentConfig, type ClusterNetwork } from "../../../local/node/k3s-agent";
import { askAsKubelet } from "./client";
import { Fatal, log } from "./stand-in";

interface Node {
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> };
  readonly spec: { readonly podCIDR?: string };
  readonly status: { readonly addresses?: readonly { readonly type: string; readonly address: string }[] };
}

/** Milliseconds between two looks at the other nodes. */
const INTERVAL = 2000;

/**
 * What flannel does for K3s, with the plainest of its backends, whichever the config names: pods are on a bridge, and the
 * way to another node's pods is a route to that node. For that all nodes must be on one network, and packets go as they are.
 *
 * Resolves once this node's own pods can be connected.
 */
export async function keepPodNetwork(agent: AgentConfig, server: string, network: ClusterNetwork): Promise<void> {
  const own = await registered(agent, server);
  const conflist = join(K3S.agentDir, "etc/cni/net.d/10-flannel.conflist");
  writeIfChanged(conflist, cniConfig(own.spec.podCIDR ?? ""), 0o644);
  hideFromOutside(network);
  await label(agent, server, own);
  void keepRoutes(agent, server);
}

/** The node as the API server has it, once the controller-manager has set addresses apart for its pods. */
async function registered({ nodeName }: AgentConfig, server: string): Promise<Node> {
  for (;;) {
    try {
      const node = await askAsKubelet<Node>(server, K3S.agentDir, `/api/v1/nodes/${nodeName}`);
      if (node.spec.podCIDR !== undefined) return node;
    } catch (error) {
      log("info", `Waiting for node ${nodeName} to be registered: ${String(error)}`);
    }
    await sleep(500);
  }
}

/** The kubelet sets labels when it registers; K3s sets those that have changed since, at each start. */
async function label({ nodeName, nodeLabels }: AgentConfig, server: string, node: Node): Promise<void> {
  const wanted = nodeLabels.map((text) => [text.split("=", 1)[0] ?? "", text.slice(text.indexOf("=") + 1)] as const);
  const missing = wanted.filter(([name, value]) => node.metadata.labels?.[name] !== value);
  if (missing.length === 0) return;
  const patch = { metadata: { labels: Object.fromEntries(missing) } };
  await askAsKubelet(server, K3S.agentDir, `/api/v1/nodes/${nodeName}`, patch);
}

async function keepRoutes({ nodeName }: AgentConfig, server: string): Promise<void> {
  let present = new Map<string, string>();
  for (;;) {
    try {
      const { items } = await askAsKubelet<{ items: Node[] }>(server, K3S.agentDir, "/api/v1/nodes");
      const wanted = new Map<string, string>();
      for (const { metadata, spec, status } of items) {
        const address = status.addresses?.find(({ type }) => type === "InternalIP")?.address;
        if (metadata.name !== nodeName && spec.podCIDR && address) wanted.set(spec.podCIDR, address);
      }
      for (const [cidr, via] of wanted) if (present.get(cidr) !== via) run("ip", "route", "replace", cidr, "via", via);
      for (const [cidr, via] of present) if (!wanted.has(cidr)) run("ip", "route", "delete", cidr, "via", via);
      present = wanted;
    } catch (error) {
      log("warning", `Other nodes are not known: ${String(error)}`);
    }
    await sleep(INTERVAL);
  }
}

/** Outside the pod network a pod shows the node's address, as flannel sets it up. */
function hideFromOutside({ clusterCidr }: ClusterNetwork): void {
  const rules = [
    ["-s", clusterCidr, "-d", clusterCidr, "-j", "RETURN"],
    ["-s", clusterCidr, "!", "-d", "224.0.0.0/4", "-j", "MASQUERADE"],
  ];
  for (const rule of rules) {
    const iptables = (action: string) => ["iptables", "-w", "-t", "nat", action, "POSTROUTING", ...rule];
    const [command = "", ...check] = iptables("-C");
    if (spawnSync(command, check).status !== 0) run(...iptables("-A"));
  }
}

function run(command = "", ...args: string[]): void {
  const { status, stderr, error } = spawnSync(command, args, { encoding: "utf8" });
  if (status !== 0) throw new Fatal(`${command} ${args.join(" ")}: ${error?.message ?? stderr.trim()}`);
}
