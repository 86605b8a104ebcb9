import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { CommandError } from "../run";

/** What is forwarded: one ready pod of a StatefulSet, at its port `http`. */
export interface Target {
  readonly namespace: string;
  readonly statefulSet: string;
}

/** Milliseconds that kubectl has to begin with, and to end in when it is told to. */
const WAIT = { begin: 30_000, end: 5000 };

/**
 * Does what is to be done while a free port on loopback leads to a pod, and ends the forwarding in every case.
 *
 * @param kubectl - the program and its first arguments
 * @throws CommandError with what kubectl said, where it ends before the work does
 */
export async function withForward<T>(
  [file, ...common]: readonly [string, ...string[]],
  { namespace, statefulSet }: Target,
  signal: AbortSignal,
  work: (url: string) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const what = `statefulset/${statefulSet}`;
  const args = [...common, "port-forward", "--address", "127.0.0.1", "-n", namespace, what, ":http"];
  const child = spawn(file, args, { stdio: ["ignore", "pipe", "pipe"] });
  const forwarding = watch(child, `kubectl port-forward ${what}`, signal);
  try {
    return await Promise.race([forwarding.broken, forwarding.port.then((port) => work(`http://127.0.0.1:${port}`))]);
  } finally {
    await end(child);
  }
}

/** The port that kubectl has chosen, and how it ends where nobody has ended it. */
function watch(child: ChildProcess, label: string, signal: AbortSignal) {
  let output = "";
  let errors = "";
  const fail = (how: string) => new CommandError(label, errors || output, how);
  let tell: (port: number) => void = () => undefined;
  const port = new Promise<number>((resolve) => (tell = resolve));
  const broken = new Promise<never>((_, reject) => {
    const late = setTimeout(() => reject(fail("did not begin in time")), WAIT.begin);
    child.stdout?.on("data", (chunk: Buffer) => {
      output += chunk.toString();
      const chosen = forwardedPort(output);
      if (chosen === undefined) return;
      clearTimeout(late);
      tell(chosen);
    });
    child.stderr?.on("data", (chunk: Buffer) => (errors += chunk.toString()));
    child.once("error", (error) => reject(new CommandError(label, "", `could not run: ${error.message}`)));
    child.once("close", (code, by) => {
      clearTimeout(late);
      reject(fail(by === null ? `ended with code ${code}` : `was ended by ${by}`));
    });
    signal.addEventListener("abort", () => reject(fail("was stopped")), { once: true });
  });
  // It is ended after the work, when nobody waits for how it ends.
  broken.catch(() => undefined);
  return { port, broken };
}

/** The port on loopback in what kubectl tells, once it has told the whole line. */
export function forwardedPort(output: string): number | undefined {
  const port = /^Forwarding from 127\.0\.0\.1:(\d+) -> \d+$/m.exec(output.slice(0, output.lastIndexOf("\n") + 1))?.[1];
  return port === undefined ? undefined : Number(port);
}

async function end(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGTERM");
  const late = setTimeout(() => child.kill("SIGKILL"), WAIT.end);
  await ended;
  clearTimeout(late);
}
