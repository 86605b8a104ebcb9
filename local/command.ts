import { ProblemsError } from "../infra/problems";

class Stopped extends Error {
  override readonly name = "Stopped";
}

/** Runs a command that makes what is kept: what it leaves half done on Ctrl-C or termination, the next run goes on with. */
export function runCommand(main: (args: readonly string[], signal: AbortSignal) => Promise<void>): void {
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort(new Stopped(signal)));

  main(process.argv.slice(2), stop.signal).catch((error: unknown) => {
    if (stop.signal.aborted) {
      process.stderr.write("Stopped. What is ready is kept: run it again to go on.\n");
      process.exitCode = 130;
      return;
    }
    // A problem is told as it is; anything else is a mistake of ours, which its stack helps to find.
    process.stderr.write(
      `${error instanceof ProblemsError ? error.message : ((error as Error).stack ?? String(error))}\n`,
    );
    process.exitCode = 1;
  });
}
