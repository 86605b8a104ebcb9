# Installs K3s from its binary and its config file, and starts it again where any of that has changed.
#   ROLE       server or agent
#   URL        the binary's
#   SUMS_URL   the release's list of SHA-256 sums, which names the binary BINARY
#   SHA256     of the binary; empty: that of the list
#   CONFIG     /etc/rancher/k3s/config.yaml
#   REGISTRIES /etc/rancher/k3s/registries.yaml
#   ADMISSION, AUDIT_POLICY  files that a server's config names; empty on an agent
#   UNIT       the systemd unit
#   standard input: the token to join by and, for a server, on a second line the one that agents join by
: "${ROLE:?}" "${URL:?}" "${SUMS_URL:?}" "${BINARY:?}" "${SHA256?}" "${CONFIG:?}" "${REGISTRIES?}" "${ADMISSION?}"
: "${AUDIT_POLICY?}" "${UNIT:?}"

IFS= read -r token || fail "no token came by standard input"
agent_token=
[ "$ROLE" = agent ] || IFS= read -r agent_token || fail "no agents' token came by standard input"

k3s=/usr/local/bin/k3s
etc=/etc/rancher/k3s
case $ROLE in server) service=k3s ;; *) service="k3s-agent" ;; esac
state=/var/lib/wasm-functions
install -d -m 0700 "$state"

# Whole or not at all, and never readable by others for a moment.
put() {
  local file=$1 mode=$2 content=$3
  if [ -e "$file" ] && [ "$(cat "$file")" = "$content" ] && [ "$(stat -c %a "$file")" = "$mode" ]; then return; fi
  (umask 077 && printf '%s\n' "$content" >"$file.new")
  chmod "$mode" "$file.new"
  mv -f "$file.new" "$file"
}

if [ -z "$SHA256" ]; then
  sums=$(mktemp)
  download "$SUMS_URL" "$sums"
  SHA256=$(awk -v name="$BINARY" '$2 == name { print $1 }' "$sums")
  rm -f "$sums"
  [ -n "$SHA256" ] || fail "$SUMS_URL has no sum of $BINARY"
fi
if [ ! -x "$k3s" ] || [ "$(sum "$k3s")" != "$SHA256" ]; then
  trap 'rm -f "$k3s.new"' EXIT
  download "$URL" "$k3s.new"
  check_sum "$k3s.new" "$SHA256" "$URL"
  chmod 0755 "$k3s.new"
  mv -f "$k3s.new" "$k3s"
fi

install -d -m 0755 "$etc"
put "$etc/config.yaml" 600 "$CONFIG"
put "$etc/token" 600 "$token"
[ -z "$agent_token" ] || put "$etc/agent-token" 600 "$agent_token"
[ -z "$REGISTRIES" ] || put "$etc/registries.yaml" 600 "$REGISTRIES"
[ -z "$ADMISSION" ] || put "$etc/admission.yaml" 600 "$ADMISSION"
[ -z "$AUDIT_POLICY" ] || put "$etc/audit-policy.yaml" 600 "$AUDIT_POLICY"
put "/etc/systemd/system/$service.service" 644 "$UNIT"

systemctl daemon-reload
systemctl -q enable "$service"
# What it was last started with is written down once it has started: a run that was broken off leaves no such word.
inputs=$(find "$k3s" "$etc" "/etc/systemd/system/$service.service" -type f ! -name k3s.yaml -exec sha256sum {} + | sort | sha256sum)
if [ "$(cat "$state/k3s-started" 2>/dev/null)" != "$inputs" ] || ! systemctl -q is-active "$service"; then
  timeout 600 systemctl restart "$service" || {
    journalctl -u "$service" -n 20 --no-pager -o cat >&2
    fail "$service does not start: the journal's last lines are above"
  }
  printf '%s\n' "$inputs" >"$state/k3s-started"
fi

if [ "$ROLE" = server ]; then
  eventually 180 "$k3s" kubectl get --raw=/readyz >/dev/null || fail "the API server is not ready after 180 s"
  # What others know the cluster's authority by.
  sum /var/lib/rancher/k3s/server/tls/server-ca.crt
else
  config=/var/lib/rancher/k3s/agent/etc/containerd/config.toml
  eventually 60 test -s "$config" || fail "K3s has written no $config in 60 s"
  grep -Eq 'runtimes\."?wasmedge"?\]' "$config" ||
    fail "K3s did not find the WasmEdge shim when it started: $config has no runtime wasmedge"
fi
