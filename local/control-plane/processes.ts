import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { readIfExists, writeFileAtomic } from "../files";

/** A program that goes on after the command that started it, known by a pid file that holds nothing but its pid. */
export interface Daemon {
  readonly pidFile: string;
  readonly logFile: string;
  readonly command: string;
  /** What it is called among the processes, where that is not its command: the pid file is named after it. */
  readonly name?: string;
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
}

/** Starts it unless it runs. It gets a session of its own, so that a Ctrl-C meant for us does not reach it. */
export function startDaemon(daemon: Daemon): void {
  if (isAlive(daemon.pidFile)) return;
  mkdirSync(dirname(daemon.logFile), { recursive: true, mode: 0o700 });
  const log = openSync(daemon.logFile, "a", 0o600);
  const child = spawn(daemon.command, daemon.args, {
    detached: true,
    argv0: daemon.name ?? daemon.command,
    stdio: ["ignore", log, log],
    env: daemon.env ?? process.env,
  });
  closeSync(log);
  child.on("error", () => undefined);
  child.unref();
  if (child.pid === undefined) throw new Error(`${daemon.command} could not be started`);
  writeFileAtomic(daemon.pidFile, String(child.pid));
}

export async function stopDaemon(pidFile: string): Promise<void> {
  const pid = livePid(pidFile);
  if (pid !== undefined) await endProcess(pid);
  rmSync(pidFile, { force: true });
}

/** As `kill -9` does it, to see who misses it: returns when it is gone with its ports. Its pid file stays, as in life. */
export async function killDaemon(pidFile: string): Promise<void> {
  const pid = livePid(pidFile);
  if (pid === undefined) throw new Error(`${basename(pidFile, ".pid")} does not run`);
  await endAtOnce(pid);
}

export function isAlive(pidFile: string): boolean {
  return livePid(pidFile) !== undefined;
}

/**
 * Removes pid files whose process is gone, or whose pid now belongs to another program: kwokctl looks at nothing
 * but whether the pid is alive, and would take a stranger for its component, or kill it.
 */
export function dropStalePidFiles(folder: string): void {
  for (const file of listPidFiles(folder)) if (!isAlive(file)) rmSync(file, { force: true });
}

export function listPidFiles(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => name.endsWith(".pid"))
      .map((name) => join(folder, name));
  } catch {
    return [];
  }
}

/**
 * The pid in the file, if it runs the program that the file is named after (`…/etcd.pid` a program called etcd)
 * on this cluster's files. The command line tells, since it names them.
 */
function livePid(pidFile: string): number | undefined {
  const pid = Number(readIfExists(pidFile));
  if (!Number.isInteger(pid) || pid <= 1) return undefined;
  const commandLine = readCommandLine(pid);
  const ours =
    basename(commandLine[0] ?? "") === basename(pidFile, ".pid") &&
    commandLine.join(" ").includes(dirname(dirname(pidFile)));
  return ours ? pid : undefined;
}

/** The words that a process was started with; none where it is gone. */
export function readCommandLine(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
  } catch {
    return [];
  }
}

/**
 * Ends programs of a folder whose parent, which would have ended them, is gone: a killed engine leaves its plugins
 * behind. One whose parent still runs under the name `parent` is let alone.
 */
export async function endOrphans(folder: string, parent: string): Promise<void> {
  const pids = readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number);
  const orphans = pids.filter(
    (pid) =>
      readCommandLine(pid)[0]?.startsWith(`${folder}/`) === true &&
      basename(readCommandLine(parentOf(pid))[0] ?? "") !== parent,
  );
  for (const pid of orphans) await endProcess(pid);
}

/** Field 4 of /proc/<pid>/stat; the program's name before it may hold spaces and brackets itself. */
function parentOf(pid: number): number {
  const stat = readIfExists(`/proc/${pid}/stat`) ?? "";
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
}

/** Asks it to end, ends it after five seconds, and returns when it is gone with its ports and files. */
async function endProcess(pid: number): Promise<void> {
  kill(pid, "SIGTERM");
  if (!(await isGone(pid, 5000))) await endAtOnce(pid);
}

async function endAtOnce(pid: number): Promise<void> {
  kill(pid, "SIGKILL");
  if (!(await isGone(pid, 5000))) throw new Error(`Process ${pid} does not end, not even killed`);
}

async function isGone(pid: number, milliseconds: number): Promise<boolean> {
  for (let waited = 0; waited < milliseconds; waited += 50) {
    if (readCommandLine(pid).join("") === "") return true;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return false;
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
