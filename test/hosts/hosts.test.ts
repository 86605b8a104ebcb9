import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { run } from "../../local/run";
import { eventually } from "../support/local-stack";
import { bootHosts, CANNOT_RUN, leftovers, type Host, type Hosts } from "../support/hosts/hosts";

/** What tests on hosts rest on: that these are machines of their own, and that nothing of them stays. */
describe.skipIf(CANNOT_RUN)("hosts for tests", () => {
  let hosts: Hosts;
  let first: Host;
  let second: Host;
  beforeAll(async () => {
    hosts = await bootHosts([{ name: "first" }, { name: "second" }]);
    [first, second] = [hosts.get("first"), hosts.get("second")];
  });
  afterAll(() => hosts.stop());

  it("are entered by ssh as root and as a user that may become root, and prove themselves by their key", async () => {
    expect(await first.ssh("hostname; id -u")).toBe("first\n0\n");
    expect(await second.ssh("hostname; id -u; sudo -n id -u", "deploy")).toBe("second\n1000\n0\n");
    expect(first.hostKey).toMatch(/^ssh-ed25519 \S+$/);
    expect(first.hostKey).not.toBe(second.hostKey);
    expect(await run("ssh-keyscan", ["-t", "ed25519", first.address])).toContain(first.hostKey);
    expect(hosts.privateKey).toMatch(/^-----BEGIN OPENSSH PRIVATE KEY-----/);
  });

  it("run systemd, with every unit started", async () => {
    expect(await first.run("systemctl is-system-running")).toBe("running\n");
    expect(await first.run("systemctl --failed --no-legend")).toBe("");
  });

  it("reach each other by name, this machine by its address, and nothing else", async () => {
    expect(await first.ssh("exec 3<>/dev/tcp/second/22; head -c 4 <&3")).toBe("SSH-");
    await first.ssh(`ip route get ${hosts.machine}`);
    await expect(first.ssh("timeout 3 bash -c 'echo >/dev/tcp/192.0.2.1/80'")).rejects.toThrow();
  });

  it("have a kernel's settings of their own", async () => {
    const here = () =>
      readFileSync("/proc/sys/vm/overcommit_memory", "utf8") + readFileSync("/proc/sys/kernel/panic", "utf8");
    const before = here();
    await first.ssh("sysctl -qw vm.overcommit_memory=2 kernel.panic=7 net.ipv4.neigh.default.gc_thresh1=4096");
    await first.ssh("sysctl -qw net.netfilter.nf_conntrack_max=131072 kernel.pid_max=65536");
    expect(await first.ssh("sysctl -n vm.overcommit_memory kernel.panic kernel.pid_max")).toBe("2\n7\n65536\n");
    expect(await second.ssh("sysctl -n vm.overcommit_memory kernel.panic")).toBe("0\n0\n");
    expect(here()).toBe(before);
    await first.ssh("modprobe br_netfilter && modprobe overlay");
  });

  it("keep their disk when they reboot and when their power is cut, and nothing but that", async () => {
    const bootId = () => first.ssh("cat /proc/sys/kernel/random/boot_id");
    const before = await bootId();
    await first.ssh(
      "echo vm.panic_on_oom=1 >/etc/sysctl.d/90-test.conf; echo kept >/root/disk; echo lost >/run/memory",
    );
    await first.reboot();
    expect(await bootId()).not.toBe(before);
    expect(await first.ssh("cat /root/disk; sysctl -n vm.panic_on_oom vm.overcommit_memory; ls /run")).toMatch(
      /^kept\n1\n0\n/,
    );
    expect(await first.ssh("test -e /run/memory || echo gone")).toBe("gone\n");
    await first.ssh("sync /root/disk");
    await first.kill();
    await expect(first.ssh("true", "root", { timeout: 3000 })).rejects.toThrow();
    expect(await second.ssh("hostname")).toBe("second\n");
    await first.start();
    expect(await first.ssh("cat /root/disk")).toBe("kept\n");
  });

  it("end with the test that has booted them, be it killed; and what is left of it, the next one removes", async () => {
    await hosts.stop();
    expect(await leftovers()).toEqual([]);
    const script = join(__dirname, "../support/hosts/boot-and-wait.ts");
    const child = spawn(process.execPath, ["--import", require.resolve("tsx"), script, "killed"], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await new Promise<void>((booted) => child.stdout.on("data", () => booted()));
    expect((await leftovers()).length).toBeGreaterThan(5);
    child.kill("SIGKILL");
    const left = await eventually(10, "no process, mount or link is left", leftovers, (found) =>
      found.every((one) => one.startsWith("/") && existsSync(one)),
    );
    expect(left.some((one) => one.endsWith("/hosts"))).toBe(true);
    hosts = await bootHosts([{ name: "next" }]);
    expect(await hosts.get("next").ssh("hostname; ls /root")).toBe("next\n");
    await hosts.stop();
    expect(await leftovers()).toEqual([]);
  });
});
