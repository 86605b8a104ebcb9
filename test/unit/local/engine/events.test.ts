import type { EngineEvent } from "@pulumi/pulumi/automation";
import { describe, expect, it } from "vitest";
import { label, plain, UpdateState } from "../../../../local/engine/events";
import { begins, COMPONENT, DEPLOYMENT, ends, fails, PROVIDER, says, SERVICE, STACK, violates } from "./support";

function after(...events: readonly EngineEvent[]): UpdateState {
  const state = new UpdateState();
  for (const event of events) state.add(event);
  return state;
}

describe("progress", () => {
  it("counts what is done of what has begun", () => {
    const state = after(begins(DEPLOYMENT, "create"), begins(SERVICE, "create"), ends(SERVICE, "create"));
    expect([state.done, state.total, state.current]).toEqual([1, 2, "Deployment checkout"]);
  });

  it("has the number that the program registered for its end, once that is larger", () => {
    const state = after(begins(DEPLOYMENT, "create"));
    state.registered = 30;
    expect([state.done, state.total]).toEqual([0, 30]);
  });

  it("counts resources that stay as they are as done, without telling them", () => {
    const state = new UpdateState();
    expect(state.add(begins(SERVICE, "same"))).toBeUndefined();
    expect(state.total).toBe(0);
    expect(state.add(ends(SERVICE, "same"))).toBeUndefined();
    expect([state.done, state.total, state.changes]).toEqual([1, 1, {}]);
  });

  it("counts a resource once, however often the engine comes back to it", () => {
    const state = after(
      ends(SERVICE, "create-replacement"),
      ends(SERVICE, "replace"),
      ends(SERVICE, "delete-replaced"),
    );
    expect([state.done, state.total]).toEqual([1, 1]);
  });

  it("leaves out the stack itself and providers", () => {
    const state = new UpdateState();
    for (const urn of [STACK, PROVIDER]) {
      expect(state.add(begins(urn, "create"))).toBeUndefined();
      expect(state.add(ends(urn, "create"))).toBeUndefined();
    }
    expect([state.done, state.total, state.current, state.changes]).toEqual([0, 0, "", {}]);
  });

  it("takes events that say nothing of a resource", () => {
    const state = after(
      { sequence: 1, timestamp: 0, preludeEvent: { config: {} } },
      { sequence: 2, timestamp: 0, cancelEvent: {} },
    );
    expect([state.done, state.total, state.failures, state.warnings]).toEqual([0, 0, [], []]);
  });
});

describe("changes", () => {
  it.each([
    ["create", "created Service checkout"],
    ["update", "updated Service checkout"],
    ["delete", "deleted Service checkout"],
    ["replace", "replaced Service checkout"],
    ["create-replacement", "created anew Service checkout"],
    ["delete-replaced", "deleted the old Service checkout"],
    ["refresh", "refreshed Service checkout"],
  ] as const)("by %s read: %s", (op, line) => {
    const state = new UpdateState();
    expect(state.add(ends(SERVICE, op))).toBe(line);
    expect(state.changes).toEqual({ [op]: 1 });
  });

  it("are counted by kind", () => {
    const state = after(ends(SERVICE, "create"), ends(DEPLOYMENT, "create"), ends(COMPONENT, "update"));
    expect(state.changes).toEqual({ create: 2, update: 1 });
  });

  it.each(["read", "import", "discard-replaced", "read-replacement"] as const)("by %s are the engine's own", (op) => {
    const state = new UpdateState();
    expect(state.add(ends(SERVICE, op))).toBeUndefined();
    expect(state.changes).toEqual({});
  });

  it("of a component count once, where a preview reports it again with its outputs", () => {
    const state = new UpdateState();
    expect(state.add(ends(COMPONENT, "create"))).toBe("created WasmFunction checkout");
    expect(state.add(ends(COMPONENT, "create"))).toBeUndefined();
    expect(state.changes).toEqual({ create: 1 });
  });
});

describe("what is under way", () => {
  const status = (urn: string, message: string) => says("info", message, { urn, ephemeral: true });

  it("is the first that has begun, while nothing speaks", () => {
    expect(after(begins(COMPONENT, "create"), begins(DEPLOYMENT, "create")).current).toBe("WasmFunction checkout");
  });

  it("is the one that spoke last, with the first line of what it said", () => {
    const state = after(
      begins(COMPONENT, "create"),
      begins(DEPLOYMENT, "create"),
      begins(SERVICE, "create"),
      status(SERVICE, "[1/3] Finding Pods\nmore"),
      status(DEPLOYMENT, "<{%fg 13%}>[1/2] Waiting for app ReplicaSet<{%reset%}>"),
    );
    expect(state.current).toBe("Deployment checkout: [1/2] Waiting for app ReplicaSet");
  });

  it("forgets the words of a resource that is done", () => {
    const state = after(
      begins(DEPLOYMENT, "create"),
      begins(SERVICE, "create"),
      status(SERVICE, "[1/3] Finding Pods"),
      ends(SERVICE, "create"),
    );
    expect(state.current).toBe("Deployment checkout");
  });

  it("is nothing where only the program speaks", () => {
    expect(after(says("info", "100,000 requests/s over 5,000 pods")).current).toBe("");
    expect(after(begins(SERVICE, "create"), says("info", "a note", { urn: STACK })).current).toBe("Service checkout");
  });

  it("is neither a warning nor a failure", () => {
    const state = after(begins(SERVICE, "create"), status(SERVICE, "Retry #1; creation failed"));
    expect([state.warnings, state.failures]).toEqual([[], []]);
  });
});

describe("failures", () => {
  it("are told with the resource and its reasons, each once", () => {
    const state = new UpdateState();
    state.add(begins(DEPLOYMENT, "create"));
    state.add(says("error", "<{%reset%}>timed out waiting<{%reset%}>\n", { urn: DEPLOYMENT }));
    state.add(says("error", "timed out waiting", { urn: DEPLOYMENT }));
    state.add(says("error", "and its pods crash", { urn: DEPLOYMENT }));
    expect(state.add(fails(DEPLOYMENT, "create"))).toBe("failed to create Deployment checkout");
    expect(state.failures).toEqual([
      { resource: "Deployment checkout", reason: "timed out waiting\nand its pods crash" },
    ]);
    expect([state.done, state.current]).toEqual([0, ""]);
  });

  it("take a reason that comes after the failure", () => {
    const state = after(fails(SERVICE, "delete"), says("error", "is protected", { urn: SERVICE }));
    expect(state.failures).toEqual([{ resource: "Service checkout", reason: "is protected" }]);
  });

  it("are told also where no reason is given", () => {
    expect(after(fails(SERVICE, "update")).failures).toEqual([{ resource: "Service checkout", reason: "" }]);
  });

  it.each([
    "update failed",
    "preview failed",
    "destroy canceled",
    "One or more errors occurred: the config is not valid",
    "   ",
  ])("leave out the engine's closing words: %j", (message) => {
    expect(after(says("error", message, { urn: STACK })).failures).toEqual([]);
  });

  it("keep words that only begin like them", () => {
    expect(after(says("error", "update failed: conflict", { urn: STACK })).failures).toEqual([
      { resource: "the program", reason: "update failed: conflict" },
    ]);
  });
});

describe("what a policy says", () => {
  it("is a failure of the resource where it is mandatory, and ends the operation", () => {
    const state = after(violates("mandatory", { resourceUrn: DEPLOYMENT }));
    expect(state.violated).toBe(true);
    expect(state.failures).toEqual([
      { resource: "Deployment checkout", reason: "policy probes: Pods are probed.\nreadinessProbe is missing" },
    ]);
  });

  it("is a warning where it is not", () => {
    const state = after(violates("warning", { resourceUrn: DEPLOYMENT }));
    expect([state.violated, state.failures]).toEqual([false, []]);
    expect(state.warnings).toEqual(["policy probes: Pods are probed.\nreadinessProbe is missing"]);
  });
});

// What the engine sent for programs that threw: the SDK logs each error where it was thrown, and once more as the end.
describe("the program's own failure", () => {
  const problems = "The config is not valid (1 problem):\n  - a: b: c; d";

  it("is shown once where it is logged twice, with and without the stack's URN", () => {
    const state = after(says("error", `${problems}\n`), says("error", `${problems}\n`, { urn: STACK }));
    expect(state.failures).toEqual([{ resource: "the program", reason: problems }]);
  });

  it("is shown once where the first of the two has its stack", () => {
    const thrown = `Unhandled exception: TypeError: went wrong\nin two lines\n    at program (/infra/index.ts:11:29)\n    at async Stack.initialize (/runtime/stack.ts:78:39)`;
    const state = after(says("error", `${thrown}\n`), says("error", "went wrong\nin two lines\n"));
    expect(state.failures).toEqual([{ resource: "the program", reason: thrown }]);
  });

  it("is not shown again as the program's where a resource has it", () => {
    const state = after(says("error", "res wrong\n", { urn: COMPONENT }), says("error", "res wrong\n"));
    expect(state.failures).toEqual([{ resource: "WasmFunction checkout", reason: "res wrong" }]);
  });

  it("does not hide another error, though one begins like the other", () => {
    const state = after(says("error", "wrong"), says("error", "wrong again"), says("error", "wrong", { urn: SERVICE }));
    expect(state.failures).toEqual([
      { resource: "the program", reason: "wrong\nwrong again" },
      { resource: "Service checkout", reason: "wrong" },
    ]);
  });
});

describe("warnings", () => {
  it("name their resource, except those of the program", () => {
    const state = after(
      says("warning", "<{%fg 3%}>saves 71 %<{%reset%}>\n", { urn: STACK }),
      says("warning", "no cluster"),
      says("warning", "is deprecated", { urn: SERVICE }),
    );
    expect(state.warnings).toEqual(["saves 71 %", "no cluster", "Service checkout: is deprecated"]);
    expect(state.failures).toEqual([]);
  });
});

it.each([
  [DEPLOYMENT, "Deployment checkout"],
  [COMPONENT, "WasmFunction checkout"],
  [STACK, "Stack wasm-functions-local"],
  [
    "urn:pulumi:s::p::kubernetes:networking.k8s.io/v1:NetworkPolicy::shop/default-deny",
    "NetworkPolicy shop/default-deny",
  ],
])("%s is shown as %s", (urn, shown) => {
  expect(label(urn)).toBe(shown);
});

it("takes the engine's colour marks out, and leaves other braces", () => {
  expect(plain("<{%fg 1%}>error:<{%reset%}> <{%bold%}>a{b}%<c>\n")).toBe("error: a{b}%<c>");
});
