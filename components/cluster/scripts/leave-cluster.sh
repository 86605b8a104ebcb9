# Takes a node out of the cluster, from a server: its pods leave first, as their disruption budgets let them.
#   NODE     its name
#   TIMEOUT  seconds that it may take
: "${NODE:?}" "${TIMEOUT:?}"

if [ -z "$(k3s kubectl get node "$NODE" -o name --ignore-not-found)" ]; then exit 0; fi
# Of a cluster's last node nothing is left to save.
if [ "$(k3s kubectl get nodes -o name)" = "node/$NODE" ]; then exit 0; fi
drain
k3s kubectl delete node "$NODE" --wait=false
