import { join } from "node:path";
import type { StackConfig } from "../../infra/config";
import { planStack, type Plan } from "../../infra/plan";
import { formatCount } from "../../infra/plan/numbers";
import { ProblemsError, type Problem } from "../../infra/problems";
import { formatDuration } from "../../infra/units";
import { kubectlFor } from "../control-plane/kubectl";
import { kubeconfigOf, type Session } from "../engine/commands";
import { readStackFile, type StackFile } from "../engine/stack-file";
import { withLock } from "../lock";
import { assertUp } from "../reachable";
import { table } from "../table";
import { ApiError, connect, type Api } from "./api";
import { createDriver } from "./drive";
import { expect, type Expected } from "./expected";
import { machineOf } from "./faults/machine";
import { createFaults } from "./faults/player";
import { autoscalerOf, play, type Autoscaler, type ScalingRules } from "./play";
import type { SurgeRun } from "./run";
import { readScenario, type Scenario } from "./scenario";
import { createView } from "./view";

const SUMMARY = "The surge cannot be played";

/** It was stopped on the user's word; what it has changed is put back, and what it has seen is written. */
export class SurgeStopped extends Error {
  override readonly name = "SurgeStopped";
}

/**
 * `make surge`: plays the load of `surge.yaml` to a function of a stack with simulated nodes, and reports how it scaled.
 *
 * @throws ProblemsError where it cannot be played, or did not reach what the plan says
 * @throws SurgeStopped on the user's word
 */
export async function surge(session: Session, stackName: string): Promise<void> {
  const { paths, progress, signal } = session;
  const file = readStackFile(paths.root, stackName);
  assertSimulated(file);
  const plan = planStack(file.config);
  const scenario = readScenario(paths.root, file.config);
  await assertUp(session, file, SUMMARY);
  const lock = { waitingMessage: "Waiting for another surge", onWait: progress.note, signal };
  await withLock(join(paths.home, "surge.lock"), lock, async () => {
    const api = await connect(kubectlFor(paths, kubeconfigOf(paths, file)));
    try {
      await assertScales(api, file.stack, scenario);
      const run = await playOn(session, file, plan, api, scenario);
      await report(session, run, file.config, plan);
    } catch (error) {
      throw error instanceof ApiError ? broken(file.stack, error) : error;
    } finally {
      api.close();
    }
  });
}

async function playOn(session: Session, file: StackFile, plan: Plan, api: Api, scenario: Scenario): Promise<SurgeRun> {
  const { progress, signal } = session;
  const nodes = await nodesOf(api);
  const world = { api, scenario, nodes, signal, lost: new Set<string>(), machine: machineOf(session, file, plan) };
  const expected = expect(file.config, scenario);
  for (const line of announcement(scenario, expected)) progress.note(line);
  return play({
    ...{ stack: file.stack, api, scenario, expected, signal },
    driver: createDriver(api, file.config.functions, scenario.fn),
    nodes,
    faults: createFaults(scenario.faults, world),
    view: createView(process.stderr),
    warn: (text) => progress.note(`warning: ${text}`),
  });
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
    if (stopped) throw new SurgeStopped("Stopped before the curve began; what the pods use is put back.");
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
      `Stopped after ${Math.round(last.second)} s: what the pods use is put back, so its ${formatCount(last.pods)} pods stay; the report is of what was seen.`,
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

function silence({ troubles, stack }: SurgeRun): Pick<Problem, "limit" | "fix"> {
  const reason = troubles[troubles.length - 1]?.reason ?? "nothing was seen";
  return { limit: `its API server did not answer: ${reason}`, fix: `make status STACK=${stack} shows what runs` };
}

/** Only there can anybody say what pods use. */
function assertSimulated({ config, stack }: StackFile): void {
  if (config.cluster.kind === "existing" && config.cluster.embedded === "simulated-nodes") return;
  throw refused({
    path: "STACK",
    value: stack,
    limit: "its nodes are not simulated, and real pods use what they use",
    fix: "make surge STACK=local",
  });
}

/** The cluster has the autoscaler that the file has: what was changed since `make up` is not what would be measured. */
async function assertScales(api: Api, stack: string, { fn }: Scenario): Promise<void> {
  const found = await autoscalerOf(api, fn);
  const [wanted, there] = [scalingOf(fn), found && autoscalerWords(found)];
  if (wanted === there) return;
  throw refused({
    path: `functions.${fn.name}.scaling`,
    value: wanted,
    limit: there === undefined ? "the cluster has no autoscaler for it" : `the cluster's autoscaler has ${there}`,
    fix: `make up STACK=${stack} first`,
  });
}

/** `10 to 5000, up 900% or 1000 in 15 s after 0 s, down 10% or 1 in 15 s after 120 s`. */
export function scalingOf({ scaling }: Scenario["fn"]): string {
  const rules = ({ percent, pods, period, stabilization }: typeof scaling.up) =>
    rulesWords(Math.round(percent * 100), pods, period / 1000, stabilization / 1000);
  return `${scaling.min} to ${scaling.max}, up ${rules(scaling.up)}, down ${rules(scaling.down)}`;
}

export function autoscalerWords({ spec }: Autoscaler): string {
  const rules = (found: ScalingRules | undefined) => {
    const value = (type: string) => found?.policies?.find((policy) => policy.type === type)?.value ?? 0;
    const period = found?.policies?.[0]?.periodSeconds ?? 0;
    return rulesWords(value("Percent"), value("Pods"), period, found?.stabilizationWindowSeconds ?? 0);
  };
  const { minReplicas = 1, maxReplicas, behavior } = spec;
  return `${minReplicas} to ${maxReplicas}, up ${rules(behavior?.scaleUp)}, down ${rules(behavior?.scaleDown)}`;
}

function rulesWords(percent: number, pods: number, period: number, after: number): string {
  return `${percent}% or ${pods} in ${period} s after ${after} s`;
}

interface NodeList {
  readonly items: readonly { readonly metadata: { readonly name: string } }[];
}

async function nodesOf(api: Api): Promise<string[]> {
  const { items } = await api.get<NodeList>("/api/v1/nodes");
  return items.map(({ metadata }) => metadata.name).sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
}

function broken(stack: string, error: ApiError): ProblemsError {
  const fix = `make status STACK=${stack} shows what runs`;
  return refused({ path: "STACK", value: stack, limit: error.message, fix });
}

function refused(problem: Problem): ProblemsError {
  return new ProblemsError(SUMMARY, [problem]);
}
