import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import { stringify } from "yaml";
import type { K3sClusterConfig, StackConfig } from "../../infra/config";
import type { Plan } from "../../infra/plan/types";
import { hostCommand, type HostScript } from "./host-script";
import { k3sAgentConfig, k3sServerConfig, registrationAddress, TOKEN_FILE } from "./k3s-config";
import { admissionConfig, auditPolicy, k3sUnit, registriesConfig } from "./k3s-files";

type Host = K3sClusterConfig["servers"][number];

export interface K3sClusterArgs {
  readonly config: StackConfig;
  readonly cluster: K3sClusterConfig;
  readonly plan: Plan;
  /** The private keys that hosts are entered by, by the name that the config calls them by. */
  readonly sshKeys: Readonly<Record<string, pulumi.Output<string>>>;
}

/** Where the API server listens on every server. */
const API_PORT = 6443;

/** Modules that pods' networks and file systems need, and WireGuard's where packets are encrypted. */
const MODULES = ["overlay", "br_netfilter", "nf_conntrack"];

/** K3s's default token has as many characters. */
const TOKEN_LENGTH = 32;

/**
 * A K3s cluster on bare Linux hosts: the first server, the other servers one after the other, then all agents side by
 * side, each with the WasmEdge shim before K3s starts. Every step may be run again, and does only what is not done.
 *
 * What takes a host back to what it was is a resource apart from what sets it up: a command that is replaced runs its
 * deletion, and a changed key must never remove a node. So no command here has triggers.
 */
export class K3sCluster extends pulumi.ComponentResource {
  /** Of the cluster's administrator. A secret. */
  readonly kubeconfig: pulumi.Output<string>;
  private readonly serverToken: random.RandomPassword;
  private readonly agentToken: random.RandomPassword;

  constructor(
    private readonly name: string,
    private readonly args: K3sClusterArgs,
    opts?: pulumi.ComponentResourceOptions,
  ) {
    super("wasm-functions:cluster:K3sCluster", name, {}, opts);
    this.serverToken = this.token("server-token");
    this.agentToken = this.token("agent-token");

    const { servers, agents } = args.cluster;
    const [first, ...others] = servers;
    if (first === undefined) throw new Error("a cluster has at least one server");
    const founder = this.installServer(first, undefined, []);
    // What the cluster's authority is known by: whoever joins checks it before it sends its token.
    const authority = founder.stdout.apply((text) => text.trim());
    const joined = others.reduce<pulumi.Resource[]>(
      (before, host) => [...before, this.join(host, this.installServer(host, authority, before), first)],
      [founder],
    );
    const nodes = agents.map((host) => this.join(host, this.installAgent(host, authority, joined), first));

    const admin = this.command(first, "kubeconfig", {
      create: `${first.user === "root" ? "" : "sudo -n "}cat /etc/rancher/k3s/k3s.yaml`,
      dependsOn: [founder],
      additionalSecretOutputs: ["stdout", "stderr"],
    });
    const url = this.url();
    // Only with all nodes: what is deployed next finds the agents that it asks for.
    this.kubeconfig = pulumi.secret(
      pulumi
        .all([admin.stdout, ...[...joined, ...nodes].map(({ urn }) => urn)])
        .apply(([text = ""]) => text.replace(`https://127.0.0.1:${API_PORT}`, url)),
    );
    this.registerOutputs({ kubeconfig: this.kubeconfig });
  }

  private token(part: string): random.RandomPassword {
    // Letters and digits: it is one line of a file, and K3s takes colons for its own.
    return new random.RandomPassword(
      `${this.name}-${part}`,
      { length: TOKEN_LENGTH, special: false },
      { parent: this },
    );
  }

  private url(): string {
    return `https://${registrationAddress(this.args.cluster)}:${API_PORT}`;
  }

  /** The first server makes the cluster, and is given no authority to check. */
  private installServer(
    host: Host,
    authority: pulumi.Output<string> | undefined,
    after: readonly pulumi.Resource[],
  ): command.remote.Command {
    const { config, plan, cluster } = this.args;
    const first = cluster.servers[0];
    const node = { ...nodeOf(host), ...(authority && first && { server: `https://${first.address}:${API_PORT}` }) };
    return this.installK3s(host, "server", {
      config: stringify(k3sServerConfig(config, plan, node)),
      tokens: pulumi.interpolate`${qualified(authority, "server", this.serverToken.result)}\n${this.agentToken.result}\n`,
      after: [...this.prepare(host), ...after],
    });
  }

  private installAgent(
    host: Host,
    authority: pulumi.Output<string>,
    after: readonly pulumi.Resource[],
  ): command.remote.Command {
    const { config, plan } = this.args;
    return this.installK3s(host, "agent", {
      config: stringify(k3sAgentConfig(config, plan, { ...nodeOf(host), server: this.url() })),
      tokens: pulumi.interpolate`${qualified(authority, "node", this.agentToken.result)}\n`,
      after: [...this.installShim(host, this.prepare(host)), ...after],
    });
  }

  private prepare(host: Host): pulumi.Resource[] {
    const { plan, cluster } = this.args;
    const modules = [...MODULES, ...(cluster.flannelBackend === "wireguard-native" ? ["wireguard"] : [])];
    const sysctls = Object.entries(plan.topology.agentSysctls).map(([name, value]) => `${name}=${value}`);
    const restore = this.undo(host, "restore", "restore-host", {}, []);
    return [
      this.script(host, "prepare", "prepare-host", {
        settings: { MODULES: modules.join("\n"), SYSCTLS: sysctls.join("\n") },
        dependsOn: [restore],
      }),
    ];
  }

  private installShim(host: Host, after: readonly pulumi.Resource[]): pulumi.Resource[] {
    const { version, url, sha256 } = this.args.cluster.shim;
    const machine = { amd64: "x86_64", arm64: "aarch64" }[host.architecture];
    const archive = `containerd-shim-wasmedge-${machine}-linux-musl.tar.gz`;
    const remove = this.undo(host, "remove-shim", "remove-shim", {}, after);
    return [
      this.script(host, "shim", "install-shim", {
        settings: {
          URL: `${url}/${encodeURIComponent(`containerd-shim-wasmedge/${version}`)}/${archive}`,
          SHA256: sha256[host.architecture] ?? "",
        },
        dependsOn: [remove],
      }),
    ];
  }

  private installK3s(
    host: Host,
    role: "server" | "agent",
    args: {
      readonly config: string;
      readonly tokens: pulumi.Output<string>;
      readonly after: readonly pulumi.Resource[];
    },
  ): command.remote.Command {
    const { version, k3s } = this.args.cluster;
    const release = `${k3s.url}/${encodeURIComponent(version)}`;
    const binary = host.architecture === "amd64" ? "k3s" : `k3s-${host.architecture}`;
    const uninstall = this.undo(host, "uninstall", "uninstall-k3s", { ROLE: role }, args.after);
    return this.script(host, "k3s", "install-k3s", {
      settings: {
        ROLE: role,
        URL: `${release}/${binary}`,
        SUMS_URL: `${release}/sha256sum-${host.architecture}.txt`,
        BINARY: binary,
        SHA256: k3s.sha256[host.architecture] ?? "",
        CONFIG: args.config,
        REGISTRIES: registriesConfig(this.args.cluster),
        ADMISSION: role === "server" ? admissionConfig() : "",
        AUDIT_POLICY: role === "server" ? auditPolicy() : "",
        UNIT: k3sUnit(role),
      },
      stdin: pulumi.secret(args.tokens),
      dependsOn: [uninstall],
    });
  }

  /** Waits until the node is ready; when it leaves the stack, it is drained and taken out of the cluster first. */
  private join(host: Host, installed: pulumi.Resource, server: Host): pulumi.Resource {
    const command = (script: HostScript) => hostCommand(script, { NODE: host.name }, server.user);
    return this.command(server, `${host.name}-node`, {
      create: command("join-node"),
      delete: command("drain-node"),
      dependsOn: [installed],
    });
  }

  /** Does nothing until it is deleted. */
  private undo(
    host: Host,
    part: string,
    script: HostScript,
    settings: Readonly<Record<string, string>>,
    dependsOn: readonly pulumi.Resource[],
  ): command.remote.Command {
    return this.command(host, `${host.name}-${part}`, {
      create: "true",
      delete: hostCommand(script, settings, host.user),
      dependsOn,
    });
  }

  private script(
    host: Host,
    part: string,
    script: HostScript,
    args: {
      readonly settings: Readonly<Record<string, string>>;
      readonly stdin?: pulumi.Input<string>;
      readonly dependsOn: readonly pulumi.Resource[];
    },
  ): command.remote.Command {
    const { settings, ...rest } = args;
    return this.command(host, `${host.name}-${part}`, {
      ...rest,
      create: hostCommand(script, settings, host.user),
    });
  }

  private command(
    host: Host,
    name: string,
    args: {
      readonly create: string;
      readonly delete?: string;
      readonly stdin?: pulumi.Input<string>;
      readonly dependsOn: readonly pulumi.Resource[];
      readonly additionalSecretOutputs?: string[];
    },
  ): command.remote.Command {
    const { dependsOn, additionalSecretOutputs, ...inputs } = args;
    return new command.remote.Command(
      `${this.name}-${name}`,
      {
        ...inputs,
        connection: connectionTo(host, this.args.sshKeys),
        // Steps tell what went wrong in their error; what they print is theirs.
        logging: "none",
        // It would hand one step's output to the next as an environment that no server accepts anyway.
        addPreviousOutputInEnv: false,
      },
      { parent: this, dependsOn: [...dependsOn], ...(additionalSecretOutputs && { additionalSecretOutputs }) },
    );
  }
}

function nodeOf({ name, address, labels, taints }: Host) {
  return { name, address, tokenFile: TOKEN_FILE, ...(Object.keys(labels).length > 0 && { labels }), taints };
}

/** A token by which a node also checks whom it joins; K3s's own form. */
function qualified(
  authority: pulumi.Output<string> | undefined,
  user: "server" | "node",
  token: pulumi.Output<string>,
): pulumi.Output<string> {
  return authority === undefined ? token : pulumi.interpolate`K10${authority}::${user}:${token}`;
}

type Login = Pick<Host, "host" | "port" | "user" | "key" | "hostKey">;

function connectionTo(host: Host, sshKeys: K3sClusterArgs["sshKeys"]): command.types.input.remote.ConnectionArgs {
  const login = ({ host, port, user, key, hostKey }: Login) => ({
    host,
    port,
    user,
    ...(sshKeys[key] !== undefined && { privateKey: sshKeys[key] }),
    ...(hostKey !== undefined && { hostKey }),
  });
  return { ...login(host), ...(host.bastion && { proxy: login(host.bastion) }) };
}
