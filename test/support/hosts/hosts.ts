import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createConnection } from "node:net";
import { dirname, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { randomBytes } from "node:crypto";
import { readIfExists } from "../../../local/files";
import { withLock } from "../../../local/lock";
import { createGroup } from "../../../local/node/cgroups";
import { projectPaths } from "../../../local/paths";
import { createProgress } from "../../../local/progress";
import { run, type RunOptions } from "../../../local/run";
import type { ToolsOptions } from "../../../local/tools/session";
import { isProgram } from "../../../local/tools/on-path";
import { ensureHostImage, MODULES, SUDO_USER } from "./image";
import { BRIDGE, endWorld, firstOfHost, hierarchies, leftoversOf, placeOf, startWorld, type World } from "./world";

const REPOSITORY = resolve(__dirname, "../../..");

/** Why hosts cannot be booted here; undefined where they can. */
export const CANNOT_RUN = reason();

if (CANNOT_RUN !== undefined) {
  process.stderr.write(`\nSKIPPED: the tests on hosts, since ${CANNOT_RUN}. K3s is not proved to be installed.\n`);
}

export interface HostSpec {
  readonly name: string;
}

export interface HostsOptions {
  /** Files and folders of this machine that every host sees read-only, by their path there. */
  readonly mounts?: Readonly<Record<string, string>>;
  /** Where the image is made and kept. @default the repository's own cache */
  readonly tools?: ToolsOptions;
}

/** Where what hosts are made of is made and kept: the repository's own cache. */
export function hostTools(): ToolsOptions {
  return { paths: projectPaths(REPOSITORY), progress: createProgress(process.stderr) };
}

/** Where all hosts of this clone are: one world at a time, so that the next finds what an earlier one left. */
const PLACE = placeOf(join(projectPaths(REPOSITORY).home, "hosts"));

/**
 * Boots real Debian hosts, in containers that are machines in all but the kernel: systemd as their first process, sshd,
 * a disk of their own, one network among them. This machine has an address in it, and they have no way any further.
 *
 * Waits while another process has hosts, and ends what a killed one has left.
 */
export async function bootHosts(specs: readonly HostSpec[], options: HostsOptions = {}): Promise<Hosts> {
  const tools = options.tools ?? hostTools();
  const image = await ensureHostImage(tools);
  const release = await hold(`${PLACE.folder}.lock`, tools.progress.note);
  try {
    await endWorld(PLACE);
    const world = await startWorld(PLACE);
    const keys = join(PLACE.folder, "ssh");
    mkdirSync(keys, { mode: 0o700 });
    const client = await newKey(keys, "client");
    const group = hierarchies();
    createGroup(PLACE.group, group);
    const addresses = specs.map(({ name }, i) => ({ name, address: `${PLACE.network}.${FIRST_ADDRESS + i}` }));
    const hosts: Host[] = [];
    for (const { name, address } of addresses) {
      const key = await newKey(keys, name);
      layOut({ name, address, key, client: client.public, image, all: addresses, mounts: options.mounts ?? {} });
      hosts.push(new Host(world, name, address, key.public));
    }
    writeFileSync(join(keys, "known_hosts"), hosts.map(({ address, hostKey }) => `${address} ${hostKey}\n`).join(""));
    const all = new Hosts(hosts, client.private, release);
    await Promise.all(hosts.map((host) => host.start()));
    return all;
  } catch (error) {
    await endWorld(PLACE);
    release();
    throw error;
  }
}

/** What would be left of hosts on this machine, in words. */
export function leftovers(): Promise<string[]> {
  return leftoversOf(PLACE);
}

export class Hosts {
  private stopped = false;
  /** This machine's address on the hosts' network: what serves them must listen there, and nowhere else. */
  readonly machine = PLACE.machine;

  constructor(
    readonly all: readonly Host[],
    /** Opens every host, as root and as the user `deploy`; in OpenSSH's form. */
    readonly privateKey: string,
    private readonly release: () => void,
  ) {}

  get(name: string): Host {
    const host = this.all.find((one) => one.name === name);
    if (!host) throw new Error(`There is no host ${name}`);
    return host;
  }

  /** As if they had never been: processes, mounts, network, groups and folders are gone afterwards. */
  async stop(): Promise<void> {
    // Others may have theirs by now.
    if (this.stopped) return;
    this.stopped = true;
    await endWorld(PLACE);
    this.release();
  }
}

/** One host. It can be entered by ssh from this machine, at `address` and `port`. */
export class Host {
  readonly port = 22;

  constructor(
    private readonly world: World,
    readonly name: string,
    readonly address: string,
    /** The public key that it proves itself by, without a comment. */
    readonly hostKey: string,
  ) {}

  /** Runs a shell command as root, past ssh and whatever a test does to it: for assertions. */
  run(command: string, options: RunOptions = {}): Promise<string> {
    const args = [`--target=${this.init}`, "--mount", "--net", "--pid", "--uts", "--ipc", "--cgroup", "--"];
    return run("nsenter", [...args, "/bin/bash", "-c", command], { env: ENV, timeout: 60_000, ...options });
  }

  /** Runs a shell command over ssh. Whoever answers with another key is refused. */
  ssh(command: string, user: "root" | typeof SUDO_USER.name = "root", options: RunOptions = {}): Promise<string> {
    const keys = join(PLACE.folder, "ssh");
    const settings = [
      ...["BatchMode=yes", "StrictHostKeyChecking=yes", "IdentitiesOnly=yes", "LogLevel=ERROR", "ConnectTimeout=10"],
      `UserKnownHostsFile=${join(keys, "known_hosts")}`,
    ].flatMap((setting) => ["-o", setting]);
    const target = ["-F", "none", "-i", join(keys, "client"), ...settings, `${user}@${this.address}`];
    return run("ssh", [...target, command], { timeout: 60_000, ...options });
  }

  /** As its user reboots it, from inside. */
  async reboot(): Promise<void> {
    const before = this.init;
    await this.run("systemctl reboot").catch(() => undefined);
    await until(90, `${this.name} to go down`, () => Promise.resolve(!existsSync(`/proc/${before}`)), this.console);
    await this.untilUp();
  }

  /** As if its power was cut: nothing in it gets a word. Its disk stays. */
  async kill(): Promise<void> {
    this.tell("off");
    await until(10, `${this.name} to end`, () => Promise.resolve(this.found === undefined), this.console);
  }

  /** Powers it on, and waits until it can be entered. */
  async start(): Promise<void> {
    this.tell("on");
    await this.untilUp();
  }

  /** What it has written to its console so far. */
  readonly console = () => readIfExists(join(PLACE.folder, this.name, "console.log"))?.trim() ?? "";

  private get found(): number | undefined {
    return firstOfHost(PLACE, this.name);
  }

  private get init(): number {
    const { found } = this;
    if (found === undefined) throw new Error(`Host ${this.name} does not run: ${lastLines(this.console())}`);
    return found;
  }

  private tell(action: "on" | "off"): void {
    this.world.holder.stdin?.write(`${action} ${this.name}\n`);
  }

  private async untilUp(): Promise<void> {
    const isUp = async () => this.found !== undefined && (await answers(this.address, this.port));
    await until(90, `${this.name} to answer at port ${this.port}`, isUp, this.console);
    // Units that failed are a test's to look at; that systemd still starts some is not.
    await this.run("systemctl is-system-running --wait").catch(() => undefined);
  }
}

/** The first of a network are for what stands in front of hosts. */
const FIRST_ADDRESS = 11;
const ENV = { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", HOME: "/root", LC_ALL: "C.UTF-8" };

interface Layout {
  readonly name: string;
  readonly address: string;
  readonly key: { readonly private: string; readonly public: string };
  /** The key that may enter. */
  readonly client: string;
  readonly image: string;
  readonly all: readonly { readonly name: string; readonly address: string }[];
  readonly mounts: Readonly<Record<string, string>>;
}

/** Writes what is a host's own over its image, and what host.sh boots it with. */
function layOut({ name, address, key, client, image, all, mounts }: Layout): void {
  const folder = join(PLACE.folder, name);
  for (const part of ["upper", "work", "root", ...DATA.map((path) => `data${path}`)])
    mkdirSync(join(folder, part), { recursive: true, mode: 0o755 });
  const write = (path: string, content: string, mode = 0o644) => {
    const file = join(folder, "upper", path);
    mkdirSync(dirname(file), { recursive: true, mode: 0o755 });
    writeFileSync(file, content, { mode });
  };
  write("/etc/hostname", `${name}\n`);
  write("/etc/hosts", ["127.0.0.1 localhost", ...all.map((one) => `${one.address} ${one.name}`), ""].join("\n"));
  write("/etc/machine-id", `${randomBytes(16).toString("hex")}\n`);
  // There is no name server, and no way to one.
  write("/etc/resolv.conf", "");
  write("/etc/ssh/ssh_host_ed25519_key", key.private, 0o600);
  write("/etc/ssh/ssh_host_ed25519_key.pub", `${key.public}\n`);
  write(
    "/etc/systemd/network/10-host.network",
    `[Match]\nName=host0\n[Network]\nAddress=${address}/24\nGateway=${PLACE.machine}\nLinkLocalAddressing=no\n`,
  );
  for (const [home, owner] of [
    ["/root", 0],
    [`/home/${SUDO_USER.name}`, SUDO_USER.id],
  ] as const) {
    write(`${home}/.ssh/authorized_keys`, `${client}\n`, 0o600);
    for (const path of [home, `${home}/.ssh`, `${home}/.ssh/authorized_keys`])
      chownSync(join(folder, "upper", path), owner, owner);
    for (const path of [home, `${home}/.ssh`]) chmodSync(join(folder, "upper", path), 0o700);
  }
  const groups = hierarchies();
  const group = `${PLACE.group}/${name}`;
  createGroup(group, groups);
  const options = [
    ...DATA.map((path) => `--bind=${join(folder, `data${path}`)}:${path}`),
    ...Object.entries({ ...(existsSync(MODULES) && { [MODULES]: MODULES }), ...mounts }).map(
      ([path, source]) => `--bind-ro=${source}:${path}`,
    ),
  ];
  const settings = {
    NAME: name,
    IMAGE: image,
    BRIDGE,
    GROUPS: groups.hierarchies.map((hierarchy) => join(hierarchy.folder, group)).join(" "),
    MOUNTS: options.join(" "),
  };
  const lines = Object.entries(settings).map(([variable, value]) => `${variable}='${value}'\n`);
  writeFileSync(join(folder, "settings"), lines.join(""));
}

/** Folders of a host on which overlays are mounted; the kernel puts none on another. */
const DATA = ["/var/lib/rancher", "/var/lib/containerd"];

async function newKey(folder: string, name: string): Promise<{ private: string; public: string }> {
  const file = join(folder, name);
  await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", file]);
  return { private: readFileSync(file, "utf8"), public: readFileSync(`${file}.pub`, "utf8").trim() };
}

/** Takes the lock, and gives what lets go of it. */
function hold(file: string, onWait: (message: string) => void): Promise<() => void> {
  const waitingMessage = "another test has hosts: waiting for it";
  return new Promise((held, failed) => {
    withLock(file, { waitingMessage, onWait }, () => new Promise<void>((done) => held(done))).catch(failed);
  });
}

/** Whether an ssh server says so: one that has just come up accepts connections that it then drops. */
function answers(host: string, port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = createConnection({ host, port, timeout: 1000 });
    const end = (answer: boolean) => {
      socket.destroy();
      done(answer);
    };
    socket.once("data", (banner: Buffer) => end(banner.toString().startsWith("SSH-")));
    for (const event of ["error", "timeout", "close"]) socket.once(event, () => end(false));
  });
}

async function until(seconds: number, what: string, isSo: () => Promise<boolean>, log: () => string): Promise<void> {
  const deadline = Date.now() + seconds * 1000;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(`Waited ${seconds} s for ${what}:\n${lastLines(log())}`);
    await sleep(100);
  }
}

function lastLines(text: string): string {
  return text.split("\n").slice(-15).join("\n");
}

function reason(): string | undefined {
  if (process.platform !== "linux") return "this is not Linux";
  if (process.getuid?.() !== 0) return "this is not root";
  const folders = (process.env["PATH"] ?? "").split(":");
  const programs = {
    "systemd-nspawn": "systemd-container",
    debootstrap: "debootstrap",
    "ssh-keygen": "openssh-client",
  };
  const missing = Object.entries(programs).filter(([name]) => !folders.some((folder) => isProgram(join(folder, name))));
  const [first] = missing;
  return first && `there is no ${first[0]} (Debian's package ${first[1]})`;
}
