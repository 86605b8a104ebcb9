import { spawn } from "node:child_process";
import { HOME_VARIABLE } from "../../local/paths";
import { CommandError } from "../../local/run";
import type { Bench } from "./home";
import { alone, seconds, type Measurement } from "./measure";

const AIM = { value: 40 };

/** The whole command in a home where nothing is: it ends with every pod ready and CPU being read. */
export async function measureMakeUp(bench: Bench): Promise<Measurement[]> {
  bench.signal.throwIfAborted();
  const task = bench.progress.task("make up", "starting");
  try {
    const value = await seconds(() => makeUp(bench, task.update));
    task.done("the stack runs");
    return [alone("make up, nothing running, tools in the cache", value, "s", AIM)];
  } catch (error) {
    task.fail(bench.signal.aborted ? "stopped" : "failed");
    throw error;
  }
}

/** Ends only when the command has, also when it is stopped: what it started can then be stopped too. */
function makeUp({ paths, signal }: Bench, onLine: (line: string) => void): Promise<void> {
  const env: NodeJS.ProcessEnv = { ...process.env, [HOME_VARIABLE]: paths.home };
  // What `make bench` has put there is meant for its own recipe.
  for (const name of ["MAKEFLAGS", "MAKELEVEL", "MFLAGS"]) Reflect.deleteProperty(env, name);
  return new Promise((resolve, reject) => {
    const child = spawn("make", ["up", "STACK=local"], { cwd: paths.root, env, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    const onData = (chunk: Buffer) => {
      output += chunk.toString();
      onLine(output.trimEnd().split("\n").at(-1)?.trim() ?? "");
    };
    child.stdout.on("data", onData);
    child.stderr.on("data", onData);
    const stop = () => void child.kill("SIGTERM");
    signal.addEventListener("abort", stop);
    child.on("error", (error) => reject(new CommandError("make up", "", `could not run: ${error.message}`)));
    child.on("close", (code) => {
      signal.removeEventListener("abort", stop);
      if (code === 0) resolve();
      else reject(new CommandError("make up", output, `failed with code ${code}`));
    });
  });
}
