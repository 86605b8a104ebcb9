import { spawn, type ChildProcess } from "node:child_process";
import { createHash } from "node:crypto";
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { toAddress } from "../../../infra/addresses";
import { readCommandLine } from "../../../local/control-plane/processes";
import { readIfExists, writeFileAtomic } from "../../../local/files";
import { cgroupMounts, removeGroup, type CgroupMounts } from "../../../local/node/cgroups";
import { run } from "../../../local/run";

/** Where a world of hosts is on this machine: everything of it is named here, so that nothing of it is ever lost. */
export interface Place {
  readonly folder: string;
  /** Its group of processes, under the root of every hierarchy; each host has one within it. */
  readonly group: string;
  /** This machine's end of the cable to the hosts' switch. */
  readonly link: string;
  /** The hosts' network: three of an address's four numbers. */
  readonly network: string;
  /** This machine's address in it: what hosts may ask for something. */
  readonly machine: string;
}

/** The switch that hosts are plugged in, in the world's own network. */
export const BRIDGE = "hosts";

const SCRIPT = join(__dirname, "world.sh");

/**
 * The place of the hosts whose folder this is. The network is one of the 512 of 198.18.0.0/15, which RFC 2544 sets apart
 * for tests; which one follows from the folder, so that two clones do not meet.
 */
export function placeOf(folder: string): Place {
  const digest = createHash("sha256").update(folder).digest();
  const base = 198 * 2 ** 24 + 18 * 2 ** 16 + (digest.readUInt16BE(0) % 512) * 256;
  const network = toAddress(base).replace(/\.0$/, "");
  const id = digest.toString("hex", 2, 7);
  return { folder, group: `wasm-functions-hosts-${id}`, link: `wh${id}`, network, machine: `${network}.1` };
}

/** A world that runs: its first process, as seen from here, and the pipe that it hangs on. */
export interface World {
  readonly init: number;
  readonly holder: ChildProcess;
}

/** Starts an empty world, with a switch in it and a cable to this machine. Nothing else of this machine's network changes. */
export async function startWorld({ folder, link, machine }: Place): Promise<World> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const log = openSync(join(folder, "world.log"), "w", 0o600);
  const namespaces = ["--mount", "--net", "--pid", "--uts", "--ipc", "--fork", "--kill-child"];
  // In a session of its own: a Ctrl-C is for the test, which then ends the world.
  const options = { detached: true, stdio: ["pipe", log, log] } as const;
  const holder = spawn("unshare", [...namespaces, "sh", SCRIPT, folder], { ...options, stdio: [...options.stdio] });
  closeSync(log);
  holder.on("error", () => undefined);
  // What a world that has ended is told is lost, and whoever told it finds no host.
  holder.stdin?.on("error", () => undefined);
  const init = await firstProcess(holder, folder);
  writeFileAtomic(pidFile(folder), `${holder.pid} ${init}`);
  const inside = (...args: string[]) => run("nsenter", [`--target=${init}`, "--net", "--", "ip", ...args]);
  await inside("link", "add", BRIDGE, "type", "bridge");
  await inside("link", "set", BRIDGE, "up");
  await run("ip", ["link", "add", link, "type", "veth", "peer", "name", "machine", "netns", String(init)]);
  await inside("link", "set", "machine", "master", BRIDGE, "up");
  await run("ip", ["address", "add", `${machine}/24`, "dev", link]);
  await run("ip", ["link", "set", link, "up"]);
  return { init, holder };
}

/** Ends whatever there is at this place, be it of this process or of a test that was killed. */
export async function endWorld(place: Place): Promise<void> {
  const [holder, init] = (readIfExists(pidFile(place.folder)) ?? "").split(" ").map(Number);
  if (holder && init && isWorld(holder, place.folder)) {
    // The first process of a PID namespace: with it the kernel kills all others in there.
    kill(init);
    while (isWorld(holder, place.folder)) await sleep(20);
  }
  // It goes with the network namespace, a moment after the last process.
  for (let waited = 0; existsSync(`/sys/class/net/${place.link}`) && waited < 5000; waited += 50) await sleep(50);
  if (existsSync(`/sys/class/net/${place.link}`)) await run("ip", ["link", "delete", place.link]);
  await removeGroup(place.group, hierarchies());
  rmSync(place.folder, { recursive: true, force: true });
}

/** What is there of a world at this place, in words: nothing once it has ended. */
export async function leftoversOf(place: Place): Promise<string[]> {
  const mounts = readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .filter((line) => line.includes(place.folder));
  const links = (await run("ip", ["-br", "link"])).split("\n").filter((line) => line.startsWith(place.link));
  const routes = (await run("ip", ["route"])).split("\n").filter((line) => line.startsWith(`${place.network}.`));
  const groups = hierarchies()
    .hierarchies.map(({ folder }) => join(folder, place.group))
    .filter((group) => existsSync(group));
  const processes = processIds()
    .filter((pid) => isOf(place, pid))
    .map((pid) => `process ${pid}: ${readCommandLine(pid).join(" ").trim()}`);
  return [...mounts, ...links, ...routes, ...groups, ...processes, ...[place.folder].filter(existsSync)];
}

/**
 * Hierarchies of groups, with the one without controllers that systemd keeps beside those of version 1: there too a host's
 * processes must not be in one group with another's, since systemd takes what is in its group for its own.
 */
export function hierarchies(): CgroupMounts {
  const { version, hierarchies } = cgroupMounts();
  const unified = "/sys/fs/cgroup/unified";
  const hybrid = version === 1 && existsSync(join(unified, "cgroup.procs"));
  return { version, hierarchies: [...hierarchies, ...(hybrid ? [{ folder: unified, controllers: "" }] : [])] };
}

/**
 * The first process of a booted host, as seen from here: the one that is number 1 in the innermost of the world's, the
 * host's and the container's processes.
 */
export function firstOfHost(place: Place, host: string): number | undefined {
  return processIds().find((pid) => {
    const ids = /^NSpid:\s*(.*)$/m.exec(readIfThere(`/proc/${pid}/status`))?.[1]?.split("\t") ?? [];
    return (
      ids.length === 4 && ids[3] === "1" && groupsOf(pid).some((group) => isWithin(group, `${place.group}/${host}`))
    );
  });
}

/** Its command line names it, or it is in its group. */
function isOf(place: Place, pid: number): boolean {
  if (pid === process.pid) return false;
  return (
    readCommandLine(pid).join(" ").includes(`${place.folder}/`) ||
    isWorld(pid, place.folder) ||
    groupsOf(pid).some((group) => isWithin(group, place.group))
  );
}

function groupsOf(pid: number): string[] {
  return readIfThere(`/proc/${pid}/cgroup`)
    .split("\n")
    .map((line) => line.split(":").slice(2).join(":"));
}

function isWithin(group: string, parent: string): boolean {
  return `${group}/`.startsWith(`/${parent}/`);
}

function isWorld(pid: number, folder: string): boolean {
  const words = readCommandLine(pid);
  return words.includes(SCRIPT) && words.includes(folder);
}

function processIds(): number[] {
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number);
}

async function firstProcess(holder: ChildProcess, folder: string): Promise<number> {
  for (let waited = 0; waited < 10_000 && holder.exitCode === null && holder.pid; waited += 20) {
    await sleep(20);
    if (!existsSync(join(folder, "ready"))) continue;
    return Number(readFileSync(`/proc/${holder.pid}/task/${holder.pid}/children`, "utf8").trim());
  }
  throw new Error(`The hosts' world did not start: ${readIfExists(join(folder, "world.log"))?.trim() ?? ""}`);
}

function pidFile(folder: string): string {
  return join(folder, "world.pid");
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** Files of a process go with it, also while they are read. */
function readIfThere(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
