import { createHash } from "node:crypto";
import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import { stringify } from "yaml";
import type { K3sClusterConfig, StackConfig } from "../../infra/config";
import type { Plan } from "../../infra/plan/types";
import { connectionTo, type Host, type SshKeys } from "./host-connection";
import { API_PORT, kernelModules } from "./host-needs";
import { asRoot, hostCommand, type HostScript } from "./host-script";
import { k3sAgentConfig, k3sServerConfig, registrationAddress, TOKEN_FILE } from "./k3s-config";
import { admissionConfig, auditPolicy, K3S_FOLDER, k3sUnit, registriesConfig } from "./k3s-files";
import { k3sRelease, shimRelease } from "./releases";

export interface K3sClusterArgs {
  readonly config: StackConfig;
  readonly cluster: K3sClusterConfig;
  readonly plan: Plan;
  readonly sshKeys: SshKeys;
  /** `accessKey` and `secretKey` of the bucket that etcd's snapshots go to, where there is one. */
  readonly snapshotStorage: Readonly<Record<string, pulumi.Output<string>>>;
}

/** K3s's default token has as many characters. */
const TOKEN_LENGTH = 32;

/** A host with what it is to run: there, and started where nothing ran, but else waiting for its turn. */
interface Installed {
  readonly k3s: command.remote.Command;
  /**
   * All of it in a few characters, and when it was brought: another value is another turn. Without the time, a change that
   * failed in the turn and is then taken back would be none: the turn's own inputs would be those of its last success.
   */
  readonly wanted: pulumi.Output<string>;
}

/**
 * A K3s cluster on bare Linux hosts: the first server, the other servers one after the other, then all agents side by
 * side, each with the WasmEdge shim before K3s starts. Every step may be run again, and does only what is not done.
 *
 * A host that runs already gets what is new beside what runs, and takes it when its turn comes: servers one at a time, then
 * `rollout.maxUnavailable` agents at a time, each ready before the next, and drained first where pods may not outlive the change.
 *
 * What takes a host back to what it was is a resource apart from what sets it up: a command that is replaced runs its
 * deletion, and a changed key must never remove a node. So no command here has triggers.
 */
export class K3sCluster extends pulumi.ComponentResource {
  /** Of the cluster's administrator. A secret. */
  readonly kubeconfig: pulumi.Output<string>;
  private readonly first: Host;
  private readonly others: readonly Host[];
  private readonly serverToken: random.RandomPassword;
  private readonly agentToken: random.RandomPassword;

  constructor(
    private readonly name: string,
    private readonly args: K3sClusterArgs,
    opts?: pulumi.ComponentResourceOptions,
  ) {
    super("wasm-functions:cluster:K3sCluster", name, {}, opts);
    const [first, ...others] = args.cluster.servers;
    if (first === undefined) throw new Error("a cluster has at least one server");
    this.first = first;
    this.others = others;
    this.serverToken = this.token("server-token", 1);
    this.agentToken = this.token("agent-token", args.cluster.agentTokenGeneration);

    const founder = this.installServer(first, undefined, []);
    // What the cluster's authority is known by: whoever joins checks it before it sends its token.
    const authority = founder.k3s.stdout.apply((text) => text.trim().split("\n")[0] ?? "");
    const servers = [this.takeTurn(first, "server", founder, [])];
    for (const host of others) {
      servers.push(this.takeTurn(host, "server", this.installServer(host, authority, servers), []));
    }
    const agents: pulumi.Resource[] = [];
    for (const host of args.cluster.agents) {
      const before = agents.at(-args.cluster.rollout.maxUnavailable);
      const installed = this.installAgent(host, authority, servers);
      agents.push(this.takeTurn(host, "agent", installed, before ? [before] : []));
    }

    this.kubeconfig = this.readKubeconfig(founder.k3s, [...servers, ...agents]);
    this.registerOutputs({ kubeconfig: this.kubeconfig });
  }

  private token(part: string, generation: number): random.RandomPassword {
    // Letters and digits: it is one line of a file, and K3s takes colons for its own.
    return new random.RandomPassword(
      `${this.name}-${part}`,
      {
        length: TOKEN_LENGTH,
        special: false,
        keepers: { generation: String(generation) },
      },
      { parent: this },
    );
  }

  private url(): string {
    return `https://${registrationAddress(this.args.cluster)}:${API_PORT}`;
  }

  /** Of the first server; only with all nodes: what is deployed next finds the agents that it asks for. */
  private readKubeconfig(founder: pulumi.Resource, nodes: readonly pulumi.Resource[]): pulumi.Output<string> {
    const admin = this.command(this.first, "kubeconfig", {
      create: asRoot(this.first.user, `cat ${K3S_FOLDER}/k3s.yaml`),
      dependsOn: [founder],
      additionalSecretOutputs: ["stdout", "stderr"],
    });
    const url = this.url();
    return pulumi.secret(
      pulumi
        .all([admin.stdout, ...nodes.map(({ urn }) => urn)])
        .apply(([text = ""]) => text.replace(`https://127.0.0.1:${API_PORT}`, url)),
    );
  }

  /** The first server makes the cluster, and is given no authority to check. */
  private installServer(
    host: Host,
    authority: pulumi.Output<string> | undefined,
    after: readonly pulumi.Resource[],
  ): Installed {
    const { config, plan, snapshotStorage } = this.args;
    const { accessKey = "", secretKey = "" } = snapshotStorage;
    const node = { ...nodeOf(host), ...(authority && { server: `https://${this.first.address}:${API_PORT}` }) };
    return this.installK3s(host, "server", {
      config: stringify(k3sServerConfig(config, plan, node)),
      secrets: pulumi.interpolate`${qualified(authority, "server", this.serverToken.result)}\n${this.agentToken.result}\n${accessKey}\n${secretKey}\n`,
      prepared: this.prepare(host, "server"),
      after,
    });
  }

  private installAgent(host: Host, authority: pulumi.Output<string>, after: readonly pulumi.Resource[]): Installed {
    const { config, plan } = this.args;
    return this.installK3s(host, "agent", {
      config: stringify(k3sAgentConfig(config, plan, { ...nodeOf(host), server: this.url() })),
      secrets: pulumi.interpolate`${qualified(authority, "node", this.agentToken.result)}\n`,
      prepared: this.installShim(host, this.prepare(host, "agent")),
      after,
    });
  }

  private prepare(host: Host, role: Role): command.remote.Command {
    const { plan, cluster } = this.args;
    const sysctls = Object.entries(plan.topology.agentSysctls).map(([name, value]) => `${name}=${value}`);
    // Does nothing until it is deleted, which is after everything else of the host.
    const restore = this.command(host, `${host.name}-restore`, {
      create: "true",
      delete: hostCommand("restore-host", { ROLE: role }, host.user),
      dependsOn: [],
    });
    return this.script(host, "prepare", "prepare-host", {
      settings: { MODULES: kernelModules(cluster).join("\n"), SYSCTLS: sysctls.join("\n") },
      dependsOn: [restore],
    });
  }

  /** K3s's own images, for hosts that reach no registry: it takes them in when it starts. */
  private installImages(host: Host, prepared: pulumi.Resource): pulumi.Resource[] {
    if (!this.args.cluster.k3s.airgapImages) return [];
    const { images, sums } = k3sRelease(this.args.cluster, host.architecture);
    return [
      this.script(host, "images", "install-images", {
        settings: { URL: images.url, SUMS_URL: sums.url, ARCHIVE: images.name },
        dependsOn: [prepared],
      }),
    ];
  }

  private installShim(host: Host, prepared: pulumi.Resource): command.remote.Command {
    return this.script(host, "shim", "install-shim", {
      settings: { ROLE: "agent", ...shimOf(host, this.args.cluster) },
      dependsOn: [prepared],
    });
  }

  private installK3s(
    host: Host,
    role: Role,
    args: {
      readonly config: string;
      /** One a line. */
      readonly secrets: pulumi.Output<string>;
      readonly prepared: command.remote.Command;
      readonly after: readonly pulumi.Resource[];
    },
  ): Installed {
    const { version, k3s, agentTokenGeneration } = this.args.cluster;
    const { binary, sums } = k3sRelease(this.args.cluster, host.architecture);
    const settings = {
      ROLE: role,
      VERSION: version,
      URL: binary.url,
      SUMS_URL: sums.url,
      BINARY: binary.name,
      SHA256: k3s.sha256[host.architecture] ?? "",
      CONFIG: args.config,
      REGISTRIES: registriesConfig(this.args.cluster),
      ADMISSION: role === "server" ? admissionConfig() : "",
      AUDIT_POLICY: role === "server" ? auditPolicy() : "",
      UNIT: k3sUnit(role),
      OTHERS: host === this.first ? this.others.map(({ address }) => address).join("\n") : "",
    };
    const resource = this.script(host, "k3s", "install-k3s", {
      settings,
      stdin: pulumi.secret(args.secrets),
      dependsOn: [...this.installImages(host, args.prepared), args.prepared, ...args.after],
    });
    const shim = role === "agent" ? shimOf(host, this.args.cluster) : {};
    const what = digest(settings, shim, { agentTokenGeneration });
    const wanted = pulumi
      .all([args.prepared.stdout, resource.stdout])
      .apply((times) => [what, ...times.flatMap((text) => text.trim().split("\n"))].join(" "));
    // Other inputs of these steps are secrets; what they print is none.
    return { k3s: resource, wanted: pulumi.unsecret(wanted) };
  }

  /**
   * Has the node run what is there for it, and waits until it is ready; it does nothing on a host that was just set up.
   * When the node leaves the stack, it is drained and taken out of the cluster first.
   *
   * @returns what is done when the node has taken its turn
   */
  private takeTurn(
    host: Host,
    role: Role,
    { k3s, wanted }: Installed,
    after: readonly pulumi.Resource[],
  ): pulumi.Resource {
    const { version, rollout } = this.args.cluster;
    const TIMEOUT = String(rollout.drainTimeout / 1000);
    const release = releaseOf(host, role, this.args.cluster);
    const servers = role === "server" ? this.args.cluster.servers.map(({ name }) => name).join("\n") : "";
    const node = (script: HostScript, settings: Readonly<Record<string, string>>) =>
      hostCommand(script, { NODE: host.name, ...settings }, this.first.user);
    const drained =
      role === "agent"
        ? [
            this.command(this.first, `${host.name}-drain`, {
              create: node("drain-node", { TIMEOUT, RELEASE: release }),
              dependsOn: [k3s, ...after],
            }),
          ]
        : [];
    const rolled = this.command(host, `${host.name}-roll`, {
      create: wanted.apply((WANTED) =>
        hostCommand("roll-k3s", { ROLE: role, VERSION: version, SERVERS: servers, WANTED }, host.user),
      ),
      dependsOn: [k3s, ...drained, ...after],
    });
    return this.command(this.first, `${host.name}-node`, {
      create: wanted.apply((WANTED) => node("join-cluster", { RELEASE: release, WANTED })),
      delete: node("leave-cluster", { TIMEOUT }),
      dependsOn: [rolled],
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
      readonly create: pulumi.Input<string>;
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

type Role = "server" | "agent";

function nodeOf({ name, address, labels, taints }: Host) {
  return { name, address, tokenFile: TOKEN_FILE, ...(Object.keys(labels).length > 0 && { labels }), taints };
}

function shimOf({ architecture }: Host, cluster: K3sClusterConfig) {
  return { URL: shimRelease(cluster, architecture).url, SHA256: cluster.shim.sha256[architecture] ?? "" };
}

/** What pods are started by, and may not outlive: a change of it drains the node, another config does not. */
function releaseOf({ architecture }: Host, role: Role, { version, shim }: K3sClusterConfig): string {
  const sum = shim.sha256[architecture]?.slice(0, 12);
  return [version, ...(role === "agent" ? ["shim", shim.version, ...(sum === undefined ? [] : [sum])] : [])].join(" ");
}

/** A token by which a node also checks whom it joins; K3s's own form. */
function qualified(
  authority: pulumi.Output<string> | undefined,
  user: "server" | "node",
  token: pulumi.Output<string>,
): pulumi.Output<string> {
  return authority === undefined ? token : pulumi.interpolate`K10${authority}::${user}:${token}`;
}

function digest(...parts: readonly object[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 16);
}
