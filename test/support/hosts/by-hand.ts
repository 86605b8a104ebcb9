import { stringify } from "yaml";
import { k3sAgentConfig, k3sServerConfig } from "../../../components/cluster/k3s-config";
import { admissionConfig, auditPolicy, k3sUnit, registriesConfig } from "../../../components/cluster/k3s-files";
import { parseConfig, type K3sClusterConfig, type StackConfig } from "../../../infra/config";
import { planStack, type Plan } from "../../../infra/plan";
import type { Host } from "./hosts";
import type { HostServer } from "./server";

/** A K3s cluster installed on hosts the way a person does it, by a few commands over ssh: not by our program. */
export class ClusterByHand {
  readonly config: StackConfig;
  private readonly cluster: K3sClusterConfig;
  private readonly plan: Plan;

  constructor(
    private readonly downloads: HostServer,
    servers: readonly Host[],
    agents: readonly Host[],
    private readonly version: string,
  ) {
    const spec = ({ name, address, hostKey }: Host) => ({ name, host: address, hostKey });
    this.config = parseConfig({
      cluster: {
        kind: "k3s",
        servers: servers.map(spec),
        agents: agents.map(spec),
        // The host's own share of a small machine.
        agentShape: { cpu: 2, memory: "6Gi", reserved: { cpu: "100m", memory: "1Gi" } },
        systemPodsPerAgent: 4,
        flannelBackend: "host-gw",
        network: { podCidr: "10.144.0.0/16", serviceCidr: "10.145.0.0/16" },
        mirrors: { "*": [downloads.url] },
      },
      gateway: { replicas: { min: 1, requests: { cpu: "100m" } } },
      authorization: { replicas: { min: 1, requests: { cpu: "100m" } } },
      tenants: [{ name: "shop" }],
      functions: [
        {
          name: "checkout",
          tenant: "shop",
          image: "functions.local/checkout:1.0.0",
          scaling: { min: 2, initial: 2, max: 10 },
          workload: { peakRequestsPerSecond: 200 },
        },
      ],
    });
    if (this.config.cluster.kind !== "k3s") throw new Error("not a K3s cluster");
    this.cluster = this.config.cluster;
    this.plan = planStack(this.config);
  }

  /** Puts K3s on a host, as a server or an agent, and has systemd start it; `changes` replace keys of its config. */
  async install(role: "server" | "agent", host: Host, tokens: Tokens, changes: object = {}): Promise<void> {
    const node = { name: host.name, address: host.address, tokenFile: "/etc/rancher/k3s/token" };
    const config =
      role === "server"
        ? k3sServerConfig(this.config, this.plan, {
            ...node,
            ...(tokens.server !== undefined && { server: tokens.server }),
          })
        : k3sAgentConfig(this.config, this.plan, { ...node, server: tokens.server ?? this.url });
    const files = {
      "config.yaml": stringify({ ...config, ...changes }),
      token: tokens.token,
      "agent-token": tokens.agentToken ?? "",
      "registries.yaml": registriesConfig(this.cluster),
      "admission.yaml": admissionConfig(),
      "audit-policy.yaml": auditPolicy(),
    };
    const service = serviceOf(role);
    const sysctls = Object.entries(this.plan.topology.agentSysctls).map(([name, value]) => `${name}=${value}\n`);
    await put(host, "/etc/sysctl.d/90-k3s.conf", sysctls.join(""));
    await host.ssh("sysctl -qp /etc/sysctl.d/90-k3s.conf; install -d /etc/rancher/k3s");
    for (const [name, content] of Object.entries(files)) await put(host, `/etc/rancher/k3s/${name}`, content);
    await put(host, `/etc/systemd/system/${service}.service`, k3sUnit(role));
    const release = `${this.downloads.url}/k3s/${encodeURIComponent(this.version)}`;
    await host.ssh(
      [
        `curl -fsS -o /usr/local/bin/k3s ${release}/k3s`,
        `echo "$(curl -fsS ${release}/sha256sum-amd64.txt | sed -n 's# k3s$# /usr/local/bin/k3s#p')" | sha256sum --check --quiet`,
        "chmod 755 /usr/local/bin/k3s",
        `systemctl daemon-reload && systemctl -q enable ${service}`,
      ].join(" && "),
    );
    await host.ssh(`systemctl restart ${service}`, "root", { timeout: 180_000 });
  }

  async installShim(host: Host, path: string): Promise<void> {
    await host.ssh(`curl -fsS ${this.downloads.url}/${path} | tar -xz -C /usr/local/bin`);
  }

  private get url(): string {
    return `https://${this.cluster.servers[0]?.address}:6443`;
  }
}

export interface Tokens {
  /** The file's content by which the node joins, or a first server is joined. */
  readonly token: string;
  readonly agentToken?: string;
  /** URL of the server to join. Default: none for a server, the first one for an agent. */
  readonly server?: string;
}

export function serviceOf(role: "server" | "agent"): string {
  return role === "server" ? "k3s" : "k3s-agent";
}

/** Over ssh, and readable by root alone. */
async function put(host: Host, file: string, content: string): Promise<void> {
  await host.ssh(`umask 077; cat >${file}`, "root", { input: content });
}
