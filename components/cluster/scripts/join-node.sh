# Waits, on a server, until a node is one of the cluster's.
#   NODE  its name
: "${NODE:?}"
eventually 120 k3s kubectl get node "$NODE" -o name >/dev/null || fail "$NODE has not joined in 120 s"
k3s kubectl wait --for=condition=Ready "node/$NODE" --timeout=180s >/dev/null || {
  k3s kubectl get node "$NODE" -o jsonpath='{range .status.conditions[*]}{.type}={.status}: {.message}{"\n"}{end}' >&2
  fail "$NODE is not ready after 180 s: its conditions are above"
}
