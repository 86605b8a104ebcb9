# Takes a node out of the cluster, from a server: its pods leave first, as their disruption budgets let them.
#   NODE     its name
#   TIMEOUT  seconds that it may take
: "${NODE:?}" "${TIMEOUT:?}"

is_there || exit 0
# Of a cluster's last node nothing is left to save.
nodes=$(k3s kubectl get nodes -o name)
[ "$nodes" != "node/$NODE" ] || exit 0
drain
# A server is gone from etcd when its node is; this one itself would not live to see that.
wait=true
[ "$NODE" != "$(sed -n 's/^node-name: //p' /etc/rancher/k3s/config.yaml)" ] || wait=false
k3s kubectl delete node "$NODE" --wait="$wait" --timeout="${TIMEOUT}s"
