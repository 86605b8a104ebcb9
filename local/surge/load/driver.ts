import { fork, type ChildProcess } from "node:child_process";
import { join } from "node:path";
import type { FunctionConfig } from "../../../infra/config";
import { capabilityOf, demandOn } from "../demand";
import type { Driver } from "../drive";
import type { ClientRun } from "../run";
import { isServed } from "./generator";
import type { ClientCounts, LoadReport, LoadTarget, ToLoad } from "./messages";

/** The process that sends requests is gone, or says nothing. */
export class LoadError extends Error {
  override readonly name = "LoadError";
}

export interface LoadDriverArgs {
  readonly fn: FunctionConfig;
  readonly target: LoadTarget;
  /** A token for each user, anew each time; none where nobody asks for one. */
  readonly tokens: () => Promise<readonly string[]>;
}

/** Milliseconds: for an answer of the process, on a machine that has too much to do; after which tokens are renewed. */
const PATIENCE = 60_000;
const RENEWAL = 300_000;

/** Sends real requests, from a process of its own. */
export function loadDriver({ fn, target, tokens }: LoadDriverArgs): Driver {
  const child = startClient();
  const total = { statuses: {}, unanswered: {}, unsent: 0, again: 0 } as Mutable<ClientCounts>;
  let phases: ClientRun["phases"] = {};
  let users = 0;
  let renewed = -Infinity;
  let resting = true;
  const renew = async () => {
    if (Date.now() - renewed < RENEWAL) return;
    const issued = await tokens();
    [users, renewed] = [issued.length, Date.now()];
    child.tell({ kind: "tokens", tokens: issued });
  };
  child.tell({ kind: "target", target });
  return {
    set: async ({ load, ready, phase }) => {
      await renew();
      const report = await child.ask({ kind: "rate", rate: load, phase });
      const first = resting;
      resting = false;
      // What it tells first is of the time in which nothing was to be sent.
      if (first) return { ...seenOf({ ...report, seconds: 0 }, load), ...capacityOf(fn, ready) };
      add(total, report);
      phases = report.phases;
      return { ...seenOf(report, load), ...capacityOf(fn, ready) };
    },
    restore: async () => {
      resting = true;
      // One that is gone sends nothing.
      await child.ask({ kind: "rate", rate: 0, phase: "quiet" }).catch(() => undefined);
    },
    end: () => child.end(),
    client: () => ({ ...total, phases, users, verified: target.ca !== undefined }),
  };
}

/** What pods could serve at their limit, as the plan reckons. What they use nobody says: the autoscaler reads it. */
function capacityOf(fn: FunctionConfig, ready: number) {
  return { capacity: demandOn(0, ready, capabilityOf(fn)).capacity, cpuPerPod: undefined };
}

/** A second's counts, by the clock. */
function seenOf({ seconds, due, statuses, unanswered, unsent, again, latency }: LoadReport, load: number) {
  const served = Object.entries(statuses).filter(([status]) => isServed(Number(status)));
  const failed = Object.entries(statuses).filter(([status]) => !isServed(Number(status)));
  const each = (count: number) => (seconds > 0 ? Number((count / seconds).toFixed(1)) : 0);
  return {
    load: seconds > 0 ? each(due) : load,
    served: each(sumOf(served)),
    shed: each(sumOf(failed) + sumOf(Object.entries(unanswered)) + unsent),
    client: { statuses, unanswered, unsent, again, latency },
  };
}

function sumOf(entries: readonly (readonly [string, number])[]): number {
  return entries.reduce((sum, [, count]) => sum + count, 0);
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] extends object ? Record<string, number> : T[Key] };

function add(total: Mutable<ClientCounts>, { statuses, unanswered, unsent, again }: ClientCounts): void {
  for (const [name, count] of Object.entries(statuses)) total.statuses[name] = (total.statuses[name] ?? 0) + count;
  for (const [name, count] of Object.entries(unanswered))
    total.unanswered[name] = (total.unanswered[name] ?? 0) + count;
  total.unsent += unsent;
  total.again += again;
}

interface Client {
  readonly tell: (message: ToLoad) => void;
  readonly ask: (message: ToLoad) => Promise<LoadReport>;
  readonly end: () => void;
}

/** @throws LoadError from whatever is asked of it when it has ended */
function startClient(): Client {
  const child: ChildProcess = fork(join(__dirname, "main.ts"), [], {
    execArgv: ["--import", require.resolve("tsx")],
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  let gone: LoadError | undefined;
  let waiting: { readonly resolve: (report: LoadReport) => void; readonly reject: (error: Error) => void } | undefined;
  const lost = (reason: string) => {
    gone ??= new LoadError(`the process that sends requests ${reason}`);
    waiting?.reject(gone);
  };
  child.on("exit", (code, signal) => lost(`ended with ${code ?? signal ?? "nothing"}`));
  child.on("error", (error) => lost(`cannot be told: ${error.message}`));
  child.on("message", (report: LoadReport) => waiting?.resolve(report));
  const tell = (message: ToLoad) => {
    if (gone) throw gone;
    child.send(message);
  };
  return {
    tell,
    ask: (message) =>
      new Promise<LoadReport>((resolve, reject) => {
        const timer = setTimeout(() => lost(`said nothing for ${PATIENCE / 1000} s`), PATIENCE);
        const settled =
          <T>(then: (value: T) => void) =>
          (value: T) => {
            clearTimeout(timer);
            waiting = undefined;
            then(value);
          };
        waiting = { resolve: settled(resolve), reject: settled(reject) };
        try {
          tell(message);
        } catch (error) {
          waiting.reject(error as Error);
        }
      }),
    end: () => {
      // It ends by itself; what it still had to say is of no use any more.
      if (child.connected) child.disconnect();
    },
  };
}
