import { cpus } from "node:os";
import { join } from "node:path";
import type { FunctionConfig, StackConfig } from "../../infra/config";
import { planStack, type Plan } from "../../infra/plan";
import { formatCount } from "../../infra/plan/numbers";
import { ProblemsError, type Problem } from "../../infra/problems";
import { formatDuration } from "../../infra/units";
import { gatewayMetricsPort } from "../control-plane/control-plane";
import { kubectlFor } from "../control-plane/kubectl";
import { kubeconfigOf, type Session } from "../engine/commands";
import { readStackFile, type StackFile } from "../engine/stack-file";
import { withLock } from "../lock";
import type { Paths } from "../paths";
import { assertUp } from "../reachable";
import { table } from "../table";
import { ApiError, connect, type Api } from "./api";
import { scalingInCluster, scalingOf } from "./autoscaler";
import { simulatedDriver, type Driver } from "./drive";
import { expect, type Expected } from "./expected";
import { machineOf } from "./faults/machine";
import { createFaults, NO_FAULTS, type Faults } from "./faults/player";
import { LoadError, loadDriver } from "./load/driver";
import { loadTarget } from "./load/target";
import { play } from "./play";
import { prewarmProblems } from "./prewarm";
import { RequestCounter } from "./request-counter";
import type { SurgeRun } from "./run";
import { readScenario, type Scenario } from "./scenario";
import { createView } from "./view";

const SUMMARY = "The surge cannot be played";
/** What is left of one that was stopped, where CPU is put back that holds the pods, and where nobody asks any more. */
const LEFT = {
  cpu: { load: "what the pods use is put back", pods: "stay" },
  requests: { load: "no more requests come", pods: "go as the autoscaler has it" },
};

/** It was stopped on the user's word; what it has changed is put back, and what it has seen is written. */
export class SurgeStopped extends Error {
  override readonly name = "SurgeStopped";
}

/**
 * `make surge`: plays the load of `surge.yaml` to a function of a stack that `make up` starts, and reports how it scaled.
 * Simulated pods are said to use what it would take; real ones are sent its requests.
 *
 * @throws ProblemsError where it cannot be played, or did not reach what the plan says
 * @throws SurgeStopped on the user's word
 */
export async function surge(session: Session, stackName: string): Promise<void> {
  const { paths, progress, signal } = session;
  const file = readStackFile(paths.root, stackName);
  const kind = kindOf(file);
  const plan = planStack(file.config);
  const scenario = readScenario(paths.root, file.config, { stack: stackName, real: kind === "real" });
  await assertUp(session, file, SUMMARY);
  const lock = { waitingMessage: "Waiting for another surge", onWait: progress.note, signal };
  await withLock(join(paths.home, "surge.lock"), lock, async () => {
    const api = await connect(kubectlFor(paths, kubeconfigOf(paths, file)));
    try {
      await assertScales(api, file.stack, scenario);
      const run = await playOn({ session, file, plan, api, scenario, kind });
      await report(session, run, file.config, plan);
    } catch (error) {
      throw error instanceof ApiError || error instanceof LoadError ? broken(file.stack, error) : error;
    } finally {
      api.close();
    }
  });
}

interface Stage {
  readonly session: Session;
  readonly file: StackFile;
  readonly plan: Plan;
  readonly api: Api;
  readonly scenario: Scenario;
  readonly kind: SurgeRun["kind"];
}

async function playOn(stage: Stage): Promise<SurgeRun> {
  const { session, file, api, scenario, kind } = stage;
  const { progress, signal } = session;
  const nodes = await nodesOf(api);
  const expected = expect(file.config, scenario, { kind, cores: cpus().length });
  const windows = prewarmProblems(scenario.fn, new Date(), expected.limit);
  if (windows.length > 0) throw new ProblemsError(SUMMARY, windows);
  for (const line of announcement(scenario, expected)) progress.note(line);
  return play({
    ...{ stack: file.stack, kind, api, scenario, expected, nodes, signal },
    driver: await driverFor(stage),
    faults: faultsFor(stage, nodes),
    view: createView(process.stderr),
    warn: (text) => progress.note(`warning: ${text}`),
  });
}

async function driverFor({ session, file, api, scenario, kind }: Stage): Promise<Driver> {
  const { config } = file;
  if (kind === "simulated") {
    const counter = await counterFor(session.paths, config, scenario.fn);
    return simulatedDriver(api, config.functions, scenario.fn, counter);
  }
  return loadDriver({ fn: scenario.fn, ...(await loadTarget({ api, paths: session.paths, config, scenario })) });
}

/** In place of a gateway, whose requests are counted where no gateway runs; undefined for a function that is scaled by CPU. */
export async function counterFor(
  paths: Paths,
  config: StackConfig,
  fn: FunctionConfig,
): Promise<RequestCounter | undefined> {
  if (fn.scaling.metric === "cpu") return undefined;
  const counter = new RequestCounter(config);
  const port = gatewayMetricsPort(paths);
  await counter.listen(port).catch((error: unknown) => {
    throw new LoadError(`requests cannot be told at port ${port}: ${(error as Error).message}`);
  });
  return counter;
}

/** Only simulated nodes have any: of another stack a scenario with faults is refused. */
function faultsFor({ session, file, plan, api, scenario, kind }: Stage, nodes: readonly string[]): Faults {
  if (kind === "real") return NO_FAULTS;
  const machine = machineOf(session, file, plan);
  const world = { api, scenario, nodes, signal: session.signal, lost: new Set<string>(), machine };
  return createFaults(scenario.faults, world);
}

/** What is about to be done, before it takes its half hour. */
function announcement({ fn, ...scenario }: Scenario, expected: Expected): string[] {
  const { min } = fn.scaling;
  const load = `${formatCount(fn.workload.peakRequestsPerSecond)} requests/s of ${formatDuration(fn.workload.cpuPerRequest)} CPU`;
  const faults = scenario.faults.map(({ kind, at }) => `${kind} at ${formatDuration(at)}`);
  const time = expected.scaleOut === undefined ? "" : ` in ${expected.scaleOut.seconds} s`;
  return [
    `${fn.name}: ${scenario.ownCurve ? "a curve of your own" : scenario.preset}, up to ${load} (${scenario.cpuPerRequestFrom})`,
    `The plan says ${formatCount(expected.goal)} replicas${time}, and back to ${min} in ${expected.secondsToMin} s; it ends after ${expected.limit} s at the latest`,
    ...(faults.length > 0 ? [`Faults: ${faults.join(", ")}`] : []),
  ];
}

async function report(session: Session, run: SurgeRun, config: StackConfig, plan: Plan): Promise<void> {
  const { paths, print } = session;
  const last = run.samples[run.samples.length - 1];
  const stopped = run.ending === "stopped";
  if (last === undefined) {
    if (stopped) throw new SurgeStopped(`Stopped before the curve began; ${leftOf(run).load}.`);
    throw refused({ path: "STACK", value: run.stack, ...silence(run) });
  }
  // What draws takes more than a second to load, which no other command is to wait for.
  const { writeReport } = await import("./report/write.js");
  const { verdict, page, json, drawings } = writeReport(join(paths.home, "surge"), run, config, plan);
  const rows = verdict.checks.map(({ what, aim, found, met }) => [what, found, aim, met ? "met" : "missed"]);
  print(`\n${table([["CHECK", "FOUND", "AIM", ""], ...rows])}\n`);
  print(table([["Report:", page], ...[json, ...drawings].map((path) => ["", path])]));
  if (stopped) {
    throw new SurgeStopped(
      `Stopped after ${Math.round(last.second)} s: ${leftOf(run).load}, so its ${formatCount(last.pods)} pods ${leftOf(run).pods}; the report is of what was seen.`,
    );
  }
  const failed = verdict.checks.filter(({ met, binding }) => binding && !met);
  if (failed.length > 0) {
    throw new ProblemsError(
      "The surge did not go as planned",
      failed.map(({ what, aim, found }) => ({
        path: what,
        value: found,
        limit: `the aim is ${aim}`,
        fix: run.ending === "no answer" ? silence(run).fix : `see ${page}`,
      })),
    );
  }
}

function leftOf({ kind, scenario }: SurgeRun) {
  return LEFT[kind === "simulated" && scenario.fn.scaling.metric === "cpu" ? "cpu" : "requests"];
}

function silence({ troubles, stack }: SurgeRun): Pick<Problem, "limit" | "fix"> {
  const reason = troubles[troubles.length - 1]?.reason ?? "nothing was seen";
  return { limit: `its API server did not answer: ${reason}`, fix: `make status STACK=${stack} shows what runs` };
}

/** Only of a cluster that `make up` starts are usage or tokens here to give. */
function kindOf({ config, stack }: StackFile): SurgeRun["kind"] {
  const embedded = config.cluster.kind === "existing" ? config.cluster.embedded : undefined;
  if (embedded !== undefined) return embedded === "simulated-nodes" ? "simulated" : "real";
  throw refused({
    path: "STACK",
    value: stack,
    limit: "is on hosts of its own, where real clients are, and somebody else issues tokens",
    fix: "make surge STACK=local, or STACK=real",
  });
}

/** The cluster has the autoscaler that the file has: what was changed since `make up` is not what would be measured. */
async function assertScales(api: Api, stack: string, { fn }: Scenario): Promise<void> {
  const [wanted, there] = [scalingOf(fn), await scalingInCluster(api, fn)];
  if (wanted === there) return;
  throw refused({
    path: `functions.${fn.name}.scaling`,
    value: wanted,
    limit: there === undefined ? "the cluster has no autoscaler for it" : `the cluster's autoscaler has ${there}`,
    fix: `make up STACK=${stack} first`,
  });
}

interface NodeList {
  readonly items: readonly { readonly metadata: { readonly name: string } }[];
}

async function nodesOf(api: Api): Promise<string[]> {
  const { items } = await api.get<NodeList>("/api/v1/nodes");
  return items.map(({ metadata }) => metadata.name).sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
}

function broken(stack: string, error: Error): ProblemsError {
  const fix = `make status STACK=${stack} shows what runs`;
  return refused({ path: "STACK", value: stack, limit: error.message, fix });
}

function refused(problem: Problem): ProblemsError {
  return new ProblemsError(SUMMARY, [problem]);
}
