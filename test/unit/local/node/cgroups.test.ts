import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  cgroupMounts,
  createGroup,
  groupFiles,
  missingControllers,
  removeGroup,
  type CgroupMounts,
} from "../../../../local/node/cgroups";

const OTHERS = `overlay / overlay rw,relatime,lowerdir=/a,upperdir=/cpu,workdir=/memory 0 0
proc /proc proc rw,nosuid,nodev,noexec,relatime 0 0
tmpfs /sys/fs/cgroup tmpfs ro,nosuid,nodev,noexec,mode=755 0 0
`;

const SEPARATE = `${OTHERS}cgroup /sys/fs/cgroup/cpu cgroup rw,relatime,cpu 0 0
cgroup /sys/fs/cgroup/cpuacct cgroup rw,relatime,cpuacct 0 0
cgroup /sys/fs/cgroup/cpuset cgroup rw,relatime,cpuset 0 0
cgroup /sys/fs/cgroup/memory cgroup rw,relatime,memory 0 0
cgroup /sys/fs/cgroup/pids cgroup rw,relatime,pids 0 0
cgroup /sys/fs/cgroup/systemd cgroup rw,relatime,xattr,name=systemd 0 0
`;

const COMBINED = `${OTHERS}cgroup /sys/fs/cgroup/systemd cgroup rw,nosuid,nodev,noexec,relatime,xattr,name=systemd 0 0
cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,nosuid,nodev,noexec,relatime,cpu,cpuacct 0 0
cgroup /sys/fs/cgroup/net_cls,net_prio cgroup rw,nosuid,nodev,noexec,relatime,net_cls,net_prio 0 0
cgroup /sys/fs/cgroup/cpuset cgroup rw,nosuid,nodev,noexec,relatime,cpuset 0 0
cgroup /sys/fs/cgroup/memory cgroup rw,nosuid,nodev,noexec,relatime,memory 0 0
cgroup /sys/fs/cgroup/perf_event cgroup rw,nosuid,nodev,noexec,relatime,perf_event 0 0
cgroup /sys/fs/cgroup/pids cgroup rw,nosuid,nodev,noexec,relatime,pids 0 0
`;

const UNIFIED = `${OTHERS}cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid,nodev,noexec,relatime,nsdelegate 0 0
`;

const SYSTEMD_HYBRID = `${OTHERS}cgroup /sys/fs/cgroup/systemd cgroup rw,relatime,xattr,name=systemd 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0
`;

const v1 = (...controllers: string[]): CgroupMounts => ({
  version: 1,
  hierarchies: controllers.map((names) => ({
    folder: `/sys/fs/cgroup/${names.replace("name=", "")}`,
    controllers: names,
  })),
});
const v2 = (folder: string): CgroupMounts => ({ version: 2, hierarchies: [{ folder, controllers: "" }] });

describe("the machine's cgroups", () => {
  it.each<[string, string, CgroupMounts]>([
    [
      "version 1, one hierarchy a controller",
      SEPARATE,
      v1("cpu", "cpuacct", "cpuset", "memory", "pids", "name=systemd"),
    ],
    ["version 1, cpu and cpuacct combined", COMBINED, v1("name=systemd", "cpu,cpuacct", "cpuset", "memory", "pids")],
    [
      "both versions: the controllers are in version 1",
      `${UNIFIED.replace("/sys/fs/cgroup cgroup2", "/sys/fs/cgroup/unified cgroup2")}${SEPARATE}`,
      v1("cpu", "cpuacct", "cpuset", "memory", "pids", "name=systemd"),
    ],
    ["version 2", UNIFIED, v2("/sys/fs/cgroup")],
    ["version 2, with systemd's own hierarchy of version 1", SYSTEMD_HYBRID, v2("/sys/fs/cgroup/unified")],
    ["none: version 2 where it is usually mounted", OTHERS, v2("/sys/fs/cgroup")],
  ])("are read: %s", (_, mounts, expected) => {
    expect(cgroupMounts(mounts)).toEqual(expected);
  });

  it("are read of this machine where nothing is given", () => {
    expect(cgroupMounts()).toEqual(cgroupMounts(readFileSync("/proc/self/mounts", "utf8")));
  });
});

describe("on files like the kernel's", () => {
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "cgroups-"))));
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const unified = (controllers: string): CgroupMounts => {
    writeFileSync(join(folder, "cgroup.controllers"), `${controllers}\n`);
    writeFileSync(join(folder, "cgroup.subtree_control"), "");
    return v2(folder);
  };

  describe("controllers that are missing", () => {
    it.each<[string, () => CgroupMounts, string[]]>([
      ["version 1, all there", () => cgroupMounts(SEPARATE), []],
      ["version 1, combined", () => cgroupMounts(COMBINED), []],
      ["version 1 without two", () => v1("cpu,cpuacct", "memory"), ["cpuset", "pids"]],
      ["version 1 without accounting", () => v1("cpu", "cpuset", "memory", "pids"), ["cpuacct"]],
      ["version 2, all there", () => unified("cpuset cpu io memory hugetlb pids rdma misc"), []],
      ["version 2 without one", () => unified("cpu io memory pids"), ["cpuset"]],
      ["version 2 without any", () => unified(""), ["cpu", "cpuset", "memory", "pids"]],
      ["no cgroups at all", () => v2(join(folder, "nowhere")), ["cpu", "cpuset", "memory", "pids"]],
    ])("%s", (_, mounts, expected) => {
      expect(missingControllers(mounts())).toEqual(expected);
    });
  });

  describe("a group", () => {
    const hierarchies = (): CgroupMounts => {
      for (const name of ["cpu,cpuacct", "cpuset"]) mkdirSync(join(folder, name), { recursive: true });
      writeFileSync(join(folder, "cpuset", "cpuset.cpus"), "0-1\n");
      writeFileSync(join(folder, "cpuset", "cpuset.mems"), "0\n");
      return {
        version: 1,
        hierarchies: ["cpu,cpuacct", "cpuset"].map((name) => ({ folder: join(folder, name), controllers: name })),
      };
    };

    it("is made in every hierarchy, and may use every CPU", () => {
      const mounts = hierarchies();
      createGroup("node", mounts);
      expect(readdirSync(join(folder, "cpu,cpuacct/node"))).toEqual([]);
      expect(readdirSync(join(folder, "cpuset/node")).sort()).toEqual(["cpuset.cpus", "cpuset.mems"]);
      const read = (file: string) => readFileSync(join(folder, "cpuset/node", file), "utf8");
      expect([read("cpuset.cpus"), read("cpuset.mems")]).toEqual(["0-1", "0"]);
      // A second time it is as the first.
      createGroup("node", mounts);
    });

    it("is entered by one file in each hierarchy", () => {
      expect(groupFiles("node", v1("cpu,cpuacct", "memory"))).toEqual([
        "/sys/fs/cgroup/cpu,cpuacct/node/cgroup.procs",
        "/sys/fs/cgroup/memory/node/cgroup.procs",
      ]);
      expect(groupFiles("node", v2("/sys/fs/cgroup"))).toEqual(["/sys/fs/cgroup/node/cgroup.procs"]);
    });

    it("of version 2 is offered the controllers that the kubelet needs", () => {
      createGroup("node", unified("cpuset cpu io memory hugetlb pids"));
      // The kernel offers a group what its parent hands down, and nothing else.
      const handedDown = readFileSync(join(folder, "cgroup.subtree_control"), "utf8");
      for (const controller of ["cpu", "cpuset", "memory", "pids"]) expect(handedDown).toContain(`+${controller}`);
      expect(existsSync(join(folder, "node"))).toBe(true);
    });

    it("is removed with the groups in it, in every hierarchy, and nothing beside it", async () => {
      const mounts = hierarchies();
      for (const name of ["cpu,cpuacct", "cpuset"]) {
        for (const inner of ["node/kubepods/burstable/pod1", "node/kubepods/besteffort", "node/init", "other/inner"])
          mkdirSync(join(folder, name, inner), { recursive: true });
      }
      await removeGroup("node", mounts);
      for (const name of ["cpu,cpuacct", "cpuset"]) {
        expect(existsSync(join(folder, name, "node"))).toBe(false);
        expect(existsSync(join(folder, name, "other/inner"))).toBe(true);
      }
    });

    it("that is not there, or in one hierarchy only, is removed as well", async () => {
      const mounts = hierarchies();
      mkdirSync(join(folder, "cpuset/node/inner"), { recursive: true });
      await removeGroup("node", mounts);
      await removeGroup("node", mounts);
      expect(existsSync(join(folder, "cpuset/node"))).toBe(false);
    });

    it("that cannot be removed for another reason than processes in it is an error", async () => {
      const mounts = hierarchies();
      mkdirSync(join(folder, "cpuset/node"));
      // In a real group files go with it; in a usual folder they are in the way.
      writeFileSync(join(folder, "cpuset/node/file"), "");
      await expect(removeGroup("node", mounts)).rejects.toThrow("ENOTEMPTY");
    });
  });
});
