import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { hostCommand } from "../../../../components/cluster/host-script";
import { parseFacts, questionsFor, settingsOf } from "../../../../local/hosts/facts";
import { cluster, expected } from "./support";

describe("what is asked of", () => {
  it("a server: etcd and the API of the others, and every kubelet", () => {
    const { ports, peers, urls } = expected(cluster(), "server-2").questions;
    expect(ports).toEqual(["tcp/6443", "tcp/2379", "tcp/2380", "tcp/10250", "udp/51820"]);
    expect(peers).toEqual([
      ...["192.0.2.11 6443", "192.0.2.13 6443", "192.0.2.11 2379", "192.0.2.13 2379", "192.0.2.11 2380"],
      ...["192.0.2.13 2380", "192.0.2.11 10250", "192.0.2.13 10250", "192.0.2.21 10250"],
    ]);
    expect(urls.map((url) => url.split("/").pop())).toEqual(["k3s", "sha256sum-amd64.txt"]);
  });

  it("an agent: the servers' API, the shim's archive, and cosign where no sum of that is known", () => {
    const { ports, peers, urls, programs } = expected(cluster()).questions;
    expect(ports).toEqual(["tcp/10250", "udp/51820"]);
    expect(peers).toEqual(["192.0.2.11 6443", "192.0.2.12 6443", "192.0.2.13 6443"]);
    expect(urls.at(-1)).toMatch(
      /containerd-shim-wasmedge%2Fv0\.6\.0\/containerd-shim-wasmedge-x86_64-linux-musl\.tar\.gz$/,
    );
    expect(programs).toContain("cosign");
    const known = cluster({ shim: { sha256: { amd64: "0".repeat(64) } }, k3s: { sha256: { amd64: "0".repeat(64) } } });
    expect(expected(known).questions.programs).not.toContain("cosign");
    expect(expected(known).questions.urls).toHaveLength(2);
  });

  it.each([
    ["vxlan", ["udp/8472"], "vxlan"],
    ["host-gw", [], undefined],
  ])("a host with packets by %s", (flannelBackend, ports, module) => {
    const { questions } = expected(cluster({ flannelBackend }));
    expect(questions.ports).toEqual(["tcp/10250", ...ports]);
    expect(questions.modules).toEqual(["overlay", "br_netfilter", "nf_conntrack", ...(module ? [module] : [])]);
  });

  it("an agent whose servers have an address in front of them: that one too", () => {
    const { peers } = expected(cluster({ registrationAddress: "k8s.example.com" })).questions;
    expect(peers).toContain("k8s.example.com 6443");
  });
});

it("the script that asks answers every question, and each answer is found again", () => {
  const of = cluster({ k3s: { url: "http://127.0.0.1:9/a=b" }, shim: { url: "http://127.0.0.1:9" } });
  const [server] = of.servers;
  if (!server) throw new Error("no server");
  const questions = {
    ...questionsFor(of, server, ["kernel.ostype", "net.no.such"]),
    peers: ["127.0.0.1 9"],
    programs: ["bash", "no-such-program"],
    modules: ["no-such-module"],
  };
  const { stdout, stderr } = spawnSync("sh", ["-c", hostCommand("check-host", settingsOf(questions), "root")], {
    encoding: "utf8",
  });
  expect(stderr).toBe("");
  const facts = parseFacts(stdout, questions);
  expect(Object.fromEntries(facts)).toMatchObject({
    "sysctl.kernel.ostype": "Linux",
    "sysctl.net.no.such": "",
    "peer.127.0.0.1:9": "Connection refused",
    "program.bash": "there",
    "program.no-such-program": "missing",
    "module.no-such-module": "missing",
    k3s: expect.stringMatching(/^(?:none|k3s|k3s-agent)$/),
  });
  for (const name of ["machine", "kernel", "init", "cgroup.version", "cgroup.controllers"])
    expect(facts.get(name)).not.toBe("");
  for (const name of ["cpus", "memory", "swap", "free./var/lib/rancher", "clock.begin", "clock.end"])
    expect(Number(facts.get(name))).not.toBeNaN();
  for (const port of questions.ports) expect(facts.get(`port.${port}`)).toMatch(/^(?:free|taken)$/);
  for (const url of questions.urls) expect(facts.get(`url.${url}`)).toMatch(/curl: \(7\).* 000$/);
});
