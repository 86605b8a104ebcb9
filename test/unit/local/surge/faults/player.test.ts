import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Api } from "../../../../../local/surge/api";
import { createFaults } from "../../../../../local/surge/faults/player";
import type { Machine } from "../../../../../local/surge/faults/world";
import { scenarioOf } from "../support";

/** A world that writes down what is done to it; `fails` names what goes wrong, each for so many times. */
function play(faults: object[], fails: Record<string, number> = {}) {
  const done: string[] = [];
  const stop = new AbortController();
  const act = (what: string) => {
    if ((fails[what] ?? 0) > 0) {
      fails[what]! -= 1;
      return Promise.reject(new Error(`no ${what}`));
    }
    done.push(what);
    return Promise.resolve();
  };
  const api: Pick<Api, "get" | "patch"> = {
    get: <T>() => Promise.resolve({ spec: { hard: { pods: "6250" } } } as T),
    patch: (path, _, body) => act(`${path.split("/").at(-1)} ${JSON.stringify(body)}`),
  };
  const machine: Machine = {
    kill: (process) => act(`kill ${process}`),
    restart: () => act("restart"),
    up: (signal) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("stopped")))),
  };
  const scenario = scenarioOf({ cpuPerRequest: "400us", faults });
  const world = { api: api as Api, scenario, machine, nodes: ["agent-1", "agent-2"], lost: new Set<string>() };
  const player = createFaults(scenario.faults, { ...world, signal: stop.signal });
  const until = async (second: number) => {
    for (let now = 0; now <= second; now++) {
      player.tick(now);
      await vi.advanceTimersByTimeAsync(1000);
    }
  };
  return { player, done, stop, until };
}

const KILL = { at: "2s", kind: "kill", process: "etcd", for: "3s" };
const QUOTA = { at: "10s", kind: "quota", pods: 20, for: "10s" };
const quotaOf = (pods: string) => `tenant-quota {"spec":{"hard":{"pods":"${pods}"}}}`;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("faults", () => {
  it("come in their time, last as long as they are to, and are told", async () => {
    const { player, done, until } = play([KILL, QUOTA]);
    expect([player.settled(), player.now(), player.records()]).toEqual([false, undefined, []]);
    await until(3);
    expect([done, player.now()]).toEqual([["kill etcd"], "etcd killed"]);
    await until(30);
    expect(done).toEqual(["kill etcd", "restart", quotaOf("20"), quotaOf("6250")]);
    expect([player.settled(), player.now()]).toEqual([true, undefined]);
    const records = player.records();
    expect(records.map(({ what, troubles }) => [what, troubles])).toEqual([
      ["etcd killed", []],
      ["quota of 20 pods", []],
    ]);
    expect(records.map(({ began, ended }) => ended! - began)).toEqual([3, 10]);
    await player.putBack();
    expect(done).toHaveLength(4);
  });

  it("that are there when the run ends are put back, the last first, and no more come", async () => {
    const { player, done, stop, until } = play([{ at: "1s", kind: "rollout" }, QUOTA, { ...KILL, at: "25s" }]);
    await until(12);
    stop.abort();
    await until(30);
    const before = done.length;
    await player.putBack();
    const [quota, template] = done.slice(before);
    expect(quota).toBe(quotaOf("6250"));
    expect(template).toMatch(/^serverless-function .*"wasm-functions\/surge-rollout":null/);
    expect(done).toHaveLength(before + 2);
    expect(player.records().map(({ what, ended }) => [what, ended])).toEqual([
      ["serverless-function rolls", undefined],
      ["quota of 20 pods", expect.any(Number)],
    ]);
  });

  it("are put back again and again where that fails, and it is told where it does not help", async () => {
    const stubborn = play([KILL], { restart: 3 });
    await stubborn.until(12);
    expect(stubborn.done).toEqual(["kill etcd", "restart"]);
    expect(stubborn.player.records()[0]).toMatchObject({ troubles: [], ended: 8 });
    const hopeless = play([KILL], { restart: 100 });
    await hopeless.until(20);
    expect(hopeless.player.records()[0]).toMatchObject({
      troubles: ["is not put back: no restart"],
      ended: undefined,
    });
  });

  it("that cannot be done are told, and what may be half done is put back", async () => {
    const { player, done, until } = play([QUOTA], { [quotaOf("20")]: 1 });
    await until(12);
    expect(player.settled()).toBe(true);
    await player.putBack();
    expect(done).toEqual([quotaOf("6250")]);
    expect(player.records()[0]!.troubles).toEqual([`was not done: no ${quotaOf("20")}`]);
  });

  it("that the user stops are no trouble", async () => {
    const { player, stop, until } = play([{ at: "1s", kind: "up" }]);
    await until(3);
    expect([player.settled(), player.now()]).toEqual([false, "make up"]);
    stop.abort();
    await player.putBack();
    expect(player.records()).toEqual([expect.objectContaining({ what: "make up", troubles: [], ended: undefined })]);
  });
});
