import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { cgroupMounts } from "../../../local/node/cgroups";

/** What the node's processes and the kernel on their behalf hold, in bytes. */
export interface NodeMemory {
  /** Proportional set size of every process in the node: shims, sandboxes and functions, shared pages by share. */
  readonly processes: number;
  /** What the kernel accounts to the node's groups beside pages: stacks, page tables, sockets, dentries. */
  readonly kernel: number;
}

/** Reads it from every process that is in the node's group or a group below it. */
export function nodeMemory(cgroup: string): NodeMemory {
  const { hierarchies } = cgroupMounts();
  const folder = hierarchies.find(({ controllers }) => controllers.split(",").includes("memory"))?.folder;
  if (folder === undefined) throw new Error("memory is measured under cgroup version 1 only");
  const group = join(folder, cgroup);
  const pids = groupsBelow(group).flatMap((each) => read(join(each, "cgroup.procs")).split("\n").filter(Boolean));
  const processes = pids.reduce((sum, pid) => sum + proportional(pid), 0);
  return { processes, kernel: Number(read(join(group, "memory.kmem.usage_in_bytes")) || 0) };
}

function groupsBelow(group: string): string[] {
  if (!existsSync(group)) return [];
  const below = readdirSync(group, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return [group, ...below.flatMap(({ name }) => groupsBelow(join(group, name)))];
}

/** A process that has just ended holds nothing. */
function proportional(pid: string): number {
  return Number(/^Pss:\s+(\d+) kB/m.exec(read(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0) * 1024;
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
