import { spawn, type ChildProcess } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  dropStalePidFiles,
  endOrphans,
  isAlive,
  killDaemon,
  listPidFiles,
  startDaemon,
  stopDaemon,
  type Daemon,
} from "../../../../local/control-plane/processes";
import { endGroups } from "../../../support/end-groups";

let folder: string;
let cluster: string;
let pids: Set<number>;
let children: ChildProcess[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "processes-"));
  cluster = join(folder, "clusters", "one");
  mkdirSync(join(cluster, "pids"), { recursive: true });
  pids = new Set();
  children = [];
});
afterEach(async () => {
  await endGroups(pids);
  for (const child of children) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

/** A shell that waits, under the name of a component. Its end is written to its log. */
function daemon(
  name = "etcd",
  script = "trap 'echo stopped; exit' TERM; echo started; while :; do sleep 0.02; done",
): Daemon {
  const command = join(folder, name);
  if (!existsSync(command)) symlinkSync("/bin/bash", command);
  return {
    pidFile: join(cluster, "pids", `${name}.pid`),
    logFile: join(cluster, "logs", `${name}.log`),
    command,
    args: ["-c", script, `--data-dir=${cluster}`],
  };
}

function start(what: Daemon): number {
  startDaemon(what);
  const pid = Number(readFileSync(what.pidFile, "utf8"));
  pids.add(pid);
  return pid;
}

function isRunning(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8") !== "";
  } catch {
    return false;
  }
}

async function logged(what: Daemon, text: string): Promise<void> {
  for (let waited = 0; waited < 5000 && !readFileSync(what.logFile, "utf8").includes(text); waited += 10)
    await sleep(10);
  expect(readFileSync(what.logFile, "utf8")).toContain(text);
}

/** A process of somebody else's. */
function stranger(command: string, ...args: string[]): number {
  const child = spawn(command, args, { stdio: "ignore" });
  children.push(child);
  return child.pid!;
}

describe("a daemon", () => {
  it("runs in a session of its own until it is stopped, and may tidy up then", async () => {
    const etcd = daemon();
    expect(isAlive(etcd.pidFile)).toBe(false);
    const pid = start(etcd);
    expect(isAlive(etcd.pidFile)).toBe(true);
    // The sixth field of stat, after the name in brackets, is the session.
    expect(readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ")[3]).toBe(String(pid));
    await logged(etcd, "started");
    await stopDaemon(etcd.pidFile);
    expect(isRunning(pid)).toBe(false);
    expect(existsSync(etcd.pidFile)).toBe(false);
    expect(readFileSync(etcd.logFile, "utf8")).toBe("started\nstopped\n");
  });

  it("is not started twice", async () => {
    const etcd = daemon();
    const pid = start(etcd);
    expect(start(etcd)).toBe(pid);
    await logged(etcd, "started");
    await stopDaemon(etcd.pidFile);
    expect(readFileSync(etcd.logFile, "utf8")).toBe("started\nstopped\n");
  });

  it("is started again after a kill, and goes on in the same log", async () => {
    const etcd = daemon();
    const first = start(etcd);
    await logged(etcd, "started");
    process.kill(first, "SIGKILL");
    while (isRunning(first)) await sleep(5);
    expect(isAlive(etcd.pidFile)).toBe(false);
    const second = start(etcd);
    expect(second).not.toBe(first);
    await logged(etcd, "started\nstarted\n");
  });

  it("is killed without a chance to tidy up, and only where it runs", async () => {
    const etcd = daemon();
    const pid = start(etcd);
    await logged(etcd, "started");
    await killDaemon(etcd.pidFile);
    expect([isRunning(pid), isAlive(etcd.pidFile), readFileSync(etcd.logFile, "utf8")]).toEqual([
      ...[false, false, "started\n"],
    ]);
    await expect(killDaemon(etcd.pidFile)).rejects.toThrow("etcd does not run");
  });

  it("has a log and a pid file that only the user may read", () => {
    const etcd = daemon();
    start(etcd);
    for (const file of [etcd.logFile, etcd.pidFile]) expect((statSync(file).mode & 0o777).toString(8)).toBe("600");
  });

  it("gets the environment that it is given, and nothing else", async () => {
    const etcd = { ...daemon("etcd", "echo [$NAME] [$HOME]; sleep 5"), env: { PATH: "/bin", NAME: "value" } };
    start(etcd);
    await logged(etcd, "[value] []");
  });

  it("that cannot be started is told by its program, and leaves no pid file", () => {
    const missing = { ...daemon(), command: join(folder, "missing") };
    expect(() => startDaemon(missing)).toThrow(`${join(folder, "missing")} could not be started`);
    expect(existsSync(missing.pidFile)).toBe(false);
  });
});

describe("a pid file", () => {
  it.each(["", "0", "1", "-1", "text", "1.5"])("that holds %j names no process", (content) => {
    const file = join(cluster, "pids", "etcd.pid");
    writeFileSync(file, content);
    expect(isAlive(file)).toBe(false);
  });

  it("whose pid now belongs to another program is dropped, and that program goes on", async () => {
    const { pidFile } = daemon();
    const pid = stranger("/bin/sleep", "30");
    writeFileSync(pidFile, String(pid));
    expect(isAlive(pidFile)).toBe(false);
    await stopDaemon(pidFile);
    expect(existsSync(pidFile)).toBe(false);
    expect(isRunning(pid)).toBe(true);
  });

  it("is not taken for ours where another program only reads this cluster's files", () => {
    const { pidFile } = daemon();
    writeFileSync(pidFile, String(stranger("/bin/sh", "-c", "while :; do sleep 1; done", join(cluster, "etcd.log"))));
    expect(isAlive(pidFile)).toBe(false);
  });

  it("is not taken for ours where the same program works on another cluster", async () => {
    const { pidFile, command } = daemon();
    const pid = stranger(command, "-c", "while :; do sleep 1; done", `--data-dir=${join(folder, "clusters", "two")}`);
    writeFileSync(pidFile, String(pid));
    expect(isAlive(pidFile)).toBe(false);
    await stopDaemon(pidFile);
    expect(isRunning(pid)).toBe(true);
  });

  it("is kept among those that are stale", () => {
    const running = daemon("etcd");
    start(running);
    const stale = daemon("kube-apiserver").pidFile;
    writeFileSync(stale, String(stranger("/bin/sleep", "30")));
    writeFileSync(daemon("kube-scheduler").pidFile, String(2 ** 22 + 1));
    writeFileSync(join(cluster, "pids", "notes.txt"), "1");
    expect(listPidFiles(join(cluster, "pids"))).toHaveLength(3);
    dropStalePidFiles(join(cluster, "pids"));
    expect(listPidFiles(join(cluster, "pids"))).toEqual([running.pidFile]);
    expect(existsSync(join(cluster, "pids", "notes.txt"))).toBe(true);
  });

  it("is missed nowhere: there is no folder yet, or nothing to stop", async () => {
    expect(listPidFiles(join(folder, "none"))).toEqual([]);
    dropStalePidFiles(join(folder, "none"));
    await stopDaemon(join(folder, "none", "etcd.pid"));
  });
});

describe("orphans", () => {
  /** A program of the folder, whose parent is this process. */
  function plugin(): number {
    const command = join(folder, "plugins", "plugin");
    mkdirSync(join(folder, "plugins"));
    symlinkSync("/bin/sh", command);
    const child = spawn(command, ["-c", "while :; do sleep 0.02; done"], { detached: true, stdio: "ignore" });
    pids.add(child.pid!);
    return child.pid!;
  }

  it("are ended where their parent is another than the one that would end them", async () => {
    const pid = plugin();
    await endOrphans(join(folder, "plugins"), "pulumi");
    while (isRunning(pid)) await sleep(5);
  });

  it("are none while that parent runs, nor outside the folder", async () => {
    const pid = plugin();
    const self = readFileSync("/proc/self/cmdline", "utf8").split("\0")[0]!;
    await endOrphans(join(folder, "plugins"), basename(self));
    await endOrphans(join(folder, "elsewhere"), "pulumi");
    expect(isRunning(pid)).toBe(true);
  });
});
