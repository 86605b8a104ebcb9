# Removes a server's copy of the cluster's state, but not its snapshots, so that it joins the first server anew.
db=/var/lib/rancher/k3s/server/db
if systemctl -q is-active k3s; then fail "k3s still runs"; fi
[ ! -d "$db" ] || find "$db" -mindepth 1 -maxdepth 1 ! -name snapshots -exec rm -rf {} +
