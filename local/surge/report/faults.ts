import type { StackConfig } from "../../../infra/config";
import type { Plan } from "../../../infra/plan";
import { formatCount } from "../../../infra/plan/numbers";
import { TEXT } from "../../drawing/svg";
import { AIM, reasonOf } from "../faults/reasons";
import { recoveriesOf, type Recovery } from "../faults/recovery";
import type { SurgeRun } from "../run";
import type { Claim } from "./claims";

/** One fault in the report's table. */
export interface FaultRow extends Recovery {
  /** Its name in the drawings. */
  readonly mark: string;
  readonly why: string;
}

export function faultRows(run: SurgeRun, config: StackConfig, plan: Plan): FaultRow[] {
  return recoveriesOf(run).map((recovery, index) => ({
    ...recovery,
    mark: String(index + 1),
    why: reasonOf(recovery, { config, plan, expected: run.expected, fn: run.scenario.fn }),
  }));
}

type Cell = string | { readonly text: string; readonly mark: "good" | "problem" };

export const FAULT_HEADS = ["fault", "from, to", "at worst", "demand met again after", `aim ${AIM} s`, "why"];

export function faultCells({ mark, record, metAgain, why, ...recovery }: FaultRow): Cell[] {
  const { what, began, ended, troubles } = record;
  const inTime = metAgain !== undefined && metAgain <= AIM;
  return [
    `${mark}: ${[what, ...troubles].join("; ")}`,
    `${formatCount(began)} to ${ended === undefined ? "the end" : seconds(ended)}`,
    worst(recovery),
    [metAgain === undefined ? "not again" : seconds(metAgain), ...parts(recovery)].join("; "),
    { text: inTime ? "met" : "missed", mark: inTime ? "good" : "problem" },
    why,
  ];
}

function worst({ mostMissing, mostShed, silent }: Pick<Recovery, "mostMissing" | "mostShed" | "silent">): string {
  const found = [
    ...(mostMissing > 0 ? [`${formatCount(mostMissing)} pods missing`] : []),
    ...(mostShed > 0 ? [`${formatCount(Math.round(mostShed))} requests/s shed`] : []),
    ...(silent > 0 ? [`no answer of the API server for ${seconds(silent)}`] : []),
  ];
  return found.length === 0 ? "nothing missing or shed" : found.join(", ");
}

/** The parts of the way, where it has some. */
function parts({ noticed, replaced }: Pick<Recovery, "noticed" | "replaced">): string[] {
  return [
    ...(noticed === undefined ? [] : [`given up after ${seconds(noticed)}`]),
    ...(replaced === undefined ? [] : [`replaced after ${seconds(replaced)}`]),
  ];
}

/** Where a fault's area begins, with its name. */
interface Mark {
  readonly name: string;
  readonly xAxis: number;
}

/** Where faults were, over drawings whose horizontal axis is seconds: a series of its own without a line. */
export function faultMarks({ faults, samples }: SurgeRun) {
  if (faults.length === 0) return [];
  const end = samples[samples.length - 1]?.second ?? 0;
  return [
    {
      ...{ type: "line" as const, silent: true, data: [] },
      markArea: {
        ...{ silent: true, itemStyle: { color: TEXT, opacity: 0.12 } },
        label: { show: true, position: "insideTop" as const, color: TEXT },
        data: faults.map(({ began, ended }, index): [Mark, { xAxis: number }] => [
          { name: namesAt(faults, index, end), xAxis: began },
          // One that was over at once would not be seen.
          { xAxis: Math.max(ended ?? end, began + end / 200) },
        ]),
      },
    },
  ];
}

/** Shares of a drawing that two names need between them. */
const ROOM = 1 / 25;

/** A fault's name; of those that begin too close to each other, the first has all their names, and the others none. */
function namesAt(faults: SurgeRun["faults"], index: number, end: number): string {
  const isClose = (at: number) => at > 0 && faults[at]!.began - faults[at - 1]!.began < end * ROOM;
  if (isClose(index)) return "";
  const next = faults.findIndex((_, at) => at > index && !isClose(at));
  const last = next < 0 ? faults.length : next;
  return Array.from({ length: last - index }, (_, at) => index + at + 1).join(", ");
}

/** What the run says of recovery; undefined where nothing went wrong. */
export function recoveryClaim(run: SurgeRun): Claim | undefined {
  if (run.faults.length === 0) return undefined;
  const times = recoveriesOf(run).map(({ metAgain }) => metAgain);
  const within = times.filter((time) => time !== undefined && time <= AIM).length;
  return {
    claim: "recovery from a fault",
    target: `under ${AIM} s, where physics allows`,
    figure: `${within} of ${times.length} within ${AIM} s; ${times.includes(undefined) ? "not all" : `all within ${seconds(Math.max(...times.map((time) => time ?? 0)))}`}`,
    how: "measured here",
    from: "the control plane's part, by what the watch saw; the table of faults has each, and why; functions, gateways and nodes: make real",
  };
}

function seconds(value: number): string {
  return `${formatCount(value)} s`;
}
