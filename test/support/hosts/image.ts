import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { release } from "node:os";
import { join } from "node:path";
import { makeRootFs } from "../../../local/node/root-fs";
import { run } from "../../../local/run";
import { ensureArtifact } from "../../../local/tools/artifact";
import type { ToolsOptions } from "../../../local/tools/session";

/** What a host has before anything is installed on it: a server as it is rented, with what K3s expects or brings along. */
const PACKAGES = [
  "ca-certificates",
  "conntrack",
  "containerd",
  "containernetworking-plugins",
  "curl",
  "dbus",
  "iproute2",
  "ipset",
  "iptables",
  "kmod",
  "libpam-systemd",
  "mount",
  "nodejs",
  "openssh-server",
  "procps",
  "runc",
  "sudo",
  "systemd",
  "systemd-sysv",
  "zstd",
] as const;

/** The user that has no rights of its own but may become root, as many providers set their machines up. */
export const SUDO_USER = { name: "deploy", id: 1000 } as const;

/** Hardware that a host does not have, consoles that nobody sits at, and jobs that would wake up in the middle of a test. */
const MASKED = [
  ...["systemd-udevd.service", "systemd-udevd-kernel.socket", "systemd-udevd-control.socket"],
  ...["console-getty.service", "getty@.service", "systemd-binfmt.service"],
  ...["apt-daily.timer", "apt-daily-upgrade.timer", "e2scrub_all.timer", "fstrim.timer", "dpkg-db-backup.timer"],
  // Debian's own; K3s starts one by itself.
  "containerd.service",
];

/** Shows what host-init.sh has hidden from systemd, once that runs. */
const DEVICES_UNIT = `[Unit]
Description=Group hierarchy of devices
DefaultDependencies=no
Before=sysinit.target
ConditionPathExists=/sys/fs/cgroup/devices
ConditionPathIsMountPoint=!/sys/fs/cgroup/devices
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/umount /proc/cgroups
ExecStart=/usr/bin/mount -t cgroup -o devices cgroup /sys/fs/cgroup/devices
[Install]
WantedBy=sysinit.target`;

const SETUP = [
  // Each host gets its own.
  "rm -f /etc/ssh/ssh_host_*; : >/etc/machine-id",
  `useradd --create-home --shell /bin/bash --uid ${SUDO_USER.id} ${SUDO_USER.name}`,
  `echo '${SUDO_USER.name} ALL=(ALL) NOPASSWD:ALL' >/etc/sudoers.d/${SUDO_USER.name}`,
  `chmod 440 /etc/sudoers.d/${SUDO_USER.name}`,
  `cat >/etc/systemd/system/group-devices.service <<'EOF'\n${DEVICES_UNIT}\nEOF`,
  "systemctl enable systemd-networkd ssh group-devices",
  `systemctl mask ${MASKED.join(" ")}`,
  // The kubelet reads the kernel's messages, which are this machine's.
  "echo 'L /dev/kmsg - - - - /dev/null' >/etc/tmpfiles.d/kmsg.conf",
  // Processes that do not end when they are asked to, as functions do not, hold up a reboot for that long; by default 90 s.
  "mkdir -p /etc/systemd/system.conf.d",
  "printf '[Manager]\\nDefaultTimeoutStopSec=10s\\n' >/etc/systemd/system.conf.d/reboot.conf",
  // Journals are read after a reboot too.
  "mkdir -p /var/log/journal",
  // systemd's own program writes into settings without truncating them first, which files, unlike the kernel, mind.
  "mkdir -p /etc/systemd/system/systemd-sysctl.service.d",
  "printf '[Service]\\nExecStart=\\nExecStart=/usr/sbin/sysctl --system\\n' >/etc/systemd/system/systemd-sysctl.service.d/files.conf",
  // Routes to other hosts' pods are K3s's business.
  "mkdir -p /etc/systemd/networkd.conf.d",
  "printf '[Network]\\nManageForeignRoutes=no\\nManageForeignRoutingPolicyRules=no\\n' >/etc/systemd/networkd.conf.d/routes.conf",
];

/** A host's root file system, which all hosts share and none writes to: made once, then kept in the cache. */
export async function ensureHostImage(options: ToolsOptions): Promise<string> {
  const folder = await ensureArtifact(
    {
      name: "host image",
      key: [process.arch, release(), ...PACKAGES, ...SETUP, ...BUILT_IN],
      doing: `installing Debian with ${PACKAGES.length} packages`,
      make: async (staging, task) => {
        await makeRootFs(staging, PACKAGES, task, options);
        const root = join(staging, "root");
        await run("chroot", [root, "sh", "-euc", SETUP.join("\n")], { env: ENV });
        await listBuiltIn(root);
      },
    },
    options,
  );
  return join(folder, "root");
}

const ENV = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C.UTF-8" };

/** Modules that K3s wants, by the file that tells that the kernel has them built in. */
const BUILT_IN = [
  "kernel/net/bridge/br_netfilter.ko /proc/sys/net/bridge",
  "kernel/fs/overlayfs/overlay.ko /sys/module/overlay",
  "kernel/net/netfilter/nf_conntrack.ko /sys/module/nf_conntrack",
  "kernel/drivers/net/vxlan/vxlan.ko /sys/module/vxlan",
  "kernel/drivers/net/wireguard/wireguard.ko /sys/module/wireguard",
];

/** The folder in which a kernel's modules are, here and on a host. */
export const MODULES = `/lib/modules/${release()}`;

/**
 * Where this machine has no modules, its kernel has everything built in, and a machine of that kind says so in
 * `modules.builtin`: without it, `modprobe` fails for what is there. Where it has modules, hosts see those.
 */
async function listBuiltIn(root: string): Promise<void> {
  const folder = join(root, MODULES);
  mkdirSync(folder, { recursive: true });
  const present = BUILT_IN.map((line) => line.split(" ")).filter(([, sign = ""]) => existsSync(sign));
  writeFileSync(join(folder, "modules.builtin"), present.map(([module]) => `${module}\n`).join(""));
  writeFileSync(join(folder, "modules.order"), "");
  await run("chroot", [root, "depmod", release()], { env: ENV });
}
