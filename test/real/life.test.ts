import { X509Certificate } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildFunction } from "../../local/images/function";
import { pushImages } from "../../local/node/node";
import { silentProgress } from "../../local/progress";
import { run } from "../../local/run";
import type { SurgeRun } from "../../local/surge/run";
import { eventually, type KubernetesObject } from "../support/local-stack";
import { CANNOT_RUN, FUNCTION, NAMESPACE, RealStack } from "../support/real-stack";
import { trapImage } from "../support/trap-image";

interface Deployment extends KubernetesObject {
  readonly spec: { readonly replicas: number };
  readonly status: { readonly readyReplicas?: number; readonly updatedReplicas?: number };
}

/** One stack on a real node from its first `up` to its `down`; each test goes on from where the one before it ended. */
describe.skipIf(CANNOT_RUN)("a stack's life on a real node", () => {
  let stack: RealStack;
  beforeAll(() => {
    stack = new RealStack({ guarded: true });
    // Images that are not ours come from there, beside the function's own.
    const registries = ["functions.local/", "registry.example.com/"];
    stack.configure("admission", { ...(stack.section("admission") as object), registries }, "real");
  });
  afterAll(() => stack.end());

  const deployment = () => stack.get<Deployment>("deployment", FUNCTION, "-n", NAMESPACE);
  const build = (kind: "compiled" | "portable") =>
    buildFunction(FUNCTION, { paths: stack.paths, progress: silentProgress }, kind);
  const pinned = (digest: string) => `functions.local/${FUNCTION}@${digest}`;

  it("comes up, and ends with commands that get an answer through the gateway", async () => {
    const { stdout, stderr } = await stack.ok("up", "real");
    expect(stderr).toMatch(/cluster: one real node is ready/);
    expect(stdout).toMatch(/checkout +shop +2\/2 +2 to 30/);
    expect(stdout).toMatch(/gateway +gateway +2\/2 +2 to 2 +docker.io\/library\/traefik/);
    expect(stdout).toMatch(/authorizer +gateway +2\/2 +2 to 2 +docker.io\/library\/node/);
    const [, withToken = "", without = ""] = /^Call it: +(.+)\n +(.+?) +\(without a token: 401\)$/m.exec(stdout) ?? [];
    // `make` is that of the repository, whose stack this is not.
    const token = await stack.token("alice");
    expect(withToken).toContain("$(make -s token STACK=real)");
    const call = withToken.replace("$(make -s token STACK=real)", token);
    expect(await run("sh", ["-c", `${call} -s -w ' %{http_code}'`])).toMatch(/ 200$/);
    expect(await run("sh", ["-c", `${without} -s -w ' %{http_code}'`])).toMatch(/ 401$/);
  });

  it("runs compiled code, not the interpreter", async () => {
    const log = await stack.inside("sh", "-c", "cat /var/log/containerd/current");
    expect(log).toMatch(/module \/app.wasm runs compiled/);
    expect(log).not.toMatch(/runs interpreted/);
  });

  it("shows the config's values in what it does", async () => {
    const { status, body } = await stack.call("/api/function");
    expect(status).toBe(200);
    expect(JSON.parse(body)).toMatchObject({
      name: FUNCTION,
      version: "1.0.0",
      config: { function: { max_concurrent_requests: 1000 }, drain: { propagation_ms: 5000 } },
    });
    const quote = { items: [{ sku: "tea", quantity: 3, unit_price_cents: 450 }] };
    const answer = await stack.call(
      "/api/function",
      "-H",
      "Content-Type: application/json",
      "-d",
      JSON.stringify(quote),
    );
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.body)).toMatchObject({ total_cents: 1350 });
    expect((await stack.call("/api/function", "-d", "{")).status).toBe(400);
    expect((await stack.call("/nowhere")).status).toBe(404);
  });

  it("changes nothing the second time", async () => {
    const before = (await stack.pods()).map(({ metadata }) => metadata.name).sort();
    const { stderr } = await stack.ok("up", "real");
    expect(stderr).toMatch(/stack: 0 changes/);
    expect((await stack.pods()).map(({ metadata }) => metadata.name).sort()).toEqual(before);
  });

  it("has given the kubelet a node's rights only", async () => {
    const kubeconfig = "/var/lib/rancher/k3s/agent/kubelet.kubeconfig";
    const kubectl = `${stack.paths.bin}/kubectl`;
    const folder = `${stack.places.folder}/var/lib/rancher/k3s/agent`;
    const ask = (...args: string[]) =>
      stack.inNetwork(kubectl, "--kubeconfig", kubeconfig.replace("/var/lib/rancher/k3s/agent", folder), ...args).then(
        () => "allowed",
        (error: unknown) => String(error),
      );
    expect(await ask("get", "node", "wasm-node")).toBe("allowed");
    expect(await ask("get", "secrets", "-A")).toMatch(/Forbidden|forbidden/);
    expect(await ask("label", "node", "wasm-node", "node-restriction.kubernetes.io/own=1")).toMatch(/forbidden/i);
    expect(await ask("delete", "deployment", FUNCTION, "-n", NAMESPACE)).toMatch(/forbidden/i);
  });

  /** What the API server says of the function's Deployment with a tag that moves. */
  const wishForLatest = () => {
    const image = `functions.local/${FUNCTION}:latest`;
    const patch = [{ op: "replace", path: "/spec/template/spec/containers/0/image", value: image }];
    const args = ["--dry-run=server", "--type=json", "-p", JSON.stringify(patch)];
    return stack.kubectl(["patch", "deployment", FUNCTION, "-n", NAMESPACE, ...args]).catch(String);
  };
  const REFUSAL = /denied the request: \[no-latest-tag\] Deployment shop\/checkout: container .* has the tag latest/;

  it("has Gatekeeper's pods judge what comes in, whom the API server believes by an authority of their own making", async () => {
    expect(await wishForLatest()).toMatch(REFUSAL);
    const { data } = await stack.get<{ data: Record<string, string> }>(
      ...["secret", "gatekeeper-webhook-server-cert", "-n", "gatekeeper-system"],
    );
    const { webhooks } = await stack.get<{ webhooks: { clientConfig: { caBundle: string; service?: object } }[] }>(
      ...["validatingwebhookconfiguration", "gatekeeper-validating-webhook-configuration"],
    );
    for (const { clientConfig } of webhooks) {
      expect(clientConfig.service).toMatchObject({ name: "gatekeeper-webhook-service" });
      expect(clientConfig.caBundle).toBe(data["ca.crt"]);
    }
    const certificate = (name: string) => new X509Certificate(Buffer.from(data[name] ?? "", "base64"));
    expect(certificate("tls.crt").verify(certificate("ca.crt").publicKey)).toBe(true);
  });

  it("judges again once Gatekeeper's pods are back from a kill", async () => {
    const managers = () => stack.inside("sh", "-c", "pgrep -f '^/manager ' | sort");
    const killed = (await managers()).trim().split("\n");
    expect(killed).toHaveLength(2);
    await stack.inside("kill", "-9", ...killed);
    await eventually(90, "it refuses again", wishForLatest, (said) => REFUSAL.test(said));
    const back = (await managers()).trim().split("\n");
    expect(back.filter((pid) => killed.includes(pid))).toEqual([]);
  });

  it("rolls to a new digest under steady load without a failed request, and back", async () => {
    const [compiled, portable] = [await build("compiled"), await build("portable")];
    expect(compiled.digest).not.toBe(portable.digest);
    const load = await stack.load("/api/function", 50);
    stack.configureFunction({ image: pinned(portable.digest) });
    await stack.ok("up", "real");
    stack.configureFunction({ image: pinned(compiled.digest) });
    await stack.ok("up", "real");
    // Old pods serve on until nobody sends them anything; they must also leave without a loss. How many there are is the autoscaler's.
    const wanted = JSON.stringify(pinned(compiled.digest));
    await eventually(
      60,
      "only new pods are left",
      () => stack.pods(),
      (pods) => pods.length >= 2 && pods.every(({ spec }) => JSON.stringify(spec).includes(`"image":${wanted}`)),
    );
    const result = await load.stop();
    expect(result.failures).toEqual({});
    expect(result.statuses).toEqual({ "200": result.sent });
    expect(result.sent).toBeGreaterThan(500);
  });

  it("stops the rollout of a function that crashes, says why, and serves on", async () => {
    const before = (await stack.readyPods()).map(({ metadata }) => metadata.name);
    const crashing = await trapImage(stack.paths.root, "crash");
    await pushImages(stack.machine, stack.places.folder, [crashing]);
    const load = await stack.load("/api/function", 20);
    stack.configureFunction({
      image: `registry.example.com/crash@${crashing.digest}`,
      rollout: { progressDeadline: "20s" },
    });
    const { code, stderr } = await stack.run("up", "real");
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /pod shop\/checkout-\S+: CrashLoopBackOff, ended with code|pod shop\/checkout-\S+: .*ended with code 3/,
    );
    expect(stderr).toContain("its log: I was built to fail");
    const result = await load.stop();
    expect(result.failures).toEqual({});
    expect(result.statuses).toEqual({ "200": result.sent });
    // Those that the load before has asked for, the autoscaler may take away.
    const kept = (await stack.readyPods()).filter(({ metadata }) => before.includes(metadata.name));
    expect(kept.length).toBeGreaterThanOrEqual(2);
  });

  it("stops the rollout of an image that is not there, and serves on", async () => {
    stack.configureFunction({ image: "registry.example.com/nobody:1.0.0", rollout: { progressDeadline: "20s" } });
    const { code, stderr } = await stack.run("up", "real");
    expect(code).toBe(1);
    expect(stderr).toMatch(/ErrImagePull|ImagePullBackOff/);
    expect(stderr).toContain("nobody:1.0.0");
    expect((await stack.call("/api/function")).status).toBe(200);
  });

  it("refuses one of our own images that was never built, before anything is touched", async () => {
    const digest = `sha256:${"0".repeat(64)}`;
    stack.configureFunction({ image: pinned(digest) });
    const { code, stderr } = await stack.run("up", "real");
    expect(code).toBe(1);
    expect(stderr).toContain("no image of this digest was built on this machine");
  });

  it("rolls back", async () => {
    stack.configureFunction({ image: `functions.local/${FUNCTION}:1.0.0`, rollout: {} });
    await stack.ok("up", "real");
    await eventually(
      90,
      "only pods of the old image are left",
      deployment,
      ({ spec, status }) => status.readyReplicas === spec.replicas && status.updatedReplicas === spec.replicas,
    );
    expect((await stack.call("/api/function")).status).toBe(200);
  });

  it("scales out on real CPU and back in, and an up in between leaves the count", async () => {
    // 1.5 ms of CPU each: 60 a second are 90m, and the target is 7m a pod.
    const load = await stack.load("/api/function?work=1500", 60);
    const scaled = await eventually(120, "the autoscaler adds pods", deployment, ({ spec }) => spec.replicas >= 6);
    stack.configureFunction({ disruption: { maxUnavailable: "20%" } });
    const { stderr } = await stack.ok("up", "real");
    expect(stderr).toMatch(/updated PodDisruptionBudget/);
    expect((await deployment()).spec.replicas).toBeGreaterThanOrEqual(scaled.spec.replicas);
    const result = await load.stop();
    expect(result.failures).toEqual({});
    expect(result.statuses).toEqual({ "200": result.sent });
    await eventually(240, "the autoscaler takes them away", deployment, ({ spec }) => spec.replicas === 2);
  });

  it("is played a surge of real requests, and a report says what its client saw", async () => {
    const { scaling } = (stack.section("functions") as { scaling: object }[])[0]!;
    // All at once on the way back: the autoscaler's steps are timed elsewhere.
    stack.configureFunction({ scaling: { ...scaling, max: 8, down: { percent: "100%", stabilization: "30s" } } });
    await stack.ok("up", "real");
    const at = (second: number, requestsPerSecond: number) => ({ at: `${second}s`, requestsPerSecond });
    // 100m, for which 14 pods would be asked: the goal is max, also where a request takes less than it is reckoned to.
    const curve = [at(0, 1), at(3, 1), at(5, 60), at(70, 60), at(72, 1)];
    const scenario = { path: "/api/function?work=1500", cpuPerRequest: "1700us", curve };
    writeFileSync(join(stack.root, "surge.yaml"), stringify({ stacks: { real: scenario } }));
    const { code, stderr } = await stack.run("surge", "real");
    expect([code, stderr]).toEqual([0, expect.stringContaining("The plan says 8 replicas")]);
    const report = (file: string) => readFileSync(join(stack.paths.home, "surge/real", file), "utf8");
    const { run: seen } = JSON.parse(report("surge.json")) as { run: SurgeRun };
    const { statuses, unanswered, phases } = seen.client!;
    // At no time more than two pods can serve: nobody is refused.
    expect([Object.keys(statuses), unanswered]).toEqual([["200"], {}]);
    expect(statuses["200"]).toBeGreaterThan(3000);
    expect(phases["scaled out"]!.p50).toBeGreaterThan(1.5);
    // Pods were watched as they started, and the autoscaler read of them what they used.
    expect([seen.kind, seen.ending, seen.starts.length >= 6]).toEqual(["real", "back at min", true]);
    expect(Math.max(...seen.samples.map(({ cpuPerPod }) => cpuPerPod))).toBeGreaterThan(7);
    expect(report("report.html")).toContain("Real requests:");
    // No token is told to anybody.
    expect(stderr + report("surge.json")).not.toContain("eyJ");
  });

  it("leaves nothing", async () => {
    await eventually(
      60,
      "pods have left",
      () => stack.pods(),
      (pods) => pods.length === 2,
    );
    await stack.ok("down", "real");
    expect(await stack.leftovers()).toEqual([]);
    // The surge's report is for whoever wants to look.
    expect(stack.homeEntries()).toEqual(["surge"]);
  });
});
