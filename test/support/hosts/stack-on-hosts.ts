import { join } from "node:path";
import { DEFAULT_K3S_VERSION, DEFAULT_SHIM_VERSION } from "../../../infra/versions";
import { assembleImage, type ReadyImage } from "../../../local/images/assemble";
import { buildFunction } from "../../../local/images/function";
import { IMAGES, K3S_IMAGES } from "../../../local/images/table";
import { bootHosts, hostTools, leftovers, type Host, type Hosts } from "./hosts";
import { HostsStack, loginTo } from "./hosts-stack";
import { hostParts, publishK3s, publishShim, type Published } from "./releases";
import { serve, type HostServer } from "./server";

/** What of the stack's file a test changes: keys of a host by the host's name, and keys of the cluster. */
export interface StackChanges {
  readonly hosts?: Readonly<Record<string, object>>;
  readonly cluster?: object;
  /** Pods of the function, at least and at first. Default: 2. */
  readonly pods?: number;
  /** Agents that the config names. Default: all. */
  readonly agents?: readonly string[];
}

/**
 * A stack on bare hosts that were booted for it: those named `server-…` are its servers, the others its agents. Commands are
 * the same as for production, over real SSH, with a backend of the test's own.
 */
export class StackOnHosts extends HostsStack {
  hosts!: Hosts;
  downloads!: HostServer;
  shim!: Published;
  private airgapImages = false;
  /** What has to be ended, in the order in which it was started. */
  private readonly ends: (() => Promise<void>)[] = [];

  /**
   * Boots the hosts, and serves what they download.
   *
   * @param versions - the releases of K3s that there are
   * @param airgapImages - whether K3s's own images come with its release, and no registry has them
   */
  async boot(
    names: readonly string[],
    versions: readonly string[] = [DEFAULT_K3S_VERSION],
    airgapImages = false,
  ): Promise<void> {
    const options = hostTools();
    const served = join(this.local.root, "served");
    const ofK3s: ReadyImage[] = [];
    for (const image of K3S_IMAGES) ofK3s.push(await assembleImage(image, options));
    for (const version of versions) await publishK3s(served, version, airgapImages ? ofK3s : []);
    this.shim = await publishShim(served, DEFAULT_SHIM_VERSION, options);
    const ofStack = [await buildFunction("checkout", options, "compiled")];
    for (const image of [IMAGES.traefik, IMAGES.node]) ofStack.push(await assembleImage(image, options));
    this.hosts = await bootHosts(
      names.map((name) => ({ name })),
      { mounts: await hostParts(options), tools: options },
    );
    this.ends.push(() => this.hosts.stop());
    this.downloads = await serve(this.hosts.machine, served, [...ofStack, ...(airgapImages ? [] : ofK3s)]);
    this.ends.push(this.downloads.close);
    this.airgapImages = airgapImages;
    this.change();
    // The first command makes the tools ready.
    await this.run("preview");
    await this.setKey(this.hosts.privateKey);
  }

  /** @returns what is left of it on this machine, in words */
  async end(): Promise<string[]> {
    for (const end of this.ends.reverse()) await end();
    this.local.dispose();
    return leftovers();
  }

  get(name: string): Host {
    return this.hosts.get(name);
  }

  /** Writes the stack's file anew, with these changes and no other. */
  change(changes: StackChanges = {}): void {
    const login = (host: Host) => ({ ...loginTo(host), ...changes.hosts?.[host.name] });
    const isServer = ({ name }: Host) => name.startsWith("server-");
    const isAgent = (host: Host) => !isServer(host) && (changes.agents?.includes(host.name) ?? true);
    const cluster = {
      agentShape: { cpu: 2, memory: "6Gi", reserved: { cpu: "100m", memory: "1Gi" } },
      systemPodsPerAgent: 4,
      servers: this.hosts.all.filter(isServer).map(login),
      agents: this.hosts.all.filter(isAgent).map(login),
      k3s: { url: `${this.downloads.url}/k3s`, airgapImages: this.airgapImages },
      shim: { url: `${this.downloads.url}/shim`, sha256: { amd64: this.shim.sha256 } },
      mirrors: { "*": [this.downloads.url] },
      // Nothing here is encrypted by the stand-in, which says so.
      flannelBackend: "host-gw",
      ...changes.cluster,
    };
    this.configure(cluster, changes.pods);
  }

  /** On the first server. */
  kubectl(command: string): Promise<string> {
    return this.get("server-1").run(`k3s kubectl ${command}`);
  }
}

/** When systemd last started K3s there: a number that grows, on the one clock that all test hosts have. */
export async function startedAt(host: Host): Promise<number> {
  const service = host.name.startsWith("server-") ? "k3s" : "k3s-agent";
  return Number(await host.run(`systemctl show -p ExecMainStartTimestampMonotonic --value ${service}`));
}
