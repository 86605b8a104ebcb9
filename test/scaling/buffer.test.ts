import { afterAll, describe, expect, it } from "vitest";
import { eventually, LocalStack, type KubernetesList, type KubernetesObject } from "../support/local-stack";

/**
 * Pods that keep room, by the real scheduler and under a stack that Gatekeeper guards. A pod requests a core, and all are on one
 * agent of 32, so that room is short; each test goes on from where the one before it ended.
 */
const stack = new LocalStack({ guarded: true });
afterAll(() => stack.dispose());

const NAMESPACE = "shop";
const BUFFER = 20;
const AGENT = "agent-1";

function setFunction(min: number, buffer = BUFFER): void {
  const cpu = "1000m";
  const resources = { requests: { cpu, memory: "32Mi" }, limits: { cpu, memory: "64Mi" } };
  const scaling = { min, max: 40, initial: min, buffer };
  stack.configure("functions", [{ name: "checkout", resources, scaling, workload: { peakRequestsPerSecond: 100 } }]);
}

interface Pod extends KubernetesObject {
  readonly spec: { readonly nodeName?: string; readonly priority: number };
  readonly status: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

/** Of the function and of those that keep room: how many are there, and how many are ready on a node. */
async function pods() {
  const { items } = await stack.get<KubernetesList<Pod>>("pods", "-n", NAMESPACE);
  const of = (component: string) => {
    const all = items.filter(({ metadata }) => metadata.labels?.["app.kubernetes.io/component"] === component);
    const ready = all.filter(({ status }) =>
      status.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True"),
    );
    return { all: all.length, ready: ready.length };
  };
  return { fn: of("function"), buffer: of("buffer"), nodes: new Set(items.map(({ spec }) => spec.nodeName)) };
}

async function agents(): Promise<string[]> {
  const { items } = await stack.get<KubernetesList>("nodes");
  return items.map(({ metadata }) => metadata.name);
}

const until = (what: string, is: (found: Awaited<ReturnType<typeof pods>>) => boolean) =>
  eventually(120, what, pods, is);

describe("pods that keep room", () => {
  it("stand beside a function's on what room there is", async () => {
    setFunction(10);
    await stack.ok("up");
    await stack.kubectl(["cordon", ...(await agents()).filter((name) => name !== AGENT)]);
    await stack.kubectl(["delete", "pods", "--all", "-n", NAMESPACE]);
    const { nodes } = await until(
      "all are on one agent",
      ({ fn, buffer }) => fn.ready === 10 && buffer.ready === BUFFER,
    );
    expect([...nodes]).toEqual([AGENT]);
  });

  it("make way for the function's own at once, and wait", async () => {
    setFunction(25);
    await stack.ok("up");
    // An agent of 32 cores has less than 32 to give, of which 25 are the function's.
    const { nodes } = await until(
      "the function has its pods, and as many as make way for them wait",
      ({ fn, buffer }) => fn.ready === 25 && buffer.all === BUFFER && buffer.ready <= 6,
    );
    expect(nodes).toEqual(new Set([AGENT, undefined]));
    const { items } = await stack.get<
      KubernetesList<KubernetesObject & { reason: string; regarding: { name: string } }>
    >("events.events.k8s.io", "-n", NAMESPACE, "--field-selector=reason=Preempted");
    expect(items.length).toBeGreaterThan(0);
    expect(items.filter(({ regarding }) => !regarding.name.startsWith("checkout-buffer-"))).toEqual([]);
  });

  it("are there again as soon as there is a node for them", async () => {
    await stack.kubectl(["uncordon", ...(await agents())]);
    await until("all of them are ready", ({ fn, buffer }) => fn.ready === 25 && buffer.ready === BUFFER);
  });

  it("go when they are asked for no more, with their priority, and the function's own stay", async () => {
    setFunction(25, 0);
    await stack.ok("up");
    await until("the function's alone are there", ({ fn, buffer }) => fn.ready === 25 && buffer.all === 0);
    await expect(stack.get("priorityclass", "wasm-buffer")).rejects.toThrow(/not found/i);
  });
});
