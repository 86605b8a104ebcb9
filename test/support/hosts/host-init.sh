# A host's first process, before systemd: makes of a container what is more of a machine. Runs in the host.

# The kernel has these settings once for the machine that tests run on, which are not a test's to change, and lacks some in
# a network namespace. So the host has files of its own in their place, with the values of a machine that nobody has
# set up. They can be read and written as usual; the kernel does not hear of it.
mount -t tmpfs -o mode=755 settings /mnt
for tree in vm fs kernel/keys net/ipv4/neigh; do
  mkdir -p "/mnt/$tree"
  # A few can only be written.
  cp -r "/proc/sys/$tree/." "/mnt/$tree" 2>/dev/null || true
done
mkdir -p /mnt/net/ipv4/neigh/default /mnt/net/netfilter
cp /proc/sys/kernel/pid_max /proc/sys/kernel/threads-max /mnt/kernel
cp /proc/sys/net/netfilter/nf_conntrack_max /mnt/net/netfilter 2>/dev/null || echo 262144 >/mnt/net/netfilter/nf_conntrack_max
echo 0 | tee /mnt/vm/overcommit_memory /mnt/vm/panic_on_oom /mnt/kernel/panic /mnt/kernel/panic_on_oops >/dev/null
for threshold in "1 128" "2 512" "3 1024"; do
  echo "${threshold#* }" >"/mnt/net/ipv4/neigh/default/gc_thresh${threshold% *}"
done
chmod -R u+w /mnt
for path in vm fs kernel/keys net/ipv4/neigh kernel/panic kernel/panic_on_oops kernel/pid_max kernel/threads-max \
  net/netfilter/nf_conntrack_max; do
  mount --bind "/mnt/$path" "/proc/sys/$path"
done

# Of cgroups version 1, systemd-nspawn gives a host its own groups read-only, which is too little for kubelet and containerd.
for hierarchy in /sys/fs/cgroup/*/; do
  if mountpoint -q "$hierarchy"; then mount -o remount,bind,rw "$hierarchy"; fi
done
# Of groups that limit devices, systemd moves the first one's process to another, where runc does not find it. runc makes
# these groups by itself, so they are hidden from systemd while it starts; a unit of the image shows them again.
if mountpoint -q /sys/fs/cgroup/devices; then
  umount /sys/fs/cgroup/devices
  sed '/^devices\t/d' /proc/cgroups >/mnt/cgroups
  mount --bind /mnt/cgroups /proc/cgroups
fi
umount -l /mnt

# systemd waits for a udevd to announce each device where /sys can be written to. There is none: devices are not a host's own.
mount -o remount,bind,ro /sys

# Mounts of the kubelet must be seen by the containers.
mount --make-rshared /

exec /usr/lib/systemd/systemd
