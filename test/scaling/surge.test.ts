import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { afterAll, describe, expect, it } from "vitest";
import type { ReportArgs } from "../../local/surge/report/page";
import type { SurgeRun } from "../../local/surge/run";
import { LocalStack } from "../support/local-stack";

/** A function of 60 pods at most, which come back as soon as the autoscaler sees that they may. */
const stack = new LocalStack();
afterAll(() => stack.dispose());

const scaling = { min: 10, max: 60, initial: 10, down: { percent: "100%", period: "1s", stabilization: "5s" } };
const workload = { peakRequestsPerSecond: 1200 };
stack.configure("functions", [{ name: "checkout", scaling, workload }]);
const at = (second: number, requestsPerSecond: number) => ({ at: `${second}s`, requestsPerSecond });
/** By the plan 11 s are enough; but where the way up is read half-way, the pods that it asks for have to be read twice, which takes some 40 s. */
const curve = [at(0, 6), at(2, 6), at(4, 1200), at(75, 1200), at(77, 6)];
const writeScenario = (more: object) =>
  writeFileSync(join(stack.root, "surge.yaml"), stringify({ cpuPerRequest: "400us", ...more }));
writeScenario({ curve });

const usage = async () => JSON.stringify(await stack.get("clusterresourceusage", "simulated-usage"));

describe("a surge", () => {
  it("is refused before there is anything to play to, and where hosts are somebody else's", async () => {
    const early = await stack.start("surge").outcome;
    expect([early.code, early.stderr]).toEqual([1, expect.stringMatching(/STACK: local: is not up: .*; make up/)]);
    const real = await stack.start("surge", "real").outcome;
    const prod = await stack.start("surge", "prod").outcome;
    expect([prod.code, prod.stderr]).toEqual([1, expect.stringContaining("somebody else issues tokens")]);
    expect([real.code, real.stderr]).toEqual([
      1,
      expect.stringMatching(/STACK: real: is not up: .*; make up STACK=real/),
    ]);
  });

  it("that is stopped puts back what pods use, and reports what it has seen", async () => {
    await stack.ok("up");
    const steady = await usage();
    const running = stack.start("surge");
    await running.until(/load 1,200\/s/);
    expect(await usage()).not.toBe(steady);
    running.child.kill("SIGINT");
    const { code, stdout, stderr } = await running.outcome;
    expect([code, stderr]).toEqual([130, expect.stringMatching(/Stopped after \d+ s: what the pods use is put back/)]);
    expect(stdout).toContain("report.html");
    expect(usageOf(await usage())).toBe(usageOf(steady));
  });

  it("takes the real autoscaler from min to max and back, and says how", async () => {
    const { code, stdout, stderr } = await stack.start("surge").outcome;
    expect([code, stderr]).toEqual([0, expect.stringContaining("The plan says 60 replicas")]);
    expect(stdout).toMatch(/reaches what the plan says +60 ready in [\d.]+ s/);
    const { run } = JSON.parse(readFileSync(join(stack.paths.home, "surge/local/surge.json"), "utf8")) as {
      run: SurgeRun;
    };
    expect(run.ending).toBe("back at min");
    // Each pod that came was seen to come, and to get its node.
    expect([run.delays.length >= 50, run.unseen, run.troubles]).toEqual([true, 0, []]);
    const peak = run.samples.find(({ ready }) => ready === 60)!;
    expect(peak.onNodes).toHaveLength(10);
    expect(peak.onNodes.reduce((sum, pods) => sum + pods, 0)).toBe(60);
    // Ten pods at their limit serve 2,500 requests/s: nothing of this load is shed.
    expect(Math.max(...run.samples.map(({ shed }) => shed))).toBe(0);
    expect(readFileSync(join(stack.paths.home, "surge/local/report.html"), "utf8")).toContain("60 ready at once");
  });

  it("meets the demand again after each fault, and leaves nothing of them", async () => {
    const before = await changeable();
    writeScenario({
      curve: [at(0, 6), at(2, 6), at(4, 1200), at(140, 1200), at(142, 6)],
      faults: [
        // Reached while it climbs, at which also the scheduler is missed.
        { at: "1s", kind: "quota", pods: 30, for: "19s" },
        { at: "20s", kind: "kill", process: "kube-scheduler", for: "2s" },
        { at: "25s", kind: "lose-agents", agents: 2, for: "60s" },
        { at: "90s", kind: "kill", process: "etcd", for: "1s" },
        { at: "112s", kind: "kill", process: "kube-apiserver", for: "1s" },
        { at: "120s", kind: "kill", process: "kube-controller-manager", for: "1s" },
        { at: "127s", kind: "metrics-server-gone", for: "3s" },
        { at: "135s", kind: "rollout" },
        { at: "136s", kind: "up" },
      ],
    });
    const { stdout, stderr } = await stack.start("surge").outcome;
    const path = join(stack.paths.home, "surge/local/surge.json");
    const { run, faults, verdict } = JSON.parse(readFileSync(path, "utf8")) as ReportArgs;
    const checkOf = (what: string) => verdict.checks.find((check) => check.what === what);
    expect(run.ending, `${stderr}\n${stdout}`).toBe("back at min");
    expect(checkOf("faults are done, and put back")).toMatchObject({ found: "9 of 9", met: true });
    expect(checkOf("demand is met again after each fault")).toMatchObject({ met: true });
    // Pods lost, known to be, and replaced on other agents, in this order.
    const lost = faults.find(({ record }) => record.fault.kind === "lose-agents")!;
    expect(lost.mostMissing).toBeGreaterThan(0);
    const order = [0, lost.noticed, lost.replaced, lost.metAgain];
    expect(order).toEqual([...order].sort((a, b) => a! - b!));
    expect(new Set(order.slice(0, 3)).size).toBe(3);
    expect(run.samples.some(({ second, onNodes }) => second > lost.record.began && onNodes[9] === 0)).toBe(true);
    expect(readFileSync(join(stack.paths.home, "surge/local/up.log"), "utf8")).toMatch(/stack: 0 changes/);
    expect(await changeable()).toEqual(before);
    expect((await stack.ok("status")).stdout).not.toMatch(/ stopped /);
    // The curve takes two minutes on any machine; what comes about it, longer on a busy one.
  });
});

/** All that a fault may change. */
async function changeable(): Promise<unknown> {
  const quota = await stack.get("resourcequota", "tenant-quota", "-n", "shop");
  const deployment = await stack.get<{ spec: { template: object } }>("deployment", "checkout", "-n", "shop");
  const nodes = await stack.get<{ items: { metadata: { annotations: object } }[] }>("nodes");
  const leases = await stack.get<{ items: { spec: { holderIdentity?: string } }[] }>("leases", "-n", "kube-node-lease");
  return {
    ...{ quota: quota.spec, template: deployment.spec.template },
    annotations: nodes.items.map(({ metadata }) => metadata.annotations),
    holders: leases.items.map(({ spec }) => spec.holderIdentity),
  };
}

/** Without what the API server notes of who has changed it. */
function usageOf(text: string): string {
  return JSON.stringify((JSON.parse(text) as { spec: object }).spec);
}
