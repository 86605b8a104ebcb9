import { describe, expect, it } from "vitest";
import { parseConfig } from "../../../../infra/config";
import { describeUnready } from "../../../../local/engine/diagnose";

const CONFIG = parseConfig({ cluster: { kind: "existing", kubeconfig: "k" }, functions: [{ name: "checkout" }] });

interface State {
  readonly waiting?: object;
  readonly terminated?: object;
}

interface Container {
  readonly ready: boolean;
  readonly restartCount: number;
  readonly state?: State;
  readonly lastState?: State;
}

function pod(name: string, created: string, container: Container) {
  const status = { containerStatuses: [{ name: "function", ...container }] };
  return { metadata: { name, creationTimestamp: created }, status };
}

/** A pod of Traefik, with the helper that starts before it and runs on beside it. */
function gatewayPod(traefik: Container, endpoints: Container) {
  return {
    metadata: { name: "gateway-1", creationTimestamp: "2026-01-01T00:00:00Z" },
    status: {
      initContainerStatuses: [{ name: "endpoints", ...endpoints }],
      containerStatuses: [{ name: "traefik", ...traefik }],
    },
  };
}

const SELECTORS = {
  function: "-n shop -l app.kubernetes.io/name=checkout,app.kubernetes.io/component=function",
  gateway: "-n gateway -l app.kubernetes.io/name=traefik,app.kubernetes.io/component=gateway",
  authorizer: "-n gateway -l app.kubernetes.io/name=authorizer,app.kubernetes.io/component=authorizer",
};

/**
 * What a cluster with these pods of a part says, and none of the others; logs by pod and container (a function's by its
 * pod alone), those of the run before with `--previous`.
 */
function cluster(
  pods: readonly object[],
  logs: Readonly<Record<string, string>> = {},
  part: keyof typeof SELECTORS = "function",
) {
  return (args: readonly string[]) => {
    if (args[0] === "get") {
      const asked = args.slice(2, -2).join(" ");
      return Promise.resolve(JSON.stringify({ items: asked === SELECTORS[part] ? pods : [] }));
    }
    const [, , , podName, , container] = args;
    const of = container === "function" ? podName : `${podName} ${container}`;
    const name = `${of}${args.includes("--previous") ? " previous" : ""}`;
    const log = logs[name];
    return log === undefined ? Promise.reject(new Error(`no log of ${name}`)) : Promise.resolve(log);
  };
}

const CRASHING = {
  ready: false,
  restartCount: 2,
  state: { waiting: { reason: "CrashLoopBackOff", message: "back-off 20s" } },
  lastState: { terminated: { reason: "Error", exitCode: 3 } },
};

describe("a function that is not ready", () => {
  it("is described by its newest pod that is not, and the last words of the run that ended", async () => {
    const pods = [
      pod("old", "2026-01-01T00:00:00Z", { ready: true, restartCount: 0 }),
      pod("new", "2026-01-01T00:00:09Z", CRASHING),
      pod("between", "2026-01-01T00:00:05Z", CRASHING),
    ];
    const kubectl = cluster(pods, { "new previous": "one\n\ntwo\n", new: "of the present run" });
    expect(await describeUnready(kubectl, CONFIG)).toEqual([
      "pod shop/new: CrashLoopBackOff, ended with code 3 (Error)",
      "  its log: one",
      "  its log: two",
    ]);
  });

  it("is described by why its image cannot be pulled", async () => {
    const state = { waiting: { reason: "ErrImagePull", message: 'failed to resolve "none:1": not found' } };
    const kubectl = cluster([pod("new", "2026-01-01T00:00:00Z", { ready: false, restartCount: 0, state })]);
    expect(await describeUnready(kubectl, CONFIG)).toEqual([
      'pod shop/new: ErrImagePull, failed to resolve "none:1": not found',
    ]);
  });

  it("is said to be killed where its code says so", async () => {
    const state = { terminated: { reason: "Error", exitCode: 137 } };
    const kubectl = cluster([pod("new", "2026-01-01T00:00:00Z", { ready: false, restartCount: 0, state })], {
      new: "",
    });
    expect(await describeUnready(kubectl, CONFIG)).toEqual([
      "pod shop/new: ended with code 137 (killed: if by nobody, for memory above its limit)",
    ]);
  });

  it("is said to have run out of memory where the runtime knows that it did", async () => {
    const state = { terminated: { reason: "OOMKilled", exitCode: 137 } };
    const kubectl = cluster([pod("new", "2026-01-01T00:00:00Z", { ready: false, restartCount: 0, state })]);
    expect(await describeUnready(kubectl, CONFIG)).toEqual(["pod shop/new: ended with code 137 (OOMKilled)"]);
  });

  it("is described by why no node takes it", async () => {
    const message = "0/1 nodes are available: 1 Insufficient memory.";
    const unscheduled = {
      metadata: { name: "new", creationTimestamp: "2026-01-01T00:00:00Z" },
      status: { conditions: [{ type: "PodScheduled", status: "False", reason: "Unschedulable", message }] },
    };
    expect(await describeUnready(cluster([unscheduled]), CONFIG)).toEqual([
      `pod shop/new: no node takes it: ${message}`,
    ]);
  });
});

describe("a gateway that is not ready", () => {
  const READY = { ready: true, restartCount: 0 };

  it("is described by its pod in its own namespace, and the last words of the run that ended", async () => {
    const logs = { "gateway-1 traefik previous": "no such option\n", "gateway-1 endpoints": "all is well\n" };
    const kubectl = cluster([gatewayPod(CRASHING, READY)], logs, "gateway");
    expect(await describeUnready(kubectl, CONFIG)).toEqual([
      "pod gateway/gateway-1: CrashLoopBackOff, ended with code 3 (Error)",
      "  its log: no such option",
    ]);
  });

  it("is described by the helper that it waits for", async () => {
    const waiting = { ready: false, restartCount: 0, state: { waiting: { reason: "PodInitializing" } } };
    const kubectl = cluster(
      [gatewayPod(waiting, CRASHING)],
      { "gateway-1 endpoints previous": "403 Forbidden\n" },
      "gateway",
    );
    expect(await describeUnready(kubectl, CONFIG)).toEqual([
      "pod gateway/gateway-1: CrashLoopBackOff, ended with code 3 (Error)",
      "  its log: 403 Forbidden",
    ]);
  });

  it("is described by the helper that broke while it served", async () => {
    const kubectl = cluster([gatewayPod(READY, CRASHING)], {}, "gateway");
    expect(await describeUnready(kubectl, CONFIG)).toEqual([
      "pod gateway/gateway-1: CrashLoopBackOff, ended with code 3 (Error)",
    ]);
  });

  it("is nothing to tell where gateway and helper are ready", async () => {
    expect(await describeUnready(cluster([gatewayPod(READY, READY)], {}, "gateway"), CONFIG)).toEqual([]);
  });
});

describe("an authorizer that is not ready", () => {
  it("is described as a function is", async () => {
    const state = { waiting: { reason: "CreateContainerConfigError", message: 'secret "authorizer-store" not found' } };
    const broken = pod("authorizer-1", "2026-01-01T00:00:00Z", { ready: false, restartCount: 0, state });
    expect(await describeUnready(cluster([broken], {}, "authorizer"), CONFIG)).toEqual([
      'pod gateway/authorizer-1: CreateContainerConfigError, secret "authorizer-store" not found',
    ]);
  });
});

describe("nothing is said", () => {
  it("where every pod is ready, or there is none", async () => {
    const ready = pod("one", "2026-01-01T00:00:00Z", { ready: true, restartCount: 0 });
    expect(await describeUnready(cluster([ready]), CONFIG)).toEqual([]);
    expect(await describeUnready(cluster([]), CONFIG)).toEqual([]);
  });

  it("where the cluster does not answer any more", async () => {
    expect(await describeUnready(() => Promise.reject(new Error("refused")), CONFIG)).toEqual([]);
  });
});
