import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** How the machine counts and limits what groups of processes use. */
export interface CgroupMounts {
  readonly version: 1 | 2;
  /** Version 1: one mount for each hierarchy, with its controllers as in `cpu,cpuacct`. Version 2: one, without any. */
  readonly hierarchies: readonly { readonly folder: string; readonly controllers: string }[];
}

/** What the kubelet limits and reads; version 2 has no `cpuacct`, which is in its `cpu`. */
export const NEEDED_CONTROLLERS = {
  1: ["cpu", "cpuacct", "cpuset", "memory", "pids"],
  2: ["cpu", "cpuset", "memory", "pids"],
};

/** Controllers that containers may be put under; others (`net_cls`, `perf_event`, …) are left as they are. */
const USED = ["cpu", "cpuacct", "cpuset", "memory", "pids", "devices", "freezer", "blkio", "hugetlb"];
/** systemd's own hierarchy has no controllers, but containerd reads no container's usage where it is not mounted. */
const NAMED = "name=systemd";

/** Of `/proc/self/mounts`: version 1 wins where both are mounted, since the controllers are then there. */
export function cgroupMounts(mounts: string = readFileSync("/proc/self/mounts", "utf8")): CgroupMounts {
  const rows = mounts.split("\n").map((line) => line.split(" "));
  const hierarchies = rows.flatMap(([, folder = "", type, options = ""]) => {
    if (type !== "cgroup") return [];
    const controllers = options.split(",").filter((option) => USED.includes(option) || option === NAMED);
    return controllers.length > 0 ? [{ folder, controllers: controllers.join(",") }] : [];
  });
  if (hierarchies.some(({ controllers }) => controllers !== NAMED)) return { version: 1, hierarchies };
  const unified = rows.find(([, , type]) => type === "cgroup2")?.[1] ?? "/sys/fs/cgroup";
  return { version: 2, hierarchies: [{ folder: unified, controllers: "" }] };
}

/** Controllers that the kubelet needs and this machine does not offer. */
export function missingControllers({ version, hierarchies }: CgroupMounts): string[] {
  const offered =
    version === 1
      ? hierarchies.flatMap(({ controllers }) => controllers.split(","))
      : hierarchies.flatMap(({ folder }) => read(join(folder, "cgroup.controllers")).split(/\s+/));
  return NEEDED_CONTROLLERS[version].filter((controller) => !offered.includes(controller));
}

/** Makes the group, in every hierarchy, in which the whole node lives. */
export function createGroup(name: string, { version, hierarchies }: CgroupMounts): void {
  for (const { folder, controllers } of hierarchies) {
    const group = join(folder, name);
    mkdirSync(group, { recursive: true });
    if (version === 2) writeFileSync(join(folder, "cgroup.subtree_control"), "+cpu +cpuset +memory +pids");
    if (version === 1 && controllers.split(",").includes("cpuset")) {
      // A new group may use no CPU at all until it is told which.
      for (const file of ["cpuset.cpus", "cpuset.mems"]) writeFileSync(join(group, file), read(join(folder, file)));
    }
  }
}

/** The files that a process writes its id to, to be in the group. */
export function groupFiles(name: string, { hierarchies }: CgroupMounts): string[] {
  return hierarchies.map(({ folder }) => join(folder, name, "cgroup.procs"));
}

/** Removes the group with the groups in it, innermost first. The kernel takes a moment to let go of ended processes. */
export async function removeGroup(name: string, { hierarchies }: CgroupMounts): Promise<void> {
  for (const { folder } of hierarchies) {
    const group = join(folder, name);
    for (let attempt = 0; existsSync(group); attempt++) {
      try {
        removeTree(group);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EBUSY" || attempt > 50) throw error;
        await sleep(100);
      }
    }
  }
}

/** Its files cannot be removed, and go with the folder. */
function removeTree(group: string): void {
  for (const entry of readdirSync(group, { withFileTypes: true })) {
    if (entry.isDirectory()) removeTree(join(group, entry.name));
  }
  rmdirSync(group);
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8").trim();
  } catch {
    return "";
  }
}
