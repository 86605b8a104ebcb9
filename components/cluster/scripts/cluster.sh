# For scripts that speak with the cluster, on a server, about the node NODE.
prefix=wasm-functions.dev

annotation() {
  k3s kubectl get node "$NODE" --ignore-not-found -o jsonpath="{.metadata.annotations.${prefix//./\\.}/$1}"
}

# Other agents that would take its pods: ready, and not cordoned.
others() {
  local nodes
  nodes=$(k3s kubectl get nodes -l '!node-role.kubernetes.io/control-plane' --no-headers)
  awk -v node="$NODE" '$1 != node && $2 == "Ready" { print $1 }' <<<"$nodes"
}

# Whether the cluster has the node; a cluster that does not answer is no word on it.
is_there() {
  local found
  found=$(k3s kubectl get node "$NODE" -o name --ignore-not-found) || fail "the cluster does not answer"
  [ -n "$found" ]
}

drain() {
  if ! k3s kubectl wait --for=condition=Ready "node/$NODE" --timeout=0 >/dev/null 2>&1; then
    # Its kubelet would not say that a pod has ended. The cluster makes its pods anew elsewhere by itself.
    echo "$NODE is lost: its pods are not waited for" >&2
    k3s kubectl cordon "$NODE" >/dev/null
    return
  fi
  k3s kubectl drain "$NODE" --ignore-daemonsets --delete-emptydir-data --timeout="${TIMEOUT}s" ||
    fail "$NODE has not let go of its pods within $TIMEOUT s: what holds them is above; it is cordoned, and still in the cluster"
}
