import { describe, expect, it } from "vitest";
import { parseConfig } from "../../../../infra/config";
import { describeUnready } from "../../../../local/engine/diagnose";

const CONFIG = parseConfig({ cluster: { kind: "existing", kubeconfig: "k" }, functions: [{ name: "checkout" }] });

interface State {
  readonly waiting?: object;
  readonly terminated?: object;
}

function pod(
  name: string,
  created: string,
  container: { ready: boolean; restartCount: number; state?: State; lastState?: State },
) {
  return { metadata: { name, creationTimestamp: created }, status: { containerStatuses: [container] } };
}

/** What a cluster with these pods says; logs by pod, those of the run before with `--previous`. */
function cluster(pods: readonly object[], logs: Readonly<Record<string, string>> = {}) {
  return (args: readonly string[]) => {
    if (args[0] === "get") return Promise.resolve(JSON.stringify({ items: pods }));
    const name = `${args[3]}${args.includes("--previous") ? " previous" : ""}`;
    const log = logs[name];
    return log === undefined ? Promise.reject(new Error(`no log of ${name}`)) : Promise.resolve(log);
  };
}

const CRASHING = {
  ready: false,
  restartCount: 2,
  state: { waiting: { reason: "CrashLoopBackOff", message: "back-off 20s" } },
  lastState: { terminated: { reason: "Error", exitCode: 3 } },
};

describe("a function that is not ready", () => {
  it("is described by its newest pod that is not, and the last words of the run that ended", async () => {
    const pods = [
      pod("old", "2026-01-01T00:00:00Z", { ready: true, restartCount: 0 }),
      pod("new", "2026-01-01T00:00:09Z", CRASHING),
      pod("between", "2026-01-01T00:00:05Z", CRASHING),
    ];
    const kubectl = cluster(pods, { "new previous": "one\n\ntwo\n", new: "of the present run" });
    expect(await describeUnready(kubectl, CONFIG)).toEqual([
      "pod shop/new: CrashLoopBackOff, ended with code 3 (Error)",
      "  its log: one",
      "  its log: two",
    ]);
  });

  it("is described by why its image cannot be pulled", async () => {
    const state = { waiting: { reason: "ErrImagePull", message: 'failed to resolve "none:1": not found' } };
    const kubectl = cluster([pod("new", "2026-01-01T00:00:00Z", { ready: false, restartCount: 0, state })]);
    expect(await describeUnready(kubectl, CONFIG)).toEqual([
      'pod shop/new: ErrImagePull, failed to resolve "none:1": not found',
    ]);
  });

  it("is said to be killed where its code says so", async () => {
    const state = { terminated: { reason: "Error", exitCode: 137 } };
    const kubectl = cluster([pod("new", "2026-01-01T00:00:00Z", { ready: false, restartCount: 0, state })], {
      new: "",
    });
    expect(await describeUnready(kubectl, CONFIG)).toEqual([
      "pod shop/new: ended with code 137 (killed: if by nobody, for memory above its limit)",
    ]);
  });

  it("is said to have run out of memory where the runtime knows that it did", async () => {
    const state = { terminated: { reason: "OOMKilled", exitCode: 137 } };
    const kubectl = cluster([pod("new", "2026-01-01T00:00:00Z", { ready: false, restartCount: 0, state })]);
    expect(await describeUnready(kubectl, CONFIG)).toEqual(["pod shop/new: ended with code 137 (OOMKilled)"]);
  });

  it("is described by why no node takes it", async () => {
    const message = "0/1 nodes are available: 1 Insufficient memory.";
    const unscheduled = {
      metadata: { name: "new", creationTimestamp: "2026-01-01T00:00:00Z" },
      status: { conditions: [{ type: "PodScheduled", status: "False", reason: "Unschedulable", message }] },
    };
    expect(await describeUnready(cluster([unscheduled]), CONFIG)).toEqual([
      `pod shop/new: no node takes it: ${message}`,
    ]);
  });
});

describe("nothing is said", () => {
  it("where every pod is ready, or there is none", async () => {
    const ready = pod("one", "2026-01-01T00:00:00Z", { ready: true, restartCount: 0 });
    expect(await describeUnready(cluster([ready]), CONFIG)).toEqual([]);
    expect(await describeUnready(cluster([]), CONFIG)).toEqual([]);
  });

  it("where the cluster does not answer any more", async () => {
    expect(await describeUnready(() => Promise.reject(new Error("refused")), CONFIG)).toEqual([]);
  });
});
