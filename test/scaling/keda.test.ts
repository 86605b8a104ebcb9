import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { gatewayMetricsPort } from "../../local/control-plane/control-plane";
import { readStackFile } from "../../local/engine/stack-file";
import { RequestCounter } from "../../local/surge/request-counter";
import type { Sample, SurgeRun } from "../../local/surge/run";
import { listeningAddresses } from "../support/listening";
import { eventually, LocalStack, type KubernetesList, type KubernetesObject } from "../support/local-stack";

/**
 * KEDA's real operator and adapter, and a real Prometheus, under a stack that Gatekeeper guards; each test goes on from where the
 * one before it ended. What Prometheus reads is a gateway's counter, told by this test.
 */
const stack = new LocalStack({ guarded: true });
afterAll(() => stack.dispose());

const NAMESPACE = "shop";
const STEADY = "checkout";
/** Has no pods while it is asked less than five times a second. */
const SLEEPER = "search";
const OBJECTIVES = { availability: "99.9%" };
const SCALING = {
  metric: "rps",
  ...{ max: 60, initial: 2, requestsPerPod: 20, pollingInterval: "2s" },
  down: { percent: "100%", period: "1s", stabilization: "5s" },
};

function setFunctions(steady: object = {}): void {
  const workload = { peakRequestsPerSecond: 1200 };
  const of = (name: string, scaling: object) => ({
    ...{ name, workload, objectives: OBJECTIVES },
    scaling: { ...SCALING, ...scaling },
  });
  const sleeper = { min: 0, activation: 5, cooldown: "5s" };
  stack.configure("functions", [of(STEADY, { min: 2, ...steady }), of(SLEEPER, sleeper)]);
}

const routeTo = (name: string) => ({ path: `/${name}`, to: [{ function: name, weight: 100 }] });

beforeAll(() => {
  setFunctions();
  stack.configure("routes", [routeTo(STEADY), routeTo(SLEEPER)]);
  stack.configure("observability", { enabled: false, scrapeInterval: "5s" });
});

interface Deployment {
  readonly spec: { readonly replicas: number };
  readonly status: { readonly readyReplicas?: number };
}

const replicas = async (name: string) => {
  const { spec, status } = await stack.get<Deployment>("deployment", name, "-n", NAMESPACE);
  return { wanted: spec.replicas, ready: status.readyReplicas ?? 0 };
};

/** Waits until that many pods, or as many as the autoscaler's tolerance of a tenth leaves, are wanted and ready. */
const until = (name: string, [least, most]: readonly [number, number], seconds: number) =>
  eventually(
    seconds,
    `${least} to ${most} pods of ${name}`,
    () => replicas(name),
    ({ wanted, ready }) => wanted >= least && wanted <= most && ready === wanted,
  );

interface Conditions extends KubernetesObject {
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

const conditionOf = async (type: string, ...object: string[]) =>
  (await stack.get<Conditions>(...object)).status?.conditions?.find((one) => one.type === type)?.status;

/** Stands in for a gateway that counts requests, since nothing runs in simulated pods. */
let gateway: RequestCounter | undefined;
const ask = (name: string, served: number) => gateway?.set(name, { served, shed: 0 });
afterAll(() => gateway?.close());

const logOf = (name: string) =>
  readFileSync(join(stack.paths.state, "control-plane/clusters/wasm-functions/logs", `${name}.log`), "utf8");

describe("functions that are scaled by their requests", () => {
  it("come up, each with an autoscaler that KEDA makes of what policies have let in", async () => {
    await stack.ok("up");
    await eventually(
      60,
      "the metrics API is there, over TLS that is verified",
      () => conditionOf("Available", "apiservice", "v1beta1.external.metrics.k8s.io"),
      (status) => status === "True",
    );
    const api = await stack.get("apiservice", "v1beta1.external.metrics.k8s.io");
    expect(api.spec["insecureSkipTLSVerify"]).toBeUndefined();
    await eventually(
      60,
      "KEDA has taken the ScaledObject",
      () => conditionOf("Ready", "scaledobject", STEADY, "-n", NAMESPACE),
      (status) => status === "True",
    );
    const hpa = await stack.get("hpa", `${STEADY}-rps-hpa`, "-n", NAMESPACE);
    expect(hpa.spec).toMatchObject({
      ...{ minReplicas: 2, maxReplicas: 60 },
      metrics: [{ type: "External", external: { metric: { name: "s0-prometheus" }, target: { averageValue: "20" } } }],
      behavior: { scaleDown: { stabilizationWindowSeconds: 5 }, scaleUp: { stabilizationWindowSeconds: 0 } },
    });
    const { stdout } = await stack.ok("status");
    for (const name of ["keda-operator", "keda-adapter", "prometheus"])
      expect(stdout).toMatch(new RegExp(`^${name} +running`, "m"));
  });

  it("are scaled from loopback alone", () => {
    const sockets = stack.processes().flatMap(({ pid }) => listeningAddresses(pid));
    expect(new Set(sockets)).toEqual(new Set(["0100007F"]));
  });

  it("have their fewest pods while nobody asks: none, where they may", async () => {
    await until(SLEEPER, [0, 0], 60);
    await until(STEADY, [2, 2], 30);
  });

  it("have as many pods as requests/s ask for, and those that sleep none below their activation", async () => {
    gateway = new RequestCounter(readStackFile(stack.root, "local").config);
    ask(STEADY, 0);
    ask(SLEEPER, 0);
    await gateway.listen(gatewayMetricsPort(stack.paths));
    // Seen at 0 once, so that what comes is an increase.
    await new Promise((seen) => setTimeout(seen, 11_000));
    ask(STEADY, 400);
    ask(SLEEPER, 3);
    // 400/s at 20 a pod are 20; at 19 and 18 each has no more than a tenth above its share.
    await until(STEADY, [18, 22], 90);
    expect((await replicas(SLEEPER)).wanted).toBe(0);
    ask(SLEEPER, 100);
    await until(SLEEPER, [5, 6], 90);
  });

  it("keep their pods while nobody can count", async () => {
    const prometheus = stack.processes().find(({ name }) => name === "prometheus")!;
    process.kill(prometheus.pid, "SIGSTOP");
    try {
      ask(STEADY, 0);
      ask(SLEEPER, 0);
      await eventually(
        60,
        "the autoscaler has no metric",
        () => conditionOf("ScalingActive", "hpa", `${STEADY}-rps-hpa`, "-n", NAMESPACE),
        (status) => status === "False",
      );
      expect((await replicas(STEADY)).wanted).toBeGreaterThanOrEqual(18);
      expect((await replicas(SLEEPER)).wanted).toBeGreaterThanOrEqual(5);
    } finally {
      process.kill(prometheus.pid, "SIGCONT");
    }
  });

  it("go back when nobody asks: to their fewest, and after the cool-down to none", async () => {
    await until(STEADY, [2, 2], 120);
    await until(SLEEPER, [0, 0], 60);
  });

  it("have a surge of requests played to them: from none to max, and back to none", async () => {
    const at = (second: number, requestsPerSecond: number) => ({ at: `${second}s`, requestsPerSecond });
    // The first and the last wake nobody. All of it is there before a pod can be.
    const curve = [at(0, 2), at(5, 2), at(6, 1200), at(100, 1200), at(102, 2)];
    writeFileSync(join(stack.root, "surge.yaml"), stringify({ function: SLEEPER, cpuPerRequest: "400us", curve }));
    const early = await stack.start("surge").outcome;
    expect([early.code, early.stderr]).toEqual([
      1,
      expect.stringMatching(/requests cannot be told at port \d+: .*in use/),
    ]);
    gateway?.close();
    const { code, stdout, stderr } = await stack.start("surge").outcome;
    expect([code, stderr]).toEqual([0, expect.stringContaining("The plan says 60 replicas")]);
    expect(stdout).toMatch(/goes back to min +in [\d.]+ s +0 pods/);
    const path = join(stack.paths.home, "surge/local/surge.json");
    const { run } = JSON.parse(readFileSync(path, "utf8")) as { run: SurgeRun };
    const of = (value: (sample: Sample) => number) => run.samples.map(value);
    // With as many pods as stand within the autoscaler's tolerance, until none is left; what came before the first was shed.
    expect([run.samples[0]!.pods, Math.max(...of(({ ready }) => ready)) >= 55, run.samples.at(-1)!.pods]).toEqual([
      0,
      true,
      0,
    ]);
    expect(Math.max(...of(({ reading }) => reading ?? 0))).toBeGreaterThan(20);
    expect(Math.max(...of(({ shed }) => shed))).toBeGreaterThan(1000);
    expect(run.troubles).toEqual([]);
  });

  it("have pods before a known sale, though nobody asks yet, and after it as many as before", async () => {
    const at = (minutes: number) => {
      const time = new Date(Date.now() + minutes * 60_000);
      return [time.getUTCMinutes(), time.getUTCHours(), time.getUTCDate(), time.getUTCMonth() + 1, "*"].join(" ");
    };
    setFunctions({ prewarm: [{ start: at(-10), end: at(60), replicas: 30 }] });
    await stack.ok("up");
    await until(STEADY, [30, 30], 90);
    expect(await conditionOf("ScalingActive", "hpa", `${STEADY}-rps-hpa`, "-n", NAMESPACE)).toBe("True");
    setFunctions({ prewarm: [{ start: at(-60), end: at(-10), replicas: 30 }] });
    await stack.ok("up");
    await until(STEADY, [2, 2], 90);
  });

  it("have no ScaledObject of a wrong form", async () => {
    const { spec } = await stack.get("scaledobject", STEADY, "-n", NAMESPACE);
    const wish = (changes: object) =>
      stack.kubectl(["apply", "--dry-run=server", "-f", "-"], {
        input: JSON.stringify({
          ...{
            apiVersion: "keda.sh/v1alpha1",
            kind: "ScaledObject",
            metadata: { name: "other", namespace: NAMESPACE },
          },
          spec: { ...spec, ...changes },
        }),
      });
    expect(await wish({})).toContain("scaledobject.keda.sh/other created");
    await expect(wish({ minReplicaCount: "two" })).rejects.toThrow(/minReplicaCount: Invalid value: "string"/);
    await expect(wish({ triggers: undefined })).rejects.toThrow(/triggers: Required value/);
  });

  it("need no right that their roles do not name", () => {
    for (const name of ["keda-operator", "keda-adapter"]) expect(logOf(name)).not.toMatch(/forbidden/i);
  });

  it("go over to CPU with the count that they have, and KEDA goes with the last of them", async () => {
    const { ready } = await replicas(STEADY);
    const workload = { peakRequestsPerSecond: 1200 };
    const byCpu = { name: STEADY, workload, scaling: { min: 2, max: 60, initial: 2 } };
    stack.configure("functions", [byCpu]);
    stack.configure("routes", [routeTo(STEADY)]);
    await stack.ok("up");
    const { items } = await stack.get<KubernetesList>("hpa", "-n", NAMESPACE);
    expect(items.map(({ metadata }) => metadata.name)).toEqual([`${STEADY}-hpa`]);
    expect((await replicas(STEADY)).ready).toBe(ready);
    await expect(stack.get("namespace", "keda")).rejects.toThrow(/not found/i);
  });

  it("go with their stack", async () => {
    await stack.ok("down");
    expect(stack.processes()).toEqual([]);
  });
});
