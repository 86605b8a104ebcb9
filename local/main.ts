import { rmSync } from "node:fs";
import { formatProblem, ProblemsError } from "../infra/problems";
import { backup, bundle, bundleCheck, restoreFunctions } from "./artifacts/commands";
import { charts } from "./charts/command";
import { down, preview, refresh, status, up, type Session } from "./engine/commands";
import { engineWords, StoppedError, UpdateError } from "./engine/update";
import { graph } from "./graph/command";
import { hostsCheck } from "./hosts/check";
import { rotateEncryptionKey } from "./hosts/encryption-key";
import { restore, snapshot } from "./hosts/snapshots";
import { claimPulumiHome, projectPaths } from "./paths";
import { plan } from "./plan/command";
import { createProgress } from "./progress";
import { CommandError } from "./run";
import { surge, SurgeStopped } from "./surge/command";
import { token } from "./tokens/command";

const COMMANDS = {
  ...{ up, preview, plan, refresh, down, status, token, charts, graph, surge },
  ...{ bundle, "bundle-check": bundleCheck, backup, "restore-functions": restoreFunctions },
  // On the hosts of a stack of kind k3s.
  ...{ "hosts-check": hostsCheck, snapshot, restore, "rotate-encryption-key": rotateEncryptionKey },
};

const USAGE = `usage: make ${Object.keys(COMMANDS).join("|")} [STACK=local]`;

/** The commands behind `make`: one word, and the stack's name. */
async function main([command = "", stack = "local"]: readonly string[]): Promise<number> {
  if (!(command in COMMANDS)) {
    process.stderr.write(`${command || "no command"}: not a command\n${USAGE}\n`);
    return 2;
  }
  const paths = projectPaths(process.cwd());
  claimPulumiHome(paths);
  const session: Session = {
    paths,
    progress: createProgress(process.stderr),
    ...stopSignals(),
    print: (text) => void process.stdout.write(`${text}\n`),
  };
  try {
    await COMMANDS[command as keyof typeof COMMANDS](session, stack);
    return 0;
  } catch (error) {
    if (error instanceof SurgeStopped) {
      process.stderr.write(`\n${error.message}\n`);
      return 130;
    }
    if (session.signal.aborted) {
      process.stderr.write(
        `\n${error instanceof StoppedError ? error.message : "Stopped"}. Run the same command again to go on from here.\n`,
      );
      return 130;
    }
    process.stderr.write(`\n${describe(error)}\n`);
    return 1;
  } finally {
    rmSync(paths.scratch, { recursive: true, force: true });
  }
}

/**
 * `signal` aborts on Ctrl-C or termination. On a terminal Ctrl-C reaches the engine by itself, and a second one would
 * make it drop what is under way: so `engineSignal`, which passes the word on, aborts only for what does not come from
 * the keyboard.
 */
function stopSignals(): { signal: AbortSignal; engineSignal: AbortSignal } {
  const stop = new AbortController();
  const engine = new AbortController();
  const onSignal = (name: NodeJS.Signals) => {
    if (!stop.signal.aborted) process.stderr.write("\nStopping: what is under way is finished first.\n");
    stop.abort();
    if (name !== "SIGINT" || !process.stdin.isTTY) engine.abort();
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  return { signal: stop.signal, engineSignal: engine.signal };
}

/** What users can mend is told without a stack trace; anything else is a fault of ours and keeps it. */
function describe(error: unknown): string {
  if (error instanceof ProblemsError) {
    return [`${error.summary}:`, ...error.problems.map((problem) => `  - ${formatProblem(problem)}`)].join("\n");
  }
  if (error instanceof UpdateError || error instanceof CommandError || error instanceof StoppedError)
    return error.message;
  // The SDK's own error for a command of the engine: what the engine said is in it.
  if (error instanceof Error && error.constructor.name === "CommandError") return engineWords(error);
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

void main(process.argv.slice(2)).then((code) => process.exit(code));
