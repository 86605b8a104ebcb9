import { describe, expect, it } from "vitest";
import { parseScenario } from "../../../../../local/surge/scenario";
import { problemsOf } from "../../../infra/support";
import { CONFIG, LOCAL, scenarioOf } from "../support";

/** The flash sale, which takes 350 s, with ten agents and a function from 10 to 5,000. */
const withFaults = (...faults: object[]) => ({ cpuPerRequest: "400us", faults });
const refusals = (...faults: object[]) => problemsOf(() => parseScenario(withFaults(...faults), CONFIG, LOCAL));

describe("faults of a scenario", () => {
  it("are none unless the file has some", () => {
    expect(scenarioOf().faults).toEqual([]);
  });

  it("need no more than their kind, their time and what has no default", () => {
    const { faults } = scenarioOf(
      withFaults(
        { at: "30s", kind: "kill", process: "etcd" },
        { at: "60s", kind: "lose-agents" },
        { at: "3m", kind: "metrics-server-gone" },
        { at: "4m", kind: "quota", pods: 5000 },
        { at: "5m", kind: "rollout" },
        { at: "5m", kind: "up" },
      ),
    );
    expect(faults).toEqual([
      { at: 30_000, kind: "kill", process: "etcd", for: 5000 },
      { at: 60_000, kind: "lose-agents", agents: 1, for: 120_000 },
      { at: 180_000, kind: "metrics-server-gone", for: 60_000 },
      { at: 240_000, kind: "quota", pods: 5000, for: 30_000 },
      { at: 300_000, kind: "rollout" },
      { at: 300_000, kind: "up" },
    ]);
  });
});

describe("faults that make no sense are refused", () => {
  it.each<[string, object[], string]>([
    [
      "unknown kinds",
      [{ at: "1m", kind: "lose-agent" }],
      'faults[0].kind: "lose-agent": must be one of lose-agents, kill, metrics-server-gone, rollout, quota, up; did you mean lose-agents?',
    ],
    ["no time", [{ kind: "up" }], "faults[0].at: missing: must be"],
    ["unknown keys", [{ at: "1m", kind: "up", for: "3s" }], "faults[0].for: unknown key: the keys here are kind, at;"],
    [
      "unknown processes",
      [{ at: "1m", kind: "kill", process: "kube-apisrver" }],
      'faults[0].process: "kube-apisrver": must be one of etcd, kube-apiserver, kube-controller-manager, kube-scheduler; did you mean kube-apiserver?',
    ],
    [
      "after the curve",
      [{ at: "350s", kind: "rollout" }],
      "faults[0].at: 350s: must be before 350s, the end of the curve; let it begin sooner",
    ],
    [
      "into what comes after the curve",
      [{ at: "340s", kind: "lose-agents" }],
      "faults[0].for: 2m: must be above 0s and at most 10s, when the curve ends at 350s; shorten it",
    ],
    [
      "longer than nodes are silent",
      [{ at: "1s", kind: "lose-agents", for: "301s" }],
      "faults[0].for: 301s: must be above 0s and at most 5m;",
    ],
    ["longer than a run waits", [{ at: "1s", kind: "kill", process: "etcd", for: "1m" }], "faults[0].for: 1m: must be"],
    ["no time at all", [{ at: "1s", kind: "quota", pods: 20, for: "0s" }], "faults[0].for: 0s: must be above 0s"],
    [
      "more agents than Kubernetes would give up",
      [{ at: "1m", kind: "lose-agents", agents: 6 }],
      "faults[0].agents: 6: may be at most 5 of this stack's 10",
    ],
    [
      "a quota that is never reached",
      [{ at: "1m", kind: "quota", pods: 100_000 }],
      "faults[0].pods: 100,000: must be from 10, the function's min, to ",
    ],
    ["a quota under min", [{ at: "1m", kind: "quota", pods: 9 }], "faults[0].pods: 9: must be from 10"],
    [
      "two at once",
      [
        { at: "1m", kind: "lose-agents" },
        { at: "119s", kind: "up" },
      ],
      "faults[1].at: 119s: faults[0] lasts until 3m, and what two do at once could not be told apart; put faults in the order",
    ],
    [
      "time that goes back",
      [
        { at: "2m", kind: "rollout" },
        { at: "1m", kind: "up" },
      ],
      "faults[1].at: 1m: faults[0] lasts until 2m",
    ],
  ])("%s", (_, faults, problem) => {
    const lines = refusals(...faults);
    expect(lines).toHaveLength(1);
    expect(lines[0]!.startsWith(problem), lines[0]).toBe(true);
    expect(lines[0]).toMatch(/; .+/);
  });

  it("with every problem at once", () => {
    expect(
      refusals(
        { at: "400s", kind: "lose-agents", agents: 20, for: "1s" },
        { at: "300s", kind: "quota", pods: 1, for: "10m" },
      ),
    ).toHaveLength(5);
  });
});

describe("faults of one stack", () => {
  const real = { stack: "real", real: true };
  const rollout = { at: "1m", kind: "rollout" };
  const refused = (raw: object, stage = real) => problemsOf(() => parseScenario(raw, CONFIG, stage));

  it("are refused where pods are real, once for all of them and by where they are written", () => {
    const up = { at: "2m", kind: "up" };
    expect(refused(withFaults(rollout, up))).toEqual([
      'faults: rollout, up: can be played only where nodes are simulated, and this stack\'s are real; write them under stacks.local, or "faults: []" under stacks.real',
    ]);
    expect(refused({ stacks: { real: { faults: [rollout] } } })).toEqual([
      expect.stringMatching(/^stacks\.real\.faults: rollout: can be played only where nodes are simulated/),
    ]);
  });

  it("stand in place of all others, also where they are none", () => {
    const stacks = { local: { faults: [rollout] }, real: { faults: [] } };
    const file = { ...withFaults({ at: "2m", kind: "up" }), stacks };
    expect(scenarioOf(file).faults).toEqual([{ at: 60_000, kind: "rollout" }]);
    expect(scenarioOf(file, CONFIG, real).faults).toEqual([]);
    expect(refused({ stacks: { local: { faults: [{ ...rollout, at: "1h" }] } } }, LOCAL)[0]).toMatch(
      /^stacks\.local\.faults\[0\]\.at: 1h: must be before/,
    );
  });
});
