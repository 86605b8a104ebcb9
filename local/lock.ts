import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import { hostname } from "node:os";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * A lock between processes: one file that names its owner.
 *
 * The libraries for this (proper-lockfile and its like) tell a dead owner by the age of a file that the living refresh, so
 * a killed run keeps everyone waiting for its stale time, and a machine that sleeps loses the lock of a living one. Here the
 * file holds the owner's process id and start time: a dead owner is known at once, and a living one never loses the lock.
 */
export interface LockOptions {
  /** What is told, once, when somebody else holds the lock; who it is, is added. */
  readonly waitingMessage: string;
  readonly onWait: (message: string) => void;
  /** Ends the waiting; the function that holds the lock has to watch the signal itself. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds between two looks at the lock. @default 200 */
  readonly poll?: number;
}

interface Owner {
  readonly pid: number;
  /** Start time in clock ticks after boot, where the system tells: a process id is used again, both together are not. */
  readonly started: string | undefined;
  readonly host: string;
  /** Tells two locks of one process apart. */
  readonly token: string;
}

const held = new Map<string, string>();

/** Runs `fn` while no other process, nor another caller in this one, runs under the same lock file. */
export async function withLock<T>(file: string, options: LockOptions, fn: () => Promise<T>): Promise<T> {
  const mine: Owner = {
    pid: process.pid,
    started: startTime(process.pid),
    host: hostname(),
    token: randomBytes(8).toString("hex"),
  };
  fs.mkdirSync(path.dirname(file), { recursive: true });
  await acquire(file, mine, options);
  if (held.size === 0) process.on("exit", releaseAll);
  held.set(file, mine.token);
  try {
    return await fn();
  } finally {
    release(file, mine.token);
    if (held.size === 0) process.off("exit", releaseAll);
  }
}

async function acquire(file: string, mine: Owner, options: LockOptions): Promise<void> {
  let told = false;
  for (;;) {
    options.signal?.throwIfAborted();
    if (create(file, mine)) return;
    const owner = read(file);
    if (owner === "gone" || removeDead(file)) continue;
    if (!told && owner !== "unreadable") {
      options.onWait(`${options.waitingMessage} (${describe(owner, file)})`);
      told = true;
    }
    await sleep(options.poll ?? 200, undefined, { signal: options.signal });
  }
}

/**
 * Creates the lock, with its content, in one step that fails when it exists. A file opened with O_EXCL and written
 * afterwards would be seen empty by others for a moment, which could not be told from an owner who died just then.
 */
function create(file: string, owner: Owner): boolean {
  const draft = `${file}.${owner.pid}.${owner.token}`;
  try {
    fs.writeFileSync(draft, JSON.stringify(owner));
    fs.linkSync(draft, file);
    return true;
  } catch (error) {
    if (isCode(error, "EEXIST")) return false;
    throw error;
  } finally {
    fs.rmSync(draft, { force: true });
  }
}

/**
 * Removes the lock of a dead owner. Only one process at a time may do so: of two that saw the same dead owner, the slower
 * one would else remove the lock that the faster one has just taken.
 */
function removeDead(file: string): boolean {
  const guard = `${file}.takeover`;
  try {
    fs.mkdirSync(guard);
  } catch (error) {
    if (!isCode(error, "EEXIST")) throw error;
    // It is held for microseconds; an old one was left by a process that died right there.
    const age = fs.statSync(guard, { throwIfNoEntry: false })?.mtimeMs ?? Date.now();
    if (Date.now() - age > 10_000) fs.rmSync(guard, { recursive: true, force: true });
    return false;
  }
  try {
    const owner = read(file);
    if (owner === "gone") return true;
    if (owner !== "unreadable" && isAlive(owner)) return false;
    fs.rmSync(file, { force: true });
    return true;
  } finally {
    fs.rmSync(guard, { recursive: true, force: true });
  }
}

/** A file that is no owner's record was cut off by a crash of the machine: nobody holds it. */
function read(file: string): Owner | "gone" | "unreadable" {
  try {
    const owner = JSON.parse(fs.readFileSync(file, "utf8")) as Owner;
    return Number.isInteger(owner.pid) ? owner : "unreadable";
  } catch (error) {
    return isCode(error, "ENOENT") ? "gone" : "unreadable";
  }
}

/** A process on another machine, as with a cache on a shared disk, cannot be looked at and counts as alive. */
function isAlive(owner: Owner): boolean {
  if (owner.host !== hostname()) return true;
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    return isCode(error, "EPERM");
  }
  return owner.started === undefined || owner.started === startTime(owner.pid);
}

/** Field 22 of /proc/<pid>/stat. The second field, the program's name, may hold spaces and brackets itself. */
function startTime(pid: number): string | undefined {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    return undefined;
  }
}

function describe(owner: Owner, file: string): string {
  const here = owner.host === hostname();
  return here ? `process ${owner.pid}` : `process ${owner.pid} on ${owner.host}; if it is gone, remove ${file}`;
}

function release(file: string, token: string): void {
  held.delete(file);
  const owner = read(file);
  if (typeof owner === "object" && owner.token === token) fs.rmSync(file, { force: true });
}

function releaseAll(): void {
  for (const [file, token] of held) release(file, token);
}

function isCode(error: unknown, code: string): boolean {
  return (error as NodeJS.ErrnoException).code === code;
}
