import { cpus } from "node:os";
import type { StackConfig } from "../../infra/config";
import { DEFAULT_FUNCTION_NAME } from "../../infra/config-function";
import { readStackFile } from "../../local/engine/stack-file";
import type { Progress } from "../../local/progress";
import { connect } from "../../local/surge/api";
import { counterFor } from "../../local/surge/command";
import { simulatedDriver } from "../../local/surge/drive";
import { expect } from "../../local/surge/expected";
import { play } from "../../local/surge/play";
import { quantile } from "../../local/surge/pods";
import { parseScenario, type Scenario } from "../../local/surge/scenario";
import { most, secondsToReady } from "../../local/surge/verdict";
import { LocalStack } from "../support/local-stack";
import { GIVE_UP, scaledByHand } from "./by-hand";
import { compared, seconds, type Measurement } from "./measure";

export interface SurgeBenchArgs {
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

/** A request of which 100,000 in a second need all 5,000 pods (docs/surge.md). */
const CPU_PER_REQUEST = "400us";
/** All at once, for longer than the slowest takes. */
const PEAK = { from: "1s", to: "30m" };

/** Kubernetes' own defaults; the scheduler's 50 requests/s are 40 here, since the plan gives it twice the others'. */
const STOCK: Changes = {
  controlPlane: {
    clientQps: 20,
    hpaSyncPeriod: "15s",
    hpaCpuInitializationPeriod: "5m",
    hpaInitialReadinessDelay: "30s",
  },
  fn: { scaling: { up: { percent: "100%", pods: 4, period: "15s", stabilization: "0s" } } },
};
/** Client limits that no machine of two cores gets to. */
const UNLIMITED: Changes = { controlPlane: { clientQps: 5000 } };
/**
 * By requests, the same load asks for a seventh more pods than there may be, as by CPU: so also here nothing ends a tenth below,
 * where an autoscaler takes no step.
 */
const BY_REQUESTS: Changes = {
  fn: { objectives: { availability: "99.9%" }, scaling: { metric: "rps", requestsPerPod: 17.5 } },
};

/**
 * From the function's fewest pods to its most on simulated nodes, once by each of four ways, each on a control plane of
 * its own: by the CPU autoscaler as the stack sets it up, by the same as Kubernetes comes, by requests with KEDA, and by
 * `kubectl scale` without client limits, which nothing that decides by itself can beat. The stacks have neither Gatekeeper nor
 * observability, but for the Prometheus that counts requests.
 */
export async function measureSurge(args: SurgeBenchArgs): Promise<Measurement[]> {
  const bare = await onStack(args, "kubectl scale, no client limits", UNLIMITED, scaledOutByHand);
  const ours = await onStack(args, "the stack's tuning", {}, scaledByLoad);
  const stock = await onStack(args, "Kubernetes' defaults", STOCK, scaledByLoad);
  const requests = await onStack(args, "the stack's tuning, by requests", BY_REQUESTS, scaledByLoad);
  const pods = `${ours.from} to ${ours.to} ready pods by CPU`;
  return [
    compared(`${pods}, the stack's tuning / Kubernetes' defaults`, [ours.seconds], [stock.seconds], "s", {
      ratio: 0.2,
    }),
    compared(`${pods} / kubectl scale without client limits`, [ours.seconds], [bare.seconds], "s", { ratio: 3 }),
    compared(
      `${ours.from} to ${ours.to} ready pods by requests / kubectl scale without client limits`,
      [requests.seconds],
      [bare.seconds],
      "s",
      { ratio: 2 },
    ),
    ...([0.5, 0.99] as const).map((share) => scheduling(share, ours, bare)),
  ];
}

/** Milliseconds that are meant to be the most from created to bound. */
const DELAYS = { 0.5: 1000, 0.99: 3000 };

function scheduling(share: keyof typeof DELAYS, ours: Took, bare: Took): Measurement {
  const of = ({ delays }: Took) => [quantile(delays, share) ?? Number.NaN];
  const name = `of these, created to bound, P${share * 100} / the same by kubectl scale`;
  return compared(name, of(ours), of(bare), "ms", { value: DELAYS[share] });
}

interface Changes {
  readonly controlPlane?: object;
  /** Of the function. */
  readonly fn?: object;
}

/** What a way took to get there. */
interface Took {
  readonly seconds: number;
  /** Milliseconds from created to bound, of each pod, from the shortest. */
  readonly delays: readonly number[];
}

interface ScaleOutTime extends Took {
  readonly from: number;
  readonly to: number;
}

interface Scaled {
  readonly config: StackConfig;
  readonly stack: LocalStack;
  readonly scenario: Scenario;
  readonly signal: AbortSignal;
  readonly onStep: (step: string) => void;
}

/** Brings up a stack with these changes, has it scaled out, and takes it away. */
async function onStack(
  { progress, signal }: SurgeBenchArgs,
  name: string,
  { controlPlane, fn }: Changes,
  scaleOut: (scaled: Scaled) => Promise<Took>,
): Promise<ScaleOutTime> {
  signal.throwIfAborted();
  const stack = new LocalStack();
  const task = progress.task(name, "make up");
  try {
    if (controlPlane !== undefined) stack.configure("controlPlane", controlPlane);
    if (fn !== undefined) stack.configure("functions", [{ name: DEFAULT_FUNCTION_NAME, ...fn }]);
    await stack.ok("up");
    const { config } = readStackFile(stack.root, "local");
    const scenario = flashSale(config);
    const { min, max } = scenario.fn.scaling;
    const took = await scaleOut({ config, stack, scenario, signal, onStep: task.update });
    signal.throwIfAborted();
    task.done(`${min} to ${max} in ${took.seconds.toFixed(1)} s`);
    return { from: min, to: max, ...took };
  } catch (error) {
    task.fail(signal.aborted ? "stopped" : "failed");
    throw error;
  } finally {
    stack.dispose();
  }
}

function flashSale(config: StackConfig): Scenario {
  const peak = config.functions[0]!.workload.peakRequestsPerSecond;
  const quiet = peak / 1000;
  const curve = [
    { at: "0s", requestsPerSecond: quiet },
    { at: PEAK.from, requestsPerSecond: peak },
    { at: PEAK.to, requestsPerSecond: peak },
    { at: "31m", requestsPerSecond: quiet },
  ];
  return parseScenario({ cpuPerRequest: CPU_PER_REQUEST, curve }, config, { stack: "local", real: false });
}

/** Plays the load until the last pod is ready, and no further. */
async function scaledByLoad({ config, stack, scenario, signal, onStep }: Scaled): Promise<Took> {
  const expected = expect(config, scenario, { kind: "simulated", cores: cpus().length });
  const counter = await counterFor(stack.paths, config, scenario.fn);
  const reached = new AbortController();
  const api = await connect(stack.kubectl);
  const run = await play({
    ...{ stack: "local", kind: "simulated", api, scenario, expected, nodes: [] },
    driver: simulatedDriver(api, config.functions, scenario.fn, counter),
    view: {
      note: onStep,
      show: ({ samples }) => {
        const { second, desired, ready } = samples[samples.length - 1]!;
        onStep(`${second.toFixed(0)} s: ${desired} wanted, ${ready} ready`);
        if (ready >= expected.goal || second > GIVE_UP.seconds) reached.abort();
      },
    },
    warn: onStep,
    signal: AbortSignal.any([signal, reached.signal]),
  }).finally(() => api.close());
  signal.throwIfAborted();
  const took = secondsToReady(run, expected.goal);
  if (took === undefined) {
    throw new Error(`${most(run.samples, ({ ready }) => ready)} of ${expected.goal} pods after ${GIVE_UP.seconds} s`);
  }
  return { seconds: took, delays: run.delays };
}

async function scaledOutByHand({ stack, scenario, signal, onStep }: Scaled): Promise<Took> {
  const { fn } = scenario;
  const workload = await scaledByHand({ kubectl: stack.kubectl, fn, signal, onStep });
  try {
    await workload.to(fn.scaling.min);
    const took = await seconds(() => workload.to(fn.scaling.max));
    return { seconds: took, delays: [...workload.ledger.delays].sort((a, b) => a - b) };
  } finally {
    await workload.close();
  }
}
