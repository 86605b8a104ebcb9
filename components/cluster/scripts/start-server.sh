# Starts K3s on a server, and waits until its API server and its node are ready.
#   NODE     the node's name
#   RESTART  yes: also where it runs
: "${NODE:?}" "${RESTART:?}"
case $RESTART in yes) verb=restart ;; *) verb=start ;; esac
timeout 600 systemctl "$verb" k3s || {
  journalctl -u k3s -n 20 --no-pager -o cat >&2
  fail "k3s does not start: the journal's last lines are above"
}
eventually 180 k3s kubectl get --raw=/readyz >/dev/null || fail "the API server is not ready after 180 s"
k3s kubectl wait --for=condition=Ready "node/$NODE" --timeout=180s >/dev/null || fail "$NODE is not ready after 180 s"
