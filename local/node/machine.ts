import { spawn } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { readCommandLine } from "../control-plane/processes";
import { readIfExists, writeFileAtomic } from "../files";
import { run } from "../run";
import { cgroupMounts, createGroup, groupFiles, removeGroup, type CgroupMounts } from "./cgroups";
import { planLink, type Link } from "./network";

/**
 * A machine within this machine: namespaces of its own for mounts, network, processes, host name, IPC and cgroups, held
 * by one process. What that process holds ends with it: the kernel kills every process in there and drops the mounts and
 * the link, whatever state they were in.
 */
export interface MachineArgs {
  /** Its folder: what lies in there goes with it. */
  readonly folder: string;
  /** The root file system that it runs on, read-only. */
  readonly root: string;
  readonly hostname: string;
  /** Its group of processes, under the root of every hierarchy. */
  readonly cgroup: string;
  readonly link: Link;
}

/** The process ids of a running machine, as seen from outside. */
export interface Machine {
  /** The process that waits for the machine's end. */
  readonly holder: number;
  /** The machine's first process. */
  readonly init: number;
}

const INIT = join(__dirname, "init.sh");

/** Starts it unless it runs. */
export async function startMachine(args: MachineArgs): Promise<Machine> {
  const running = runningMachine(args.folder);
  // One that was broken off before it had its network and its root is made anew.
  if (running && isInitialized(running)) return running;
  await removeMachine(args.folder, args.cgroup);
  for (const folder of ["var", "rancher", "bin", "wasmedge"]) mkdirSync(join(args.folder, folder), { recursive: true });
  writeFileAtomic(join(args.folder, "hosts"), `127.0.0.1 localhost\n${args.link.node} ${args.hostname}\n`, 0o644);
  // Nothing in there asks the machine's own name servers; CoreDNS answers for the cluster's names alone.
  writeFileAtomic(join(args.folder, "resolv.conf"), "", 0o644);

  const mounts = cgroupMounts();
  createGroup(args.cgroup, mounts);
  const machine = await spawnInit(args, mounts);
  try {
    await connect(machine, args);
    await untilInitialized(machine, args.folder);
  } catch (error) {
    await removeMachine(args.folder, args.cgroup);
    throw error;
  }
  return machine;
}

/** The machine that this folder belongs to, if it runs. */
export function runningMachine(folder: string): Machine | undefined {
  const { holder, init } = parsePids(readIfExists(pidFile(folder)));
  if (holder === undefined || init === undefined) return undefined;
  // Process ids are used again: this one must still be what we started, for this folder.
  return commandLine(holder).includes(INIT) && commandLine(holder).includes(folder) ? { holder, init } : undefined;
}

/** Ends it with all that runs in it, and takes its group away. */
export async function removeMachine(folder: string, cgroup: string): Promise<void> {
  const machine = runningMachine(folder);
  if (machine) {
    // The first process of a PID namespace: with it the kernel kills all others in there.
    process.kill(machine.init, "SIGKILL");
    while (commandLine(machine.holder) !== "") await sleep(20);
  }
  rmSync(pidFile(folder), { force: true });
  // It goes with the network namespace, but a stranger's shell may hold that: the link, and its routes, must not stay.
  const { name } = planLink(folder, []);
  if (existsSync(`/sys/class/net/${name}`)) await run("ip", ["link", "delete", name]).catch(() => undefined);
  await removeGroup(cgroup, cgroupMounts());
}

/** Runs a command inside, as root in all of its namespaces. */
export function runInside(
  machine: Machine,
  command: readonly string[],
  options: { readonly input?: string; readonly timeout?: number; readonly signal?: AbortSignal } = {},
): Promise<string> {
  return run("nsenter", insideArgs(machine, command), { env: INSIDE_ENV, timeout: 60_000, ...options });
}

/** The arguments of nsenter that run a command inside. */
export function insideArgs({ init }: Machine, command: readonly string[]): string[] {
  return [`--target=${init}`, "--mount", "--net", "--pid", "--uts", "--ipc", "--cgroup", "--", ...command];
}

export const INSIDE_ENV = { PATH: "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", HOME: "/root" };

async function spawnInit(args: MachineArgs, mounts: CgroupMounts): Promise<Machine> {
  const join = groupFiles(args.cgroup, mounts).map((file) => `echo $$ >'${file}'`);
  const cgroup = mounts.version === 2 ? "2" : `1 ${mounts.hierarchies.map(({ controllers }) => controllers).join(" ")}`;
  const unshare = ["--mount", "--net", "--pid", "--uts", "--ipc", "--cgroup", "--fork", "--kill-child"].join(" ");
  // In the group first: the cgroup namespace has for its root what its first process was in.
  const script = [...join, `exec unshare ${unshare} "$@"`].join("\n");
  // Anew each time: what an earlier one said when it was killed is not why this one failed.
  const log = openSync(`${args.folder}/init.log`, "w", 0o600);
  const child = spawn("sh", ["-ec", script, "sh", INIT, args.root, args.folder, cgroup], {
    detached: true,
    stdio: ["ignore", log, log],
  });
  closeSync(log);
  child.on("error", () => undefined);
  child.unref();
  const holder = child.pid;
  if (holder === undefined) throw new Error("unshare could not be started");
  for (let waited = 0; waited < 5000 && child.exitCode === null; waited += 20) {
    await sleep(20);
    const init = onlyChild(holder);
    if (init === undefined) continue;
    writeFileAtomic(pidFile(args.folder), `${holder} ${init}`);
    await run("nsenter", [`--target=${init}`, "--uts", "--", "hostname", args.hostname]);
    return { holder, init };
  }
  throw new Error(`The node's first process did not start: ${readIfExists(`${args.folder}/init.log`)?.trim() ?? ""}`);
}

/** The link's far end becomes the machine's eth0; the near end stays here, and goes with the machine. */
async function connect({ init }: Machine, { link }: MachineArgs): Promise<void> {
  const inside = (...args: string[]) => run("nsenter", [`--target=${init}`, "--net", "--", "ip", ...args]);
  await run("ip", ["link", "add", link.name, "type", "veth", "peer", "name", "eth0", "netns", String(init)]);
  await run("ip", ["address", "add", `${link.host}/30`, "dev", link.name]);
  await run("ip", ["link", "set", link.name, "up"]);
  for (const cidr of link.routes) await run("ip", ["route", "add", cidr, "via", link.node, "dev", link.name]);
  await inside("link", "set", "eth0", "up");
  await inside("address", "add", `${link.node}/30`, "dev", "eth0");
  await inside("route", "add", "default", "via", link.host);
}

function isInitialized({ init }: Pick<Machine, "init">): boolean {
  return commandLine(init).startsWith("tini ");
}

/**
 * Until then its root file system is still this machine's: a command would run in the wrong place. That it has no command
 * line does not say that it ended: for a moment of each exec it has none.
 */
async function untilInitialized({ init }: Machine, folder: string): Promise<void> {
  for (let waited = 0; existsSync(`/proc/${init}`) && waited < 10_000; waited += 20) {
    if (isInitialized({ init })) return;
    await sleep(20);
  }
  throw new Error(`The node's first process did not get ready: ${readIfExists(`${folder}/init.log`)?.trim() ?? ""}`);
}

function pidFile(folder: string): string {
  return join(folder, "machine.pid");
}

function parsePids(text = ""): { holder?: number; init?: number } {
  const [holder, init] = text.split(" ").map(Number);
  return Number.isInteger(holder) && Number.isInteger(init) ? { holder: holder as number, init: init as number } : {};
}

function onlyChild(pid: number): number | undefined {
  const children = readIfExists(`/proc/${pid}/task/${pid}/children`)?.trim() ?? "";
  // Until the shell has become unshare, its child may be something else.
  return children !== "" && commandLine(pid).startsWith("unshare") ? Number(children) : undefined;
}

function commandLine(pid: number): string {
  return readCommandLine(pid).join(" ");
}
