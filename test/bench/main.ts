import { setMaxListeners } from "node:events";
import { cpus, loadavg } from "node:os";
import { join } from "node:path";
import { projectPaths } from "../../local/paths";
import { createProgress } from "../../local/progress";
import { withBenchHome } from "./home";
import { measureDecisions } from "./decision";
import { measureMakeUp } from "./make-up";
import type { Measurement } from "./measure";
import { measurePlan } from "./plan";
import { measurePolicies } from "./policies";
import { measureGateway } from "./real/gateway";
import { measureRealNode } from "./real/main";
import { formatMeasurements, writeMeasurements } from "./report";
import { measureRounds } from "./rounds";
import { measureScaleOut } from "./scale-out";
import { measureSurge } from "./surge";

type BenchArgs = Parameters<typeof withBenchHome>[0];

/** What can be measured by itself, by the words of the command. */
const BENCHES: Readonly<Record<string, ((args: BenchArgs) => Promise<Measurement[]>) | undefined>> = {
  local: measureEmbedded,
  "local surge": measureSurge,
  real: measureReal,
};
const USAGE = "use STACK=local (ONLY=surge: how it scales out) or STACK=real";

/** `make bench`: measures on this machine, beside whatever else runs here, and judges nothing but failures. */
async function main([stack = "", only = ""]: readonly string[]): Promise<number> {
  const measure = BENCHES[`${stack || "local"} ${only}`.trim()];
  if (measure === undefined) {
    process.stderr.write(`STACK=${stack} ONLY=${only}: nothing is measured by that name; ${USAGE}\n`);
    return 2;
  }
  const { root, home } = projectPaths(process.cwd());
  const progress = createProgress(process.stderr);
  const signal = stopSignal();
  try {
    const measurements = await measure({ root, progress, signal });
    const file = join(
      home,
      `${["bench", ...(stack === "real" ? [stack] : []), ...(only ? [only] : [])].join("-")}.json`,
    );
    writeMeasurements(file, measurements);
    process.stdout.write(`\n${formatMeasurements(measurements)}\n\n${machine()}\nWritten to ${file}\n`);
    return 0;
  } catch (error) {
    process.stderr.write(`\n${signal.aborted ? "Stopped; nothing was kept." : describe(error)}\n`);
    return signal.aborted ? 130 : 1;
  }
}

/** The request path first: it brings up a whole stack, and one real node at a time is enough. */
async function measureReal(args: BenchArgs): Promise<Measurement[]> {
  const path = [...(await measureDecisions(args.root)), ...(await measureGateway(args))];
  return [...path, ...(await measureRealNode(args))];
}

async function measureEmbedded(args: BenchArgs): Promise<Measurement[]> {
  // The plan comes first: nothing has called it yet, so that its first call is one.
  const plan = measurePlan();
  const rest = await withBenchHome(args, async (bench) => [
    ...(await measureMakeUp(bench)),
    ...(await measurePolicies(bench)),
    ...(await measureScaleOut(bench)),
    ...(await measureRounds(bench)),
  ]);
  return [...rest, ...(await measureSurge(args)), ...plan];
}

/** Aborts on a user's word; the bench then ends what it started, and only then itself. */
function stopSignal(): AbortSignal {
  const stop = new AbortController();
  // The engine's SDK listens anew at each of its commands and never ceases to.
  setMaxListeners(0, stop.signal);
  const onSignal = () => {
    if (!stop.signal.aborted) process.stderr.write("\nStopping: what the bench has started is ended and removed.\n");
    stop.abort();
  };
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, onSignal);
  return stop.signal;
}

/** Times mean little without it: the load is that of the bench itself and of everything beside it. */
function machine(): string {
  const [, , quarterHour = 0] = loadavg();
  return `On ${cpus().length} cores at a load of ${quarterHour.toFixed(1)} (15 min). Ratios compare within this run.`;
}

/** Errors that carry a name of their own are told without a stack trace; anything else is a fault of ours. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.name === "Error" || error.name === "TypeError" ? (error.stack ?? error.message) : error.message;
}

void main(process.argv.slice(2)).then((code) => process.exit(code));
