import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parse, stringify } from "yaml";
import { DEFAULT_K3S_VERSION, DEFAULT_SHIM_VERSION } from "../../../infra/versions";
import { assembleImage, type ReadyImage } from "../../../local/images/assemble";
import { buildFunction } from "../../../local/images/function";
import { IMAGES } from "../../../local/images/table";
import { run } from "../../../local/run";
import { LocalStack, type Outcome } from "../local-stack";
import { bootHosts, hostTools, leftovers, type Host, type Hosts } from "./hosts";
import { hostParts, publishK3s, publishShim, type Published } from "./releases";
import { serve, type HostServer } from "./server";

const STACK = "hosts";

/** What of the stack's file a test changes: keys of a host by the host's name, and keys of the cluster. */
export interface StackChanges {
  readonly hosts?: Readonly<Record<string, object>>;
  readonly cluster?: object;
  /** Pods of the function at least, and at first. Default: 2, which is the stack's own. */
  readonly pods?: number;
  /** Those that the config names. Default: all of the role. */
  readonly agents?: readonly string[];
}

export interface StateResource {
  readonly urn: string;
  readonly outputs?: object;
}

/**
 * The stack `real` on bare hosts that were booted for it: those named `server-…` are its servers, the others its agents.
 * Commands are the same as for production, over real SSH, with a backend of the test's own.
 */
export class StackOnHosts {
  readonly stack = new LocalStack();
  hosts!: Hosts;
  downloads!: HostServer;
  shim!: Published;
  private readonly env = {
    PULUMI_BACKEND_URL: `file://${join(this.stack.root, "own-backend")}`,
    PULUMI_CONFIG_PASSPHRASE: "of this test",
  };
  /** What has to be ended, in the order in which it was started. */
  private readonly ends: (() => Promise<void>)[] = [];

  /** Boots the hosts, and serves what they download: these versions of K3s among it. */
  async start(names: readonly string[], versions: readonly string[] = [DEFAULT_K3S_VERSION]): Promise<void> {
    const options = hostTools();
    mkdirSync(join(this.stack.root, "own-backend"));
    // The engine looks for the program's file there.
    symlinkSync(resolve(__dirname, "../../../infra"), join(this.stack.root, "infra"));
    const served = join(this.stack.root, "served");
    for (const version of versions) await publishK3s(served, version);
    this.shim = await publishShim(served, DEFAULT_SHIM_VERSION, options);
    const images: ReadyImage[] = [await buildFunction("checkout", options, "compiled")];
    for (const image of Object.values(IMAGES)) images.push(await assembleImage(image, options));
    this.hosts = await bootHosts(
      names.map((name) => ({ name })),
      { mounts: await hostParts(options), tools: options },
    );
    this.ends.push(() => this.hosts.stop());
    this.downloads = await serve(this.hosts.machine, served, images);
    this.ends.push(this.downloads.close);
    this.configure();
    // The first command makes the tools ready.
    await this.run("preview");
    await this.pulumi(["stack", "init", STACK]);
    await this.pulumi(
      ["config", "set", "--stack", STACK, "--secret", "--path", 'sshKeys["default"]'],
      this.hosts.privateKey,
    );
  }

  /** @returns what is left of it on this machine, in words */
  async end(): Promise<string[]> {
    for (const end of this.ends.reverse()) await end();
    this.stack.dispose();
    return leftovers();
  }

  get(name: string): Host {
    return this.hosts.get(name);
  }

  /** Writes the stack's file; what it stores encrypted stays in it. */
  configure(changes: StackChanges = {}): void {
    const file = join(this.stack.root, `Pulumi.${STACK}.yaml`);
    const before = existsSync(file) ? (parse(readFileSync(file, "utf8")) as { config: object }) : undefined;
    const { config } = parse(readFileSync(join(this.stack.root, "Pulumi.real.yaml"), "utf8")) as {
      config: Record<string, object>;
    };
    const login = ({ name, address, port, hostKey }: Host) => ({
      name,
      host: address,
      port,
      hostKey,
      ...changes.hosts?.[name],
    });
    const isServer = ({ name }: Host) => name.startsWith("server-");
    const isAgent = (host: Host) => !isServer(host) && (changes.agents?.includes(host.name) ?? true);
    const cluster = {
      kind: "k3s",
      agentShape: { cpu: 2, memory: "6Gi", reserved: { cpu: "500m", memory: "1Gi" } },
      servers: this.hosts.all.filter(isServer).map(login),
      agents: this.hosts.all.filter(isAgent).map(login),
      k3s: { url: `${this.downloads.url}/k3s` },
      shim: { url: `${this.downloads.url}/shim`, sha256: { amd64: this.shim.sha256 } },
      mirrors: { "*": [this.downloads.url] },
      // Nothing here is encrypted by the stand-in, which says so.
      flannelBackend: "host-gw",
      ...changes.cluster,
    };
    const { pods = 2 } = changes;
    const functions = (config["wasm-functions:functions"] as { scaling: object }[]).map((fn) => ({
      ...fn,
      scaling: { ...fn.scaling, min: pods, initial: pods },
    }));
    const changed = { "wasm-functions:cluster": cluster, "wasm-functions:functions": functions };
    const merged = { ...before?.config, ...config, ...changed };
    writeFileSync(file, stringify({ ...before, config: merged }));
  }

  run(command: string): Promise<Outcome> {
    return this.stack.run(command, STACK, this.env);
  }

  ok(command: string): Promise<Outcome> {
    return this.stack.ok(command, STACK, this.env);
  }

  /** Starts a command that is to be disturbed while it runs. */
  begin(command: string): ReturnType<LocalStack["start"]> {
    return this.stack.start(command, STACK, this.env);
  }

  /** The official CLI's own commands, in this stack's folder. */
  pulumi(args: readonly string[], input = ""): Promise<string> {
    const own = {
      ...this.env,
      PULUMI_HOME: this.stack.paths.pulumiHome,
      PULUMI_SKIP_UPDATE_CHECK: "true",
      NO_COLOR: "1",
    };
    return run(join(this.stack.paths.bin, "pulumi"), [...args, "--non-interactive"], {
      cwd: this.stack.root,
      env: { ...process.env, ...own },
      input,
    });
  }

  async state(): Promise<readonly StateResource[]> {
    const { deployment } = JSON.parse(await this.pulumi(["stack", "export", "--stack", STACK])) as {
      deployment: { resources?: readonly StateResource[] };
    };
    return deployment.resources ?? [];
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
