import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { REQUESTS_METRIC } from "../../../../components/autoscaling/names";
import { ApiError, type Api } from "../../../../local/surge/api";
import { goToMin } from "../../../../local/surge/go-to-min";
import { PodLedger } from "../../../../local/surge/pods";
import { byRequests, scenarioOf } from "./support";

// Fake timers leave this module alone.
vi.mock("node:timers/promises", () => ({
  setTimeout: (milliseconds: number) => new Promise((resume) => setTimeout(resume, milliseconds)),
}));

const BEGINS = Date.parse("2026-01-02T03:04:05.200Z");
const MIN = 10;

interface World {
  /** Pods that there are before. */
  readonly pods?: number;
  readonly scenario?: ReturnType<typeof scenarioOf>;
  /** What metrics-server answers at a second: when it read each pod; undefined where it does not. */
  readonly readAt?: (second: number) => readonly (string | null)[] | undefined;
  /** Requests/s of each pod that the autoscaler reads at a second. */
  readonly requests?: (second: number) => number;
  /** Whether who counts requests was asked by a second. */
  readonly isSeen?: (second: number) => boolean;
  /** Whether the Deployment does as it is told. */
  readonly obeys?: boolean;
}

function start({ pods = MIN, obeys = true, scenario = scenarioOf(), ...world }: World = {}) {
  const stopped = new AbortController();
  const ledger = new PodLedger();
  const done: string[] = [];
  const notes: string[] = [];
  let replicas = pods;
  const second = () => Math.round((Date.now() - BEGINS) / 1000);
  const settle = (count: number) => {
    replicas = count;
    const row = (index: number) => ({ name: `pod-${index}`, ready: true, leaving: false, node: "agent-1" });
    ledger.list(Array.from({ length: count }, (_, index) => row(index)));
  };
  settle(pods);
  const autoscaler = () => ({
    spec: {},
    status: {
      desiredReplicas: replicas,
      currentMetrics: [
        {
          external: {
            metric: { name: REQUESTS_METRIC },
            current: { averageValue: String(world.requests?.(second()) ?? 0) },
          },
        },
      ],
    },
  });
  const get = (path: string): Promise<unknown> => {
    if (!path.includes("/metrics.k8s.io/")) return Promise.resolve(autoscaler());
    const read = world.readAt?.(second());
    if (read === undefined)
      return Promise.reject(new ApiError(503, "the API server answered 503: service unavailable"));
    return Promise.resolve({ items: read.map((timestamp) => ({ timestamp })) });
  };
  const patch = (path: string, _: string, body: object) => {
    done.push(`${path.split("/").slice(-2).join("/")} ${JSON.stringify(body)} at ${second()}`);
    if (obeys) settle(MIN);
    return Promise.resolve();
  };
  const { isSeen } = world;
  const driver = {
    set: () => Promise.reject(new Error("not now")),
    restore: () => Promise.resolve(),
    ...(isSeen && { isSeen: () => isSeen(second()) }),
  };
  const gone = goToMin(
    {
      ...{ api: { get, patch } as unknown as Api, driver, scenario, signal: stopped.signal },
      view: { note: (text) => notes.push(text) },
    },
    ledger,
  );
  gone.catch(() => undefined);
  return { gone, done, notes, ledger, stop: () => stopped.abort() };
}

const toMinAt = (second: number) => [`serverless-function/scale {"spec":{"replicas":${MIN}}} at ${second}`];
/** metrics-server tells whole seconds: what it read in that in which the usage was put back may be of before. */
const [OLD, NEW] = ["2026-01-02T03:04:05Z", "2026-01-02T03:04:06Z"];
const readFrom = (from: number) => (second: number) => Array.from({ length: 60 }, () => (second < from ? OLD : NEW));

beforeEach(() => vi.useFakeTimers({ now: BEGINS }));
afterEach(() => vi.useRealTimers());

describe("to min", () => {
  it("a function goes when metrics-server has read its pods anew", async () => {
    const { gone, done, notes, ledger } = start({ pods: 60, readAt: readFrom(9) });
    await vi.advanceTimersByTimeAsync(8000);
    expect([done, ledger.counts().pods]).toEqual([[], 60]);
    expect(notes[0]).toMatch(/until metrics-server reads again: what 60 of 60 pods use was read before$/);
    await vi.advanceTimersByTimeAsync(2000);
    await gone;
    expect(done).toEqual(toMinAt(9));
  });

  it.each([
    ["is still to come", () => undefined, "answered 503"],
    ["has read none of them yet", () => [], "it has read none of its pods yet"],
    ["could not read one", () => [NEW, null], "what 1 of 2 pods use was read before"],
  ])("it waits where metrics-server %s", async (_, before, says) => {
    const { gone, done, notes } = start({ readAt: (second) => (second < 20 ? before() : [NEW]) });
    await vi.advanceTimersByTimeAsync(21_000);
    await gone;
    expect(notes[0]).toContain(says);
    expect(done).toEqual(toMinAt(20));
  });

  it("by requests it goes when nobody is read to ask, and metrics-server is not asked", async () => {
    const { gone, done, notes } = start({
      scenario: scenarioOf({ cpuPerRequest: "400us" }, byRequests({ requestsPerPod: 20 })),
      isSeen: (second) => second >= 3,
      requests: (second) => (second < 12 ? 500 : 0),
    });
    await vi.advanceTimersByTimeAsync(13_000);
    await gone;
    expect(notes[0]).toContain("its Prometheus has not read what is counted");
    expect(notes.at(-1)).toContain("its autoscaler reads 5,000 requests/s");
    expect(done).toEqual(toMinAt(12));
  });

  it("it does not go after five minutes in all, and that says why", async () => {
    const unread = start();
    const stubborn = start({ pods: 60, obeys: false, readAt: readFrom(200) });
    await vi.advanceTimersByTimeAsync(302_000);
    await expect(unread.gone).rejects.toThrow(/answered 503.*: metrics-server did not read it again in 300 s/);
    expect(unread.done).toEqual([]);
    await expect(stubborn.gone).rejects.toThrow(
      /60 pods, 60 ready, 60 wanted by its autoscaler: not at min 10 after 300 s/,
    );
    expect(stubborn.done).toEqual(toMinAt(200));
  });

  it("it does not go any more when all is stopped", async () => {
    const { gone, done, stop } = start({ readAt: readFrom(9) });
    await vi.advanceTimersByTimeAsync(2000);
    stop();
    await vi.advanceTimersByTimeAsync(1000);
    await gone;
    expect(done).toEqual([]);
  });
});
