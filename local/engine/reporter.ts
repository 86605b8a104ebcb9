import type { EngineEvent, OpType } from "@pulumi/pulumi/automation";
import type { Progress } from "../progress";
import { label, plain, type Operation, type UpdateState } from "./events";

export interface Reporter {
  onEvent(event: EngineEvent): void;
  done(): void;
  fail(how: string): void;
}

const TITLES: Readonly<Record<Operation, string>> = {
  up: "stack",
  preview: "preview",
  refresh: "refresh",
  destroy: "stack",
};

const BAR_WIDTH = 20;

/** Shows an operation: a bar with what is under way on a terminal, a line for each change in a log. */
export function createReporter(operation: Operation, state: UpdateState, progress: Progress): Reporter {
  const task = progress.task(TITLES[operation], operation === "destroy" ? "deleting" : "asking the engine");
  return {
    onEvent(event) {
      const change = state.add(event);
      if (operation === "preview") showPlanned(event, change !== undefined, progress);
      else if (change !== undefined && !progress.live) progress.note(`  ${change}`);
      task.update(bar(state));
    },
    done: () => task.done(describeChanges(state.changes, operation)),
    fail: (how) => task.fail(`${how} after ${state.done} of ${state.total} resources`),
  };
}

export function bar(state: Pick<UpdateState, "done" | "total" | "current">): string {
  const share = state.total === 0 ? 0 : Math.min(1, state.done / state.total);
  const filled = Math.round(share * BAR_WIDTH);
  return `${"█".repeat(filled)}${"░".repeat(BAR_WIDTH - filled)} ${state.done}/${state.total} ${state.current}`.trimEnd();
}

/** `12 created, 1 updated`, or `0 changes`. */
export function describeChanges(changes: UpdateState["changes"], operation: Operation): string {
  const words: Partial<Record<OpType, string>> = {
    create: "created",
    update: "updated",
    delete: "deleted",
    replace: "replaced",
    "create-replacement": "created anew",
    "delete-replaced": "old deleted",
    refresh: "refreshed",
  };
  const kinds = Object.entries(changes) as [OpType, number][];
  if (kinds.length === 0) return "0 changes";
  const text = kinds.map(([op, count]) => `${count} ${words[op] ?? op}`).join(", ");
  return operation === "preview" ? `would be ${text}` : text;
}

const SIGNS: Partial<Record<OpType, string>> = {
  create: "+",
  update: "~",
  delete: "-",
  replace: "±",
  "create-replacement": "+±",
  "delete-replaced": "-±",
};

/** Each planned change with the properties that differ, and what the program itself has to say about its plan. */
function showPlanned(event: EngineEvent, isChange: boolean, progress: Progress): void {
  const planned = event.resOutputsEvent?.metadata;
  const sign = planned && SIGNS[planned.op];
  if (isChange && planned && sign !== undefined) {
    const fields = Object.keys(planned.detailedDiff ?? {});
    progress.note(`  ${sign.padEnd(2)} ${label(planned.urn)}${fields.length > 0 ? ` [${fields.join(", ")}]` : ""}`);
  }
  const said = event.diagnosticEvent;
  if (said?.severity === "info" && !said.ephemeral && /^$|::pulumi:pulumi:Stack::/.test(said.urn ?? "")) {
    progress.note(plain(said.message));
  }
}
