# Makes a host bare again, once its node has left the cluster: K3s with everything that it has made, the shim, and the kernel's
# settings. Modules stay loaded until the next boot.
#   ROLE  server or agent

systemctl -q disable --now "$service" 2>/dev/null || true
# systemd leaves the containers to K3s, and K3s to whoever stops it for good.
pkill -9 -f '^[^ ]*containerd-shim-[^ ]* .*-address /run/k3s/containerd/containerd.sock' || true
# Groups go while they are read, with their last process.
{ find /sys/fs/cgroup -path '*kubepods*' -name cgroup.procs -exec cat {} + 2>/dev/null || true; } |
  while read -r pid; do kill -9 "$pid" 2>/dev/null || true; done
awk '$2 ~ "^/(run/k3s|var/lib/kubelet/|run/netns/cni-|var/lib/rancher/k3s)" { print $2 }' /proc/self/mounts | sort -r |
  while read -r mount; do umount -l "$mount" || true; done
for link in cni0 flannel.1 flannel-wg; do ip link delete "$link" 2>/dev/null || true; done

rm -f "$unit" "$k3s" "$shim"
systemctl daemon-reload
# Rules of its own are known by these names. Where there is no iptables there are none.
for save in iptables-save ip6tables-save; do
  if command -v "$save" >/dev/null; then
    "$save" | grep -Ev 'KUBE-|CNI-|flannel' | "${save%-save}-restore" || echo "$save: rules of K3s stay until the next boot" >&2
  fi
done
# Not into what may still be mounted there.
rm -rf --one-file-system "$etc" /var/lib/rancher/k3s /var/lib/kubelet /var/lib/cni /run/k3s /run/flannel \
  /etc/cni/net.d/10-flannel.conflist /etc/rancher/node /var/log/pods /var/log/containers

rm -f /etc/sysctl.d/90-wasm-functions.conf /etc/modules-load.d/wasm-functions.conf
if [ -e "$state/sysctls-before" ]; then
  while IFS='=' read -r name value; do
    sysctl -qw "$name=$value" || echo "$name stays $(sysctl -n "$name")" >&2
  done <"$state/sysctls-before"
fi
rm -rf "$state"
