import { readFileSync } from "node:fs";
import { networkInterfaces, hostname } from "node:os";
import { parse, stringify } from "yaml";
import { parseAgentConfig, type AgentConfig, type ClusterNetwork } from "../../../local/node/k3s-agent";
import { readIfExists } from "../../../local/files";
import { Fatal } from "./stand-in";

const CONFIG = "/etc/rancher/k3s/config.yaml";

/** K3s's flags that the stand-in honours, by what their values are. `unused` ones have no meaning for it, and do no harm. */
const AGENT_FLAGS = {
  server: "text",
  token: "text",
  "token-file": "text",
  "node-name": "text",
  "node-ip": "text",
  "node-label": "list",
  "node-taint": "list",
  "protect-kernel-defaults": "switch",
  "kubelet-arg": "list",
  "kube-proxy-arg": "list",
} as const;

const SERVER_FLAGS = {
  ...AGENT_FLAGS,
  "cluster-init": "switch",
  "cluster-reset": "switch",
  "cluster-reset-restore-path": "text",
  "agent-token": "text",
  "agent-token-file": "text",
  "tls-san": "list",
  "write-kubeconfig-mode": "text",
  "cluster-cidr": "text",
  "service-cidr": "text",
  "cluster-dns": "text",
  disable: "list",
  "disable-agent": "switch",
  "disable-network-policy": "switch",
  "secrets-encryption": "switch",
  "flannel-backend": "text",
  "etcd-arg": "list",
  "kube-apiserver-arg": "list",
  "kube-controller-manager-arg": "list",
  "kube-scheduler-arg": "list",
  "etcd-snapshot-schedule-cron": "text",
  "etcd-snapshot-retention": "text",
  "etcd-snapshot-compress": "switch",
  "etcd-s3": "switch",
  "etcd-s3-bucket": "text",
  "etcd-s3-endpoint": "text",
  "etcd-s3-region": "text",
  "etcd-s3-folder": "text",
} as const;

type Flags = Readonly<Record<string, "text" | "list" | "switch">>;

const FLAGS: Readonly<Record<Role, Flags>> = { server: SERVER_FLAGS, agent: AGENT_FLAGS };

/** What K3s brings into a cluster unless it is told not to. */
const DISABLEABLE = ["coredns", "servicelb", "traefik", "local-storage", "metrics-server", "runtimes"];

export type Role = "server" | "agent";

/** A node's whole configuration: its file, with what its command line and its environment say on top. */
export interface NodeConfig extends Omit<AgentConfig, "server"> {
  /** Of the server that it joins; undefined for the server that makes the cluster. */
  readonly server: string | undefined;
  readonly token: string | undefined;
  readonly kubeProxyArgs: readonly string[];
}

export interface ServerConfig extends NodeConfig {
  readonly clusterInit: boolean;
  readonly clusterReset: boolean;
  /** The snapshot that a reset restores. */
  readonly restorePath: string | undefined;
  /** Default: the token of servers. */
  readonly agentToken: string | undefined;
  readonly certificateNames: readonly string[];
  readonly kubeconfigMode: number;
  readonly network: ClusterNetwork;
  readonly disabled: readonly string[];
  readonly agentDisabled: boolean;
  readonly networkPolicyDisabled: boolean;
  readonly secretsEncryption: boolean;
  readonly etcdArgs: readonly string[];
  readonly apiServerArgs: readonly string[];
  readonly controllerManagerArgs: readonly string[];
  readonly schedulerArgs: readonly string[];
  readonly snapshotSchedule: string;
  readonly snapshotRetention: number;
}

type Settings = Readonly<Record<string, string | boolean | readonly string[]>>;

/** @throws Fatal naming a key or flag that is none of K3s's, or that the stand-in does not know */
export function readConfig(role: "agent", argv: readonly string[]): NodeConfig;
export function readConfig(role: "server", argv: readonly string[]): ServerConfig;
export function readConfig(role: Role, argv: readonly string[]): NodeConfig | ServerConfig {
  const file: unknown = parse(readIfExists(CONFIG) ?? "") ?? {};
  if (typeof file !== "object" || file === null || Array.isArray(file))
    throw new Fatal(`${CONFIG} is no list of settings`);
  const settings = {
    ...checked(role, file, CONFIG),
    ...environment(role),
    ...checked(role, fromArguments(role, argv), ""),
  };
  const node = nodeConfig(settings);
  return role === "agent" ? node : serverConfig(node, settings);
}

function nodeConfig(settings: Settings): NodeConfig {
  const name = text(settings, "node-name") ?? hostname();
  const agent = parseAgentConfig(
    stringify({
      ...settings,
      server: settings["server"] ?? "",
      "node-name": name,
      "node-ip": text(settings, "node-ip") ?? firstAddress(),
    }),
  );
  return {
    ...agent,
    server: text(settings, "server"),
    token: secret(settings, "token"),
    kubeProxyArgs: list(settings, "kube-proxy-arg"),
  };
}

function serverConfig(node: NodeConfig, settings: Settings): ServerConfig {
  const disabled = list(settings, "disable").flatMap((item) => item.split(","));
  for (const item of disabled) {
    if (!DISABLEABLE.includes(item)) throw new Fatal(`disable: ${item} is none of ${DISABLEABLE.join(", ")}`);
  }
  if (settings["cluster-init"] !== true && node.server === undefined)
    throw new Fatal("cluster-init: not set, and the stand-in has etcd alone, not K3s's SQLite");
  return {
    ...node,
    clusterInit: settings["cluster-init"] === true,
    clusterReset: settings["cluster-reset"] === true,
    restorePath: text(settings, "cluster-reset-restore-path"),
    agentToken: secret(settings, "agent-token"),
    certificateNames: list(settings, "tls-san").flatMap((item) => item.split(",")),
    kubeconfigMode: parseInt(text(settings, "write-kubeconfig-mode") ?? "0600", 8),
    network: {
      clusterCidr: text(settings, "cluster-cidr") ?? "10.42.0.0/16",
      serviceCidr: text(settings, "service-cidr") ?? "10.43.0.0/16",
      clusterDns: text(settings, "cluster-dns") ?? "10.43.0.10",
    },
    disabled,
    agentDisabled: settings["disable-agent"] === true,
    networkPolicyDisabled: settings["disable-network-policy"] === true,
    secretsEncryption: settings["secrets-encryption"] === true,
    etcdArgs: list(settings, "etcd-arg"),
    apiServerArgs: list(settings, "kube-apiserver-arg"),
    controllerManagerArgs: list(settings, "kube-controller-manager-arg"),
    schedulerArgs: list(settings, "kube-scheduler-arg"),
    snapshotSchedule: text(settings, "etcd-snapshot-schedule-cron") ?? "0 */12 * * *",
    snapshotRetention: Number(text(settings, "etcd-snapshot-retention") ?? "5"),
  };
}

/**
 * K3s skips a key that it does not know, with a warning, and runs without what it was to set. A test is better off when
 * that is an end.
 */
function checked(role: Role, given: object, where: string): Settings {
  const flags = FLAGS[role];
  return Object.fromEntries(
    Object.entries(given).map(([key, value]: [string, unknown]): [string, Settings[string]] => {
      const kind = flags[key];
      const at = where === "" ? `--${key}` : `${where}: ${key}`;
      if (kind === undefined) throw new Fatal(`${at}: flag provided but not defined for k3s ${role} (stand-in)`);
      if (kind === "switch") {
        if (value !== true && value !== false)
          throw new Fatal(`${at}: ${JSON.stringify(value)} is neither true nor false`);
        return [key, value];
      }
      if (kind === "list") return [key, (Array.isArray(value) ? value : [value]).map(String)];
      if (typeof value !== "string" && typeof value !== "number" && typeof value !== "boolean") {
        throw new Fatal(`${at}: is one value, not several`);
      }
      return [key, String(value)];
    }),
  );
}

/** `--key value`, `--key=value` or, for a switch, `--key`. */
function fromArguments(role: Role, argv: readonly string[]): Record<string, string | boolean | string[]> {
  const settings: Record<string, string | boolean | string[]> = {};
  for (let i = 0; i < argv.length; i++) {
    const [, key = "", value] = /^--([^=]+)(?:=(.*))?$/s.exec(argv[i] ?? "") ?? [];
    if (key === "") throw new Fatal(`${argv[i]}: no flag`);
    const kind = FLAGS[role][key];
    if (kind === "switch") settings[key] = value === undefined || value === "true";
    else {
      const given = value ?? argv[++i] ?? "";
      settings[key] = kind === "list" ? [...((settings[key] as string[] | undefined) ?? []), given] : given;
    }
  }
  return settings;
}

/** What K3s's installer puts into the unit's environment file. */
function environment(role: Role): Settings {
  const names = { K3S_URL: "server", K3S_TOKEN: "token", K3S_TOKEN_FILE: "token-file", K3S_AGENT_TOKEN: "agent-token" };
  return Object.fromEntries(
    Object.entries(names).flatMap(([variable, key]) => {
      const value = process.env[variable];
      return value && key in FLAGS[role] ? [[key, value]] : [];
    }),
  );
}

function secret(settings: Settings, key: "token" | "agent-token"): string | undefined {
  const file = text(settings, `${key}-file`);
  if (file === undefined) return text(settings, key);
  try {
    return readFileSync(file, "utf8").trim();
  } catch (error) {
    throw new Fatal(`${key}-file: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function firstAddress(): string {
  const address = Object.values(networkInterfaces())
    .flat()
    .find((one) => one?.family === "IPv4" && !one.internal);
  if (address === undefined) throw new Fatal("no address of this host is known: set node-ip");
  return address.address;
}

function text(settings: Settings, key: string): string | undefined {
  return settings[key] as string | undefined;
}

function list(settings: Settings, key: string): readonly string[] {
  return (settings[key] as readonly string[] | undefined) ?? [];
}
