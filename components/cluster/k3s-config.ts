import { addressAt } from "../../infra/addresses";
import type { StackConfig } from "../../infra/config";
import type { Plan } from "../../infra/plan/types";
import { tuningFlags, nodeMonitorFlags, type Flags } from "./component-flags";

/** K3s's `/etc/rancher/k3s/config.yaml`: its keys are the flags of `k3s server` and `k3s agent`. */
export type K3sConfig = Readonly<Record<string, string | boolean | readonly string[]>>;

/** What is a node's own. */
export interface K3sNode {
  /** Its name in the cluster. */
  readonly name: string;
  /** The address by which the other nodes reach it. */
  readonly address: string;
  /** Labels that it registers with, beside those that the plan gives every agent. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Taints that it registers with; K3s ignores a later change of them. */
  readonly taints?: readonly NodeTaint[];
  /** File that holds the token by which it joins. The token itself is in no config. */
  readonly tokenFile?: string;
  /**
   * Whether the kubelet refuses to start on a kernel that is not set as the hardening guide has it.
   * @default true, since the plan's `agentSysctls` set it so; false where the kernel's settings are not ours to change
   */
  readonly protectKernelDefaults?: boolean;
}

export interface NodeTaint {
  readonly key: string;
  readonly value?: string;
  readonly effect: "NoSchedule" | "PreferNoSchedule" | "NoExecute";
}

/** A server: without the URL of another one it is the first, which makes a new cluster. */
export interface K3sServerNode extends K3sNode {
  readonly server?: string;
}

/** An agent, and the URL of the server that it joins. */
export interface K3sAgentNode extends K3sNode {
  readonly server: string;
}

/** The cluster's DNS has the tenth address of the Services' network, as by K3s's own default. */
const DNS_ADDRESS = 10;

/** The config file of a server; everything but what is the node's own has to be the same on all servers. */
export function k3sServerConfig(config: StackConfig, plan: Plan, node: K3sServerNode): K3sConfig {
  const { podCidr, serviceCidr } = config.cluster.network;
  const flags = tuningFlags(plan.controlPlane);
  return {
    ...(node.server === undefined ? { "cluster-init": true } : { server: node.server }),
    ...nodeConfig(plan, node, node.labels),
    "cluster-cidr": podCidr.text,
    "service-cidr": serviceCidr.text,
    "cluster-dns": addressAt(serviceCidr, DNS_ADDRESS),
    disable: disabled(config),
    "secrets-encryption": true,
    "kube-apiserver-arg": argumentsOf(flags["kube-apiserver"]),
    "kube-controller-manager-arg": argumentsOf({
      "node-cidr-mask-size": plan.topology.nodeCidrMaskSize,
      ...flags["kube-controller-manager"],
      ...nodeMonitorFlags(plan.controlPlane),
    }),
    "kube-scheduler-arg": argumentsOf(flags["kube-scheduler"]),
  };
}

/** The config file of an agent; what concerns the whole cluster it hears from its server. */
export function k3sAgentConfig(_config: StackConfig, plan: Plan, node: K3sAgentNode): K3sConfig {
  return { server: node.server, ...nodeConfig(plan, node, { ...plan.topology.agentLabels, ...node.labels }) };
}

function nodeConfig(plan: Plan, node: K3sNode, labels: K3sNode["labels"]): K3sConfig {
  return {
    ...(node.tokenFile !== undefined && { "token-file": node.tokenFile }),
    "node-name": node.name,
    "node-ip": node.address,
    ...(labels !== undefined && { "node-label": argumentsOf(labels) }),
    ...(node.taints !== undefined && { "node-taint": node.taints.map(formatTaint) }),
    "protect-kernel-defaults": node.protectKernelDefaults ?? true,
    "kubelet-arg": argumentsOf(tuningFlags(plan.controlPlane).kubelet),
  };
}

/**
 * What of K3s's own components is left out: the gateway and its way in are the platform's, and so is the RuntimeClass
 * `wasmedge`, which K3s would write again at each start.
 */
function disabled({ runtime }: StackConfig): string[] {
  return ["traefik", "servicelb", ...(runtime.createRuntimeClass ? ["runtimes"] : [])];
}

function argumentsOf(flags: Flags): string[] {
  return Object.entries(flags).map(([name, value]) => `${name}=${value}`);
}

function formatTaint({ key, value, effect }: NodeTaint): string {
  return `${key}${value === undefined ? "" : `=${value}`}:${effect}`;
}
