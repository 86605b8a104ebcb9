import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CANNOT_RUN } from "../support/hosts/hosts";
import { StackOnHosts, startedAt } from "../support/hosts/stack-on-hosts";

const [OLD, NEW] = ["v1.30.4+k3s1", "v1.30.5+k3s1"];
const SERVERS = ["server-1", "server-2", "server-3"];
const AGENTS = ["agent-1", "agent-2", "agent-3"];
/** Where a budget holds pods for good: short, since the test waits for it. What may leave gets the default's minutes. */
const HELD = { rollout: { drainTimeout: "40s" } };

/** A cluster of three servers and three agents. Each step finds what the one before has left. */
describe.skipIf(CANNOT_RUN)("a highly available cluster", () => {
  const own = new StackOnHosts();

  beforeAll(async () => {
    await own.boot([...SERVERS, ...AGENTS], [OLD, NEW]);
  }, 900_000);

  afterAll(async () => expect(await own.end()).toEqual([]));

  const starts = (names: readonly string[]) => Promise.all(names.map((name) => startedAt(own.get(name))));
  const versions = (names: readonly string[]) =>
    Promise.all(names.map(async (name) => (await own.get(name).run("k3s --version")).split(" ")[2]));
  const ascending = (values: readonly number[]) => [...values].sort((a, b) => a - b);
  const configure = (cluster: object, agents = AGENTS) => own.change({ cluster, agents, pods: AGENTS.length });
  const nodes = async () =>
    (await own.kubectl("get nodes --no-headers"))
      .trim()
      .split("\n")
      .map((line) => line.split(/\s+/));

  const budget = (maxUnavailable: string) =>
    own.kubectl(`patch pdb checkout -n shop --type=merge -p '{"spec":{"maxUnavailable":${maxUnavailable}}}'`);

  it("is installed server by server, and then with all agents", async () => {
    configure({ version: OLD });
    await own.ok("up");
    const servers = await starts(SERVERS);
    expect(servers).toEqual(ascending(servers));
    expect(Math.min(...(await starts(AGENTS)))).toBeGreaterThan(Math.max(...servers));
    expect((await nodes()).map(([name, status]) => `${name} ${status}`)).toEqual(
      [...AGENTS, ...SERVERS].map((name) => `${name} Ready`),
    );
  });

  it("takes no version that skips one: a preview says so, with no host asked", async () => {
    configure({ version: "v1.32.1+k3s1" });
    const { code, stderr } = await own.run("preview");
    expect(code).not.toBe(0);
    expect(stderr).toContain(`cluster.version: v1.32.1+k3s1: ${OLD} is installed, and this skips a minor version`);
  });

  it("restarts no server while another is away", async () => {
    await own.get("server-3").run("systemctl stop k3s");
    await own.kubectl("wait --for=condition=Ready=Unknown node/server-3 --timeout=90s");
    const before = await starts(["server-1", "server-2"]);
    configure({ version: NEW, ...HELD });
    const { code, stderr } = await own.run("up");
    expect(code).not.toBe(0);
    expect(stderr).toContain("server-1: this server is not started again while another is not ready: server-3");
    expect(await starts(["server-1", "server-2"])).toEqual(before);
    expect(await versions(SERVERS)).toEqual([OLD, OLD, OLD]);
    await own.get("server-3").run("systemctl start k3s");
    await own.kubectl("wait --for=condition=Ready node/server-3 --timeout=90s");
  });

  it("upgrades its servers, with a snapshot before, and stops at an agent whose pods a budget holds", async () => {
    await budget("0");
    expect(await own.kubectl("get pods -n shop --field-selector spec.nodeName=agent-1 -o name")).toContain("checkout");
    const { code, stderr } = await own.run("up");
    expect(code).not.toBe(0);
    expect(stderr).toContain("agent-1 has not let go of its pods within 40 s");
    expect(await versions(SERVERS)).toEqual([NEW, NEW, NEW]);
    const servers = await starts(SERVERS);
    expect(servers).toEqual(ascending(servers));
    expect(await own.get("server-1").run("k3s etcd-snapshot ls")).toMatch(/^before-v1.30.5-k3s1-server-1-/m);
    expect(await versions(AGENTS)).toEqual([OLD, OLD, OLD]);
    expect(await nodes()).toContainEqual(expect.arrayContaining(["agent-1", "Ready,SchedulingDisabled"]));
    expect(stderr).toContain("Cannot evict pod as it would violate the pod's disruption budget");
    await budget('"10%"');
  });

  it("goes on from there, an agent at a time, and leaves none cordoned", async () => {
    const before = await starts(SERVERS);
    configure({ version: NEW });
    await own.ok("up");
    const agents = await starts(AGENTS);
    expect(agents).toEqual(ascending(agents));
    expect(await versions(AGENTS)).toEqual([NEW, NEW, NEW]);
    expect(await starts(SERVERS)).toEqual(before);
    expect((await nodes()).map(([, status]) => status)).toEqual(Array(6).fill("Ready"));
  });

  it("starts again where its config changed, one node after the other, and drains none", async () => {
    const pods = "get pods -n shop -o jsonpath='{.items[*].metadata.uid}'";
    const before = await own.kubectl(pods);
    const earlier = await starts(SERVERS);
    configure({ version: NEW, snapshots: { retention: 3 } });
    await own.ok("up");
    const servers = await starts(SERVERS);
    expect(servers).toEqual(ascending(servers));
    expect(Math.min(...servers)).toBeGreaterThan(Math.max(...earlier));
    expect(await own.kubectl(pods)).toBe(before);
  });

  it("drains a node that leaves, and makes its host bare", async () => {
    configure({ version: NEW, snapshots: { retention: 3 } }, ["agent-1", "agent-2"]);
    await own.ok("up");
    expect((await nodes()).map(([name]) => name)).not.toContain("agent-3");
    expect(await own.get("agent-3").run("ls /usr/local/bin /etc/rancher 2>/dev/null || true")).not.toContain("k3s");
    expect(await own.kubectl("get pods -n shop --no-headers")).not.toMatch(/Pending/);
  });

  it("tells of a host that is gone for good, which can be forgotten", async () => {
    await own.get("agent-2").kill();
    await own.kubectl("wait --for=condition=Ready=Unknown node/agent-2 --timeout=90s");
    configure({ version: NEW, snapshots: { retention: 3 } }, ["agent-1"]);
    const { code, stderr } = await own.run("up");
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/198\.\d+\.\d+\.\d+.* cannot be reached/);
    expect((await nodes()).map(([name]) => name)).not.toContain("agent-2");
    await own.forget("k3s-agent-2-restore");
    await own.ok("up");
  });
});
