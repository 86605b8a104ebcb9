#!/bin/sh
# The first process of the world that test hosts live in: namespaces of its own for mounts, network, processes, host name and
# IPC. When it ends, the kernel ends every host with all that runs in it, and drops the mounts, the bridge and the cable.
#
#   world.sh FOLDER
#     FOLDER          holds a folder for each host, with the settings that host.sh reads
#     standard input  one command a line, `on HOST` or `off HOST`; its end is the end of the world, so that hosts never
#                     outlive a test that was killed
set -eu
folder=$1
here=$(dirname "$0")

mount --make-rprivate /
mount -t proc proc /proc
# systemd-nspawn keeps its locks and sockets in /run: in this one, which goes with the world.
mount -t tmpfs -o mode=755 tmpfs /run
ip link set lo up
: >"$folder/ready"

while read -r action host; do
  case $action in
  on)
    # Process ids of its own: with the first process goes whatever the host has started.
    unshare --mount --pid --fork --kill-child --mount-proc sh "$here/host.sh" "$folder/$host" \
      </dev/null >>"$folder/$host/console.log" 2>&1 &
    echo $! >"$folder/$host/pid"
    ;;
  off) kill -9 "$(cat "$folder/$host/pid")" || true ;;
  esac
done
