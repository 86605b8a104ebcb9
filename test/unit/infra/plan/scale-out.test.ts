import { describe, expect, it } from "vitest";
import { simulateScaleOut, type ScaleOutModel } from "../../../../infra/plan/autoscaler";
import { planOf, rawConfig, withFunction } from "../support";

const NAME = "serverless-function";

function scaleOut(overrides: Record<string, unknown> = {}) {
  const result = planOf(rawConfig(overrides)).scaleOut[NAME];
  if (!result) throw new Error("no scale-out was planned");
  return result;
}

describe("replicas wanted at peak", () => {
  it("are 2,572 by CPU and 5,000 by request rate in the reference", () => {
    // 100,000/s of 0.18 ms are 18 cores; a pod is held at 7m.
    expect(scaleOut().wantedAtPeak).toEqual({ cpu: 2572, requestRate: 5000 });
  });

  it.each([
    ["200us", 2858],
    ["350us", 5000],
    ["400us", 5715],
  ])("follow the CPU that a request takes: %s want %d", (cpuPerRequest, cpu) => {
    expect(scaleOut({ functions: [{ workload: { cpuPerRequest } }] }).wantedAtPeak.cpu).toBe(cpu);
  });
});

describe("10 to 5,000 replicas", () => {
  it("take 126 s on 10 agents, held back by how fast those start pods", () => {
    // Seen after 15 s; 45 pods/s for 4,990 are 111 s.
    expect(scaleOut()).toMatchObject({
      drivenBy: "requestRate",
      secondsToMax: 126,
      secondsToMaxControlPlaneOnly: 75,
      bottleneck: "nodes",
    });
  });

  it("take the measured 250 s with a stock control plane's 20 writes/s, once the load is seen", () => {
    const stock = scaleOut({ controlPlane: { clientQps: 20 } });
    expect(stock).toMatchObject({ secondsToMax: 15 + 250, bottleneck: "control-plane" });
    expect(stock.secondsToMaxControlPlaneOnly).toBe(265);
  });

  it("create 150 pods/s at most, however high the client limits", () => {
    const at = (clientQps: number) => scaleOut({ controlPlane: { clientQps } }).secondsToMaxControlPlaneOnly;
    expect([at(100_000), at(150)]).toEqual([57, 57]);
  });

  it("wait for the autoscaler where its steps are small", () => {
    const slow = scaleOut({ functions: [{ scaling: { up: { percent: "100%", pods: 4, period: "60s" } } }] });
    // Doubling each minute from 10: nine steps, the first at 15 s.
    expect(slow.bottleneck).toBe("autoscaler");
    expect(slow.secondsToMax).toBeGreaterThanOrEqual(15 + 8 * 60);
  });

  it("by CPU wait for the metrics of each step's own pods", () => {
    const byCpu = scaleOut({ functions: [{ workload: { cpuPerRequest: "400us" } }] });
    expect(byCpu.drivenBy).toBe("cpu");
    expect(byCpu.secondsToMax).toBeGreaterThan(scaleOut().secondsToMax);
    expect(byCpu.secondsToMax).toBe(143);
  });

  it("by CPU end at what the autoscaler leaves it at, within a tenth of what it wants", () => {
    const { curve } = scaleOut({ functions: [{ workload: { cpuPerRequest: "350us" } }] });
    // 5,000 are wanted; with 4,546 they are not more than a tenth too few.
    expect(curve.at(-1)!.ready).toBeGreaterThanOrEqual(4546);
    expect(curve.at(-1)!.ready).toBeLessThan(5000);
  });

  it("by request rate climb as the gateway's rate does, an average over four scrapes", () => {
    const by = (observability = {}, scaling = {}) =>
      scaleOut({ functions: [{ scaling: { metric: "rps", requestsPerPod: 17.5, ...scaling } }], observability });
    // All 5,000 are asked for before 15 + 60 s after the jump; the agents have started most of them by then.
    expect(by()).toMatchObject({ drivenBy: "requestRate", secondsToMax: 131, bottleneck: "autoscaler" });
    expect(by().secondsToMaxControlPlaneOnly).toBe(80);
    expect(by({ scrapeInterval: "5s" })).toMatchObject({ secondsToMax: 121, bottleneck: "nodes" });
    // At 20 requests/s each no more than 5,000 are asked for: with 4,546 they are not more than a tenth too few.
    const within = by({}, { requestsPerPod: 20 });
    expect([within.secondsToMax, within.curve.at(-1)!.ready >= 4546]).toEqual([121, true]);
  });

  it("from none wait for KEDA to look once more", () => {
    const objectives = { availability: "99.9%" };
    const from = (min: number, more = {}) =>
      scaleOut({ functions: [{ objectives, scaling: { metric: "rps", min, ...more } }] }).curve.find(
        ({ desired }) => desired > min,
      );
    const [one, none] = [from(1), from(0, { pollingInterval: "30s" })];
    expect(none!.second - one!.second).toBeGreaterThanOrEqual(25);
  });

  it("start from the first step and end at max in the curve", () => {
    const { curve } = scaleOut();
    expect(curve).toHaveLength(60);
    expect(curve[0]).toEqual({ second: 0, desired: 10, created: 10, ready: 10 });
    expect(curve[59]).toEqual({ second: 126, desired: 5000, created: 5000, ready: 5000 });
  });
});

describe("the simulated autoscaler", () => {
  const model: ScaleOutModel = {
    min: 10,
    max: 1000,
    enough: 1000,
    wanted: () => 1000,
    syncPeriod: 5,
    up: { share: 9, pods: 1, period: 15, stabilization: 0 },
    createRate: Infinity,
    startRate: Infinity,
  };

  it("multiplies by ten each period, whatever is asked for", () => {
    const { desired } = simulateScaleOut(model);
    expect([0, 5, 14, 15].map((second) => desired[second])).toEqual([100, 100, 100, 1000]);
  });

  it("takes the policy that gives more", () => {
    const { desired } = simulateScaleOut({ ...model, up: { ...model.up, pods: 500 } });
    expect([0, 15].map((second) => desired[second])).toEqual([510, 1000]);
  });

  it("waits out the stabilization window, in which min was wanted", () => {
    const { desired } = simulateScaleOut({ ...model, up: { ...model.up, stabilization: 30 } });
    expect([0, 25, 30, 45].map((second) => desired[second])).toEqual([10, 10, 100, 1000]);
  });

  it("has a pod ready a second after an agent started it", () => {
    const { ready } = simulateScaleOut({ ...model, max: 30, enough: 30, startRate: 8 });
    expect(ready).toEqual([10, 18, 26, 30]);
  });

  it("gives up after two hours", () => {
    const { ready } = simulateScaleOut({ ...model, createRate: 0.001 });
    expect(ready).toHaveLength(7201);
    expect(ready[7200]).toBe(17);
  });

  it("is in the plan a warning, with what holds it back", () => {
    const fn = { scaling: { up: { percent: "0%", pods: 1, period: "30m" } } };
    expect(planOf(withFunction(fn)).warnings).toContainEqual({
      path: "functions.checkout.scaling.up",
      value: "10 to 5,000 replicas",
      limit: "takes longer than 2h, held back by: autoscaler",
      fix: "allow larger steps, or raise min",
    });
  });
});
