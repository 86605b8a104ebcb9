import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Plan } from "../../../infra/plan";
import { killProcess } from "../../control-plane/control-plane";
import { embeddedCluster } from "../../embedded";
import type { Session } from "../../engine/commands";
import type { StackFile } from "../../engine/stack-file";
import { withLock } from "../../lock";
import { silentProgress } from "../../progress";
import type { Machine } from "./world";

/** This machine, for a stack whose control plane `make up` has started here. */
export function machineOf({ paths }: Session, { config, stack }: StackFile, plan: Plan): Machine {
  // Not the run's own signal: what was killed is started again also where the user has stopped the run.
  const cluster = embeddedCluster("simulated-nodes", { paths, config, plan, progress: silentProgress });
  const lock = { waitingMessage: "Waiting for another command on this stack", onWait: () => undefined };
  return {
    kill: (process) => killProcess(paths, process),
    restart: () => withLock(join(paths.home, "lock"), lock, () => cluster.start(() => undefined)),
    up: (signal) => command("up", stack, join(paths.home, "surge", stack, "up.log"), signal),
  };
}

/**
 * Another of the project's commands, by the entry that runs this one, with what it says in a file. It has a process group of
 * its own: Ctrl-C on a terminal would else reach it twice, of which the second would have the engine drop its work.
 */
function command(name: string, stack: string, logFile: string, signal: AbortSignal): Promise<void> {
  mkdirSync(dirname(logFile), { recursive: true, mode: 0o700 });
  const log = openSync(logFile, "w", 0o600);
  const child = spawn(process.execPath, [...process.execArgv, process.argv[1]!, name, stack], {
    detached: true,
    stdio: ["ignore", log, log],
  });
  closeSync(log);
  const stop = () => void child.kill("SIGTERM");
  signal.addEventListener("abort", stop, { once: true });
  return new Promise<void>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      if (code === 0) resolve();
      else reject(new Error(`make ${name} ${signal.aborted ? "was stopped" : `ended with ${code}`}: see ${logFile}`));
    });
  }).finally(() => signal.removeEventListener("abort", stop));
}
