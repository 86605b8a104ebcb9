import { existsSync } from "node:fs";
import { runChild, type ChildResult } from "../tools/child";
import type { ToolsOptions } from "../tools/session";
import { ensureRootFs } from "./root-fs";

export interface BuildStep {
  /** Mounted read-only at /source. */
  readonly source: string;
  /** Mounted at /out and /work: what is to be kept, and what is not. */
  readonly out: string;
  readonly work: string;
  /** What the shell runs, in /source, until the first command that fails. */
  readonly script: string;
  readonly onLine: (line: string) => void;
}

/**
 * Runs a build within the root file system that holds the compilers, in a mount and process namespace of its own. It
 * shares this machine's network, since it downloads what its lock file names.
 */
export async function buildInside(step: BuildStep, options: ToolsOptions): Promise<ChildResult> {
  const root = await ensureRootFs("build", options);
  const mounts = [
    "mount --make-rprivate /",
    // What is written to the root file system itself stays in memory, and goes with the build.
    `mkdir "$WORK/.root"; mount -t tmpfs tmpfs "$WORK/.root"; cd "$WORK/.root"; mkdir upper work root`,
    `mount -t overlay -o "lowerdir=$ROOT,upperdir=upper,workdir=work" overlay root; cd root`,
    ...["mount -t proc proc proc", "mount --rbind /dev dev", "mount -t tmpfs tmpfs tmp"],
    ...[`mount --bind "$SOURCE" source`, "mount -o remount,bind,ro source"],
    ...[`mount --bind "$OUT" out`, `mount --bind "$WORK" work`],
    "[ ! -e /etc/resolv.conf ] || mount --bind /etc/resolv.conf etc/resolv.conf",
    // A company's own authorities are trusted in there as they are here.
    ...(existsSync("/etc/ssl/certs/ca-certificates.crt") ? ["mount --bind /etc/ssl/certs etc/ssl/certs"] : []),
    `exec chroot . sh -euc "cd /source; $SCRIPT"`,
  ].join("\n");
  const env = options.env ?? process.env;
  return runChild("unshare", ["--mount", "--pid", "--fork", "--kill-child", "--", "sh", "-ec", mounts], {
    env: {
      ...networkSettings(env),
      ...{ ROOT: root, SOURCE: step.source, OUT: step.out, WORK: step.work, SCRIPT: step.script },
      ...{ PATH: "/usr/sbin:/usr/bin:/sbin:/bin", HOME: "/work", LC_ALL: "C.UTF-8" },
      CARGO_HOME: "/work/cargo",
      CARGO_TARGET_DIR: "/work/target",
    },
    signal: options.signal,
    onLine: step.onLine,
  });
}

/** How this machine reaches the registries: proxies, authorities and Cargo's own settings. */
function networkSettings(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  // Not the token: it publishes, and what is built here runs scripts of its dependencies.
  const kept = /^(https?_proxy|no_proxy|all_proxy|SSL_CERT_FILE|CARGO_(HTTP|NET|REGISTR|SOURCE)\w*)$/i;
  return Object.fromEntries(Object.entries(env).filter(([name]) => kept.test(name) && !/_TOKEN$/i.test(name)));
}
