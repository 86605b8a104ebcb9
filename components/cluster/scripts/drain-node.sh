# Takes a node out of the cluster, from a server: its pods leave first, as their disruption budgets let them.
#   NODE  its name
: "${NODE:?}"
if [ -z "$(k3s kubectl get node "$NODE" -o name --ignore-not-found)" ]; then exit 0; fi
k3s kubectl drain "$NODE" --ignore-daemonsets --delete-emptydir-data --timeout=300s ||
  fail "$NODE does not let go of its pods in 300 s: see the budgets above; it is cordoned, and still in the cluster"
k3s kubectl delete node "$NODE" --wait=false
