import type { EngineEvent } from "@pulumi/pulumi/automation";
import { describe, expect, it } from "vitest";
import { UpdateState } from "../../../../local/engine/events";
import { bar, createReporter, describeChanges } from "../../../../local/engine/reporter";
import type { Operation } from "../../../../local/engine/events";
import { begins, COMPONENT, DEPLOYMENT, ends, PROVIDER, recordingProgress, says, SERVICE, STACK } from "./support";

describe("the bar", () => {
  it.each([
    [0, 0, "", "░░░░░░░░░░░░░░░░░░░░ 0/0"],
    [0, 30, "Deployment checkout", "░░░░░░░░░░░░░░░░░░░░ 0/30 Deployment checkout"],
    [1, 3, "", "███████░░░░░░░░░░░░░ 1/3"],
    [15, 30, "", "██████████░░░░░░░░░░ 15/30"],
    [30, 30, "", "████████████████████ 30/30"],
    [31, 30, "", "████████████████████ 31/30"],
  ])("of %d of %d with %j", (done, total, current, text) => {
    expect(bar({ done, total, current })).toBe(text);
  });
});

describe("the outcome", () => {
  it.each([
    [{}, "up", "0 changes"],
    [{ create: 12 }, "up", "12 created"],
    [{ create: 12, update: 1, delete: 3 }, "up", "12 created, 1 updated, 3 deleted"],
    [{ "create-replacement": 1, replace: 1, "delete-replaced": 1 }, "up", "1 created anew, 1 replaced, 1 old deleted"],
    [{ delete: 40 }, "destroy", "40 deleted"],
    [{ update: 2 }, "refresh", "2 updated"],
    [{ create: 12 }, "preview", "would be 12 created"],
    [{}, "preview", "0 changes"],
  ] as const)("of %j by %s is: %s", (changes, operation, text) => {
    expect(describeChanges(changes, operation)).toBe(text);
  });
});

function reporter(operation: Operation, live = false) {
  const progress = recordingProgress(live);
  const made = createReporter(operation, new UpdateState(), progress);
  return {
    lines: progress.lines,
    onEvent: (event: EngineEvent) => made.onEvent(event),
    done: () => made.done(),
    fail: (how: string) => made.fail(how),
  };
}

describe("an update", () => {
  it("has in a log a line for each change", () => {
    const { onEvent, done, lines } = reporter("up");
    onEvent(begins(SERVICE, "create"));
    onEvent(ends(SERVICE, "create"));
    onEvent(ends(DEPLOYMENT, "same"));
    done();
    expect(lines).toEqual([
      "stack begins: asking the engine",
      "stack: ░░░░░░░░░░░░░░░░░░░░ 0/1 Service checkout",
      "  created Service checkout",
      "stack: ████████████████████ 1/1",
      "stack: ████████████████████ 2/2",
      "stack is done: 1 created",
    ]);
  });

  it("has on a terminal the bar alone", () => {
    const { onEvent, lines } = reporter("up", true);
    onEvent(ends(SERVICE, "create"));
    expect(lines.slice(1)).toEqual(["stack: ████████████████████ 1/1"]);
  });

  it("that fails tells how far it came", () => {
    const { onEvent, fail, lines } = reporter("destroy");
    onEvent(begins(SERVICE, "delete"));
    onEvent(ends(DEPLOYMENT, "delete"));
    fail("stopped");
    expect(lines[0]).toBe("stack begins: deleting");
    expect(lines.at(-1)).toBe("stack failed: stopped after 1 of 2 resources");
  });
});

describe("a preview", () => {
  const planned = (...events: readonly EngineEvent[]) => {
    const { onEvent, lines } = reporter("preview", true);
    events.forEach(onEvent);
    return lines.filter((line) => !line.startsWith("preview"));
  };

  it("shows each change by its sign, with the properties that differ", () => {
    expect(
      planned(
        ends(SERVICE, "create"),
        ends(DEPLOYMENT, "update", { "spec.replicas": { kind: "update" }, "spec.template": { kind: "add" } }),
        ends(SERVICE, "delete"),
        ends(DEPLOYMENT, "replace", {}),
        ends(SERVICE, "same"),
      ),
    ).toEqual([
      "  +  Service checkout",
      "  ~  Deployment checkout [spec.replicas, spec.template]",
      "  -  Service checkout",
      "  ±  Deployment checkout",
    ]);
  });

  it("shows a component once, though the engine reports it twice, and neither stack nor provider", () => {
    const events = [
      ends(STACK, "create"),
      ends(PROVIDER, "create"),
      ends(COMPONENT, "create"),
      ends(COMPONENT, "create"),
    ];
    expect(planned(...events)).toEqual(["  +  WasmFunction checkout"]);
  });

  it("shows what the program has to say of its plan, and no passing word", () => {
    expect(
      planned(
        says("info", "10 agents\n5,000 pods\n"),
        says("info", "<{%bold%}>cost<{%reset%}>", { urn: STACK }),
        says("info", "reading", { ephemeral: true }),
        says("info", "of a resource", { urn: SERVICE }),
      ),
    ).toEqual(["10 agents\n5,000 pods", "cost"]);
  });

  it("ends with what would be", () => {
    const { onEvent, done, lines } = reporter("preview");
    onEvent(ends(COMPONENT, "create"));
    onEvent(ends(COMPONENT, "create"));
    done();
    expect(lines.at(-1)).toBe("preview is done: would be 1 created");
  });
});
