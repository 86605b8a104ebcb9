import { spawn, type ChildProcess } from "node:child_process";
import { basename } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { log } from "./stand-in";

/** Where K3s unpacks what it has within itself, and where its parts find each other. */
export const BIN = "/var/lib/rancher/k3s/data/current/bin";

const children = new Map<string, ChildProcess>();
let ending = false;

/** Starts a part, whose end is the end of the whole: K3s has them within one process. */
export function startPart(command: string, args: readonly string[]): void {
  const name = basename(command);
  log("info", `Running ${name} ${args.join(" ")}`);
  // However this process ends, its parts end with it; what they have started, containers, goes on.
  const child = spawn("setpriv", ["--pdeathsig", "KILL", "--", command, ...args], {
    stdio: ["ignore", "inherit", "pipe"],
    env: { ...process.env, PATH: `${BIN}:${process.env["PATH"] ?? ""}`, NOTIFY_SOCKET: "" },
  });
  children.set(name, child);
  let last = "";
  child.stderr.on("data", (chunk: Buffer) => {
    process.stderr.write(chunk);
    last = `${last}${chunk.toString()}`.slice(-2000);
  });
  child.on("error", (error) => (last = error.message));
  child.on("close", (code, signal) => {
    children.delete(name);
    if (ending) return;
    const reason = last
      .trim()
      .split("\n")
      .findLast((line) => /^Error|^E\d{4}|error|fatal/i.test(line));
    end(`${name} exited: ${reason ?? (signal ? `by ${signal}` : `code ${code}`)}`);
  });
}

/** Ends as K3s does, with the reason as the last line of its log. */
export function end(reason: string): void {
  void endParts().then(() => {
    log("fatal", reason);
    process.exit(1);
  });
}

/** Asks all parts to end, those that others need last, and sees to it that they do. */
export async function endParts(): Promise<void> {
  ending = true;
  for (const late of [false, true]) {
    const those = () => [...children].filter(([name]) => ["etcd", "kube-apiserver"].includes(name) === late);
    for (const [, child] of those()) child.kill("SIGTERM");
    for (let waited = 0; those().length > 0 && waited < 5000; waited += 50) await sleep(50);
    for (const [, child] of those()) child.kill("SIGKILL");
  }
}
