import { describe, expect, it } from "vitest";
import { planStack } from "../../../../infra/plan";
import { costOf, hoursOf } from "../../../../local/surge/cost";
import { CONFIG, goodRun, runOf } from "./support";

const plan = planStack(CONFIG);

it("hours are what each sample says until the next one", () => {
  const { samples } = runOf((second) => ({ ready: second < 3600 ? 10 : 1000 }), 3600);
  expect(hoursOf(samples, ({ ready }) => ready)).toBeCloseTo(10, 9);
});

describe("the cost of a run", () => {
  const run = goodRun();
  const cost = costOf(run, CONFIG, plan);
  const [ours, reference, lean] = cost.run;

  it("is of the pods that were there, those that leave included", () => {
    expect(ours!.replicaHours).toBeCloseTo(
      hoursOf(run.samples, ({ pods }) => pods),
      9,
    );
    expect(ours!.coreHours).toBeCloseTo(ours!.replicaHours * 0.01, 9);
    const leaving = runOf(() => ({ ready: 10, leaving: 10 }), 3600);
    expect(costOf(leaving, CONFIG, plan).run[0]!.replicaHours).toBeCloseTo(20, 9);
  });

  it("is compared with containers that follow the load", () => {
    // 100,000 requests/s of 0.4 ms are 40 cores: 400 of 500m at 20 %, 5,715 of 10m at 70 %, which nothing bounds.
    expect([ours, reference, lean].map((row) => row!.replicasAtMost)).toEqual([5000, 400, 5715]);
    expect(reference!.saved).toBeCloseTo(1 - ours!.hostHours / reference!.hostHours, 9);
    expect(ours!.saved).toBeUndefined();
  });

  it("has the plan's comparison at the scenario's peak, and what both rest on", () => {
    expect(cost.peak.platform.replicas).toBe(5000);
    expect(cost.peak.baselines[0]!.replicas).toBe(400);
    expect(cost.assumptions.join(" ")).toContain("400us of CPU");
  });
});
