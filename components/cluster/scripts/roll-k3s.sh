# Has a node run what is wanted, where it does not yet: its turn has come.
#   ROLE     server or agent
#   VERSION  of K3s
#   SERVERS  names of the cluster's servers, one a line; empty on an agent
#   WANTED   what all of it is known by; the script runs again when it changes
: "${VERSION:?}" "${SERVERS?}" "${WANTED:?}"

if ! differs && runs; then exit 0; fi
if [ "$ROLE" = server ] && runs; then
  # With a second server away etcd may have no majority, and then the cluster takes no change until one is back. One that
  # is leaving the cluster is not waited for.
  own=$(sed -n 's/^node-name: //p' "$etc/config.yaml")
  nodes=$("$k3s" kubectl get nodes --no-headers)
  away=$(awk -v own="$own" '$1 != own && $2 !~ /^Ready/ { print $1 }' <<<"$nodes" | grep -Fx -f <(printf '%s\n' "$SERVERS") || true)
  [ -z "$away" ] || fail "this server is not started again while another is not ready: $(paste -sd' ' <<<"$away")"
  if [ -e "$wanted/k3s" ]; then
    "$k3s" etcd-snapshot save --name "before-${VERSION//[^a-z0-9.]/-}" >&2 ||
      fail "there is no snapshot from before $VERSION, so it is not installed"
  fi
fi
apply
