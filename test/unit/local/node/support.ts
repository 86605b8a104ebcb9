import * as fs from "node:fs";
import * as path from "node:path";
import { createWorkshop, type Workshop } from "../../../support/tool-workshop";

/** A workshop with stand-ins for what makes a root file system: the real ones need root, a mirror and minutes. */
export interface RootFsWorkshop extends Workshop {
  /** One line for each call of a stand-in so far. */
  readonly calls: () => string[];
  /** The process ids of a debootstrap that hangs, and of its child, once it does. */
  readonly hanging: () => number[] | undefined;
}

/** Takes its own arguments off and becomes the command, without any namespace. */
const UNSHARE = `#!/bin/sh
echo "unshare $*" >>"$FAKE_LOG"
while [ "$1" != "--" ]; do shift; done
shift
exec "$@"
`;

/**
 * As debootstrap, tells steps (I:) and errors (E:) on standard output, and all that its programs say in its log.
 * FAKE_DEBOOTSTRAP says how it ends: ok | unreachable | full | hang.
 */
const DEBOOTSTRAP = `#!/bin/sh
PATH=$PATH:/usr/bin:/bin
echo "debootstrap $*" >>"$FAKE_LOG"
for arg; do
  root=$mirror mirror=$arg
done
mkdir -p "$root/debootstrap" "$root/usr/bin"
echo "I: Retrieving base-files 13.8..."
case "\${FAKE_DEBOOTSTRAP:-ok}" in
ok)
  rm -r "$root/debootstrap"
  echo "a program" >"$root/usr/bin/catatonit"
  echo "I: Base system installed successfully."
  ;;
unreachable)
  echo "wget: unable to resolve host address" >>"$root/debootstrap/debootstrap.log"
  echo "E: Failed getting release file $mirror/dists/trixie/Release"
  exit 1
  ;;
full)
  echo "tar: ./usr/bin/gcc: Cannot write: No space left on device" >>"$root/debootstrap/debootstrap.log"
  echo "E: Tried to extract package, but file already exists. Exit..."
  exit 1
  ;;
hang)
  sleep 300 &
  echo "$$ $!" >"$FAKE_LOG.pids"
  wait
  ;;
esac
`;

const CHROOT = `#!/bin/sh
echo "chroot $*" >>"$FAKE_LOG"
printf 'base-files\\t13.8\\ncatatonit\\t0.2.1\\n'
`;

export function createRootFsWorkshop(): RootFsWorkshop {
  const shop = createWorkshop({ go: false });
  const log = path.join(shop.folder, "calls.log");
  const env = { ...shop.env, FAKE_LOG: log };
  shop.onPath("unshare", UNSHARE);
  shop.onPath("debootstrap", DEBOOTSTRAP);
  shop.onPath("chroot", CHROOT);
  const read = (file: string) => (fs.existsSync(file) ? fs.readFileSync(file, "utf8") : "");
  return {
    ...shop,
    env,
    options: (more = {}) => shop.options({ env, ...more }),
    calls: () => read(log).split("\n").slice(0, -1),
    hanging: () => (read(`${log}.pids`).endsWith("\n") ? read(`${log}.pids`).trim().split(" ").map(Number) : undefined),
  };
}
