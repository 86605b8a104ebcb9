import { describe, expect, it } from "vitest";
import { parseConfig } from "../../../../infra/config";
import { planStack } from "../../../../infra/plan";
import { expect as expectOf, predictedAt, scaleInSeconds, secondsBack } from "../../../../local/surge/expected";
import { k3s, rawConfig } from "../../infra/support";
import { byRequests, CONFIG, PLACE, scenarioOf } from "./support";

describe("what is expected of a scenario", () => {
  it("is what the plan says of a stack with this load; on simulated nodes, what these cores make of it", () => {
    const heavy = { workload: { cpuPerRequest: "400us" } };
    const { scaleOut } = planStack(parseConfig(rawConfig({ cluster: k3s(3, 10), functions: [heavy] })));
    const planned = scaleOut["serverless-function"]!;
    const found = expectOf(CONFIG, scenarioOf(), PLACE);
    expect(found.secondsOnRealNodes).toBe(planned.secondsToMax);
    expect(expectOf(CONFIG, scenarioOf(), { ...PLACE, kind: "real" }).scaleOut!.seconds).toBe(planned.secondsToMax);
    const onCores = (cores: number) => expectOf(CONFIG, scenarioOf(), { ...PLACE, cores }).scaleOut!.seconds;
    // 4,990 pods at 72/s are 69 s; the rest is waiting for readings of metrics, of which it takes five at least.
    expect(found.scaleOut!.seconds).toBe(onCores(2));
    expect(onCores(2)).toBeGreaterThan(69);
    expect(onCores(2)).toBeLessThan(69 + 5 * 15);
    expect(onCores(8)).toBeLessThan(onCores(2));
    expect(onCores(64)).toBeGreaterThan(planned.secondsToMaxControlPlaneOnly);
    expect(found).toMatchObject({ goal: 5000, enough: 5000, climbFrom: 15 });
  });

  it("ends below max where CPU asks for less, within the autoscaler's tolerance", () => {
    const { goal, enough, scaleOut } = expectOf(CONFIG, scenarioOf({}), PLACE);
    expect([goal, enough]).toEqual([2572, 2339]);
    const last = predictedAt(scaleOut!.curve, scaleOut!.seconds, "ready");
    expect([last >= 2339, last <= 2572]).toEqual([true, true]);
  });

  it("by requests is what those ask for, as soon as they are read", () => {
    const config = byRequests({});
    const found = expectOf(config, scenarioOf({}, config), PLACE);
    expect(found).toMatchObject({ goal: 5000, enough: 4546, climbFrom: 15 });
    // 4,536 pods at 72/s are 63 s; half of a scrape and half of a rule's interval before them.
    expect(found.scaleOut!.seconds).toBeGreaterThan(63 + 10);
    expect(found.scaleOut!.seconds).toBeLessThan(63 + 30);
    expect(found.scaleOut!.seconds).toBeLessThan(expectOf(CONFIG, scenarioOf(), PLACE).scaleOut!.seconds);
  });

  it("has no time for a load that climbs slowly, which the plan does not know", () => {
    const { goal, scaleOut, secondsOnRealNodes } = expectOf(CONFIG, scenarioOf({ preset: "daily" }), PLACE);
    expect([goal, scaleOut, secondsOnRealNodes]).toEqual([2572, undefined, undefined]);
  });

  it("gives up later than the autoscaler needs to come back", () => {
    const { quietFrom, secondsToMin, limit } = expectOf(CONFIG, scenarioOf(), PLACE);
    expect(quietFrom).toBeGreaterThan(320);
    expect(quietFrom).toBeLessThan(350);
    expect(limit).toBeGreaterThan(quietFrom + 1.4 * secondsToMin);
  });
});

describe("scaling in by the autoscaler's behaviour", () => {
  const fn = CONFIG.functions[0]!;

  it("takes a tenth each 15 s after two minutes", () => {
    expect(scaleInSeconds(fn, 10)).toBe(0);
    expect(scaleInSeconds(fn, 11)).toBe(120);
    // 100, 90, 81: the second step comes a period after the first.
    expect(scaleInSeconds({ ...fn, scaling: { ...fn.scaling, min: 81 } }, 100)).toBe(135);
  });

  it("takes the policy that takes more", () => {
    const down = { ...fn.scaling.down, pods: 90 };
    expect(scaleInSeconds({ ...fn, scaling: { ...fn.scaling, down } }, 100)).toBe(120);
  });
});

describe("back to min", () => {
  const back = (scaling: object, from = 5000) => {
    const config = byRequests(scaling);
    return secondsBack(config, config.functions[0]!, from);
  };

  it("by requests waits for a reading, and goes no faster than the rate does, an average of a minute", () => {
    const fn = byRequests({}).functions[0]!;
    expect(back({})).toBe(15 + scaleInSeconds(fn, 5000));
    expect(back({ down: { percent: "100%", period: "1s", stabilization: "5s" } })).toBe(15 + 60 + 5);
  });

  it("to none is KEDA's word, after its cool-down and at its next look, however many there are", () => {
    const sleeper = { min: 0, cooldown: "2m", pollingInterval: "10s" };
    expect(back(sleeper)).toBe(15 + 10 + 60 + 120 + 10);
    expect(back(sleeper, 20)).toBe(back(sleeper));
  });
});

it("predicts straight lines between the curve's points", () => {
  const curve = [
    { second: 0, desired: 10, created: 10, ready: 10 },
    { second: 10, desired: 100, created: 100, ready: 60 },
  ];
  expect([0, 5, 10, 99].map((second) => predictedAt(curve, second, "ready"))).toEqual([10, 35, 60, 60]);
});
