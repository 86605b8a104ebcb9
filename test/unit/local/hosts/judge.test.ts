import { describe, expect, it } from "vitest";
import { judgeHost, settingsToChange } from "../../../../local/hosts/judge";
import { cluster, expected, facts } from "./support";

const agent = expected(cluster());
const server = expected(cluster(), "server-1");

/** The findings on a host with changed facts, a line each. */
function told(changes: Readonly<Record<string, string>>, on = agent): string[] {
  return judgeHost(facts(on, changes), on).map(
    ({ check, level, value, limit }) => `${level} ${check}: ${value}: ${limit}`,
  );
}

describe("a host", () => {
  it("of which everything is as it should be has nothing told of it", () => {
    expect(told({})).toEqual([]);
    expect(told({}, server)).toEqual([]);
  });

  it.each([
    [{ init: "sysvinit" }, "problem system: sysvinit: is the first process, not systemd"],
    [{ machine: "aarch64" }, "problem system: aarch64: is not the config's amd64"],
    [{ kernel: "3.9.0-1-amd64" }, "problem kernel: 3.9.0-1-amd64: is older than 3.10.0"],
    [{ "module.wireguard": "missing" }, "problem kernel: wireguard: are modules that this kernel does not have"],
    [
      { "cgroup.controllers": "cpu io memory" },
      "problem cgroups: pids: are controllers that are off, without which pods have no limits",
    ],
    [{ "cgroup.version": "1" }, "warning cgroups: version 1: gets no new features since Kubernetes 1.31"],
    [
      { "free./var/lib/rancher": String(1024 ** 3) },
      "problem disk: 1Gi free for /var/lib/rancher: at least 2Gi are needed",
    ],
    [
      { "free./var/lib/rancher": String(5 * 1024 ** 3) },
      "warning disk: 5Gi free for /var/lib/rancher: less than 10Gi fills up with images and snapshots",
    ],
    [{ "free./usr/local/bin": "1048576" }, "problem disk: 1Mi free for /usr/local/bin: at least 512Mi are needed"],
    [{ cpus: "16" }, "problem size: 16 CPUs: less than the 32 of cluster.agentShape, which the plan counts on"],
    [
      { memory: String(120 * 1024 ** 3) },
      "problem size: 120Gi of memory: less than the 128Gi of cluster.agentShape, which the plan counts on",
    ],
    [
      { swap: String(1024 ** 3) },
      "warning swap: 1Gi: pods that are swapped out miss their latency, and memory limits are not what they say",
    ],
    [{ "program.curl": "missing" }, "problem programs: curl: are not on the host"],
    [{ "port.udp/51820": "taken" }, "problem ports: udp/51820: are taken, and K3s needs them"],
    [
      { "peer.192.0.2.12:6443": "No route to host" },
      "problem network: 192.0.2.12:6443: No route to host: nodes must reach each other there",
    ],
  ])("with %j: %s", (changes, line) => {
    expect(told(changes)).toEqual([line]);
  });

  it("that says nothing of itself has a problem with every check, but for swap", () => {
    const checks = judgeHost(new Map(), agent).filter(({ level }) => level === "problem");
    expect(new Set(checks.map(({ check }) => check))).toEqual(
      new Set(["system", "kernel", "cgroups", "clock", "disk", "size", "programs", "network"]),
    );
  });

  it("on cgroups version 1 is refused where its Kubernetes refuses it", () => {
    const late = expected(cluster({ version: "v1.35.1+k3s1" }));
    expect(told({ "cgroup.version": "1" }, late)).toEqual([
      "problem cgroups: version 1: is no longer taken by Kubernetes 1.35",
    ]);
  });

  it("that is a server is held against K3s's minimum alone", () => {
    expect(told({ cpus: "2", memory: String(4 * 1024 ** 3) }, server)).toEqual([]);
    expect(told({ cpus: "1" }, server)).toEqual([
      "warning size: 1 CPUs: less than the 2 of K3s's minimum for a server",
    ]);
  });

  it("on which K3s runs already may listen where K3s does, and others may answer", () => {
    expect(told({ "port.tcp/10250": "taken", k3s: "k3s-agent", "peer.192.0.2.11:6443": "open" })).toEqual([]);
  });

  it("without curl is not blamed for what it cannot download", () => {
    expect(told({ "program.curl": "missing", [`url.${agent.questions.urls[0]}`]: "" })).toHaveLength(1);
  });

  it.each([
    ["404", "does not answer: HTTP 404"],
    [
      "curl: (6) Could not resolve host: github.com 000",
      "does not answer: curl: (6) Could not resolve host: github.com",
    ],
  ])("that gets %s for a download tells it", (answer, limit) => {
    const url = agent.questions.urls[0] ?? "";
    expect(told({ [`url.${url}`]: answer })).toEqual([`problem downloads: ${url}: ${limit}`]);
  });
});

describe("a clock", () => {
  const clock = (begin: number, end: number) => ({
    "clock.begin": String(agent.asked / 1000 + begin),
    "clock.end": String(agent.asked / 1000 + end),
  });

  it("that shows at the end more than a second after the answer was there is ahead by at least that", () => {
    expect(told(clock(1.6, 1.7))).toEqual([expect.stringMatching(/^problem clock: 1\.3 s ahead: .* more than 1 s/)]);
    expect(told(clock(1.2, 1.3))).toEqual([]);
  });

  it("that shows at the beginning more than a second before it was asked is behind by at least that", () => {
    expect(told(clock(-2.5, -2.4))).toEqual([expect.stringMatching(/^problem clock: 2\.5 s behind/)]);
    expect(told(clock(-0.9, -0.8))).toEqual([]);
  });

  it("is not taken for wrong by checks that take long", () => {
    const slow = { ...agent, answered: agent.asked + 60_000 };
    expect(judgeHost(facts(slow, clock(0.1, 59.9)), slow)).toEqual([]);
  });
});

it("counts the plan's settings that a host does not have, those that it does not know included", () => {
  const known = facts(agent, { "sysctl.vm.panic_on_oom": "0", "sysctl.fs.file-max": "1" });
  expect(settingsToChange(known, { "vm.panic_on_oom": 0, "fs.file-max": 2, "net.unknown": 1 })).toBe(2);
});
