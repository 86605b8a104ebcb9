import { spawn } from "node:child_process";
import type { Readable } from "node:stream";

export interface ChildOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** The name that the program sees itself started under. */
  readonly argv0?: string;
  /** Milliseconds after which the child is ended. */
  readonly timeout?: number;
  readonly signal?: AbortSignal | undefined;
  /** Called with each line of standard error as it comes. */
  readonly onLine?: (line: string) => void;
}

export interface ChildResult {
  /** Undefined when the child was ended by a signal. */
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** Time that a child has to end by itself once it was asked to, in milliseconds. */
const GRACE = 2_000;

/**
 * Runs a program to its end; a failure is a result here, not an error. It gets a process group of its own, so that an
 * abort ends its children too: `go build` runs compilers that a signal to `go` alone would leave behind.
 *
 * @throws what the signal was aborted with, once the whole group has ended; the system's error when it cannot start
 */
export function runChild(command: string, args: readonly string[], options: ChildOptions): Promise<ChildResult> {
  const { env, cwd, argv0, signal, timeout, onLine } = options;
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const child = spawn(command, args, {
      env,
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      ...(cwd !== undefined && { cwd }),
      ...(argv0 !== undefined && { argv0 }),
    });
    const timers: NodeJS.Timeout[] = [];
    const end = () => {
      killGroup(child.pid, "SIGTERM");
      timers.push(setTimeout(() => killGroup(child.pid, "SIGKILL"), GRACE));
    };
    if (timeout !== undefined) timers.push(setTimeout(end, timeout));
    signal?.addEventListener("abort", end);
    const stdout = collect(child.stdout, onLine);
    const stderr = collect(child.stderr, onLine);
    const finished = () => {
      timers.forEach(clearTimeout);
      signal?.removeEventListener("abort", end);
    };
    child.on("error", (error) => {
      finished();
      reject(error);
    });
    child.on("close", (code) => {
      finished();
      // What of the group outlived its leader must not go on either.
      killGroup(child.pid, "SIGKILL");
      if (signal?.aborted) reject(signal.reason as Error);
      else resolve({ code: code ?? undefined, stdout: stdout.text(), stderr: stderr.text() });
    });
  });
}

function killGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // The group has ended already.
  }
}

function collect(stream: Readable, onLine?: (line: string) => void): { text: () => string } {
  const chunks: string[] = [];
  let rest = "";
  stream.setEncoding("utf8");
  stream.on("data", (chunk: string) => {
    chunks.push(chunk);
    if (!onLine) return;
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    lines.forEach(onLine);
  });
  return { text: () => chunks.join("") };
}
