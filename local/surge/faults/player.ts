import { insist } from "../insist";
import { actionOf } from "./actions";
import type { FaultRecord } from "./record";
import { endOf, type Fault } from "./schema";
import type { Action, World } from "./world";

/** Does the faults of a run in their time, and takes them back. */
export interface Faults {
  /** At each step: begins what is due and ends what is over, and waits for nothing of it. */
  readonly tick: (second: number) => void;
  /** Nodes that answer nobody now. */
  readonly lost: ReadonlySet<string>;
  /** What is there now, for people; undefined where nothing is. */
  readonly now: () => string | undefined;
  /** Whether all that was to come has come, and has ended but for what stays until the run's end. */
  readonly settled: () => boolean;
  /** At the run's end, however it came: takes back what is still there, the last one first. */
  readonly putBack: () => Promise<void>;
  readonly records: () => FaultRecord[];
}

export const NO_FAULTS: Faults = {
  tick: () => undefined,
  lost: new Set(),
  now: () => undefined,
  settled: () => true,
  putBack: () => Promise.resolve(),
  records: () => [],
};

type State = "due" | "begins" | "there" | "ends" | "ended";

interface Entry {
  readonly fault: Fault;
  readonly action: Action;
  state: State;
  /** What goes on for it, and who looks whether it is known. */
  work: Promise<void>;
  watch: Promise<void>;
  began: number | undefined;
  noticed: number | undefined;
  ended: number | undefined;
  undone: boolean;
  readonly troubles: string[];
}

export function createFaults(faults: readonly Fault[], world: World): Faults {
  const entries = faults.map((fault): Entry => {
    const action = actionOf(fault, world);
    return {
      ...{ fault, action, state: "due", work: Promise.resolve(), watch: Promise.resolve() },
      ...{ began: undefined, noticed: undefined, ended: undefined, undone: action.undo === undefined, troubles: [] },
    };
  });
  let clock = { second: 0, at: Date.now() };
  const now = () => Math.round((clock.second + (Date.now() - clock.at) / 1000) * 10) / 10;
  return {
    tick: (second) => {
      clock = { second, at: Date.now() };
      if (world.signal.aborted) return;
      for (const entry of entries) {
        const { fault, state } = entry;
        if (state === "due" && second * 1000 >= fault.at) entry.work = begin(entry, now, world.signal);
        if (state === "there" && "for" in fault && second * 1000 >= endOf(fault)) entry.work = end(entry, now);
      }
    },
    lost: world.lost,
    now: () => {
      const there = entries.filter(({ state }) => state === "there" || state === "ends");
      return there.length === 0 ? undefined : there.map(({ action }) => action.what).join(", ");
    },
    settled: () => entries.every(({ state }) => state === "ended"),
    putBack: async () => {
      for (const entry of [...entries].reverse()) {
        await entry.work;
        if (entry.state !== "due" && !entry.undone) await end(entry, now);
        await entry.watch;
      }
    },
    records: () =>
      entries.flatMap(({ fault, action: { what }, began, noticed, ended, troubles, state }) =>
        state === "due" ? [] : [{ fault, what, began: began ?? fault.at / 1000, noticed, ended, troubles }],
      ),
  };
}

async function begin(entry: Entry, now: () => number, signal: AbortSignal): Promise<void> {
  const { action, fault, troubles } = entry;
  entry.state = "begins";
  try {
    await action.begin();
    entry.began = now();
    entry.state = "there";
    entry.watch = notice(entry, now);
    if ("for" in fault) return;
    await action.over?.();
    if (!signal.aborted) entry.ended = now();
  } catch (error) {
    if (!signal.aborted) troubles.push(`was not done: ${(error as Error).message}`);
  }
  entry.state = "ended";
}

async function notice(entry: Entry, now: () => number): Promise<void> {
  if (await entry.action.noticed?.()) entry.noticed = now();
}

async function end(entry: Entry, now: () => number): Promise<void> {
  const { action, fault, troubles } = entry;
  entry.state = "ends";
  try {
    await insist(action.undo ?? (() => Promise.resolve()));
    entry.undone = true;
    if ("for" in fault) entry.ended = now();
  } catch (error) {
    troubles.push(`is not put back: ${(error as Error).message}`);
  }
  entry.state = "ended";
}
