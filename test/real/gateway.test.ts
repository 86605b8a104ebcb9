import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connect } from "node:tls";
import { CommandError, run } from "../../local/run";
import { eventually } from "../support/local-stack";
import { GatewayClient } from "../support/gateway/client";
import { makeCertificate } from "../support/gateway/loopback";
import type { LoadResult } from "../support/load";
import { CANNOT_RUN, KEPT_CONNECTIONS, NAMESPACE, RealStack, type Pod, type SteadyLoad } from "../support/real-stack";

/** As many users as keep a steady load below each one's budget. */
const USERS = 10;
const GATEWAY = "gateway";

/** The whole way of a request in pods: client, Traefik, authorizer, WebAssembly function, behind enforced policies. */
describe.skipIf(CANNOT_RUN)("requests through the gateway on a real node", () => {
  let stack: RealStack;
  let client: GatewayClient;
  let tokens: string[];
  beforeAll(async () => {
    stack = new RealStack();
    stack.configureFunction({ scaling: { min: 2, initial: 2, max: 8, down: { stabilization: "10m" } } });
    configureGateway({ accessLog: "all" });
    await stack.ok("up", "real");
    client = new GatewayClient(stack.gatewayAddress, { http: 30_080, https: 30_443 });
    tokens = await Promise.all(Array.from({ length: USERS }, (_, user) => stack.token(`user-${user}`)));
  });
  afterAll(async () => {
    client.close();
    await stack.end();
  });

  const configureGateway = (changes: object) =>
    stack.configure("gateway", { ...(stack.section("gateway") as object), ...changes }, "real");
  const routes = () => stack.section("routes") as object[];
  const podsOf = async (name: string) =>
    (await stack.pods(GATEWAY)).filter(({ metadata }) => metadata.name.startsWith(`${name}-`));
  const names = (pods: readonly Pod[]) => pods.map(({ metadata }) => metadata.name).sort();
  const isReady = ({ status, metadata }: Pod) =>
    metadata.deletionTimestamp === undefined &&
    status.conditions?.some(({ type, status }) => type === "Ready" && status === "True") === true;

  /** What a steady load through the gateway sees while something happens. */
  async function during(work: (load: SteadyLoad) => Promise<void>): Promise<LoadResult> {
    const load = await stack.gatewayLoad("/api/function", 40, tokens);
    await work(load);
    return load.stop();
  }
  const expectAll200 = (result: LoadResult) => {
    expect(result.failures).toEqual({});
    expect(result.statuses).toEqual({ "200": result.sent });
    expect(result.sent).toBeGreaterThan(100);
    // One for each kept connection and each of two pods of the gateway, where both go.
    expect(result.retried).toBeLessThanOrEqual(2 * KEPT_CONNECTIONS);
  };
  /** As the drain of a node does: the budget is asked. */
  const evict = (pod: Pod) =>
    stack.kubectl(["create", "--raw", `/api/v1/namespaces/${GATEWAY}/pods/${pod.metadata.name}/eviction`, "-f", "-"], {
      input: JSON.stringify({
        apiVersion: "policy/v1",
        kind: "Eviction",
        metadata: { name: pod.metadata.name, namespace: GATEWAY },
      }),
    });
  const settled = (name: string, before: readonly string[], count = 2) =>
    eventually(
      120,
      `${name} has only new pods`,
      () => podsOf(name),
      (pods) => pods.length === count && pods.every((pod) => isReady(pod) && !before.includes(pod.metadata.name)),
    );

  it("reach the function by method, path and role, and with a valid token alone", async () => {
    const status = async (method: string, path: string, token?: string) =>
      (await client.ask({ method, path, ...(token !== undefined && { token }) })).status;
    const [user, guest] = [await stack.token("alice"), await stack.token("bob", "guest")];
    const quote = await client.ask({
      token: user,
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ items: [{ sku: "tea", quantity: 3, unit_price_cents: 450 }] }),
    });
    expect(quote.status).toBe(200);
    expect(JSON.parse(quote.body)).toMatchObject({ total_cents: 1350 });
    expect(await status("GET", "/api/function", user)).toBe(200);
    expect(await status("DELETE", "/api/function", user)).toBe(403);
    expect(await status("GET", "/api/function", guest)).toBe(403);
    expect(await status("GET", "/api/function/", user)).toBe(404);
    expect(await status("GET", "/healthz", user)).toBe(404);
    expect(await status("GET", "/api/function")).toBe(401);
    expect(await status("GET", "/api/function", `${user}x`)).toBe(401);
    const short = await stack.token("alice", "user", "1s");
    await new Promise((passed) => setTimeout(passed, 7000));
    expect(await status("GET", "/api/function", short)).toBe(401);
  });

  it("of one user are limited across the authorizer's replicas, and nobody else's with them", async () => {
    const greedy = await stack.token("greedy");
    const answers = await Promise.all(Array.from({ length: 400 }, () => client.ask({ method: "GET", token: greedy })));
    const passed = answers.filter(({ status }) => status === 200).length;
    const refused = answers.filter(({ status }) => status === 429);
    // 200 at once, and 100 more in each second that the burst takes.
    expect(passed).toBeGreaterThan(100);
    expect(refused.length).toBeGreaterThan(10);
    expect(passed + refused.length).toBe(400);
    expect(Number(refused[0]?.headers["retry-after"])).toBeGreaterThanOrEqual(1);
    expect((await client.ask({ method: "GET", token: tokens[0]! })).status).toBe(200);
  });

  it("spread over all pods after a scale-out, also of clients that keep their connections", async () => {
    const result = await during(async () => {
      stack.configureFunction({ scaling: { min: 6, initial: 6, max: 8, down: { stabilization: "10m" } } });
      await stack.ok("up", "real");
      await eventually(
        60,
        "six pods are ready",
        () => stack.readyPods(),
        (pods) => pods.length === 6,
      );
      await new Promise((passed) => setTimeout(passed, 10_000));
    });
    expectAll200(result);
    const ready = (await stack.readyPods()).map(({ status }) => status.podIP);
    const logs = await Promise.all(
      (await podsOf("gateway")).map(({ metadata }) =>
        stack.kubectl(["logs", "-n", GATEWAY, metadata.name, "-c", "traefik", "--since=9s"]),
      ),
    );
    const counts = new Map<string, number>();
    for (const [, ip = ""] of logs.join("\n").matchAll(/"ServiceAddr":"([\d.]+):8080"/g)) {
      counts.set(ip, (counts.get(ip) ?? 0) + 1);
    }
    const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
    expect([...counts.keys()].sort()).toEqual([...ready].sort());
    // An even share of each is a sixth.
    for (const count of counts.values()) expect(count / total).toBeGreaterThan(0.1);
  });

  it("go on when a pod of the function is killed, and none comes to it after 10 s", async () => {
    const [victim] = await stack.readyPods();
    const result = await during(async () => {
      await stack.kubectl(["delete", "pod", victim!.metadata.name, "-n", NAMESPACE, "--force", "--grace-period=0"]);
      await new Promise((passed) => setTimeout(passed, 12_000));
    });
    expectAll200(result);
    const logs = await stack.kubectl([
      "logs",
      "-n",
      GATEWAY,
      "-l",
      "app.kubernetes.io/component=gateway",
      "-c",
      "traefik",
      "--since=2s",
      "--tail=-1",
    ]);
    expect(logs).toContain("ServiceAddr");
    expect(logs).not.toContain(`"${victim!.status.podIP}:8080"`);
  });

  it("take over a new route while they go on, without a new pod of the gateway", async () => {
    const before = names(await podsOf("gateway"));
    const token = tokens[0]!;
    const result = await during(async () => {
      stack.configure("routes", [...routes(), { path: "/readyz", methods: ["GET"] }], "real");
      await stack.ok("up", "real");
      await eventually(
        10,
        "the new route serves",
        () => client.ask({ method: "GET", path: "/readyz", token }),
        ({ status }) => status === 200,
      );
    });
    expectAll200(result);
    expect(names(await podsOf("gateway"))).toEqual(before);
  });

  it("take over a changed policy without a failed one: the authorizer rolls", async () => {
    const before = names(await podsOf("authorizer"));
    const admin = await stack.token("carol", "admin");
    expect((await client.ask({ method: "GET", token: admin })).status).toBe(403);
    const result = await during(async () => {
      const [first, ...others] = routes();
      stack.configure("routes", [{ ...first, roles: ["user", "admin"] }, ...others], "real");
      await stack.ok("up", "real");
      await settled("authorizer", before);
    });
    expectAll200(result);
    expect((await client.ask({ method: "GET", token: admin })).status).toBe(200);
  });

  it("go on while pods of gateway and authorizer are evicted, as the drain of a node does", async () => {
    const result = await during(async () => {
      for (const name of ["authorizer", "gateway"]) {
        for (const pod of await podsOf(name)) {
          await evict(pod);
          await eventually(
            90,
            `another ${name} is ready`,
            () => podsOf(name),
            (pods) => pods.filter(isReady).length === 2,
          );
        }
      }
    });
    expectAll200(result);
  });

  it("go on while the gateway itself rolls", async () => {
    const before = names(await podsOf("gateway"));
    const result = await during(async () => {
      configureGateway({ accessLog: "errors" });
      await stack.ok("up", "real");
      await settled("gateway", before);
    });
    expectAll200(result);
  });

  it("are let through by nobody while there is no authorizer", async () => {
    const scale = (replicas: number) =>
      stack.kubectl(["scale", "deployment/authorizer", "-n", GATEWAY, `--replicas=${replicas}`]);
    await stack.kubectl(["delete", "hpa", "authorizer", "-n", GATEWAY]);
    await scale(0);
    await eventually(
      60,
      "no authorizer is left",
      () => podsOf("authorizer"),
      (pods) => pods.length === 0,
    );
    expect((await client.ask({ method: "GET", token: tokens[0]! })).status).toBeGreaterThanOrEqual(500);
    await scale(2);
    await eventually(
      60,
      "requests are served again",
      () => client.ask({ method: "GET", token: tokens[0]! }),
      ({ status }) => status === 200,
    );
  });

  it("are served with the certificate that the stack names, and with the next one without a new pod", async () => {
    const put = async (name: string) => {
      const { cert, key } = makeCertificate(stack.paths.root, name, name);
      const secret = await stack.kubectl([
        "create",
        "secret",
        "tls",
        "gateway-tls",
        "-n",
        GATEWAY,
        `--cert=${cert}`,
        `--key=${key}`,
        "--dry-run=client",
        "-o",
        "yaml",
      ]);
      await stack.kubectl(["apply", "--server-side", "-f", "-"], { input: secret });
    };
    await put("one.example.com");
    configureGateway({ tls: { kind: "certificate" } });
    await stack.ok("up", "real");
    expect(await servedName()).toBe("one.example.com");
    await settled("gateway", []);
    const before = names(await podsOf("gateway"));
    await put("two.example.com");
    // The kubelet brings a changed secret to its pods within a minute or so.
    await eventually(150, "the next certificate is served", servedName, (name) => name === "two.example.com");
    expect(names(await podsOf("gateway"))).toEqual(before);
  });

  function servedName(): Promise<string> {
    return new Promise((done, failed) => {
      const socket = connect({ host: stack.gatewayAddress, port: 30_443, rejectUnauthorized: false }, () => {
        const { CN = "" } = socket.getPeerCertificate().subject;
        socket.destroy();
        done(String(CN));
      });
      socket.once("error", failed);
    });
  }

  it("cannot go round the gateway: from another pod the network lets nothing through to function or authorizer", async () => {
    // The gateway's own pods are let through; what is shown here is that a pod beside them is not.
    const [fn] = await stack.readyPods();
    const [authorizer] = await podsOf("authorizer");
    const policies = await stack.get<{ items: { metadata: { name: string } }[] }>("networkpolicies", "-n", GATEWAY);
    expect(policies.items.map(({ metadata }) => metadata.name).sort()).toEqual([
      "allow-dns",
      "authorizer-from-gateway",
      "default-deny",
      "gateway-from-anywhere",
      "gateway-to-upstreams",
    ]);
    // CoreDNS's network is that of a pod like any other.
    const [dns] = (await stack.pods("kube-system")).filter(({ metadata }) => metadata.name.startsWith("coredns"));
    const inDns = (url: string) => fromPod(dns!, url);
    expect(await inDns("http://127.0.0.1:8080/health")).toBe("200");
    expect(await inDns(`http://${fn?.status.podIP ?? ""}:8080/api/function`)).toBe("no answer");
    expect(await inDns(`http://${authorizer?.status.podIP ?? ""}:9000/`)).toBe("no answer");
  });

  /** The status that curl, in the network of a pod, gets. */
  async function fromPod(pod: Pod, url: string): Promise<string> {
    const id = (pod.status.containerStatuses?.[0]?.containerID ?? "").replace("containerd://", "");
    const socket = "--address=/run/k3s/containerd/containerd.sock";
    const tasks = await stack.inside("ctr", socket, "-n", "k8s.io", "tasks", "ls");
    const pid = new RegExp(`^${id}\\s+(\\d+)`, "m").exec(tasks)?.[1] ?? "no process";
    // The process as the node numbers it, seen through the node's own /proc.
    const network = `/proc/${stack.machine.init}/root/proc/${pid}/ns/net`;
    const curl = ["curl", "-s", "-o", "/dev/null", "--max-time", "3", "-w", "%{http_code}", url];
    return run("nsenter", [`--net=${network}`, "--", ...curl]).catch((error: unknown) => {
      // Refused, unreachable, or silence: anything else is a fault of the test.
      if (error instanceof CommandError && /^failed with code (?:7|28)$/.test(error.how)) return "no answer";
      throw error;
    });
  }
});
