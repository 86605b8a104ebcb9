import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { listeningAddresses } from "../support/listening";
import { eventually, LocalStack, type KubernetesList, type KubernetesObject } from "../support/local-stack";

/**
 * What a real Gatekeeper does with objects of one stack, from its first `up` on; each test goes on from where the one before
 * it ended. That every policy says what it should is tested by gator: here it is how Gatekeeper is there, and is not.
 */
const stack = new LocalStack({ guarded: true });
beforeAll(() => stack.configure("functions", [SMALL]));
afterAll(() => stack.dispose());

const FUNCTION = "serverless-function";
const SCALING = { min: 2, initial: 2, max: 4 };
const SMALL = { name: FUNCTION, scaling: SCALING, workload: { peakRequestsPerSecond: 1000 } };
/** Of memory, where a function has 64Mi unless told otherwise. */
const LOWERED = "48Mi";
const NAMESPACE = "shop";
const LATEST = "registry.example.com/serverless-function:latest";
const ELSEWHERE = "docker.io/someone/serverless-function:latest";

interface Dated extends KubernetesObject {
  readonly metadata: KubernetesObject["metadata"] & { readonly creationTimestamp: string };
}

interface Constraint extends KubernetesObject {
  readonly status: {
    readonly totalViolations?: number;
    readonly violations?: readonly { readonly name: string; readonly message: string }[];
  };
}

interface Pod {
  readonly metadata: { readonly labels: Readonly<Record<string, string>>; readonly deletionTimestamp?: string };
  readonly spec: {
    readonly containers: readonly { readonly resources?: { readonly limits: { readonly memory: string } } }[];
  };
}

interface Counted {
  readonly metadata: { readonly generation: number };
  readonly spec: {
    readonly template: { readonly spec: { readonly containers: readonly [{ readonly image: string }] } };
  };
  readonly status: {
    readonly observedGeneration: number;
    readonly replicas: number;
    readonly readyReplicas: number;
    readonly updatedReplicas: number;
  };
}

const podsThatStay = async () =>
  (await stack.get<KubernetesList<Pod>>("pods", "-n", NAMESPACE)).items.filter(
    ({ metadata }) => metadata.deletionTimestamp === undefined,
  );

const functionNow = () => stack.get<Counted>("deployment", FUNCTION, "-n", NAMESPACE);

/** The function's Deployment with another image, as far as the API server says that it would take it. */
const wish = (image: string) => {
  const patch = [{ op: "replace", path: "/spec/template/spec/containers/0/image", value: image }];
  const args = ["--dry-run=server", "--type=json", "-p", JSON.stringify(patch)];
  return stack.kubectl(["patch", "deployment", FUNCTION, "-n", NAMESPACE, ...args]);
};

/** One of the function's pods once more, by itself, with another image. */
async function createPod(name: string, image: string, ...flags: string[]): Promise<string> {
  const [pod] = await podsThatStay();
  // Neither taken by the function's ReplicaSet nor placed already.
  const labels = { ...pod!.metadata.labels, "pod-template-hash": "none" };
  const containers = pod!.spec.containers.map((container) => ({ ...container, image }));
  const spec = { ...pod!.spec, nodeName: undefined, containers };
  const object = { apiVersion: "v1", kind: "Pod", metadata: { name, namespace: NAMESPACE, labels }, spec };
  return stack.kubectl(["create", ...flags, "-f", "-"], { input: JSON.stringify(object) });
}

const violationsOf = (constraint: string, name: string) =>
  stack.get<Constraint>(constraint, name).then(({ status }) => status.violations ?? []);

describe("a stack with Gatekeeper", () => {
  it("comes up from nothing, with whatever tenants get admitted by it", async () => {
    const { stderr } = await stack.ok("up");
    expect(stderr).toMatch(/created ConstraintTemplate admission-no-latest-tag-template/);
    expect((await stack.ok("status")).stdout).toMatch(/^gatekeeper +running/m);
    const webhook = await stack.get<Dated>(
      "validatingwebhookconfigurations",
      "gatekeeper-validating-webhook-configuration",
    );
    const tenant = await stack.get<Dated>("namespace", NAMESPACE);
    expect(Date.parse(tenant.metadata.creationTimestamp)).toBeGreaterThanOrEqual(
      Date.parse(webhook.metadata.creationTimestamp),
    );
  });

  it("listens on loopback only, with Gatekeeper beside the control plane", () => {
    const sockets = stack.processes().flatMap(({ pid }) => listeningAddresses(pid));
    expect(sockets.length).toBeGreaterThanOrEqual(9);
    expect(new Set(sockets)).toEqual(new Set(["0100007F"]));
  });

  it("lets in what no policy speaks against", async () => {
    expect(await wish("registry.example.com/serverless-function:2.0.0")).toContain("patched");
    expect(await createPod("another", "registry.example.com/serverless-function:2.0.0", "--dry-run=server")).toContain(
      "pod/another created",
    );
  });

  it("refuses a change with the policy's message: of a Deployment, of a pod, and of what is no object of its own", async () => {
    const refusal =
      /denied the request: \[no-latest-tag\] Deployment shop\/serverless-function: container .* has the tag latest/;
    await expect(wish(LATEST)).rejects.toThrow(refusal);
    await expect(createPod("latest", LATEST)).rejects.toThrow(/\[no-latest-tag\] Pod shop\/latest: /);
    const scale = ["scale", "deployment", FUNCTION, "-n", NAMESPACE, "--dry-run=server"];
    await expect(stack.kubectl([...scale, "--replicas=5"])).rejects.toThrow(/\[replica-limits\] .*5: above the 4/);
    expect(await stack.kubectl([...scale, "--replicas=3"])).toContain("scaled");
  });

  it("tells everything that is wrong with an object at once", async () => {
    const error = await wish(ELSEWHERE).catch((reason: unknown) => String(reason));
    expect(error).toContain("[no-latest-tag]");
    expect(error).toContain("[allowed-registries]");
  });

  it("lets nothing in while Gatekeeper is down, where it fails closed", async () => {
    await stack.kill("gatekeeper");
    expect((await stack.ok("status")).stdout).toMatch(/^gatekeeper +stopped/m);
    const fine = "registry.example.com/serverless-function:2.0.0";
    await expect(wish(fine)).rejects.toThrow(/failed calling webhook/);
    await expect(createPod("by-hand", fine)).rejects.toThrow(/failed calling webhook/);
    // Nobody is asked about what changes nothing.
    expect(await wish((await functionNow()).spec.template.spec.containers[0].image)).toContain("patched (no change)");
  });

  it("has the autoscaler, its Deployment and its ReplicaSet still make the pods of what was judged", async () => {
    const load = [{ op: "replace", path: "/spec/usages/0/usage/cpu/expression", value: 'Quantity("100m")' }];
    const usage = ["clusterresourceusages", "simulated-usage"];
    await stack.kubectl(["patch", ...usage, "--type=json", "-p", JSON.stringify(load)]);
    await eventually(120, "pods for the load", functionNow, ({ status }) => status.readyReplicas === SCALING.max);
  });

  it("is started again by the next up, by which policies hold as they are now wanted", async () => {
    stack.configure("functions", [{ ...SMALL, resources: { limits: { memory: LOWERED } } }]);
    stack.configure("admission", {
      webhook: { kind: "url", url: "https://127.0.0.1:8443/v1/admit", caFile: "written-by-make-up" },
      policies: { "no-latest-tag": "warn", "allowed-registries": "dryrun" },
      failurePolicy: "ignore",
      audit: { interval: "10s" },
    });
    expect((await stack.ok("up")).stderr).toMatch(/updated WasmNoLatestTag admission-no-latest-tag/);
  });

  it("lets a rollout take the pods away that are above the function's lowered bound", async () => {
    const { metadata, status } = await eventually(
      60,
      "every pod is the new one",
      functionNow,
      ({ status }) => status.updatedReplicas === status.replicas && status.readyReplicas === status.replicas,
    );
    expect(status.observedGeneration).toBe(metadata.generation);
    const running = await podsThatStay();
    expect(running.map((pod) => pod.spec.containers[0]?.resources?.limits.memory)).toEqual(running.map(() => LOWERED));
  });

  it("warns of what a policy only warns of, with its message, and says nothing of a dry run", async () => {
    const warned = createPod("warned", ELSEWHERE, "--dry-run=server", "--warnings-as-errors");
    const error = await warned.catch((reason: unknown) => String(reason));
    expect(error).toMatch(/Warning: \[no-latest-tag\] Pod shop\/warned: .* has the tag latest/);
    expect(error).not.toContain("allowed-registries");
  });

  it("lets everything in unseen while Gatekeeper is down, where it fails open", async () => {
    await stack.kill("gatekeeper");
    expect(await createPod("unseen", ELSEWHERE, "--warnings-as-errors")).toContain("pod/unseen created");
  });

  it("finds by its audit what it has not been asked about, also of what it only tries out", async () => {
    // Any command starts it again.
    await stack.ok("refresh");
    for (const [kind, name] of [
      ["wasmnolatesttag", "no-latest-tag"],
      ["wasmallowedregistries", "allowed-registries"],
    ] as const) {
      const found = await eventually(
        60,
        `${name} finds the pod`,
        () => violationsOf(kind, name),
        (violations) => violations.some((violation) => violation.name === "unseen"),
      );
      expect(found.map((violation) => violation.name)).toEqual(["unseen"]);
      expect(found[0]?.message).toMatch(/^Pod shop\/unseen: container /);
    }
  });

  it("goes down with all that it made", async () => {
    await stack.ok("down");
    expect(stack.processes()).toEqual([]);
    expect(stack.homeEntries()).toEqual([]);
  });
});
