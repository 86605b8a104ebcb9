import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readIfExists } from "../files";
import type { Task } from "../progress";
import { runChild } from "../tools/child";
import { ensureArtifact } from "../tools/artifact";
import { diskFull, keepLog, saysDiskFull, toolsError } from "../tools/failures";
import type { ToolsOptions } from "../tools/session";

/** Debian 13: of its releases the one with WasmEdge 0.14.1 and containerd 1.7. */
const SUITE = "trixie";

/** Another mirror than Debian's own, for machines that only reach one of theirs. */
export const MIRROR_VARIABLE = "WASM_FUNCTIONS_DEBIAN_MIRROR";
export const DEBIAN_MIRROR = "http://deb.debian.org/debian";

/** What each root file system is for, and the packages beside Debian's minimal base. */
const ROOT_FILE_SYSTEMS = {
  /** The node: what K3s would bring along or expects of a host. */
  node: [
    "ca-certificates",
    "catatonit",
    "conntrack",
    "containerd",
    "containernetworking-plugins",
    "docker-registry",
    "iproute2",
    "ipset",
    "iptables",
    "kmod",
    "mount",
    "procps",
    "runc",
    "runit",
    "skopeo",
    "socat",
    "tini",
  ],
  /** Where functions, the shim and static programs are compiled. */
  build: [
    "ca-certificates",
    "cargo",
    "gcc",
    "libclang-dev",
    "libseccomp-dev",
    // A virtual dependency of libwasmedge0 that debootstrap cannot resolve by itself.
    "libspdlog1.15",
    "libstd-rust-dev-wasm32",
    "libwasmedge-dev",
    "lld",
    "patchelf",
    "pkg-config",
    "protobuf-compiler",
    "rustc",
    "wasmedge",
  ],
  /** Programs of the images of observability that Debian has. */
  monitoring: ["prometheus-alertmanager", "prometheus-node-exporter"],
  /** Servers and clients of tests and measurements. */
  test: ["busybox-static", "postgresql", "valkey-server", "wrk"],
} as const satisfies Readonly<Record<string, readonly string[]>>;

export type RootFsName = keyof typeof ROOT_FILE_SYSTEMS;

/** Folders on which something is mounted; the root itself stays read-only. */
const MOUNT_POINTS = ["etc/rancher", "opt/wasmedge", "source", "out", "work"];

/**
 * A root file system of Debian's packages, signatures checked against Debian's keyring; made once, then kept in the
 * cache. Packages are the mirror's newest of that release when it is made: `packages.txt` beside it lists them.
 *
 * @returns the folder that holds it
 * @throws ProblemsError when the mirror does not answer, a signature is wrong, or the disk is full
 */
export async function ensureRootFs(name: RootFsName, options: ToolsOptions): Promise<string> {
  const packages = ROOT_FILE_SYSTEMS[name];
  const folder = await ensureArtifact(
    {
      name: `root file system ${name}`,
      key: [SUITE, process.arch, ...packages, ...MOUNT_POINTS],
      doing: `installing Debian ${SUITE} with ${packages.length} packages`,
      make: (staging, task) => makeRootFs(staging, packages, task, options),
    },
    options,
  );
  return join(folder, "root");
}

/** Installs Debian with these packages into `root` of a folder of the cache that is being filled. */
export async function makeRootFs(
  staging: string,
  packages: readonly string[],
  task: Task,
  options: ToolsOptions,
): Promise<void> {
  const root = join(staging, "root");
  const env = options.env ?? process.env;
  const mirror = env[MIRROR_VARIABLE] || DEBIAN_MIRROR;
  // In a mount namespace, so that what debootstrap mounts is gone with it, however it ends.
  const args = ["--mount", "--pid", "--fork", "--kill-child", "--"];
  const include = `--include=${packages.join(",")}`;
  const result = await runChild(
    "unshare",
    [...args, "debootstrap", "--variant=minbase", "--force-check-gpg", include, SUITE, root, mirror],
    { env: { ...env, LC_ALL: "C" }, signal: options.signal, onLine: (line) => task.update(doing(line)) },
  );
  if (result.code !== 0) throw failure(result.stdout + result.stderr, mirror, staging, options);
  for (const folder of MOUNT_POINTS) mkdirSync(join(root, folder), { recursive: true });
  const listed = await runChild("chroot", [root, "dpkg-query", "--show"], { env });
  if (listed.code !== 0) throw failure(listed.stderr, mirror, staging, options);
  writeFileSync(join(staging, "packages.txt"), listed.stdout);
}

/** debootstrap tells every package; what it does with them is enough. */
function doing(line: string): string {
  return line
    .replace(/^I: /, "")
    .replace(/\.\.\.$/, "")
    .slice(0, 60);
}

function failure(output: string, mirror: string, staging: string, { paths }: ToolsOptions): Error {
  // debootstrap itself only says that a package failed; why is in its log.
  if (saysDiskFull(output + logOf(staging))) {
    return diskFull(paths.cache, "installing Debian packages");
  }
  const log = keepLog(paths, "debootstrap", `${output}\n${logOf(staging)}`);
  const last = output.trim().split("\n").pop() ?? "";
  return toolsError([
    {
      path: mirror,
      value: `installing Debian ${SUITE} failed: ${last.replace(/^E: /, "")}`,
      limit: "the node's root file system is made of its packages",
      fix: `see ${log}; another mirror is set with ${MIRROR_VARIABLE}`,
    },
  ]);
}

function logOf(staging: string): string {
  return readIfExists(join(staging, "root", "debootstrap", "debootstrap.log"))?.slice(-4000) ?? "";
}
