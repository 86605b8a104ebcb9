import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { selectorLabels } from "../../components/labels";
import { RESTRICTED_CONTAINER, RESTRICTED_POD } from "../../components/security";
import { architecture, LAYOUT_TAG, type ReadyImage } from "../../local/images/assemble";
import { writeLayout } from "../../local/images/layout";
import { apply } from "../../local/control-plane/kubectl";
import { planLink } from "../../local/node/network";
import { pushImages } from "../../local/node/node";
import { ensureRootFs } from "../../local/node/root-fs";
import { silentProgress } from "../../local/progress";
import { Database } from "../support/database";
import { eventually } from "../support/local-stack";
import { CANNOT_RUN, FUNCTION, NAMESPACE, RealStack, type Pod } from "../support/real-stack";
import { trapImage } from "../support/trap-image";

/** What keeps functions apart from each other, from strangers and from a node's drain, and what they depend on. */
describe.skipIf(CANNOT_RUN)("a function on a real node", () => {
  let stack: RealStack;
  let database: Database | undefined;
  let testRoot: string;
  beforeAll(async () => {
    stack = new RealStack();
    // Two pods, whatever CPU they use: connecting to a database alone is more than the autoscaler's target.
    stack.configureFunction({ scaling: { min: 2, initial: 2, max: 2 } });
    const options = { paths: stack.paths, progress: silentProgress };
    await stack.ok("up", "real");
    testRoot = await ensureRootFs("test", options);
    database = new Database(testRoot, join(stack.root, "database"), hostAddress());
  });
  afterAll(async () => {
    await database?.kill();
    await stack.end();
  });

  const hostAddress = () => planLink(stack.places.folder, []).host;
  const readyPods = () => stack.readyPods();
  const events = async (reason: string, namespace = NAMESPACE) =>
    (
      await stack.get<{ items: readonly { message: string }[] }>(
        "events",
        "-n",
        namespace,
        "--field-selector",
        `reason=${reason}`,
      )
    ).items.map(({ message }) => message);

  async function busyboxImage(): Promise<ReadyImage> {
    const folder = join(stack.root, "images", "busybox");
    mkdirSync(folder, { recursive: true });
    const files = [{ path: "/busybox", content: readFileSync(join(testRoot, "usr/bin/busybox")) }];
    const image = { files, entrypoint: ["/busybox"], user: "65532:65532", architecture: architecture(), labels: {} };
    const layout = await writeLayout(folder, [image], LAYOUT_TAG);
    return {
      reference: `registry.example.com/busybox@${layout.digest}`,
      source: "Debian's busybox-static",
      folder,
      ...layout,
    };
  }

  /** A Linux container that waits, in a namespace of its own, to be told what to do. */
  async function startClient(
    namespace: string,
    name: string,
    image: string,
  ): Promise<(...command: string[]) => Promise<string>> {
    await apply(stack.kubectl, [
      { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } },
      {
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name: "client", namespace, labels: selectorLabels({ name, component: "gateway" }) },
        spec: {
          terminationGracePeriodSeconds: 0,
          // As the gateway's own namespace asks of every pod, and CPU is short where the whole platform runs.
          securityContext: RESTRICTED_POD,
          containers: [{ name: "client", image, args: ["sleep", "3600"], securityContext: RESTRICTED_CONTAINER }],
        },
      },
    ]);
    await stack.kubectl(["wait", "-n", namespace, "--for=condition=Ready", "pod/client", "--timeout=60s"], {
      timeout: 70_000,
    });
    return (...command) => stack.kubectl(["exec", "-n", namespace, "client", "--", "/busybox", ...command]);
  }

  it("is reached from the gateway, by name, and from nowhere else", async () => {
    const image = await busyboxImage();
    await pushImages(stack.machine, stack.places.folder, [image]);
    const gateway = await startClient("gateway", "traefik", image.reference);
    const stranger = await startClient("stranger", "traefik", image.reference);
    const impostor = await startClient("impostor", "function", image.reference);
    const url = `http://${FUNCTION}.${NAMESPACE}.svc.cluster.local/readyz`;
    expect(await gateway("wget", "-T", "3", "-qO-", url)).toContain("ready");
    await expect(stranger("wget", "-T", "3", "-qO-", url)).rejects.toThrow(/timed out|refused/);
    await expect(impostor("wget", "-T", "3", "-qO-", url)).rejects.toThrow(/timed out|refused/);
    // Draining is the business of the node's kubelet alone, which is answered at that port.
    const ip = (await readyPods())[0]?.status.podIP ?? "";
    const status = ["-s", "-o", "/dev/null", "-w", "%{http_code}"];
    expect(await stack.inNetwork("curl", ...status, `http://${ip}:8081/elsewhere`)).toBe("404");
    await expect(gateway("wget", "-T", "3", "-qO-", `http://${ip}:8081/drain`)).rejects.toThrow(/timed out|refused/);
  });

  it("keeps orders in its database, which is all that it may reach", async () => {
    await database?.create();
    database?.start();
    await stack.kubectl([
      "create",
      "secret",
      "generic",
      "orders",
      "-n",
      NAMESPACE,
      `--from-literal=url=${database?.url}`,
    ]);
    const addresses = [`${hostAddress()}/32`];
    stack.configureFunction({
      database: { addresses, port: 5432, secretName: "orders" },
      rollout: { progressDeadline: "60s" },
    });
    await stack.ok("up", "real");
    await eventually(
      60,
      "only new pods are left",
      () => stack.pods(),
      (pods) => pods.length === 2,
    );
    const order = JSON.stringify({ items: [{ sku: "tea", quantity: 3, unit_price_cents: 450 }] });
    const stored = await stack.call("/api/orders", "-d", order);
    expect(stored.status).toBe(201);
    const { id } = JSON.parse(stored.body) as { id: number };
    expect(JSON.parse((await stack.call(`/api/orders/${id}`)).body)).toMatchObject({ id, total_cents: 1350 });

    const policy = `${FUNCTION}-to-database`;
    const patch = (cidr: string) =>
      stack.kubectl([
        "patch",
        "networkpolicy",
        policy,
        "-n",
        NAMESPACE,
        "--type=json",
        "-p",
        JSON.stringify([{ op: "replace", path: "/spec/egress/0/to/0/ipBlock/cidr", value: cidr }]),
      ]);
    await patch("192.0.2.1/32");
    // The policy's controller takes a moment to put it in force.
    await eventually(
      30,
      "the policy is in force",
      () => stack.inside("ipset", "save"),
      (sets) => sets.includes("192.0.2.1"),
    );
    // Connections that are there stay: with the database started anew, new ones have to be made.
    const ip = (await stack.readyPods())[0]?.status.podIP;
    await database?.kill();
    database?.start();
    const ready = () =>
      stack
        .inNetwork("curl", "-s", "--max-time", "5", `http://${ip}:8080/readyz`)
        .catch((error: unknown) => String(error));
    await new Promise((settled) => setTimeout(settled, 8000));
    expect(await ready()).toContain("the database is down");
    await patch(addresses[0] ?? "");
    await eventually(60, "both are ready again", readyPods, (pods) => pods.length === 2);
  });

  it("answers 503 while its database is down, and recovers by itself", async () => {
    const pods = await readyPods();
    const url = `http://${pods[0]?.status.podIP}:8080/api/orders/1`;
    const ask = () => stack.inNetwork("curl", "-s", "--max-time", "10", "-D", "-", "-o", "/dev/null", url);
    await database?.kill();
    const down = await eventually(30, "503", ask, (answer) => answer.startsWith("HTTP/1.1 503"));
    expect(down.toLowerCase()).toContain("retry-after:");
    // What needs no database is answered all the same.
    expect(await stack.inNetwork("curl", "-s", url.replace("/orders/1", "/function"))).toContain("checkout");
    await eventually(30, "it takes itself out of the Service", readyPods, (ready) => ready.length === 0);
    database?.start();
    await eventually(30, "it is ready again", readyPods, (ready) => ready.length === 2);
    expect((await stack.call("/api/orders/1")).status).toBe(200);
    // A busy function is not restarted for it.
    expect((await stack.pods()).map(({ status }) => status.containerStatuses?.[0]?.restartCount)).toEqual([0, 0]);
  });

  it("does not lose all pods to a drain", async () => {
    const pods = (await readyPods()).map(({ metadata }) => metadata.name);
    const evict = (name: string) =>
      stack.kubectl(["create", "--raw", `/api/v1/namespaces/${NAMESPACE}/pods/${name}/eviction`, "-f", "-"], {
        input: JSON.stringify({ apiVersion: "policy/v1", kind: "Eviction", metadata: { name, namespace: NAMESPACE } }),
      });
    await evict(pods[0] ?? "");
    await expect(evict(pods[1] ?? "")).rejects.toThrow(/disruption budget/);
    await eventually(60, "the evicted pod is replaced", readyPods, (ready) => ready.length === 2);
  });

  it("is unharmed by a neighbour that takes more memory than it may", async () => {
    const greedy = await trapImage(stack.root, "greedy");
    await pushImages(stack.machine, stack.places.folder, [greedy]);
    const load = await stack.load("/api/function", 20);
    await apply(stack.kubectl, [neighbour("greedy", greedy.reference)]);
    const killed = async () =>
      (await stack.get<Pod>("pod", "greedy", "-n", NAMESPACE)).status.containerStatuses?.map(
        ({ state, lastState }) => (state["terminated"] ?? lastState["terminated"])?.exitCode,
      );
    await eventually(60, "the kernel ends it", killed, (codes) => codes?.[0] !== undefined);
    // By SIGKILL. (The shim does not tell the kubelet that it was for memory.)
    expect(await killed()).toEqual([137]);
    const result = await load.stop();
    await stack.kubectl(["delete", "pod", "greedy", "-n", NAMESPACE, "--grace-period=0", "--force"]);
    expect(result.failures).toEqual({});
    expect(result.statuses).toEqual({ "200": result.sent });
    expect((await stack.pods()).map(({ status }) => status.containerStatuses?.[0]?.restartCount)).toEqual([0, 0]);
  });

  it("cannot be crowded out beyond its tenant's quota", async () => {
    const pod = neighbour("crowd", "registry.example.com/none:1");
    await apply(stack.kubectl, [
      {
        apiVersion: "apps/v1",
        kind: "Deployment",
        metadata: { name: "crowd", namespace: NAMESPACE },
        spec: {
          replicas: 150,
          selector: { matchLabels: { app: "crowd" } },
          // Never placed: what is asked for counts, not what runs.
          template: {
            metadata: { labels: { app: "crowd" } },
            spec: { ...pod.spec, restartPolicy: "Always", nodeSelector: { nowhere: "true" } },
          },
        },
      },
    ]);
    const refused = await eventually(
      60,
      "an event says so",
      () => events("FailedCreate"),
      (found) => found.length > 0,
    );
    await stack.kubectl(["delete", "deployment", "crowd", "-n", NAMESPACE]);
    expect(refused[0]).toMatch(/exceeded quota: tenant-quota/);
  });

  function neighbour(name: string, image: string) {
    return {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name, namespace: NAMESPACE },
      spec: {
        runtimeClassName: "wasmedge",
        restartPolicy: "Never",
        terminationGracePeriodSeconds: 0,
        securityContext: { runAsNonRoot: true, runAsUser: 65532, seccompProfile: { type: "RuntimeDefault" } },
        containers: [
          {
            name,
            image,
            resources: { requests: { cpu: "10m", memory: "32Mi" }, limits: { cpu: "100m", memory: "64Mi" } },
            securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
          },
        ],
      },
    };
  }
});
