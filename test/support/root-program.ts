/** What programs of a root file system find in their environment. */
export const ROOT_ENV = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C.UTF-8" };

/**
 * Arguments of `unshare` that run a script in a root file system, which stays as it is: only `/out` is written to. All
 * that the script starts ends with it.
 *
 * @param data what is `/out` there
 */
export function withinRoot(rootFs: string, data: string, script: string): string[] {
  const mounts = [
    "mount --make-rprivate /",
    `mount --bind ${data} ${rootFs}/out`,
    `mount -t tmpfs tmpfs ${rootFs}/tmp`,
    `mount --rbind /dev ${rootFs}/dev`,
    `mount -t proc proc ${rootFs}/proc`,
    `exec chroot ${rootFs} sh -ec "$1"`,
  ].join("; ");
  return ["--mount", "--pid", "--fork", "--kill-child", "--", "sh", "-ec", mounts, "sh", script];
}
