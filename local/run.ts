import { spawn } from "node:child_process";

export interface RunOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** Given to the command's standard input. */
  readonly input?: string;
  /** The command is ended after this many milliseconds. */
  readonly timeout?: number;
  readonly signal?: AbortSignal;
  /** In a process group of its own, so that Ctrl-C on a terminal does not end it before it is done. */
  readonly ownGroup?: boolean;
}

/** A command that ended with another code than 0; the message ends with the last lines that it wrote. */
export class CommandError extends Error {
  override readonly name = "CommandError";

  constructor(
    readonly command: string,
    readonly output: string,
    /** Such as `failed with code 1`. */
    readonly how: string,
  ) {
    super(`${command} ${how}${output.trim() === "" ? "" : `:\n${lastLines(output)}`}`);
  }
}

/** Runs a command to its end and gives what it wrote to standard output. */
export function run(file: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const label = [file.split("/").pop(), ...args.slice(0, 3)].join(" ");
  return new Promise((resolve, reject) => {
    const { input, env, cwd, timeout, signal, ownGroup = false } = options;
    const child = spawn(file, args, {
      ...(env && { env }),
      ...(cwd !== undefined && { cwd }),
      ...(timeout !== undefined && { timeout }),
      ...(signal && { signal }),
      detached: ownGroup,
      stdio: [input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
    });
    const stdout: Buffer[] = [];
    const all: Buffer[] = [];
    child.stdout?.on("data", (chunk: Buffer) => (stdout.push(chunk), all.push(chunk)));
    child.stderr?.on("data", (chunk: Buffer) => all.push(chunk));
    child.on("error", (error) => reject(new CommandError(label, "", `could not run: ${error.message}`)));
    // What an ended command has started itself may hold its output open for as long as it likes.
    child.on("exit", (_, killedBy) => {
      if (killedBy) setTimeout(() => [child.stdout, child.stderr].forEach((stream) => stream?.destroy()), 100);
    });
    child.on("close", (code, killedBy) => {
      if (code === 0) resolve(Buffer.concat(stdout).toString());
      else
        reject(
          new CommandError(
            label,
            Buffer.concat(all).toString(),
            killedBy ? `was ended by ${killedBy}` : `failed with code ${code}`,
          ),
        );
    });
    // A command that ends before it has read its input is told by its exit code, not by a broken pipe.
    child.stdin?.on("error", () => undefined);
    child.stdin?.end(input);
  });
}

function lastLines(text: string, count = 12): string {
  return text.trimEnd().split("\n").slice(-count).join("\n");
}
