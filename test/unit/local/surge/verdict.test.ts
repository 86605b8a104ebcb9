import { describe, expect, it } from "vitest";
import { judge, secondsToMin, secondsToReady } from "../../../../local/surge/verdict";
import { goodRun, runOf, scenarioOf } from "./support";

const checkOf = (run: Parameters<typeof judge>[0], what: string) =>
  judge(run).checks.find((check) => check.what === what)!;

describe("a run that went well", () => {
  const run = goodRun();

  it("is met, with when it was there and back", () => {
    expect(judge(run).met).toBe(true);
    expect(secondsToReady(run, 5000)).toBe(101);
    expect(checkOf(run, "reaches what the plan says")).toMatchObject({ found: "5,000 ready in 101 s", met: true });
    expect(checkOf(run, "goes back to min").found).toBe(`in ${secondsToMin(run)} s`);
    expect(checkOf(run, "does not flap")).toMatchObject({ found: "1 turn of the wanted replicas", met: true });
  });

  it("tells how far each part of the way was from the plan", () => {
    const { milestones } = judge(run);
    expect(milestones.map(({ pods }) => pods)).toEqual([500, 1250, 2500, 3750, 4500, 5000]);
    const last = milestones.at(-1)!;
    expect(last.predicted).toBe(run.expected.scaleOut!.seconds);
    expect(last.difference).toBeCloseTo(101 / last.predicted! - 1, 3);
  });
});

describe("a run is not met", () => {
  it("below the goal, whose most is told", () => {
    const run = runOf((second) => ({ ready: second > 60 && second < 300 ? 4999 : 10 }), 1000);
    expect(judge(run).met).toBe(false);
    expect(checkOf(run, "reaches what the plan says")).toMatchObject({ found: "4,999 ready at most", met: false });
  });

  it("when it does not come back, or its last pods have not left", () => {
    const stays = runOf((second) => ({ ready: second > 60 ? 5000 : 10 }), 1000, { ending: "out of time" });
    expect(checkOf(stays, "goes back to min")).toMatchObject({ found: "5,000 pods at the end", met: false });
    const leaves = runOf((second) => ({ ready: second > 60 && second < 400 ? 5000 : 10, leaving: 1 }), 1000);
    expect(checkOf(leaves, "goes back to min").met).toBe(false);
  });

  it("above max", () => {
    const run = runOf(
      (second) => ({ ready: second > 60 && second < 400 ? 5000 : 10, desired: second === 80 ? 5001 : 10 }),
      1000,
    );
    expect(checkOf(run, "stays within max")).toMatchObject({ found: "5,001 at most", met: false });
  });

  it("when it flaps on its way down", () => {
    const good = goodRun();
    const samples = good.samples.map((sample) => ({
      ...sample,
      desired: sample.desired + (sample.second === 600 ? 500 : 0),
    }));
    expect(checkOf({ ...good, samples }, "does not flap")).toMatchObject({
      found: "3 turns of the wanted replicas",
      met: false,
    });
  });
});

it("a load that turns often allows as many turns", () => {
  const spikes = goodRun(100, { scenario: scenarioOf({ preset: "spikes", cpuPerRequest: "400us" }) });
  expect(checkOf(spikes, "does not flap").aim).toBe("turns no more often than the load: 9");
});

it("the system's aims are told, and do not make a run fail", () => {
  const slow = goodRun(100, { delays: [10, 2000, 9000] });
  expect(checkOf(slow, "scheduling delay P50")).toMatchObject({
    found: "2.000 s of 3 pods",
    met: false,
    binding: false,
  });
  expect(judge(slow).met).toBe(true);
  const late = goodRun(290);
  expect(checkOf(late, "as the plan predicts")).toMatchObject({ met: false, binding: false });
});

it("a load without a prediction is compared with none", () => {
  const run = goodRun(100, { scenario: scenarioOf({ preset: "daily" }) });
  expect(judge(run).checks.map(({ what }) => what)).not.toContain("as the plan predicts");
  expect(judge(run).milestones.every(({ difference }) => difference === undefined)).toBe(true);
});
