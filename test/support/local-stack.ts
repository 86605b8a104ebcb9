import { spawn, type ChildProcess } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parse, stringify } from "yaml";
import { kubectlFor, type Kubectl } from "../../local/control-plane/kubectl";
import { CACHE_VARIABLE, projectPaths, type Paths } from "../../local/paths";

const REPOSITORY = resolve(__dirname, "../..");

/**
 * No command takes so many milliseconds, be the machine as busy as it may. It ends before its test is given up, so that
 * what it said is told, and the next test finds no command under way.
 */
const LONGEST_COMMAND = 480_000;

export interface Outcome {
  readonly code: number | null;
  /** Results. */
  readonly stdout: string;
  /** Progress and errors. */
  readonly stderr: string;
}

/** A command that still runs. */
export interface Running {
  readonly child: ChildProcess;
  readonly outcome: Promise<Outcome>;
  /** Resolves when its progress matches; rejects when it ends before. */
  until(pattern: RegExp): Promise<void>;
}

/**
 * A project of its own in a temp folder: the stack files are copies that a test may change, the program and the cache
 * of tools are the repository's. Commands run as `make` runs them, each in a process of its own.
 */
export class LocalStack {
  readonly root = mkdtempSync(join(tmpdir(), "wasm-functions-"));
  readonly paths: Paths;
  private readonly env: NodeJS.ProcessEnv;

  /**
   * @param watched - whether it has its observability: some eighty objects more, which most tests do not ask for
   * @param guarded - whether Gatekeeper admits its objects: sixty more, and most tests make pods that no policy would let in
   */
  constructor({ watched = false, guarded = false }: { readonly watched?: boolean; readonly guarded?: boolean } = {}) {
    const cache = projectPaths(REPOSITORY).cache;
    for (const name of readdirSync(REPOSITORY).filter((file) => /^Pulumi\..*yaml$/.test(file))) {
      cpSync(join(REPOSITORY, name), join(this.root, name));
    }
    for (const stack of ["local", "real"]) {
      if (!watched) this.configure("observability", { enabled: false }, stack);
      if (!guarded) this.configure("admission", { enabled: false }, stack);
    }
    symlinkSync(join(REPOSITORY, "local"), join(this.root, "local"));
    // A home of its own shows what would be written into the user's.
    this.env = { ...process.env, [CACHE_VARIABLE]: cache, HOME: join(this.root, "user-home"), NO_COLOR: "1" };
    delete this.env["PULUMI_HOME"];
    this.paths = projectPaths(this.root, this.env);
  }

  /** Starts a command; `input` is what its user types. */
  start(command: string, stack = "local", env: NodeJS.ProcessEnv = {}, input = ""): Running {
    const loader = require.resolve("tsx");
    const child = spawn(process.execPath, ["--import", loader, join(REPOSITORY, "local/main.ts"), command, stack], {
      cwd: this.root,
      env: { ...this.env, ...env },
      stdio: ["pipe", "pipe", "pipe"],
    });
    child.stdin.end(input);
    let stdout = "";
    let stderr = "";
    const waiting = new Set<() => void>();
    child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => {
      stderr += chunk.toString();
      for (const check of waiting) check();
    });
    const overdue = setTimeout(() => {
      stderr += `\n${command} is not done after ${LONGEST_COMMAND / 1000} s: ended by the test`;
      child.kill("SIGKILL");
    }, LONGEST_COMMAND);
    const outcome = new Promise<Outcome>((done) =>
      child.on("close", (code) => {
        clearTimeout(overdue);
        done({ code, stdout, stderr });
      }),
    );
    const until = (pattern: RegExp) =>
      new Promise<void>((matched, ended) => {
        const check = () => {
          if (!pattern.test(stderr)) return;
          waiting.delete(check);
          matched();
        };
        waiting.add(check);
        void outcome.then(() => ended(new Error(`${command} ended before it said ${pattern}:\n${stderr}`)));
        check();
      });
    return { child, outcome, until };
  }

  run(command: string, stack = "local", env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
    return this.start(command, stack, env).outcome;
  }

  /** Runs a command that must succeed, and gives what it said. */
  async ok(command: string, stack = "local", env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
    const outcome = await this.run(command, stack, env);
    if (outcome.code !== 0)
      throw new Error(`${command} ${stack} failed with ${outcome.code}:\n${outcome.stderr}\n${outcome.stdout}`);
    return outcome;
  }

  get kubectl(): Kubectl {
    return kubectlFor(this.paths);
  }

  async get<T = KubernetesObject>(...args: string[]): Promise<T> {
    return JSON.parse(await this.kubectl(["get", ...args, "-o", "json"])) as T;
  }

  /** Changes one section of the stack's config. */
  configure(section: string, value: unknown, stack = "local"): void {
    const file = join(this.root, `Pulumi.${stack}.yaml`);
    const settings = parse(readFileSync(file, "utf8")) as { config: Record<string, unknown> };
    settings.config[`wasm-functions:${section}`] = value;
    writeFileSync(file, stringify(settings));
  }

  writeStackFile(text: string, stack = "local"): void {
    writeFileSync(join(this.root, `Pulumi.${stack}.yaml`), text);
  }

  /** Processes that work on this project's files, by the name that they were started under. */
  processes(): { readonly pid: number; readonly name: string }[] {
    return readdirSync("/proc")
      .filter((entry) => /^\d+$/.test(entry) && Number(entry) !== process.pid)
      .flatMap((entry) => {
        try {
          const words = readFileSync(`/proc/${entry}/cmdline`, "utf8").split("\0");
          const ours = words.join(" ").includes(this.root);
          return ours ? [{ pid: Number(entry), name: (words[0] ?? "").split("/").pop() ?? "" }] : [];
        } catch {
          return [];
        }
      });
  }

  /** Kills processes (all, or the one of this name) as `kill -9` does, and waits until they are gone with their ports. */
  async kill(name?: string): Promise<void> {
    const killed = this.processes().filter((process) => name === undefined || process.name === name);
    if (killed.length === 0)
      throw new Error(`No process of this stack ${name === undefined ? "runs" : `is a ${name}`}`);
    for (const { pid } of killed) process.kill(pid, "SIGKILL");
    while (killed.some(({ pid }) => existsSync(`/proc/${pid}`))) await new Promise((resume) => setTimeout(resume, 10));
  }

  /** What the home would be left with. */
  homeEntries(): string[] {
    return existsSync(this.paths.home) ? readdirSync(this.paths.home).sort() : [];
  }

  /** What was written into the user's home; the Go command keeps its telemetry in .config wherever it runs. */
  userHomeEntries(): string[] {
    const home = join(this.root, "user-home");
    return existsSync(home) ? readdirSync(home).filter((name) => name !== ".config") : [];
  }

  /** Ends whatever a failed test left running, and removes the folder. */
  dispose(): void {
    for (const { pid } of this.processes()) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It ended by itself.
      }
    }
    rmSync(this.root, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}

export interface KubernetesObject {
  readonly metadata: {
    readonly name: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly spec: Readonly<Record<string, unknown>>;
}

export interface KubernetesList<T = KubernetesObject> {
  readonly items: readonly T[];
}

/** Asks again until the answer is as wanted. */
export async function eventually<T>(
  seconds: number,
  what: string,
  ask: () => Promise<T>,
  wanted: (answer: T) => boolean,
): Promise<T> {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const answer = await ask();
    if (wanted(answer)) return answer;
    if (Date.now() > deadline) throw new Error(`not within ${seconds} s: ${what}; last: ${JSON.stringify(answer)}`);
    await new Promise((resume) => setTimeout(resume, 500));
  }
}
