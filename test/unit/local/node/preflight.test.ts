import { describe, expect, it } from "vitest";
import { parseConfig } from "../../../../infra/config";
import { machineProblems, mayLowerOomScores, type MachineFacts } from "../../../../local/node/preflight";
import { existing, rawConfig } from "../../infra/support";

const CONFIG = parseConfig(
  rawConfig({
    cluster: existing({
      agents: 1,
      agentShape: { cpu: "2", memory: "6Gi", reserved: { memory: "1Gi" } },
      network: { podCidr: "10.50.0.0/16", serviceCidr: "10.60.0.0/16" },
    }),
  }),
);
const LINK = { name: "wf0", host: "198.18.0.1", node: "198.18.0.2", routes: [CONFIG.cluster.network.podCidr.text] };

/** A machine that has just what is needed. */
const ENOUGH: MachineFacts = {
  platform: "linux",
  uid: 0,
  missingPrograms: [],
  hasKeyring: true,
  missingControllers: [],
  missingFeatures: [],
  routes: ["default", "172.17.0.0/16", ""],
  cpus: 2,
  memory: 6 * 2 ** 30,
  freeDisk: 5e9,
};

const problemsOf = (facts: Partial<MachineFacts>) => machineProblems({ ...ENOUGH, ...facts }, CONFIG, LINK);

const WAY = "or use the stack local, whose simulated nodes need nothing of this";

const MISSING: [string, Partial<MachineFacts>, object][] = [
  [
    "a program",
    { missingPrograms: ["nsenter"] },
    {
      path: "nsenter",
      value: "not found on PATH",
      limit: "the node is set up with it",
      fix: "install Debian's package util-linux",
    },
  ],
  [
    "Debian's keyring",
    { hasKeyring: false },
    {
      path: "/usr/share/keyrings/debian-archive-keyring.gpg",
      value: "not there",
      limit: "packages are checked against it",
      fix: "install the package debian-archive-keyring",
    },
  ],
  [
    "a controller",
    { missingControllers: ["cpuset"] },
    {
      path: "cgroup controller cpuset",
      value: "not offered by the kernel",
      limit: "the kubelet limits pods with it",
      fix: "enable it at boot, or give it to this container",
    },
  ],
  [
    "a feature of the kernel",
    { missingFeatures: [{ feature: "bridges", reason: "Operation not supported", fix: "modprobe bridge" }] },
    { path: "bridges", value: "Operation not supported", limit: "the node's pods need it", fix: "modprobe bridge" },
  ],
  [
    "a way for its pods' addresses",
    { routes: ["default", "10.50.0.0/16"] },
    {
      path: "cluster.network.podCidr",
      value: "10.50.0.0/16",
      limit: "this machine has a route to it already, perhaps of another cluster",
      fix: "end that one, or use another network",
    },
  ],
  [
    "CPUs",
    { cpus: 1 },
    { path: "cluster.agentShape.cpu", value: "2", limit: "this machine has 1 CPUs", fix: "lower it" },
  ],
  [
    "memory",
    { memory: 4 * 2 ** 30 },
    { path: "cluster.agentShape.memory", value: "6Gi", limit: "this machine has 4Gi", fix: "lower it" },
  ],
  [
    "disk",
    { freeDisk: 1_234_567_890 },
    { path: "disk", value: "1234 MB free", limit: "the node's files need up to 5 GB", fix: "free some" },
  ],
];

describe("a machine for a real node", () => {
  it("that has just enough has no problem", () => {
    expect(problemsOf({})).toEqual([]);
  });

  it.each(MISSING)("is told that it lacks %s", (_, facts, problem) => {
    expect(problemsOf(facts)).toEqual([problem]);
  });

  it("is told all that it lacks at once, one row each", () => {
    const facts: Partial<MachineFacts> = Object.assign({}, ...MISSING.map(([, fact]) => fact));
    const two = { missingPrograms: ["ip", "mount"], missingControllers: ["cpu", "pids"] };
    expect(problemsOf({ ...facts, ...two })).toHaveLength(MISSING.length + 2);
  });

  it.each([
    ["debootstrap", "debootstrap"],
    ["unshare", "util-linux"],
    ["mount", "mount"],
    ["ip", "iproute2"],
    ["chroot", "coreutils"],
  ])("is told which package has %s", (program, name) => {
    expect(problemsOf({ missingPrograms: [program] })[0]?.fix).toBe(`install Debian's package ${name}`);
  });

  it.each([["10.50.0.0/24"], ["10.50.255.0/24"], ["10.50.3.7"]])(
    "is told of a route into the pods' network, as another K3s on it has: %s",
    (route) => {
      expect(problemsOf({ routes: ["default", route] })).toMatchObject([{ path: "cluster.network.podCidr" }]);
    },
  );

  it.each([["10.51.0.0/16"], ["10.0.0.0/8"], ["default"], ["unreachable"], [""]])(
    "keeps its routes to wider and other networks: %j",
    (route) => {
      expect(problemsOf({ routes: [route] })).toEqual([]);
    },
  );
});

describe("what hides everything else is told alone", () => {
  const nothing: Partial<MachineFacts> = Object.assign({}, ...MISSING.map(([, fact]) => fact));

  it("on another system than Linux", () => {
    expect(problemsOf({ ...nothing, platform: "darwin", uid: 501 })).toEqual([
      {
        path: "system",
        value: "darwin",
        limit: "a kubelet runs on Linux alone",
        fix: `use a Linux machine, ${WAY}`,
      },
    ]);
  });

  it("for another user than root", () => {
    expect(problemsOf({ ...nothing, uid: 1000 })).toEqual([
      {
        path: "user",
        value: "uid 1000",
        limit: "namespaces, mounts and cgroups of a node need root",
        fix: `run it with sudo, ${WAY}`,
      },
    ]);
  });
});

describe("OOM scores", () => {
  it.each([
    ["000001ffffffffff", true],
    ["0000000001000000", true],
    ["000001fffeffffff", false],
    ["00000000a80425fb", false],
    ["0000000000000000", false],
  ])("may be lowered with capabilities %s: %s", (effective, may) => {
    const status = `Name:\tnode\nCapInh:\t000001ffffffffff\nCapPrm:\t000001ffffffffff\nCapEff:\t${effective}\nCapBnd:\t000001ffffffffff\n`;
    expect(mayLowerOomScores(status)).toBe(may);
  });

  it("may not where the kernel tells no capabilities", () => {
    expect(mayLowerOomScores("Name:\tnode\n")).toBe(false);
  });

  it("are asked of this process where nothing is given", () => {
    expect(typeof mayLowerOomScores()).toBe("boolean");
  });
});
