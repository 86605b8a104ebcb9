# Waits, on a server, until a node is one of the cluster's and ready, and lets pods come to it that drain-node.sh sent away.
#   NODE     its name
#   RELEASE  what it runs: K3s's version and the shim's
#   WANTED   what all that it runs is known by; the script runs again when it changes
: "${NODE:?}" "${RELEASE:?}" "${WANTED:?}"

eventually 120 k3s kubectl get node "$NODE" -o name >/dev/null || fail "$NODE has not joined in 120 s"
k3s kubectl wait --for=condition=Ready "node/$NODE" --timeout=180s >/dev/null || {
  k3s kubectl get node "$NODE" -o jsonpath='{range .status.conditions[*]}{.type}={.status}: {.message}{"\n"}{end}' >&2
  fail "$NODE is not ready after 180 s: its conditions are above"
}
k3s kubectl annotate node "$NODE" --overwrite "$prefix/release=$RELEASE" >/dev/null
drained=$(annotation drained-for)
if [ -n "$drained" ]; then
  k3s kubectl uncordon "$NODE" >/dev/null
  k3s kubectl annotate node "$NODE" "$prefix/drained-for-" >/dev/null
fi
