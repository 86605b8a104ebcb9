import { k3sMinor } from "../../infra/versions";
import { humanBytes } from "../../infra/units";
import { isOlder } from "../tools/catalog";
import type { K3sClusterConfig } from "../../infra/config";
import { roleOf, type Facts, type Questions } from "./facts";
import type { Host } from "./ssh";

/** What is looked at, in the order in which it is told. */
export const CHECKS = [
  ...["entry", "system", "kernel", "cgroups", "clock", "disk", "size", "swap"],
  ...["programs", "ports", "network", "downloads"],
] as const;

export type Check = (typeof CHECKS)[number];

/** Something about a host that is not as it should be. */
export interface Finding {
  readonly check: Check;
  /** With a problem the cluster would not come up, or not hold what the plan promises. */
  readonly level: "warning" | "problem";
  readonly value: string;
  readonly limit: string;
  readonly fix: string;
}

/** What a host is held against. */
export interface Expected {
  readonly cluster: K3sClusterConfig;
  readonly host: Host;
  readonly questions: Questions;
  /** When the host was asked and had answered, in milliseconds by this machine's clock. */
  readonly asked: number;
  readonly answered: number;
}

/** Everything that is wrong with a host, by what it says of itself. */
export function judgeHost(facts: Facts, expected: Expected): Finding[] {
  return [
    ...system(facts, expected),
    ...kernel(facts, expected),
    ...cgroups(facts, expected),
    ...clock(facts, expected),
    ...disk(facts),
    ...size(facts, expected),
    ...swap(facts),
    ...programs(facts, expected),
    ...ports(facts, expected),
    ...network(facts, expected),
    ...downloads(facts, expected),
  ];
}

/** How many of the plan's kernel settings a host does not have yet; `up` sets them. */
export function settingsToChange(facts: Facts, sysctls: Readonly<Record<string, number>>): number {
  return Object.entries(sysctls).filter(([name, value]) => facts.get(`sysctl.${name}`) !== String(value)).length;
}

function problem(check: Check, value: string, limit: string, fix: string): Finding {
  return { check, level: "problem", value, limit, fix };
}

function warning(check: Check, value: string, limit: string, fix: string): Finding {
  return { check, level: "warning", value, limit, fix };
}

const ARCHITECTURES: Readonly<Record<string, string>> = { x86_64: "amd64", aarch64: "arm64" };

function system(facts: Facts, { host }: Expected): Finding[] {
  const findings: Finding[] = [];
  const init = text(facts, "init");
  if (init !== "systemd")
    findings.push(
      problem("system", init, "is the first process, not systemd", "use a distribution that boots systemd"),
    );
  const machine = text(facts, "machine");
  const found = ARCHITECTURES[machine] ?? machine;
  if (found !== host.architecture) {
    const fix = `set architecture: ${found} for it in the config, or use another machine`;
    findings.push(problem("system", machine, `is not the config's ${host.architecture}`, fix));
  }
  return findings;
}

/** The oldest kernel that Kubernetes' own preflight takes (k8s.io/system-validators). */
const OLDEST_KERNEL = "3.10.0";

function kernel(facts: Facts, { questions }: Expected): Finding[] {
  const version = text(facts, "kernel");
  const old = isOlder(version, OLDEST_KERNEL)
    ? [problem("kernel", version, `is older than ${OLDEST_KERNEL}`, "install a newer kernel")]
    : [];
  const missing = questions.modules.filter((module) => facts.get(`module.${module}`) !== "there");
  if (missing.length === 0) return old;
  const fix = missing.includes("wireguard")
    ? "install the distribution's package of further modules, or set cluster.flannelBackend: vxlan where the network is trusted"
    : "install the distribution's package of further modules, or another kernel";
  return [...old, problem("kernel", missing.join(", "), "are modules that this kernel does not have", fix)];
}

/** What limits of pods are made of. */
const CONTROLLERS = ["cpu", "memory", "pids"];

/** From this minor on the kubelet does not start on version 1, unless it is told otherwise (Kubernetes' KEP-5573). */
const NO_CGROUPS_1 = "1.35";

function cgroups(facts: Facts, { cluster }: Expected): Finding[] {
  const version = text(facts, "cgroup.version");
  const there = text(facts, "cgroup.controllers").split(" ");
  const missing = CONTROLLERS.filter((controller) => !there.includes(controller));
  const findings: Finding[] = [];
  const fix = "boot with systemd.unified_cgroup_hierarchy=1, or use a newer distribution";
  if (version === "1") {
    const minor = k3sMinor(cluster.version);
    const refused = !isOlder(`${minor}.0`, `${NO_CGROUPS_1}.0`);
    const limit = refused ? `is no longer taken by Kubernetes ${minor}` : "gets no new features since Kubernetes 1.31";
    findings.push((refused ? problem : warning)("cgroups", "version 1", limit, fix));
  }
  if (missing.length > 0) {
    const limit = "are controllers that are off, without which pods have no limits";
    findings.push(problem("cgroups", missing.join(", "), limit, "switch them on by the kernel's command line"));
  }
  return findings;
}

/** etcd's own limit between members (its message "the clock difference against peer is too high"), in milliseconds. */
const CLOCK_LIMIT = 1000;

/**
 * The host's clock was read between two readings of this one, at the beginning and at the end: how far it is off at least
 * follows from both, however long the checks took in between.
 */
function clock(facts: Facts, { asked, answered }: Expected): Finding[] {
  const [begin, end] = [number(facts, "clock.begin") * 1000, number(facts, "clock.end") * 1000];
  const ahead = end - answered;
  const behind = asked - begin;
  const off = Math.max(ahead, behind);
  if (off <= CLOCK_LIMIT) return [];
  const value = `${(off / 1000).toFixed(1)} s ${ahead > behind ? "ahead" : "behind"}`;
  const limit = `differs from this machine's clock by more than ${CLOCK_LIMIT / 1000} s, which etcd and certificates do not bear between hosts`;
  return [problem("clock", value, limit, "synchronize both: timedatectl set-ntp true")];
}

const GIB = 1024 ** 3;

/**
 * Free space, allowances. K3s's state holds etcd (2 GiB by its default quota), as much again for snapshots, and images; its
 * programs are some 300 MB, unpacked beside the earlier ones.
 */
const DISKS = [
  { folder: "/var/lib/rancher", least: 2 * GIB, enough: 10 * GIB },
  { folder: "/usr/local/bin", least: GIB / 2, enough: GIB / 2 },
];

function disk(facts: Facts): Finding[] {
  return DISKS.flatMap(({ folder, least, enough }) => {
    const free = number(facts, `free.${folder}`);
    if (free >= enough) return [];
    const value = `${humanBytes(free)} free for ${folder}`;
    const fix = "make room, or mount a larger disk there";
    return free < least
      ? [problem("disk", value, `at least ${humanBytes(least)} are needed`, fix)]
      : [warning("disk", value, `less than ${humanBytes(enough)} fills up with images and snapshots`, fix)];
  });
}

/** Of a machine's memory the kernel keeps a few percent before anybody sees it: an allowance. */
const KERNEL_SHARE = 0.05;

/** K3s's own minimum for a server (https://docs.k3s.io/installation/requirements). */
const SERVER_MINIMUM = { cpus: 2, memory: 2 * GIB };

function size(facts: Facts, { cluster, host }: Expected): Finding[] {
  const [cpus, memory] = [number(facts, "cpus"), number(facts, "memory")];
  const isAgent = roleOf(cluster, host) === "agent";
  const wanted = isAgent ? { cpus: cluster.agentShape.cpu / 1000, memory: cluster.agentShape.memory } : SERVER_MINIMUM;
  const source = isAgent ? "cluster.agentShape, which the plan counts on" : "K3s's minimum for a server";
  const fix = isAgent ? "use a larger machine, or correct cluster.agentShape" : "use a larger machine";
  const finding = isAgent ? problem : warning;
  return [
    ...(cpus < wanted.cpus ? [finding("size", `${cpus} CPUs`, `less than the ${wanted.cpus} of ${source}`, fix)] : []),
    ...(memory < wanted.memory * (1 - KERNEL_SHARE)
      ? [
          finding(
            "size",
            `${humanBytes(memory)} of memory`,
            `less than the ${humanBytes(wanted.memory)} of ${source}`,
            fix,
          ),
        ]
      : []),
  ];
}

function swap(facts: Facts): Finding[] {
  const bytes = number(facts, "swap");
  const limit = "pods that are swapped out miss their latency, and memory limits are not what they say";
  return bytes > 0 ? [warning("swap", humanBytes(bytes), limit, "swapoff -a, and drop it from /etc/fstab")] : [];
}

function programs(facts: Facts, { questions }: Expected): Finding[] {
  const missing = questions.programs.filter((program) => facts.get(`program.${program}`) !== "there");
  if (missing.length === 0) return [];
  const fix = missing.includes("cosign")
    ? "install them, or, in place of cosign, set cluster.shim.sha256 to the sum of an archive that you have verified"
    : "install the packages that bring them";
  return [problem("programs", missing.join(", "), "are not on the host", fix)];
}

/** Where K3s runs already, they are its own. */
function ports(facts: Facts, { questions }: Expected): Finding[] {
  const taken = questions.ports.filter((port) => facts.get(`port.${port}`) === "taken");
  if (taken.length === 0 || facts.get("k3s") !== "none") return [];
  const fix = "stop what listens there: ss -lntup tells it";
  return [problem("ports", taken.join(", "), "are taken, and K3s needs them", fix)];
}

/** Something listens, or the host itself says that nothing does yet; a firewall drops, or says that there is no way. */
const REACHED = ["open", "Connection refused"];

function network(facts: Facts, { questions }: Expected): Finding[] {
  return questions.peers.flatMap((peer) => {
    const at = peer.replace(" ", ":");
    const answer = text(facts, `peer.${at}`);
    if (REACHED.includes(answer)) return [];
    return [
      problem("network", `${at}: ${answer}`, "nodes must reach each other there", "open this port to the other nodes"),
    ];
  });
}

function downloads(facts: Facts, { questions }: Expected): Finding[] {
  if (facts.get("program.curl") !== "there") return [];
  return questions.urls.flatMap((url) => {
    const answer = text(facts, `url.${url}`);
    if (/\b2\d\d$/.test(answer)) return [];
    const limit = `does not answer: ${/^\d{3}$/.test(answer) ? `HTTP ${answer}` : answer.replace(/ ?000$/, "")}`;
    const fix = "let the host out to it, or point cluster.k3s.url or cluster.shim.url to a mirror that it reaches";
    return [problem("downloads", url, limit, fix)];
  });
}

function text(facts: Facts, name: string): string {
  return facts.get(name) ?? "unknown";
}

function number(facts: Facts, name: string): number {
  return Number(facts.get(name) ?? 0);
}
