import { readFileSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { listeningAddresses } from "../support/listening";
import { eventually, LocalStack, type KubernetesList, type KubernetesObject } from "../support/local-stack";

/** One stack from its first `up` to its `down`; each test goes on from where the one before it ended. */
const stack = new LocalStack({ watched: true });
afterAll(() => stack.dispose());

const FUNCTION = "serverless-function";
const NAMESPACE = "shop";

interface Deployment extends KubernetesObject {
  readonly spec: { readonly replicas: number; readonly template: object };
  readonly status: { readonly readyReplicas?: number; readonly updatedReplicas?: number };
}

const deployment = () => stack.get<Deployment>("deployment", FUNCTION, "-n", NAMESPACE);
const pods = () => stack.get<KubernetesList>("pods", "-n", NAMESPACE);
/** Revisions of the Deployment that have pods. The autoscaler may add and remove pods at any time, but never rolls them. */
const revisions = async () =>
  [...new Set((await pods()).items.map((pod) => pod.metadata.labels?.["pod-template-hash"]))].sort();

/** What is asked of every object that the stack owns, by kind and name; replicas are the autoscaler's to choose. */
async function wishes(): Promise<Record<string, string>> {
  const kinds =
    "deployments,services,hpa,pdb,configmaps,networkpolicies,resourcequotas,limitranges,serviceaccounts,secrets";
  const list = await stack.get<KubernetesList<KubernetesObject & { kind: string; data?: object }>>(
    kinds,
    "-n",
    NAMESPACE,
  );
  return Object.fromEntries(
    list.items
      .filter((item) => item.metadata.name !== "kube-root-ca.crt")
      .map(({ kind, metadata, spec, data }) => [
        `${kind} ${metadata.name}`,
        JSON.stringify({ labels: metadata.labels, data, spec: { ...spec, replicas: undefined } }),
      ]),
  );
}

function functionConfig(changes: object): object[] {
  return [{ name: FUNCTION, ...changes }];
}

describe("a stack's life on the embedded control plane", () => {
  it("comes up with every pod ready and the autoscaler reading CPU", async () => {
    const { stdout, stderr } = await stack.ok("up");
    expect(stderr).toMatch(/cluster: 10 simulated nodes 10 added/);
    expect(stdout).toMatch(/serverless-function +shop +100\/100 +10 to 5000 +\d+% of 70%/);
    expect((await deployment()).status.readyReplicas).toBe(100);
    expect((await stack.get<KubernetesList>("nodes")).items).toHaveLength(10);
  });

  it("draws what it is made of, from the engine's state", async () => {
    const { stdout, stderr } = await stack.ok("graph");
    const path = stdout.trim();
    const picture = readFileSync(path, "utf8");
    rmSync(dirname(path), { recursive: true });
    expect(stderr).not.toContain("preview");
    const boxes = [...picture.matchAll(/<text class="kind"[^>]*>(.*)<\/text>\n<text class="name"[^>]*>(.*)<\/text>/g)];
    const components = [
      "ApiGateway gateway",
      "Authorizer authorizer",
      "Observability observability",
      "Prometheus prometheus",
    ];
    expect(boxes.map(([, kind, name]) => `${kind} ${name}`)).toEqual(
      expect.arrayContaining([...components, "Tenant shop", `WasmFunction ${FUNCTION}`, "Provider kubernetes cluster"]),
    );
    expect(picture).toMatch(/data-from="[^"]*:WasmFunction::serverless-function" data-to="[^"]*:Tenant::shop"/);
  });

  it("listens on loopback only", () => {
    const pids = new Set(stack.processes().map((process) => process.pid));
    const sockets = [...pids].flatMap(listeningAddresses);
    expect(pids.size).toBe(6);
    expect(sockets.length).toBeGreaterThanOrEqual(7);
    expect(new Set(sockets)).toEqual(new Set(["0100007F"]));
  });

  it("keeps out of the user's home", () => {
    expect(stack.userHomeEntries()).toEqual([]);
  });

  it("changes nothing the second time", async () => {
    const before = { wishes: await wishes(), revisions: await revisions() };
    const { stderr } = await stack.ok("up");
    expect(stderr).toMatch(/stack: 0 changes/);
    expect(stderr).toMatch(/10 simulated nodes unchanged/);
    expect({ wishes: await wishes(), revisions: await revisions() }).toEqual(before);
  });

  it("previews nothing to change, with the plan's summary", async () => {
    const { stdout } = await stack.ok("preview");
    expect(stdout).toMatch(/^Pods at the worst moment/m);
    expect(stdout).toMatch(/^0 changes$/m);
  });

  it("refuses a preview of what the policies of an environment forbid", async () => {
    // Nobody has said that less will do there.
    stack.configure("platform", { environment: "staging" });
    const { code, stderr } = await stack.run("preview");
    expect(code).toBe(1);
    const refusals = stderr.slice(stderr.indexOf("preview was refused by a policy\n"));
    expect(refusals).toContain(
      "    Namespace shop protect: false: a tenant's functions would be gone with it; set platform.protect to true\n",
    );
    expect(refusals).toMatch(
      / {2}Service gateway-service:\n {4}policy gateway-tls: .*\n {4}Service gateway\/api-gateway spec: /,
    );
    stack.configure("platform", { environment: "local" });
  });

  it("leaves the replicas that the autoscaler chose when something else changes", async () => {
    const threefold = JSON.stringify([
      { op: "replace", path: "/spec/usages/0/usage/cpu/expression", value: 'Quantity("21m")' },
    ]);
    await stack.kubectl(["patch", "clusterresourceusage", "simulated-usage", "--type=json", "-p", threefold]);
    const scaled = await eventually(120, "the autoscaler adds pods", deployment, (d) => d.spec.replicas >= 300);
    const before = await wishes();

    stack.configure("functions", functionConfig({ maxConcurrentRequests: 900 }));
    const { stderr } = await stack.ok("up");
    const after = await deployment();
    expect(after.spec.replicas).toBeGreaterThanOrEqual(scaled.spec.replicas);
    // `up` ends when the new pods are ready; of the old ones the last may still be leaving.
    expect(after.status.readyReplicas).toBeGreaterThanOrEqual(after.spec.replicas);
    await eventually(
      60,
      "only new pods are left",
      deployment,
      ({ spec, status }) => status.readyReplicas === spec.replicas && status.updatedReplicas === spec.replicas,
    );
    // The function's own config has changed, so its pods are new; nothing else is.
    expect(stderr).toMatch(/stack: .*1 updated/);
    expect(after.spec.template).not.toEqual(scaled.spec.template);
    const changed = Object.entries(await wishes()).filter(([name, wish]) => before[name] !== wish);
    expect(changed.map(([name]) => name.replace(/-[0-9a-f]{10}$/, "")).sort()).toEqual([
      `ConfigMap ${FUNCTION}-config`,
      `Deployment ${FUNCTION}`,
    ]);
  });

  it("rolls no pod when only bounds change", async () => {
    const before = await revisions();
    stack.configure("functions", functionConfig({ maxConcurrentRequests: 900, disruption: { maxUnavailable: "20%" } }));
    const { stderr } = await stack.ok("up");
    expect(stderr).toMatch(/updated PodDisruptionBudget/);
    expect(stderr).toMatch(/stack: 1 updated/);
    expect(await revisions()).toEqual(before);
  });

  it("repairs what other hands changed, by refresh and up", async () => {
    await stack.kubectl([
      "-n",
      NAMESPACE,
      "patch",
      "hpa",
      `${FUNCTION}-hpa`,
      "--type=merge",
      "-p",
      '{"spec":{"maxReplicas":4000}}',
    ]);
    await stack.kubectl(["-n", NAMESPACE, "delete", "pdb", FUNCTION]);
    await stack.ok("refresh");
    const { stderr } = await stack.ok("up");
    expect(stderr).toMatch(/created PodDisruptionBudget/);
    expect(stderr).toMatch(/updated HorizontalPodAutoscaler/);
    expect((await stack.get("hpa", `${FUNCTION}-hpa`, "-n", NAMESPACE)).spec["maxReplicas"]).toBe(5000);
    expect((await stack.get("pdb", FUNCTION, "-n", NAMESPACE)).spec["maxUnavailable"]).toBe("20%");
    expect((await stack.ok("up")).stderr).toMatch(/stack: 0 changes/);
  });

  it("recovers every process of the control plane after kill -9", async () => {
    const before = stack.processes();
    await stack.kill();
    expect((await stack.ok("status")).stdout).toMatch(/etcd +stopped/);
    const { stderr } = await stack.ok("up");
    expect(stderr).toMatch(/stack: 0 changes/);
    expect(
      stack
        .processes()
        .map((p) => p.name)
        .sort(),
    ).toEqual(before.map((p) => p.name).sort());
  });

  it("recovers one killed process without touching the others", async () => {
    const before = stack.processes();
    await stack.kill("kube-scheduler");
    const { stderr } = await stack.ok("up");
    expect(stderr).toMatch(/cluster: /);
    const after = stack.processes();
    const kept = before.filter((old) => after.some((now) => now.pid === old.pid)).map((old) => old.name);
    expect(kept.sort()).toEqual(
      before
        .map((p) => p.name)
        .filter((name) => name !== "kube-scheduler")
        .sort(),
    );
  });

  it("goes on after the engine was killed in the middle of an update, with nothing lost", async () => {
    const before = Object.keys(await wishes()).sort();
    stack.configure("functions", functionConfig({ image: "registry.example.com/serverless-function:1.1.0" }));
    const update = stack.start("up");
    await eventually(60, "the new pods start", replicaSets, (count) => count >= 3);
    await stack.kill("pulumi");
    update.child.kill("SIGKILL");
    await update.outcome;

    await stack.ok("up");
    expect((await stack.ok("up")).stderr).toMatch(/stack: 0 changes/);
    expect(
      Object.keys(await wishes())
        .filter((name) => !name.startsWith("ConfigMap"))
        .sort(),
    ).toEqual(before.filter((name) => !name.startsWith("ConfigMap")));
    expect(JSON.stringify((await deployment()).spec.template)).toContain("serverless-function:1.1.0");
  });

  it("stops cleanly on SIGINT and goes on from there", async () => {
    stack.configure("functions", functionConfig({ image: "registry.example.com/serverless-function:1.2.0" }));
    const update = stack.start("up");
    await update.until(/stack: asking the engine/);
    await eventually(60, "the new pods start", replicaSets, (count) => count >= 4);
    update.child.kill("SIGINT");
    const { code, stderr } = await update.outcome;
    expect(stderr).toMatch(/Stopping: what is under way is finished first/);
    expect(code).toBe(130);
    await stack.ok("up");
    expect((await stack.ok("up")).stderr).toMatch(/stack: 0 changes/);
  });

  it("lets only one of two commands work at a time", async () => {
    const both = await Promise.all([stack.ok("up"), stack.ok("up")]);
    expect(both.filter(({ stderr }) => stderr.includes("Waiting for another command on this stack"))).toHaveLength(1);
    for (const { stderr } of both) expect(stderr).toMatch(/stack: 0 changes/);
  });

  it("asks for a protected stack's name before it deletes anything", async () => {
    stack.configure("platform", { environment: "local", protect: true });
    // One that somebody else would keep: nothing reads it here.
    stack.configure("gateway", { tls: { kind: "certificate" } });
    await stack.ok("up");
    for (const input of ["", "prod\n"]) {
      const { code, stderr } = await stack.start("down", "local", {}, input).outcome;
      expect(code).toBe(1);
      expect(stderr).toMatch(/Nothing was deleted:\n {2}- STACK: (no answer|prod): is not local/);
    }
    expect((await deployment()).status.readyReplicas).toBeGreaterThan(0);
  });

  it("leaves nothing when it goes down: no object, no process, no file", async () => {
    const { code, stderr } = await stack.start("down", "local", {}, "local\n").outcome;
    expect(code).toBe(0);
    expect(stderr).toMatch(/stack: \d+ deleted/);
    expect(stack.processes()).toEqual([]);
    expect(stack.homeEntries()).toEqual([]);
    expect(stack.userHomeEntries()).toEqual([]);
  });

  it("goes down again without complaint", async () => {
    stack.configure("platform", { environment: "local" });
    await stack.ok("down");
    expect(stack.homeEntries()).toEqual([]);
  });
});

async function replicaSets(): Promise<number> {
  return (await stack.get<KubernetesList>("replicasets", "-n", NAMESPACE)).items.length;
}
