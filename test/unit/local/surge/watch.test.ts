import { describe, expect, it } from "vitest";
import { ApiError, type Api } from "../../../../local/surge/api";
import { PodLedger } from "../../../../local/surge/pods";
import { rowReader, watchPods } from "../../../../local/surge/watch";
import { CONFIG } from "./support";

const COLUMNS = ["Name", "Ready", "Status", "Restarts", "Age", "IP", "Node", "Nominated Node", "Readiness Gates"];
const cells = (name: string, ready: string, status: string, node = "<none>") => [
  ...[name, ready, status, "0", "1s", "<none>", node, "<none>", "<none>"],
];
const table = (version: string, ...rows: string[][]) => ({
  metadata: { resourceVersion: version },
  columnDefinitions: COLUMNS.map((name) => ({ name })),
  rows: rows.map((row) => ({ cells: row })),
});
const event = (type: string, version: string, row: string[]) =>
  JSON.stringify({ type, object: { ...table(version, row), columnDefinitions: null } });

/** An API server that answers lists and watches in turn; each watch ends where its lines do. */
async function watched(lists: object[], watches: (string[] | Error)[]) {
  const stop = new AbortController();
  const asked: string[] = [];
  const troubles: string[] = [];
  const api: Pick<Api, "get" | "lines"> = {
    get: <T>() => {
      asked.push("list");
      return Promise.resolve(lists.shift() as T);
    },
    // eslint-disable-next-line @typescript-eslint/require-await -- as the interface has it
    lines: async function* (path) {
      asked.push(/resourceVersion=(\d+)/.exec(path)![1]!);
      const next = watches.shift();
      if (next === undefined) stop.abort();
      if (next instanceof Error) throw next;
      yield* next ?? [];
    },
  };
  const ledger = new PodLedger();
  await watchPods(api as Api, CONFIG.functions[0]!, ledger, stop.signal, (reason) => troubles.push(reason));
  return { asked, troubles, ledger };
}

describe("a row of pods", () => {
  const row = rowReader(table("1"));

  it("is ready when all of its containers are, and bound when it has a node", () => {
    expect(row(cells("a", "1/1", "Running", "agent-1"))).toEqual({
      ...{ name: "a", ready: true, leaving: false, node: "agent-1" },
    });
    expect(row(cells("a", "0/1", "Pending"))).toMatchObject({ ready: false, node: undefined });
    expect(row(cells("a", "1/2", "Running", "agent-1")).ready).toBe(false);
    expect(row(cells("a", "1/1", "Terminating", "agent-1")).leaving).toBe(true);
  });

  it("is read by the names of its columns, and not where there are others", () => {
    const moved = rowReader({
      metadata: {},
      columnDefinitions: ["Node", "Name", "Status", "Ready"].map((name) => ({ name })),
    });
    expect(moved(["agent-3", "b", "Running", "1/1"])).toMatchObject({ name: "b", node: "agent-3", ready: true });
    expect(() => rowReader({ metadata: {}, columnDefinitions: [{ name: "Name" }] })).toThrow(
      "pods have no column Ready",
    );
  });
});

describe("a watch", () => {
  const created = event("ADDED", "11", cells("b", "0/1", "Pending"));
  const scheduled = event("MODIFIED", "12", cells("b", "0/1", "Pending", "agent-2"));

  it("that the API server ends goes on from where it was, and loses no pod", async () => {
    const { asked, ledger, troubles } = await watched(
      [table("10", cells("a", "1/1", "Running", "agent-1"))],
      [[created], [scheduled]],
    );
    expect(asked).toEqual(["list", "10", "11", "12"]);
    expect(ledger.delays).toHaveLength(1);
    expect([ledger.unseen, troubles]).toEqual([0, []]);
    expect(ledger.counts()).toEqual({ pods: 2, bound: 2, ready: 1, leaving: 0 });
  });

  it("goes on after a bookmark from there, which is no pod", async () => {
    const bookmark = event("BOOKMARK", "40", cells("", "0/0", ""));
    const { asked, ledger } = await watched([table("10")], [[bookmark]]);
    expect(asked).toEqual(["list", "10", "40"]);
    expect(ledger.counts().pods).toBe(0);
  });

  it("lists anew where its version is no longer known", async () => {
    const error = JSON.stringify({ type: "ERROR", object: { kind: "Status", code: 410 } });
    const { asked, troubles } = await watched(
      [table("10"), table("50"), table("60")],
      [[error], new ApiError(410, "too old")],
    );
    expect(asked).toEqual(["list", "10", "list", "50", "list", "60"]);
    expect(troubles).toEqual([]);
  });

  it("tells that there is no answer, and tries again", async () => {
    const { asked, troubles } = await watched([table("10")], [new ApiError(0, "the API server does not answer")]);
    expect(troubles).toEqual(["the API server does not answer"]);
    expect(asked).toEqual(["list", "10", "10"]);
  });

  it("forgets a pod that is gone", async () => {
    const { ledger } = await watched([table("10")], [[created, event("DELETED", "13", cells("b", "0/1", "Pending"))]]);
    expect(ledger.counts().pods).toBe(0);
  });
});
