import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CONFIG_DIR, CONFIG_FILE, functionConfig } from "../../components/functions/function-config";
import { assembleImage, type ReadyImage } from "../../local/images/assemble";
import { buildFunction } from "../../local/images/function";
import { K3S_IMAGES } from "../../local/images/table";
import { eventually } from "../support/local-stack";
import { ClusterByHand } from "../support/hosts/by-hand";
import { bootHosts, CANNOT_RUN, hostTools, leftovers, type Host, type Hosts } from "../support/hosts/hosts";
import { hostParts, publishK3s, publishShim, type Published } from "../support/hosts/releases";
import { serve, type HostServer } from "../support/hosts/server";

const VERSION = "v1.30.4+k3s1";
const SERVER_TOKEN = "the-token-of-servers";
const AGENT_TOKEN = "the-token-of-agents";
const CONTAINERD_CONFIG = "/var/lib/rancher/k3s/agent/etc/containerd/config.toml";

/**
 * That the stand-in for K3s keeps to what a program that installs K3s relies on; each step finds what the one before has
 * left, as on hosts that are set up once.
 */
describe.skipIf(CANNOT_RUN)("the stand-in for K3s, installed by hand on two hosts", () => {
  let folder: string;
  let hosts: Hosts;
  let downloads: HostServer;
  let shim: Published;
  let cluster: ClusterByHand;
  let server: Host;
  let agent: Host;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "hosts-"));
    const options = hostTools();
    const images: ReadyImage[] = [await buildFunction("checkout", options)];
    for (const image of K3S_IMAGES) images.push(await assembleImage(image, options));
    await publishK3s(folder, VERSION);
    shim = await publishShim(folder, "v0.6.0", options);
    hosts = await bootHosts([{ name: "server-1" }, { name: "agent-1" }], {
      mounts: await hostParts(options),
    });
    [server, agent] = [hosts.get("server-1"), hosts.get("agent-1")];
    downloads = await serve(hosts.machine, folder, images);
    cluster = new ClusterByHand(downloads, [server], [agent], VERSION);
  });
  afterAll(async () => {
    await downloads.close();
    await hosts.stop();
    rmSync(folder, { recursive: true });
    expect(await leftovers()).toEqual([]);
  });

  const kubectl = (command: string) => server.run(`k3s kubectl ${command}`);
  const journal = (host: Host, unit: string) => host.run(`journalctl -u ${unit} -o cat --no-pager`);
  const nodes = async () => (await kubectl("get nodes --no-headers")).trim().split("\n").sort();
  const address = async (pod: string) => (await kubectl(`get pod ${pod} -o jsonpath={.status.podIP}`)).trim();
  const apply = (objects: readonly object[]) =>
    server.run("k3s kubectl apply -f -", {
      input: JSON.stringify({ apiVersion: "v1", kind: "List", items: objects }),
    });
  const untilReady = (name: string) =>
    eventually(90, `${name} is ready`, nodes, (lines) =>
      lines.some((line) => line.startsWith(`${name} `) && / Ready /.test(line)),
    );

  it("says what it is", async () => {
    await server.ssh(`curl -fsS -o /tmp/k3s ${downloads.url}/k3s/v1.30.4%2Bk3s1/k3s && chmod 755 /tmp/k3s`);
    expect(await server.ssh("/tmp/k3s --version")).toBe(
      "k3s version v1.30.4+k3s1 (stand-in: starts the real Kubernetes parts)\n",
    );
  });

  it.each([
    ["a key that K3s does not have", { "no-such-key": true }, "no-such-key: flag provided but not defined"],
    [
      "a flag that the API server refuses",
      { "kube-apiserver-arg": ["no-such-flag=1"] },
      "unknown flag: --no-such-flag",
    ],
    ["a value that the API server refuses", { "kube-apiserver-arg": ["max-requests-inflight=many"] }, "invalid syntax"],
    ["a token file that is not there", { "token-file": "/nowhere" }, "token-file: ENOENT"],
  ])("does not start with %s, and its journal ends with the reason", async (_, changes, reason) => {
    await expect(cluster.install("server", server, tokens(), changes)).rejects.toThrow(/control process exited/);
    const log = (await journal(server, "k3s")).split("\n").filter((line) => line.startsWith("time="));
    expect(log.at(-1)).toContain("level=fatal");
    expect(log.at(-1)).toContain(reason);
    await server.ssh("systemctl stop k3s; rm -rf /var/lib/rancher/k3s /etc/rancher/k3s");
  });

  it("makes a cluster, of which the server is a node, with its files as K3s has them", async () => {
    await cluster.install("server", server, tokens());
    expect(await server.run("systemctl is-active k3s")).toBe("active\n");
    await untilReady("server-1");
    expect((await nodes())[0]).toMatch(/^server-1 +Ready +control-plane,etcd,master .*v1\.30\.4/);
    expect(await server.run("stat -c %a /etc/rancher/k3s/k3s.yaml /var/lib/rancher/k3s/server/token")).toBe(
      "600\n600\n",
    );
    const authority = (await server.run("sha256sum </var/lib/rancher/k3s/server/tls/server-ca.crt")).split(" ")[0];
    expect(await server.run("cat /var/lib/rancher/k3s/server/node-token")).toBe(
      `K10${authority}::server:${SERVER_TOKEN}\n`,
    );
    expect(await server.run("cat /var/lib/rancher/k3s/server/agent-token")).toBe(
      `K10${authority}::node:${AGENT_TOKEN}\n`,
    );
    // Its own RuntimeClasses are off, since the config disables them.
    expect(await kubectl("get runtimeclasses -o name")).toBe("");
    await kubectl("create secret generic hidden --from-literal=key=plain-to-read");
    expect(await server.run("grep -c plain-to-read -r /var/lib/rancher/k3s/server/db || true")).not.toMatch(/:[1-9]/);
  });

  it("takes snapshots of etcd", async () => {
    await server.run("k3s etcd-snapshot save --name before");
    expect(await server.run("k3s etcd-snapshot ls")).toMatch(
      /^before-server-1-\d+\tfile:\/\/\/var\/lib\/rancher.*\t\d{6,}\t/m,
    );
  });

  it.each([
    ["another token", () => "K10::node:wrong", "401 Unauthorized"],
    ["the token of another cluster", () => `K10${"0".repeat(64)}::node:${AGENT_TOKEN}`, "token CA hash does not match"],
  ])("lets no agent in with %s, and says so for as long as it asks", async (_, token, reason) => {
    await cluster.install("agent", agent, { token: token() });
    const log = await eventually(
      20,
      "it says why",
      () => journal(agent, "k3s-agent"),
      (text) => text.includes(reason),
    );
    expect(log).toContain("Failed to validate connection to cluster at https://");
    expect(await agent.run("pgrep -c kubelet || true")).toBe("0\n");
    expect(await nodes()).toHaveLength(1);
    await agent.ssh("systemctl stop k3s-agent");
  });

  it("lets an agent in with the token, and without the shim gives it no runtime for it", async () => {
    await cluster.install("agent", agent, { token: await agentToken() });
    await untilReady("agent-1");
    const config = await agent.run(`cat ${CONTAINERD_CONFIG}`);
    expect(config).toContain("SystemdCgroup = true");
    expect(config).not.toContain("wasmedge");
    expect(await kubectl("get node agent-1 -o jsonpath={.metadata.labels}")).toContain('"wasm-functions.dev/');
  });

  it("sees a shim that came later once it starts again, and then runs a function", async () => {
    await cluster.installShim(agent, shim.path);
    expect(await agent.run(`grep -c wasmedge ${CONTAINERD_CONFIG} || true`)).toBe("0\n");
    await agent.ssh("systemctl restart k3s-agent");
    await eventually(
      20,
      "it writes the runtime down",
      () => agent.run(`cat ${CONTAINERD_CONFIG}`),
      (text) => text.includes('runtimes."wasmedge"]'),
    );
    await untilReady("agent-1");
    await apply([
      { apiVersion: "node.k8s.io/v1", kind: "RuntimeClass", metadata: { name: "wasmedge" }, handler: "wasmedge" },
    ]);
    await apply(sampleFunction(cluster));
    await kubectl("wait --for=condition=Ready pod/checkout --timeout=60s");
    // From the other host: by a route between them, and by a Service and DNS.
    const answer = await server.run(`curl -sS --max-time 5 http://${await address("checkout")}:8080/api/function`);
    expect(JSON.parse(answer)).toMatchObject({ name: "checkout" });
    const service = (await kubectl("get service checkout -o jsonpath={.spec.clusterIP}")).trim();
    // kube-proxy hears of a ready pod a moment later.
    for (const host of [server, agent]) {
      const ask = () => host.run(`curl -sS --max-time 5 http://${service}/api/function`).catch(String);
      await eventually(10, "the Service answers", ask, (text) => text === answer);
    }
  });

  it("brings DNS and the metrics of nodes, which run on", async () => {
    await kubectl(
      "-n kube-system wait --for=condition=Available deployment/coredns deployment/metrics-server --timeout=90s",
    );
    const restarts = () =>
      kubectl("-n kube-system get pods -o jsonpath='{range .items[*]}{.status.containerStatuses[0].containerID}{end}'");
    const before = await restarts();
    await agent.ssh("systemctl restart k3s-agent");
    await server.ssh("systemctl restart k3s");
    await untilReady("agent-1");
    await untilReady("server-1");
    await eventually(
      60,
      "nodes have metrics",
      () => kubectl("top nodes").catch(String),
      (text) => /agent-1 +\d+m/.test(text),
    );
    expect(await restarts()).toBe(before);
  });

  it("comes back with its pods when its host reboots", async () => {
    await agent.reboot();
    expect(await agent.run("systemctl is-active k3s-agent")).toBe("active\n");
    const ask = async () =>
      server.run(`curl -sS --max-time 3 http://${await address("checkout")}:8080/api/function`).catch(String);
    await eventually(90, "the function answers again", ask, (text) => text.includes('"checkout"'));
    await untilReady("agent-1");
  });

  it("refuses another host under the name of a node that is there, and lets it in once that is deleted", async () => {
    await agent.ssh("systemctl stop k3s-agent; rm /etc/rancher/node/password; systemctl start k3s-agent");
    await eventually(
      20,
      "it is refused",
      () => journal(agent, "k3s-agent"),
      (text) => text.includes("Node password rejected"),
    );
    await kubectl("delete node agent-1");
    await untilReady("agent-1");
  });

  function tokens() {
    return { token: SERVER_TOKEN, agentToken: AGENT_TOKEN };
  }

  async function agentToken(): Promise<string> {
    return (await server.ssh("cat /var/lib/rancher/k3s/server/agent-token")).trim();
  }
});

/** The sample function as one pod on the agent, with a Service in front of it. */
function sampleFunction({ config }: ClusterByHand): object[] {
  const [fn] = config.functions;
  if (!fn) throw new Error("the config has no function");
  const metadata = { name: fn.name, namespace: "default", labels: { app: fn.name } };
  return [
    { apiVersion: "v1", kind: "ConfigMap", metadata, data: { [CONFIG_FILE]: functionConfig(fn) } },
    {
      apiVersion: "v1",
      kind: "Service",
      metadata,
      spec: { selector: metadata.labels, ports: [{ port: 80, targetPort: fn.server.port }] },
    },
    {
      apiVersion: "v1",
      kind: "Pod",
      metadata,
      spec: {
        runtimeClassName: "wasmedge",
        nodeName: "agent-1",
        // Nothing would make it anew, were it evicted while its host reboots.
        tolerations: ["not-ready", "unreachable"].map((key) => ({
          key: `node.kubernetes.io/${key}`,
          operator: "Exists",
          effect: "NoExecute",
        })),
        securityContext: { runAsNonRoot: true, runAsUser: 65532, seccompProfile: { type: "RuntimeDefault" } },
        containers: [
          {
            name: "function",
            image: fn.image.text,
            readinessProbe: { httpGet: { path: fn.health.readiness, port: fn.server.port }, periodSeconds: 1 },
            resources: { requests: { cpu: "10m", memory: "32Mi" }, limits: { cpu: "100m", memory: "64Mi" } },
            securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
            volumeMounts: [{ name: "config", mountPath: CONFIG_DIR, readOnly: true }],
          },
        ],
        volumes: [{ name: "config", configMap: { name: fn.name } }],
      },
    },
  ];
}
