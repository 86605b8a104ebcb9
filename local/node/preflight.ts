import { existsSync, readFileSync, statfsSync } from "node:fs";
import { availableParallelism, totalmem } from "node:os";
import { delimiter, dirname, join } from "node:path";
import type { StackConfig } from "../../infra/config";
import { ProblemsError, type Problem } from "../../infra/problems";
import { formatBytes, formatCpu } from "../../infra/units";
import { overlaps, parseCidr } from "../../infra/addresses";
import { runChild } from "../tools/child";
import { isProgram } from "../tools/on-path";
import { cgroupMounts, missingControllers } from "./cgroups";
import type { Paths } from "../paths";
import type { Link } from "./network";

/** What of the machine the node is made with, and the Debian package that has it. */
const PROGRAMS: Readonly<Record<string, string>> = {
  debootstrap: "debootstrap",
  unshare: "util-linux",
  nsenter: "util-linux",
  mount: "mount",
  ip: "iproute2",
  chroot: "coreutils",
  hostname: "hostname",
};

/** Whose signatures the root file system's packages bear; on Debian it comes with apt. */
const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";

/** Bytes that the root file systems, images and a node's own files take. */
const DISK = 5e9;

/** What makes it the user and the machine that a real node can run on. */
export interface MachineFacts {
  readonly platform: NodeJS.Platform;
  readonly uid: number | undefined;
  readonly missingPrograms: readonly string[];
  readonly hasKeyring: boolean;
  readonly missingControllers: readonly string[];
  /** What the kernel did not do when it was tried, each with what it said. */
  readonly missingFeatures: readonly { readonly feature: string; readonly reason: string; readonly fix: string }[];
  /** Networks that this machine has routes to already. */
  readonly routes: readonly string[];
  readonly cpus: number;
  readonly memory: number;
  readonly freeDisk: number;
}

/**
 * Checks, before anything is touched, that this machine can run the node.
 *
 * @throws ProblemsError naming each thing that is missing
 */
export async function assertMachine(config: StackConfig, link: Link, paths: Paths): Promise<void> {
  const problems = machineProblems(await machineFacts(paths), config, link);
  if (problems.length > 0) throw new ProblemsError("A real node cannot run on this machine", problems);
}

export function machineProblems(facts: MachineFacts, config: StackConfig, link: Link): Problem[] {
  const way = "or use the stack local, whose simulated nodes need nothing of this";
  if (facts.platform !== "linux") {
    return [
      {
        path: "system",
        value: facts.platform,
        limit: "a kubelet runs on Linux alone",
        fix: `use a Linux machine, ${way}`,
      },
    ];
  }
  if (facts.uid !== 0) {
    // Nothing else can be tried without it.
    return [
      {
        path: "user",
        value: `uid ${facts.uid}`,
        limit: "namespaces, mounts and cgroups of a node need root",
        fix: `run it with sudo, ${way}`,
      },
    ];
  }
  const { agentShape } = config.cluster;
  const missing = (path: string, value: string, limit: string, fix: string): Problem => ({ path, value, limit, fix });
  return [
    ...facts.missingPrograms.map((name) =>
      missing(
        name,
        "not found on PATH",
        "the node is set up with it",
        `install Debian's package ${PROGRAMS[name] ?? name}`,
      ),
    ),
    ...(facts.hasKeyring
      ? []
      : [
          missing(
            KEYRING,
            "not there",
            "packages are checked against it",
            "install the package debian-archive-keyring",
          ),
        ]),
    ...facts.missingControllers.map((name) =>
      missing(
        `cgroup controller ${name}`,
        "not offered by the kernel",
        "the kubelet limits pods with it",
        "enable it at boot, or give it to this container",
      ),
    ),
    ...facts.missingFeatures.map(({ feature, reason, fix }) =>
      missing(feature, reason, "the node's pods need it", fix),
    ),
    ...link.routes
      .filter((cidr) => facts.routes.some((route) => inside(route, cidr)))
      .map((cidr) =>
        missing(
          "cluster.network.podCidr",
          cidr,
          "this machine has a route to it already, perhaps of another cluster",
          "end that one, or use another network",
        ),
      ),
    ...(facts.cpus * 1000 < agentShape.cpu
      ? [
          missing(
            "cluster.agentShape.cpu",
            formatCpu(agentShape.cpu),
            `this machine has ${facts.cpus} CPUs`,
            "lower it",
          ),
        ]
      : []),
    ...(facts.memory < agentShape.memory
      ? [
          missing(
            "cluster.agentShape.memory",
            formatBytes(agentShape.memory),
            `this machine has ${formatBytes(facts.memory)}`,
            "lower it",
          ),
        ]
      : []),
    ...(facts.freeDisk < DISK
      ? [
          missing(
            "disk",
            `${Math.floor(facts.freeDisk / 1e6)} MB free`,
            `the node's files need up to ${DISK / 1e9} GB`,
            "free some",
          ),
        ]
      : []),
  ];
}

function inside(route: string, cidr: string): boolean {
  const [a, b] = [parseCidr(route.includes("/") ? route : `${route}/32`), parseCidr(cidr)];
  return "ok" in a && "ok" in b && overlaps(a.ok, b.ok) && a.ok.prefix >= b.ok.prefix;
}

async function machineFacts({ home, cache }: Paths): Promise<MachineFacts> {
  const { platform } = process;
  const uid = process.getuid?.();
  const usable = platform === "linux" && uid === 0;
  const missingPrograms = usable ? Object.keys(PROGRAMS).filter((name) => !isOnPath(name)) : [];
  const triable = usable && missingPrograms.every((name) => name === "debootstrap");
  return {
    platform,
    uid,
    missingPrograms,
    hasKeyring: existsSync(KEYRING),
    missingControllers: usable ? missingControllers(cgroupMounts()) : [],
    missingFeatures: triable ? await missingFeatures(home) : [],
    routes: triable ? await routes() : [],
    cpus: availableParallelism(),
    memory: totalmem(),
    // The root file systems lie in the cache, what pods write in the home; the two need not be on one disk.
    freeDisk: Math.min(freeDisk(home), freeDisk(cache)),
  };
}

/** Each is tried for real, in namespaces that end with the try. */
const FEATURES = [
  {
    feature: "virtual cables (veth)",
    script: "ip link add name near type veth peer name far",
    fix: "load the kernel module: modprobe veth",
  },
  {
    feature: "bridges",
    script: "ip link add name bridge0 type bridge",
    fix: "load the kernel module: modprobe bridge",
  },
  {
    feature: "bridged packets in the firewall (br_netfilter)",
    script: "test -e /proc/sys/net/bridge/bridge-nf-call-iptables",
    fix: "load the kernel module: modprobe br_netfilter",
  },
  {
    feature: "overlay file system on this disk",
    // Where the node's images will lie, since not every file system can be the upper one of an overlay.
    script: `d=$(mktemp -d "$FOLDER/.wasm-functions-XXXXXX"); trap 'umount "$d/m" 2>/dev/null; rm -rf "$d"' EXIT; cd "$d"; mkdir l u w m; mount -t overlay -o lowerdir=l,upperdir=u,workdir=w overlay m`,
    fix: "load the kernel module (modprobe overlay), or have WASM_FUNCTIONS_HOME on another disk",
  },
  {
    feature: "cgroup namespaces",
    script: "exec unshare --cgroup true",
    fix: "use a kernel with CONFIG_CGROUPS namespaces (any of the last years)",
  },
] as const;

async function missingFeatures(folder: string): Promise<MachineFacts["missingFeatures"]> {
  const found = [];
  for (const { feature, script, fix } of FEATURES) {
    const args = ["--mount", "--net", "--pid", "--uts", "--ipc", "--fork", "--kill-child", "--", "sh", "-ec"];
    const env = { ...process.env, FOLDER: existingParent(folder), LC_ALL: "C" };
    const tried = await runChild("unshare", [...args, script], { env, timeout: 10_000 });
    if (tried.code !== 0)
      found.push({ feature, reason: tried.stderr.trim().split("\n").pop() || "does not work here", fix });
  }
  return found;
}

async function routes(): Promise<string[]> {
  const { stdout } = await runChild("ip", ["-4", "route", "show"], { env: process.env, timeout: 10_000 });
  return stdout.split("\n").map((line) => line.split(" ")[0] ?? "");
}

function isOnPath(name: string): boolean {
  return (process.env["PATH"] ?? "").split(delimiter).some((folder) => isProgram(join(folder, name)));
}

function freeDisk(folder: string): number {
  const { bavail, bsize } = statfsSync(existingParent(folder));
  return bavail * bsize;
}

/** The folder itself may not be there yet. */
function existingParent(folder: string): string {
  return existsSync(folder) ? folder : existingParent(dirname(folder));
}

/** Without CAP_SYS_RESOURCE nothing may be made less likely to be killed when memory runs out. */
export function mayLowerOomScores(status: string = readFileSync("/proc/self/status", "utf8")): boolean {
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? "0"}`);
  const CAP_SYS_RESOURCE = 24n;
  return ((effective >> CAP_SYS_RESOURCE) & 1n) === 1n;
}
