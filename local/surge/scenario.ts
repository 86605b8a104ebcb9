import { join } from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import { toProblems, type FunctionConfig, type StackConfig } from "../../infra/config";
import * as field from "../../infra/config-fields";
import { section } from "../../infra/config-fields";
import { formatCount } from "../../infra/plan/numbers";
import { ProblemsError, type Problem } from "../../infra/problems";
import { formatCpu, formatDuration, type Millis } from "../../infra/units";
import { readIfExists } from "../files";
import { lengthOf, peakOf, type Curve, type Point } from "./curve";
import { faultProblems, faultsSchema, type Fault } from "./faults/schema";

export const SCENARIO_FILE = "surge.yaml";

/** What is played, and to whom. */
export interface Scenario {
  readonly preset: PresetName;
  /** Whether the curve is the file's own, and not the preset's. */
  readonly ownCurve: boolean;
  /** The function, with the load and the CPU per request of this scenario. */
  readonly fn: FunctionConfig;
  /** Where the CPU per request is from. */
  readonly cpuPerRequestFrom: "surge.yaml" | "the stack's workload";
  /** What real pods are asked for; undefined: the path of the function's route. */
  readonly path: string | undefined;
  readonly curve: Curve;
  /** Between two changes of the load. */
  readonly step: Millis;
  /** What goes wrong meanwhile, in the order of time. */
  readonly faults: readonly Fault[];
}

/** Seconds, and the share of the function's `workload.peakRequestsPerSecond` that comes then. */
type Shares = readonly (readonly [second: number, share: number])[];

/** What comes when nobody comes, or less where min holds less: within what 10 of 5,000 pods hold at 0.4 ms of CPU per request. */
const QUIET = 0.0015;

/**
 * A sale begins within seconds, holds for five minutes and ends; a day, an hour of which takes a minute; five spikes with
 * lulls that are shorter than the autoscaler's patience. All begin and end with next to nothing.
 */
const PRESETS = {
  "flash-sale": [
    [0, QUIET],
    [15, QUIET],
    [20, 1],
    [320, 1],
    [350, QUIET],
  ],
  daily: [
    [0, QUIET],
    [240, 0.05],
    [480, 0.35],
    [720, 0.6],
    [840, 0.5],
    [1140, 1],
    [1260, 1],
    [1380, 0.3],
    [1440, QUIET],
  ],
  spikes: [
    [0, QUIET],
    ...[15, 165, 315, 465, 615].flatMap((start): [number, number][] => [
      [start, QUIET],
      [start + 5, 1],
      [start + 90, 1],
      [start + 95, QUIET],
    ]),
  ],
} as const satisfies Record<string, Shares>;

export type PresetName = keyof typeof PRESETS;
export const PRESET_NAMES = Object.keys(PRESETS) as PresetName[];

const point = section({ at: field.duration, requestsPerSecond: z.number().min(0) });

const keys = {
  /** The curve, as shares of `peakRequestsPerSecond`. */
  preset: z.enum(PRESET_NAMES).optional(),
  /** Default: what the function's workload says. */
  peakRequestsPerSecond: field.positive.optional(),
  /** Default: the stack's first. */
  function: z.string().optional(),
  /** Default: `workload.cpuPerRequest` of the function. */
  cpuPerRequest: field.duration.optional(),
  /** In place of the preset's. */
  curve: z.array(point).optional(),
  /** Between two changes of the load. */
  step: field.duration.optional(),
  /** What is asked of real pods, with its query: a path that one of the stack's routes leads to the function. */
  path: field
    .pattern(/^\/[\x21-\x7e]*$/, {
      limit: "must be a path, with or without a query",
      fix: 'write it as "/api/function?work=1000"',
    })
    .optional(),
  /** What goes wrong meanwhile, where nodes are simulated. */
  faults: faultsSchema.optional(),
};

const schema = section({
  ...keys,
  /** By a stack's name: what is other for it. */
  stacks: z.record(z.string(), section(keys)).default({}),
});

type Keys = Omit<z.output<typeof schema>, "stacks">;

/** Whom a scenario is played to. */
export interface Stage {
  readonly stack: string;
  /** Whether its pods are, and take of CPU what they take. */
  readonly real: boolean;
}

/** Shorter steps than the autoscaler's readings by far, longer ones than an API server's answer. */
const STEP = { least: 200, most: 10_000 };
const SECOND: Millis = 1000;
/** Milliseconds: what takes longer is no surge. */
const LONGEST = 4 * 3_600_000;
/** Times the planned peak: what lies above says nothing that this one does not say. */
const MOST = 10;

/**
 * The scenario in the project's `surge.yaml`, for one of the stack's functions.
 *
 * @throws ProblemsError with every problem: of the file's form, an unknown function, or a curve that makes no sense for it
 */
export function readScenario(root: string, config: StackConfig, stage: Stage): Scenario {
  const path = join(root, SCENARIO_FILE);
  const text = readIfExists(path);
  if (text === undefined)
    throw refused([
      {
        path: SCENARIO_FILE,
        value: "missing",
        limit: `there is no ${path}`,
        fix: 'write "preset: flash-sale" into it',
      },
    ]);
  return parseScenario(parseYaml(text), config, stage);
}

export function parseScenario(raw: unknown, config: StackConfig, stage: Stage): Scenario {
  const result = schema.safeParse(raw ?? {}, { reportInput: true });
  if (!result.success) throw refused(result.error.issues.flatMap((issue) => toProblems(issue, raw)));
  const { stacks, ...all } = result.data;
  const own = stacks[stage.stack] ?? {};
  const data = forStack(all, own, stage);
  /** Where a key is written. */
  const at = (key: keyof Keys) => (key in own ? `stacks.${stage.stack}.${key}` : key);
  const fn = config.functions.find(({ name }) => name === (data.function ?? config.functions[0]?.name));
  if (fn === undefined)
    throw refused([
      {
        path: at("function"),
        value: JSON.stringify(data.function),
        limit: "is no function of this stack",
        fix: `use one of ${config.functions.map(({ name }) => name).join(", ")}`,
      },
    ]);
  const { preset = "flash-sale", step = SECOND, faults = [] } = data;
  const cpuPerRequest = data.cpuPerRequest ?? fn.workload.cpuPerRequest;
  const peak = data.peakRequestsPerSecond ?? fn.workload.peakRequestsPerSecond;
  const quiet = loadHeldByMin(fn, cpuPerRequest);
  const curve = data.curve ?? fromShares(PRESETS[preset], peak, quiet);
  const forms = [
    ...stepProblems(step, at("step")),
    ...cpuProblems(cpuPerRequest, fn, at("cpuPerRequest")),
    ...curveProblems(curve, at("curve")),
    ...(stage.real ? realFaultProblems(faults, at("faults"), stage) : []),
  ];
  const path = at(
    data.curve !== undefined ? "curve" : data.peakRequestsPerSecond === undefined ? "preset" : "peakRequestsPerSecond",
  );
  // Loads are judged by what a request takes, and faults by the curve.
  const problems =
    forms.length > 0
      ? forms
      : [
          ...loadProblems(curve, fn, cpuPerRequest, path),
          ...faultProblems(faults, at("faults"), { config, fn, curve }),
        ];
  if (problems.length > 0) throw refused(problems);
  return {
    preset,
    ownCurve: data.curve !== undefined,
    fn: { ...fn, workload: { peakRequestsPerSecond: peakOf(curve), cpuPerRequest } },
    cpuPerRequestFrom: data.cpuPerRequest === undefined ? "the stack's workload" : "surge.yaml",
    curve,
    step,
    path: data.path,
    faults,
  };
}

/**
 * What is said for a stack alone stands before what is said for all. A curve gives way to a preset or peak of the stack's
 * own; and what simulated pods are said to take says nothing of real ones.
 */
function forStack({ curve, cpuPerRequest, ...all }: Keys, own: Keys, { real }: Stage): Keys {
  const otherCurve = own.preset !== undefined || own.peakRequestsPerSecond !== undefined;
  return { ...all, ...(!otherCurve && { curve }), ...(!real && { cpuPerRequest }), ...own };
}

/** Requests/s that so many pods are held at by the autoscaler's target. */
export function loadHeldBy(pods: number, { scaling, resources }: FunctionConfig, cpuPerRequest: Millis): number {
  if (scaling.metric === "rps") return pods * scaling.requestsPerPod;
  return (pods * scaling.cpuTarget * resources.requests.cpu) / cpuPerRequest;
}

/** Of the activation: what is read of a steady load is a little above it and a little below. */
const ASLEEP = 0.5;

/** Requests/s at which there are no more pods than min; a function that may have none is surely left asleep by some. */
export function loadHeldByMin(fn: FunctionConfig, cpuPerRequest: Millis): number {
  const { min, activation } = fn.scaling;
  return min === 0 ? ASLEEP * activation : loadHeldBy(min, fn, cpuPerRequest);
}

/** @param quiet - what min holds: no preset begins or ends with more */
function fromShares(shares: Shares, peak: number, quiet: number): Point[] {
  return shares.map(([second, share]) => ({
    at: second * 1000,
    requestsPerSecond: share === QUIET ? Math.min(share * peak, quiet) : share * peak,
  }));
}

function parseYaml(text: string): unknown {
  try {
    return parse(text, { prettyErrors: true });
  } catch (error) {
    const [limit = ""] = (error as Error).message.split("\n");
    throw refused([{ path: SCENARIO_FILE, value: "its content", limit, fix: "correct the YAML" }]);
  }
}

function stepProblems(step: Millis, path: string): Problem[] {
  if (step >= STEP.least && step <= STEP.most) return [];
  const [least, most] = [formatDuration(STEP.least), formatDuration(STEP.most)];
  return [{ path, value: formatDuration(step), limit: `must be from ${least} to ${most}`, fix: 'use "1s"' }];
}

/** What is done to simulated nodes and to a control plane's processes has no counterpart on a real node. */
function realFaultProblems(faults: readonly Fault[], path: string, { stack }: Stage): Problem[] {
  if (faults.length === 0) return [];
  return [
    {
      path,
      value: faults.map(({ kind }) => kind).join(", "),
      limit: "can be played only where nodes are simulated, and this stack's are real",
      fix: `write them under stacks.local, or "faults: []" under stacks.${stack}`,
    },
  ];
}

function cpuProblems(cpuPerRequest: Millis, { resources, scaling }: FunctionConfig, path: string): Problem[] {
  // A pod that serves less than a request in a second is no function of a shop.
  const most = (SECOND * resources.limits.cpu) / 1000;
  // Where a pod is held at more than it can serve, it sheds for good, and nothing brings another.
  const held = resources.limits.cpu / scaling.requestsPerPod;
  if (scaling.metric === "rps" && cpuPerRequest > held && cpuPerRequest <= most) {
    return [
      {
        path,
        value: formatDuration(cpuPerRequest),
        limit: `by requests a pod is held at ${formatCount(scaling.requestsPerPod)}/s, for which its CPU limit of ${formatCpu(resources.limits.cpu)} has ${formatDuration(Number(held.toFixed(3)))} each`,
        fix: `lower it, or the function's scaling.requestsPerPod`,
      },
    ];
  }
  if (cpuPerRequest >= 0.001 && cpuPerRequest <= most) return [];
  return [
    {
      path,
      value: formatDuration(cpuPerRequest),
      limit: `must be from 1us to ${formatDuration(most)}, a second of a pod at its CPU limit`,
      fix: 'for example "350us"',
    },
  ];
}

function curveProblems(curve: Curve, path: string): Problem[] {
  if (curve.length < 2)
    return [{ path, value: `${curve.length} points`, limit: "must have at least two", fix: "add one" }];
  const first = curve[0]!;
  const shape: (Problem | false)[] = [
    first.at !== 0 && {
      path: `${path}[0].at`,
      value: formatDuration(first.at),
      limit: "must be 0s",
      fix: "begin there",
    },
    lengthOf(curve) > LONGEST && {
      path,
      value: formatDuration(lengthOf(curve)),
      limit: `may take ${formatDuration(LONGEST)}`,
      fix: "end sooner",
    },
    ...curve.map(
      ({ at }, index) =>
        index > 0 &&
        at <= curve[index - 1]!.at && {
          path: `${path}[${index}].at`,
          value: formatDuration(at),
          limit: `must be after ${formatDuration(curve[index - 1]!.at)}, the point before`,
          fix: "put the points in the order of time",
        },
    ),
  ];
  return shape.filter((problem) => problem !== false);
}

/** It must ask for more than min and come back to it: else nothing is seen, or no end. */
function loadProblems(curve: Curve, fn: FunctionConfig, cpuPerRequest: Millis, path: string): Problem[] {
  const { min, metric } = fn.scaling;
  const held = loadHeldByMin(fn, cpuPerRequest);
  const [first, last, peak] = [curve[0]!, curve[curve.length - 1]!, peakOf(curve)];
  const most = MOST * fn.workload.peakRequestsPerSecond;
  const by = metric === "rps" ? "their requests" : "CPU";
  const heldByMin = `${formatCount(held)} requests/s, ${min === 0 ? "half of the activation, up to which there are none" : `what min ${min} pods are held at by ${by}`}`;
  const tooHigh = ({ requestsPerSecond }: Point, which: string, index: number) =>
    requestsPerSecond > held && {
      path: `${path}[${index}].requestsPerSecond`,
      value: formatCount(requestsPerSecond),
      limit: `the ${which} point may be at most ${heldByMin}`,
      fix: `lower it, so that the run begins and ends at min${metric === "cpu" ? ", or lower cpuPerRequest" : ""}`,
    };
  const problems = [
    tooHigh(first, "first", 0),
    tooHigh(last, "last", curve.length - 1),
    peak <= held && {
      path,
      value: `a peak of ${formatCount(peak)} requests/s`,
      limit: `must be above ${heldByMin}, or nothing scales`,
      fix: "raise it",
    },
    peak > most && {
      path,
      value: `a peak of ${formatCount(peak)} requests/s`,
      limit: `may be at most ${formatCount(most)}, ${MOST} times what the function is planned for`,
      fix: "lower it, or raise the function's workload.peakRequestsPerSecond",
    },
  ];
  return problems.filter((problem) => problem !== false);
}

function refused(problems: Problem[]): ProblemsError {
  return new ProblemsError(`${SCENARIO_FILE} cannot be played`, problems);
}
