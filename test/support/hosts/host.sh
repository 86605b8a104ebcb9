#!/bin/sh
# Boots one host, again after each reboot, until it is powered off. Runs in the world's network, with mounts and process ids of
# its own.
#
#   host.sh FOLDER
#     FOLDER/settings   NAME, IMAGE (root file system, never written to), BRIDGE, GROUPS (one folder for each cgroup
#                       hierarchy), MOUNTS (options of systemd-nspawn)
#     FOLDER/upper      what the host has written over its image; FOLDER/data: folders that must not lie on an overlay
set -eu
folder=$1
. "$folder/settings"
here=$(dirname "$0")

for group in $GROUPS; do echo 0 >"$group/cgroup.procs"; done
mount -t overlay -o "lowerdir=$IMAGE,upperdir=$folder/upper,workdir=$folder/work" overlay "$folder/root"

# With it /proc/sys and /sys can be written to, as on any machine; host-init.sh keeps that from reaching this one's settings.
export SYSTEMD_NSPAWN_API_VFS_WRITABLE=1
while :; do
  code=0
  # Keyrings are what runc, and bpf what cgroups version 2 want; systemd-nspawn denies both. MOUNTS is several words.
  # shellcheck disable=SC2086
  systemd-nspawn --quiet --register=no --keep-unit --kill-signal=SIGRTMIN+3 --capability=all --network-bridge="$BRIDGE" \
    --link-journal=no --resolv-conf=off --timezone=off --console=pipe --machine="$NAME" --directory="$folder/root" \
    --system-call-filter="@keyring bpf" $MOUNTS /bin/sh -euc "$(cat "$here/host-init.sh")" || code=$?
  # How systemd-nspawn says that its host wants to boot again.
  [ "$code" = 133 ] || exit "$code"
done
