import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ensureRootFs } from "../../local/node/root-fs";
import { CACHE_VARIABLE, projectPaths } from "../../local/paths";
import { silentProgress } from "../../local/progress";
import { run } from "../../local/run";
import { eventually, type KubernetesList } from "../support/local-stack";
import { CANNOT_RUN, FUNCTION, NAMESPACE, RealStack, type Pod } from "../support/real-stack";

/** Seconds within which a function serves again after a fault. */
const RECOVERY = 10;

describe.skipIf(CANNOT_RUN)("a real node under faults", () => {
  let stack: RealStack;
  beforeAll(() => {
    stack = new RealStack();
  });
  afterAll(() => stack.end());

  const readyPods = () => stack.readyPods();
  const restarts = async () =>
    (await stack.pods()).reduce((total, { status }) => total + (status.containerStatuses?.[0]?.restartCount ?? 0), 0);
  /** Kills the first process whose command line matches, inside the node. */
  const kill = async (pattern: string) => {
    const pid = (await stack.inside("sh", "-c", `pgrep -f '${pattern}' | head -1`)).trim();
    expect(pid).toMatch(/^\d+$/);
    await stack.inside("kill", "-9", pid);
  };
  /** Pods that shims run for; each shim is a process and a few more that it forks. */
  const shims = async () => {
    const lines = await stack.inside("sh", "-c", "pgrep -af [c]ontainerd-shim-wasmedge-v1 || true");
    return new Set([...lines.matchAll(/ -id (\S+)/g)].map(([, id]) => id)).size;
  };

  const sandboxesTooMany = async () => {
    const pods = await stack.get<KubernetesList>("pods", "--all-namespaces");
    return Number(await stack.inside("pgrep", "-fc", "^/pause")) - pods.items.length;
  };

  const underLoad = async (fault: () => Promise<void>) => {
    const load = await stack.load("/api/function", 20);
    await fault();
    return load.stop();
  };

  /** Deletes a pod, and waits until another is in its place and it has left. */
  const replace = async (victim: Pod | undefined) => {
    const name = victim?.metadata.name ?? "";
    await stack.kubectl(["delete", "pod", "-n", NAMESPACE, name, "--wait=false"]);
    const replaced = (pods: readonly Pod[]) =>
      pods.length === 2 && pods.every(({ metadata }) => metadata.name !== name);
    await eventually(30, "a new pod is ready", readyPods, replaced);
    await eventually(30, "the old one has left", () => stack.pods(), replaced);
  };

  /** What it does only when it runs: a new pod gets ready. */
  const killAndReplaceAPod = async (pattern: string) => {
    await kill(pattern);
    const running = async () => (await stack.inside("sh", "-c", `pgrep -f '${pattern}' || true`)).trim();
    await eventually(RECOVERY, "it runs again", running, (pid) => pid !== "");
    await replace((await readyPods())[0]);
  };

  it("goes on with a set-up that was broken off", async () => {
    const interrupted = stack.start("up", "real");
    await interrupted.until(/cluster: /);
    await new Promise((resume) => setTimeout(resume, 3000));
    interrupted.child.kill("SIGKILL");
    await interrupted.outcome;
    await stack.ok("up", "real");
    expect((await readyPods()).length).toBe(2);
  });

  it("lets one command at a time at it", async () => {
    const [first, second] = await Promise.all([stack.ok("up", "real"), stack.ok("up", "real")]);
    const waited = [first, second].filter(({ stderr }) => stderr.includes("Waiting for another command on this stack"));
    expect(waited).toHaveLength(1);
    expect(first.stderr + second.stderr).toMatch(/0 changes[\s\S]*0 changes/);
  });

  it("restarts a function that was killed", async () => {
    const before = await restarts();
    const [victim] = await readyPods();
    const container = victim?.status.containerStatuses?.[0]?.containerID?.replace("containerd://", "");
    const tasks = await stack.inside(
      "ctr",
      "--address",
      "/run/k3s/containerd/containerd.sock",
      "-n",
      "k8s.io",
      "tasks",
      "ls",
    );
    const pid = new RegExp(`^${container}\\s+(\\d+)`, "m").exec(tasks)?.[1] ?? "";
    expect(pid).toMatch(/^\d+$/);
    await stack.inside("kill", "-9", pid);
    await eventually(RECOVERY, "it was restarted", restarts, (count) => count > before);
    await eventually(RECOVERY, "both are ready", readyPods, (pods) => pods.length === 2);
    // Its next death would be waited for by the kubelet's back-off of 10 s.
    await replace(victim);
  });

  it("makes a pod anew whose shim was killed, and what that shim left goes with the pod", async () => {
    await kill("[c]ontainerd-shim-wasmedge-v1");
    const missing = (pods: readonly Pod[]) => pods.length === 1;
    const [survivor] = await eventually(RECOVERY, "one is missing", readyPods, missing);
    await eventually(RECOVERY, "both are ready", readyPods, (pods) => pods.length === 2);
    expect((await stack.call("/api/function")).status).toBe(200);
    const victim = (await stack.pods()).find(({ metadata }) => metadata.name !== survivor?.metadata.name);
    await replace(victim);
    await eventually(30, "a sandbox for each pod and no more", sandboxesTooMany, (count) => count === 0);
  });

  it.each([
    ["kube-proxy", "^kube-proxy "],
    ["the NetworkPolicy controller", "^kube-router "],
  ])("loses no request to a kill of %s, and has it back", async (_, pattern) => {
    const result = await underLoad(() => killAndReplaceAPod(pattern));
    expect(result.failures).toEqual({});
    expect(result.statuses).toEqual({ "200": result.sent });
  });

  it("serves again after a kill of the kubelet, which takes its pods for unready until it has probed them", async () => {
    const result = await underLoad(() => killAndReplaceAPod("^kubelet "));
    expect(Object.keys(result.statuses)).toEqual(["200"]);
    expect(result.longestGap).toBeLessThan(RECOVERY * 1000);
    // Told at once: a client may try again.
    expect(Object.keys(result.failures).filter((reason) => reason !== "ECONNREFUSED")).toEqual([]);
  });

  it("serves again after a kill of containerd, which starts every pod anew", async () => {
    // containerd asks a shim which processes it has, and takes one of runwasi's, which does not tell, for a leaked one.
    const before = await restarts();
    await kill("^containerd --config");
    await eventually(RECOVERY, "the pods were restarted", restarts, (count) => count >= before + 2);
    // A connection to a pod's former address is never answered: each try has a time of its own.
    const answers = () =>
      stack.call("/api/function", "--max-time", "2").then(
        ({ status }) => status,
        () => 0,
      );
    await eventually(RECOVERY, "it answers", answers, (status) => status === 200);
    await eventually(
      RECOVERY,
      "both are ready",
      () => stack.readyPods(),
      (pods) => pods.length === 2,
    );
    await eventually(20, "the old ones are ended", shims, (count) => count === 2);
    await eventually(20, "a sandbox for each pod and no more", sandboxesTooMany, (count) => count === 0);
  });

  it("brings back a node whose every process was killed", async () => {
    process.kill(stack.machine.init, "SIGKILL");
    await eventually(
      10,
      "the node is gone",
      () => Promise.resolve(stack.processes()),
      (all) => all.every(({ name }) => name !== "unshare"),
    );
    await stack.ok("up", "real");
    await eventually(60, "both are ready", readyPods, (pods) => pods.length === 2);
    expect((await stack.call("/api/function")).status).toBe(200);
  });

  it("has leaked no pod's process on the way", async () => {
    const pods = await eventually(
      60,
      "old pods have left",
      () => stack.pods(),
      (all) => all.length === 2,
    );
    expect(pods.every(({ metadata }) => metadata.name.startsWith(FUNCTION))).toBe(true);
    await eventually(20, "a shim for each pod", shims, (count) => count === 2);
  });

  it("leaves nothing when it is taken down after a kill of everything", async () => {
    await stack.kill();
    const { stderr } = await stack.ok("down", "real");
    expect(stderr).toMatch(/stopped, and what it kept is deleted/);
    expect(await stack.leftovers()).toEqual([]);
  });
});

describe.skipIf(CANNOT_RUN)("a disk that is full while the root file system is made", () => {
  it("is told, with the way out, and leaves nothing half made", async () => {
    const stack = new RealStack();
    const cache = join(stack.root, "small");
    mkdirSync(cache);
    await run("mount", ["-t", "tmpfs", "-o", "size=80m", "tmpfs", cache]);
    try {
      const paths = projectPaths(stack.root, { [CACHE_VARIABLE]: cache });
      const failed = ensureRootFs("node", { paths, progress: silentProgress });
      await expect(failed).rejects.toThrow(
        /no room while installing Debian packages.*MB are free.*WASM_FUNCTIONS_CACHE/s,
      );
      expect(readdirSync(join(cache, "tmp"))).toEqual([]);
    } finally {
      await run("umount", [cache]);
      stack.dispose();
    }
  });
});
