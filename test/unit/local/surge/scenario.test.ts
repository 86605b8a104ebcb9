import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { parseConfig } from "../../../../infra/config";
import { lengthOf, peakOf } from "../../../../local/surge/curve";
import { expect as expectOf } from "../../../../local/surge/expected";
import { loadHeldBy, parseScenario, PRESET_NAMES, readScenario } from "../../../../local/surge/scenario";
import { k3s, problemsOf, withFunction } from "../../infra/support";
import { CONFIG, LOCAL, PLACE, scenarioOf } from "./support";

const refusals = (raw: unknown) => problemsOf(() => parseScenario(raw, CONFIG, LOCAL));
const curve = (...points: [at: string, requestsPerSecond: number][]) =>
  points.map(([at, requestsPerSecond]) => ({ at, requestsPerSecond }));

const byRequests = (scaling: object) => {
  const fn = { objectives: { availability: "99.9%" }, scaling: { metric: "rps", ...scaling } };
  return parseConfig(withFunction(fn, { cluster: k3s(3, 10) }));
};

describe("the project's surge.yaml", () => {
  const scenario = readScenario(resolve(__dirname, "../../../.."), CONFIG, LOCAL);

  it("is a flash sale that takes all 5,000 replicas by CPU", () => {
    expect(scenario).toMatchObject({
      preset: "flash-sale",
      ownCurve: false,
      step: 1000,
      cpuPerRequestFrom: "surge.yaml",
    });
    expect(peakOf(scenario.curve)).toBe(100_000);
    expect(expectOf(CONFIG, scenario, PLACE).goal).toBe(5000);
  });
});

describe("a scenario", () => {
  it.each(PRESET_NAMES)("%s reaches the function's planned peak, and begins and ends with what min holds", (preset) => {
    const { curve: points, fn } = scenarioOf({ preset, cpuPerRequest: "400us" });
    expect(peakOf(points)).toBe(100_000);
    const held = loadHeldBy(fn.scaling.min, fn, 0.4);
    expect(points[0]!.requestsPerSecond).toBeLessThanOrEqual(held);
    expect(points.at(-1)!.requestsPerSecond).toBeLessThanOrEqual(held);
  });

  it.each([
    [{ min: 1 }, 20],
    [{ min: 0, activation: 5 }, 2.5],
    [{ min: 0 }, 0],
  ])("begins and ends with what min holds, however little that is: %j", (scaling, held) => {
    const { curve: points } = scenarioOf({}, byRequests(scaling));
    expect([points[0]!.requestsPerSecond, points.at(-1)!.requestsPerSecond]).toEqual([held, held]);
    expect(peakOf(points)).toBe(100_000);
  });

  it("of an empty file is a flash sale of what the stack says of its first function", () => {
    const { preset, fn, cpuPerRequestFrom } = scenarioOf({});
    expect([preset, fn.name, fn.workload.cpuPerRequest]).toEqual(["flash-sale", "serverless-function", 0.18]);
    expect(cpuPerRequestFrom).toBe("the stack's workload");
  });

  it("may have a curve, a step and a CPU per request of its own", () => {
    const {
      ownCurve,
      curve: points,
      step,
      fn,
    } = scenarioOf({
      curve: curve(["0s", 10], ["1m", 5000], ["2m", 10]),
      step: "500ms",
      cpuPerRequest: "1ms",
    });
    expect(ownCurve).toBe(true);
    expect([lengthOf(points), step]).toEqual([120_000, 500]);
    expect(fn.workload).toEqual({ peakRequestsPerSecond: 5000, cpuPerRequest: 1 });
  });
});

describe("a scenario that makes no sense is refused", () => {
  it.each<[string, unknown, string]>([
    ["unknown keys", { presett: "daily" }, "presett: unknown key"],
    [
      "unknown presets",
      { preset: "dayly" },
      'preset: "dayly": must be one of flash-sale, daily, spikes; did you mean daily?',
    ],
    [
      "unknown functions",
      { function: "chekout" },
      'function: "chekout": is no function of this stack; use one of serverless-function',
    ],
    ["steps that are too long", { step: "1m" }, "step: 1m: must be from 200ms to 10s"],
    ["no CPU", { cpuPerRequest: "0s" }, "cpuPerRequest: 0s: must be from 1us to 100ms"],
    [
      "more CPU than a pod has in a second",
      { cpuPerRequest: "101ms" },
      "cpuPerRequest: 101ms: must be from 1us to 100ms",
    ],
    ["one point", { curve: curve(["0s", 10]) }, "curve: 1 points: must have at least two"],
    ["a late beginning", { curve: curve(["1s", 10], ["2s", 5000], ["3s", 10]) }, "curve[0].at: 1s: must be 0s"],
    [
      "time that goes back",
      { curve: curve(["0s", 10], ["9s", 5000], ["5s", 10]) },
      "curve[2].at: 5s: must be after 9s",
    ],
    [
      "negative load",
      { curve: curve(["0s", -1], ["9s", 5000], ["15s", 10]) },
      "curve[0].requestsPerSecond: -1: must be at least 0",
    ],
    [
      "a beginning above min",
      { curve: curve(["0s", 4000], ["9s", 5000], ["15s", 10]) },
      "curve[0].requestsPerSecond: 4,000: the first point may be at most 388.9 requests/s",
    ],
    [
      "an end above min",
      { curve: curve(["0s", 10], ["9s", 5000]) },
      "curve[1].requestsPerSecond: 5,000: the last point may be at most 388.9 requests/s",
    ],
    [
      "nothing that scales",
      { curve: curve(["0s", 10], ["9s", 20]) },
      "curve: a peak of 20 requests/s: must be above 388.9 requests/s",
    ],
    [
      "ten times what is planned",
      { curve: curve(["0s", 10], ["9s", 1_000_001], ["15s", 10]) },
      "curve: a peak of 1,000,001 requests/s: may be at most 1,000,000",
    ],
    ["days", { curve: curve(["0s", 10], ["9h", 5000], ["10h", 10]) }, "curve: 10h: may take 4h"],
  ])("%s", (_, raw, problem) => {
    const lines = refusals(raw);
    expect(lines).toHaveLength(1);
    expect(lines[0]!.startsWith(problem), lines[0]).toBe(true);
    expect(lines[0]).toMatch(/; .+/);
  });

  it("with every problem at once", () => {
    expect(refusals({ step: "1m", cpuPerRequest: "0s", curve: curve(["1s", 10], ["9s", 5000]) })).toHaveLength(3);
  });

  it("requests that take more than a pod has for each that it is held at", () => {
    const config = byRequests({ requestsPerPod: 300 });
    expect(problemsOf(() => parseScenario({ cpuPerRequest: "400us" }, config, LOCAL))).toEqual([
      "cpuPerRequest: 400us: by requests a pod is held at 300/s, for which its CPU limit of 100m has 333us each; lower it, or the function's scaling.requestsPerPod",
    ]);
    expect(parseScenario({ cpuPerRequest: "300us" }, config, LOCAL).fn.workload.cpuPerRequest).toBe(0.3);
  });

  it("above what min holds, which by requests are requests, and of none the activation", () => {
    const play = (scaling: object, first: number) =>
      parseScenario({ curve: curve(["0s", first], ["9s", 5000], ["15s", 0]) }, byRequests(scaling), LOCAL);
    expect(play({}, 200).fn.scaling.metric).toBe("rps");
    expect(problemsOf(() => play({}, 201))).toEqual([
      "curve[0].requestsPerSecond: 201: the first point may be at most 200 requests/s, what min 10 pods are held at by their requests; lower it, so that the run begins and ends at min",
    ]);
    expect(play({ min: 0, activation: 6 }, 3).fn.scaling.min).toBe(0);
    expect(problemsOf(() => play({ min: 0, activation: 6 }, 4))[0]).toContain(
      "at most 3 requests/s, half of the activation, up to which there are none",
    );
  });

  it("also where there is no file", () => {
    expect(problemsOf(() => readScenario("/nowhere", CONFIG, LOCAL))[0]).toMatch(
      /^surge\.yaml: missing: there is no \/nowhere/,
    );
  });
});

describe("what a scenario says of one stack", () => {
  const real = { stack: "real", real: true };
  const file = {
    ...{ cpuPerRequest: "350us", step: "2s", curve: curve(["0s", 10], ["1m", 5000], ["2m", 10]) },
    stacks: { real: { preset: "spikes", peakRequestsPerSecond: 200_000, path: "/api/function?work=1" } },
  };

  it("stands before what it says of all, and nowhere else", () => {
    const [one, other] = [scenarioOf(file, CONFIG, real), scenarioOf(file)];
    expect(one).toMatchObject({ preset: "spikes", ownCurve: false, step: 2000, path: "/api/function?work=1" });
    expect(peakOf(one.curve)).toBe(200_000);
    expect(other).toMatchObject({ ownCurve: true, step: 2000, path: undefined });
  });

  it("may be what its pods are reckoned to take; what simulated ones are said to, real ones do not", () => {
    const of = (raw: object, stage = real) => scenarioOf(raw, CONFIG, stage).fn.workload.cpuPerRequest;
    expect(of({ cpuPerRequest: "350us" })).toBe(0.18);
    expect(of({ cpuPerRequest: "350us", stacks: { real: { cpuPerRequest: "400us" } } })).toBeCloseTo(0.4);
    expect(of({ cpuPerRequest: "350us", stacks: { real: { cpuPerRequest: "400us" } } }, LOCAL)).toBeCloseTo(0.35);
  });

  it("is refused by where it is written", () => {
    const refused = (raw: object) => problemsOf(() => parseScenario(raw, CONFIG, real))[0];
    expect(refused({ stacks: { real: { step: "1m" } } })).toMatch(/^stacks\.real\.step: 1m: must be from/);
    expect(refused({ stacks: { real: { paht: "/" } } })).toMatch(/^stacks\.real\.paht: unknown key.*path/);
    expect(refused({ stacks: { real: { path: "api" } } })).toMatch(/^stacks\.real\.path: "?api"?: must be a path/);
    expect(refused({ stacks: { real: { peakRequestsPerSecond: 1 } } })).toMatch(
      /^stacks\.real\.peakRequestsPerSecond: a peak of 1 requests\/s: must be above/,
    );
  });
});
