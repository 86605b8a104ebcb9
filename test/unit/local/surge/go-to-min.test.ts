import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ApiError, type Api } from "../../../../local/surge/api";
import { goToMin } from "../../../../local/surge/go-to-min";
import { PodLedger } from "../../../../local/surge/pods";
import { scenarioOf } from "./support";

// Fake timers leave this module alone.
vi.mock("node:timers/promises", () => ({
  setTimeout: (milliseconds: number) => new Promise((resume) => setTimeout(resume, milliseconds)),
}));

const BEGINS = Date.parse("2026-01-02T03:04:05.200Z");
const scenario = scenarioOf();
const { min } = scenario.fn.scaling;

/** A function of so many pods, whose autoscaler goes by what metrics-server has read; reads anew at second 9, but where it is away. */
function stage({ pods = min, away = 0 } = {}) {
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
  const get = (path: string): Promise<unknown> => {
    if (!path.includes("/metrics.k8s.io/")) return Promise.resolve({ spec: {}, status: { desiredReplicas: replicas } });
    if (second() < away) return Promise.reject(new ApiError(503, "the API server answered 503: service unavailable"));
    const timestamp = second() < 9 ? "2026-01-02T03:04:04Z" : "2026-01-02T03:04:14Z";
    return Promise.resolve({ items: Array.from({ length: replicas }, () => ({ timestamp })) });
  };
  const patch = (path: string, _: string, body: object) => {
    done.push(`${path.split("/").slice(-2).join("/")} ${JSON.stringify(body)} at ${second()}`);
    settle(min);
    return Promise.resolve();
  };
  const driver = { set: () => Promise.reject(new Error("not now")), restore: () => Promise.resolve() };
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

beforeEach(() => vi.useFakeTimers({ now: BEGINS }));
afterEach(() => vi.useRealTimers());

describe("to min", () => {
  it("a function goes when nothing is read any more of what was asked before", async () => {
    const { gone, done, notes, ledger } = stage({ pods: 60 });
    await vi.advanceTimersByTimeAsync(8000);
    expect([done, ledger.counts().pods]).toEqual([[], 60]);
    expect(notes[0]).toMatch(/until metrics-server reads again: what 60 of 60 pods use was read before$/);
    await vi.advanceTimersByTimeAsync(2000);
    await gone;
    expect(done).toEqual([`${scenario.fn.name}/scale {"spec":{"replicas":${min}}} at 9`]);
  });

  it("it goes also where metrics-server is still to come", async () => {
    const { gone, done, notes } = stage({ away: 20 });
    await vi.advanceTimersByTimeAsync(21_000);
    await gone;
    expect(notes[0]).toContain("answered 503");
    expect(done).toHaveLength(1);
  });

  it("it does not go after a while, and that says why", async () => {
    const { gone, done } = stage({ away: Infinity });
    await vi.advanceTimersByTimeAsync(302_000);
    await expect(gone).rejects.toThrow(/answered 503.*: metrics-server did not read it again in 300 s/);
    expect(done).toEqual([]);
  });

  it("it does not go any more when all is stopped", async () => {
    const { gone, done, stop } = stage();
    await vi.advanceTimersByTimeAsync(2000);
    stop();
    await vi.advanceTimersByTimeAsync(1000);
    await gone;
    expect(done).toEqual([]);
  });
});
