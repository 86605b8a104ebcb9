import { addressAt } from "../../infra/addresses";
import type { K3sClusterConfig, StackConfig } from "../../infra/config";
import type { Plan } from "../../infra/plan/types";
import { tuningFlags, nodeMonitorFlags, type Flags } from "./component-flags";
import { K3S_FOLDER } from "./k3s-files";

/** The secrets by which nodes join, each in a file of its own, so that no config holds one. */
export const TOKEN_FILE = `${K3S_FOLDER}/token`;
const AGENT_TOKEN_FILE = `${K3S_FOLDER}/agent-token`;

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
  readonly value?: string | undefined;
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
    ...nodeConfig(config, plan, node, node.labels),
    "cluster-cidr": podCidr.text,
    "service-cidr": serviceCidr.text,
    "cluster-dns": addressAt(serviceCidr, DNS_ADDRESS),
    disable: disabled(config),
    "secrets-encryption": true,
    ...(config.cluster.kind === "k3s" && ownServerConfig(config.cluster)),
    "kube-apiserver-arg": argumentsOf({
      ...flags["kube-apiserver"],
      ...(config.cluster.kind === "k3s" && HARDENED_API_SERVER),
    }),
    "kube-controller-manager-arg": argumentsOf({
      "node-cidr-mask-size": plan.topology.nodeCidrMaskSize,
      ...flags["kube-controller-manager"],
      ...nodeMonitorFlags(plan.controlPlane),
    }),
    "kube-scheduler-arg": argumentsOf(flags["kube-scheduler"]),
  };
}

/** The config file of an agent; what concerns the whole cluster it hears from its server. */
export function k3sAgentConfig(config: StackConfig, plan: Plan, node: K3sAgentNode): K3sConfig {
  return { server: node.server, ...nodeConfig(config, plan, node, { ...plan.topology.agentLabels, ...node.labels }) };
}

/** What a server of a cluster of our own has beside what the plan says; an embedded one's launcher does it otherwise. */
function ownServerConfig(cluster: K3sClusterConfig): K3sConfig {
  return {
    "agent-token-file": AGENT_TOKEN_FILE,
    "tls-san": [
      ...new Set([registrationAddress(cluster), ...cluster.servers.flatMap(({ host, address }) => [address, host])]),
    ],
    "write-kubeconfig-mode": "0600",
    "flannel-backend": cluster.flannelBackend,
    "etcd-snapshot-schedule-cron": cluster.snapshots.schedule,
    "etcd-snapshot-retention": String(cluster.snapshots.retention),
    "etcd-snapshot-compress": true,
    ...(cluster.snapshots.s3 && s3Config(cluster.snapshots.s3)),
  };
}

/** Without its keys: those are secrets, in a file of their own. */
function s3Config({ bucket, endpoint, region, folder }: NonNullable<K3sClusterConfig["snapshots"]["s3"]>): K3sConfig {
  return {
    "etcd-s3": true,
    "etcd-s3-bucket": bucket,
    "etcd-s3-endpoint": endpoint,
    "etcd-s3-region": region,
    ...(folder !== undefined && { "etcd-s3-folder": folder }),
  };
}

/** Where agents find the servers, and `kubectl` the API. */
export function registrationAddress(cluster: K3sClusterConfig): string {
  return cluster.registrationAddress ?? cluster.servers[0]?.address ?? "";
}

/** Forward secrecy and authenticated encryption only: the list of K3s's hardening guide. */
const TLS_CIPHERS = [
  "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
  "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
  "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
  "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
  "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
  "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
].join(",");

/** After K3s's hardening guide, which gives these figures. */
const HARDENED_API_SERVER: Flags = {
  "admission-control-config-file": `${K3S_FOLDER}/admission.yaml`,
  "enable-admission-plugins": "NodeRestriction,EventRateLimit",
  "audit-policy-file": `${K3S_FOLDER}/audit-policy.yaml`,
  "audit-log-path": "/var/lib/rancher/k3s/server/logs/audit.log",
  // Days, files, megabytes.
  "audit-log-maxage": 30,
  "audit-log-maxbackup": 10,
  "audit-log-maxsize": 100,
  "service-account-extend-token-expiration": false,
  "tls-cipher-suites": TLS_CIPHERS,
};

const HARDENED_KUBELET: Flags = { "streaming-connection-idle-timeout": "5m", "tls-cipher-suites": TLS_CIPHERS };

function nodeConfig(config: StackConfig, plan: Plan, node: K3sNode, labels: K3sNode["labels"]): K3sConfig {
  return {
    ...(node.tokenFile !== undefined && { "token-file": node.tokenFile }),
    "node-name": node.name,
    "node-ip": node.address,
    ...(labels !== undefined && { "node-label": argumentsOf(labels) }),
    ...(node.taints !== undefined && { "node-taint": node.taints.map(formatTaint) }),
    "protect-kernel-defaults": node.protectKernelDefaults ?? true,
    "kubelet-arg": argumentsOf({
      ...tuningFlags(plan.controlPlane).kubelet,
      ...(config.cluster.kind === "k3s" && HARDENED_KUBELET),
    }),
  };
}

/**
 * What of K3s's own components is left out: the gateway and its way in are the platform's, and so is the RuntimeClass
 * `wasmedge`, which K3s would write again at each start.
 */
function disabled({ runtime, gateway }: StackConfig): string[] {
  return [
    "traefik",
    ...(gateway.entry.kind === "servicelb" ? [] : ["servicelb"]),
    ...(runtime.createRuntimeClass ? ["runtimes"] : []),
  ];
}

function argumentsOf(flags: Flags): string[] {
  return Object.entries(flags).map(([name, value]) => `${name}=${value}`);
}

function formatTaint({ key, value, effect }: NodeTaint): string {
  return `${key}${value === undefined ? "" : `=${value}`}:${effect}`;
}
