# Starts K3s on a server, and waits until its API server and its node are ready.
#   NODE     the node's name
#   RESTART  yes: also where it runs
: "${NODE:?}" "${RESTART:?}"
case $RESTART in yes) verb=restart ;; *) verb=start ;; esac
timeout 600 systemctl "$verb" k3s || {
  journalctl -u k3s -n 20 --no-pager -o cat >&2
  fail "k3s does not start: the journal's last lines are above"
}
# Asked again and again, since K3s may end once more, and be started again by systemd, until etcd's servers are at one.
ready() {
  k3s kubectl get --raw=/readyz --request-timeout=5s >/dev/null &&
    k3s kubectl wait --for=condition=Ready "node/$NODE" --timeout=1s >/dev/null
}
eventually 180 ready || {
  ready || true
  fail "$NODE is not ready after 180 s"
}
