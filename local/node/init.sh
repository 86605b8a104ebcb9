#!/bin/sh
# The node's first process, in namespaces of its own. Makes the root file system the root, then runs the node's services
# under runit for as long as the node lives. When this process ends, the kernel takes everything in here with it.
#
#   init.sh ROOT STATE CGROUP
#     ROOT    the root file system, which stays read-only
#     STATE   the folder with the node's own var, rancher, bin, wasmedge, hosts and resolv.conf
#     CGROUP  "1 controller…" or "2": the machine's cgroup version, and for version 1 its mounted controllers
set -eu
ROOT=$1 STATE=$2 CGROUP=$3

mount --make-rprivate /
mount --bind "$ROOT" "$ROOT"
mount -o remount,bind,ro "$ROOT"
cd "$ROOT"

mount -t proc proc proc
mount -t sysfs sysfs sys
mount --rbind /dev dev
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs tmpfs tmp
mount --bind "$STATE/var" var
mount --bind "$STATE/rancher" etc/rancher
mount --bind "$STATE/bin" usr/local/bin
mount --bind "$STATE/wasmedge" opt/wasmedge
mount --bind "$STATE/hosts" etc/hosts
mount --bind "$STATE/resolv.conf" etc/resolv.conf

case $CGROUP in
2)
  mount -t cgroup2 cgroup2 sys/fs/cgroup
  # A group whose controllers are handed down may hold no process itself.
  mkdir -p sys/fs/cgroup/init
  while read -r pid; do echo "$pid" >sys/fs/cgroup/init/cgroup.procs || true; done <sys/fs/cgroup/cgroup.procs
  sed 's/\([a-z0-9]*\)/+\1/g' sys/fs/cgroup/cgroup.controllers >sys/fs/cgroup/cgroup.subtree_control
  ;;
*)
  mount -t tmpfs -o mode=755 tmpfs sys/fs/cgroup
  for controllers in ${CGROUP#1 }; do
    folder=sys/fs/cgroup/${controllers#name=}
    mkdir "$folder"
    case $controllers in
    name=*) mount -t cgroup -o "none,$controllers" cgroup "$folder" ;;
    *) mount -t cgroup -o "$controllers" cgroup "$folder" ;;
    esac
    # cpu,cpuacct are one hierarchy that programs look for by either name.
    for name in $(echo "${controllers#name=}" | tr , ' '); do
      [ -e "sys/fs/cgroup/$name" ] || ln -s "$controllers" "sys/fs/cgroup/$name"
    done
  done
  ;;
esac

pivot_root . mnt
umount -l mnt
# Volumes that the kubelet mounts must be seen by the containers.
mount --make-rshared /

ip link set lo up
waited=0
# The last that it is given, from outside.
until ip -4 route show default 2>/dev/null | grep -q .; do
  waited=$((waited + 1))
  if [ "$waited" -gt 300 ]; then echo "init: no network after 30 s" && exit 1; fi
  sleep 0.1
done
# What a node forwards, and that its bridge shows packets to the firewall: without these no Service and no NetworkPolicy.
echo 1 >/proc/sys/net/ipv4/ip_forward
echo 1 >/proc/sys/net/bridge/bridge-nf-call-iptables

exec env -i PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root tini -s -- runsvdir -P /var/service
