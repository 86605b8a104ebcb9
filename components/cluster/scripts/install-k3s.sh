# Brings K3s to a host, its binary and its files, and starts it where it does not run; where it does, what is new waits for
# the node's turn (roll-k3s.sh).
#   ROLE       server or agent
#   VERSION    of K3s
#   URL        the binary's
#   SUMS_URL   the release's list of SHA-256 sums, which names the binary BINARY
#   SHA256     of the binary; empty: that of the list
#   CONFIG     config.yaml
#   REGISTRIES registries.yaml; empty: none
#   ADMISSION, AUDIT_POLICY  files that a server's config names; empty on an agent
#   UNIT       the systemd unit
#   OTHERS     addresses of the cluster's other servers, one a line; only on the server that makes the cluster
#   standard input, one a line: the token to join by and, for a server, the one that agents join by, and the keys of the
#   bucket that snapshots go to, which are empty where there is none
: "${VERSION:?}" "${URL:?}" "${SUMS_URL:?}" "${BINARY:?}" "${SHA256?}" "${CONFIG:?}" "${REGISTRIES?}" "${ADMISSION?}"
: "${AUDIT_POLICY?}" "${UNIT:?}" "${OTHERS?}"

IFS= read -r token || fail "no token came by standard input"
agent_token='' access_key='' secret_key=''
if [ "$ROLE" = server ]; then
  { IFS= read -r agent_token && IFS= read -r access_key && IFS= read -r secret_key; } ||
    fail "fewer secrets came by standard input than a server has"
fi

# `v1.30.4+k3s1` as 30: the minor version, by which Kubernetes may go up one at a time and never down.
minor() { sed -E 's/^v1\.([0-9]+)\..*/\1/' <<<"$1"; }

if [ -x "$k3s" ]; then
  installed=$("$k3s" --version | awk '$1 == "k3s" { print $3 }')
  step=$(($(minor "$VERSION") - $(minor "$installed")))
  [ "$step" -le 1 ] || fail "K3s $installed is here, and $VERSION skips a minor version: go by each one between"
  [ "$step" -ge 0 ] || fail "K3s $installed is here, and $VERSION is an older minor version: etcd's data cannot go back"
fi

# A first server that has lost its disk must not make a second cluster beside the others'.
if [ -n "$OTHERS" ] && [ ! -d /var/lib/rancher/k3s/server/db ]; then
  for other in $OTHERS; do
    if timeout 3 bash -c "exec 3<>/dev/tcp/$other/6443" 2>/dev/null; then
      fail "$other has a cluster already: name it first in cluster.servers, and this host joins it"
    fi
  done
fi

install -d -m 0700 "$state" "$wanted"
if [ -z "$SHA256" ]; then
  sums=$(mktemp)
  trap 'rm -f "$sums"' EXIT
  download "$SUMS_URL" "$sums"
  SHA256=$(awk -v name="$BINARY" '$2 == name { print $1 }' "$sums")
  [ -n "$SHA256" ] || fail "$SUMS_URL has no sum of $BINARY"
fi
if [ -x "$k3s" ] && [ "$(sum "$k3s")" = "$SHA256" ]; then
  rm -f "$wanted/k3s"
elif [ ! -e "$wanted/k3s" ] || [ "$(sum "$wanted/k3s")" != "$SHA256" ]; then
  download "$URL" "$wanted/k3s.part"
  check_sum "$wanted/k3s.part" "$SHA256" "$URL"
  chmod 0755 "$wanted/k3s.part"
  mv -f "$wanted/k3s.part" "$wanted/k3s"
fi

# An empty one is not wanted.
want() {
  if [ -z "$2" ]; then
    rm -f "$wanted/$1"
  else
    (umask 077 && printf '%s\n' "$2" >"$wanted/$1")
  fi
}
want config.yaml "$CONFIG"
want token "$token"
want agent-token "$agent_token"
s3_keys=
if [ -n "$access_key" ]; then
  s3_keys=$(printf 'etcd-s3-access-key: "%s"\netcd-s3-secret-key: "%s"' "$access_key" "$secret_key")
fi
want s3-keys.yaml "$s3_keys"
want registries.yaml "$REGISTRIES"
want admission.yaml "$ADMISSION"
want audit-policy.yaml "$AUDIT_POLICY"
want unit "$UNIT"

runs || apply
# What others know the cluster's authority by.
if [ "$ROLE" = server ]; then sum /var/lib/rancher/k3s/server/tls/server-ca.crt; fi
# That it ran: the node's turn follows, also where a change that failed there is taken back.
date +%s.%N
