# For scripts that put in place what a host is to run: ROLE is server or agent.
: "${ROLE:?}"

# What the host is to run, verified and complete, until all of it is put in place, when it is this host's turn.
wanted=$state/wanted
k3s=/usr/local/bin/k3s
shim=/usr/local/bin/containerd-shim-wasmedge-v1
etc=/etc/rancher/k3s
case $ROLE in server) service=k3s ;; *) service="k3s-agent" ;; esac
unit=/etc/systemd/system/$service.service
# Those that are there or not, as the config has it.
files="config.yaml token agent-token s3-keys.yaml registries.yaml admission.yaml audit-policy.yaml"

# Where one of them lies: K3s reads more of its config from the folder.
path_of() {
  case $1 in s3-keys.yaml) echo "$etc/config.yaml.d/$1" ;; *) echo "$etc/$1" ;; esac
}

runs() { systemctl -q is-active "$service"; }

# What K3s is started with. What it was last started with is written down once it has started well: a run that was broken
# off, or a start that failed, leaves no such word.
inputs() {
  local present=("$k3s" "$etc" "$unit")
  [ ! -e "$shim" ] || present+=("$shim")
  find "${present[@]}" -type f ! -name k3s.yaml -exec sha256sum {} + | sort | sha256sum
}

# Whole or not at all, and never readable by others for a moment.
place() {
  local from=$1 to=$2 mode=$3
  if [ -e "$to" ] && cmp -s "$from" "$to" && [ "$(stat -c %a "$to")" = "$mode" ]; then return; fi
  install -m "$mode" "$from" "$to.new"
  mv -f "$to.new" "$to"
}

# Whether anything of what is wanted is not what K3s was last started with.
differs() {
  local file
  [ ! -e "$wanted/k3s" ] && [ ! -e "$wanted/shim" ] || return 0
  for file in $files; do
    [ -e "$wanted/$file" ] || [ -e "$(path_of "$file")" ] || continue
    cmp -s "$wanted/$file" "$(path_of "$file")" || return 0
  done
  cmp -s "$wanted/unit" "$unit" || return 0
  [ "$(cat "$state/k3s-started" 2>/dev/null)" != "$(inputs)" ]
}

# Puts what is wanted in place, and has K3s run with it.
apply() {
  local file
  install -d -m 0755 "$etc" "$etc/config.yaml.d"
  for file in $files; do
    if [ -e "$wanted/$file" ]; then place "$wanted/$file" "$(path_of "$file")" 600; else rm -f "$(path_of "$file")"; fi
  done
  place "$wanted/unit" "$unit" 644
  # A running shim keeps its file; the next pod gets the new one.
  if [ -e "$wanted/shim" ]; then place "$wanted/shim" "$shim" 755; fi
  if [ -e "$wanted/k3s" ]; then place "$wanted/k3s" "$k3s" 755; fi
  rm -f "$wanted/shim" "$wanted/k3s"

  systemctl daemon-reload
  systemctl -q enable "$service"
  if [ "$(cat "$state/k3s-started" 2>/dev/null)" != "$(inputs)" ] || ! runs; then
    rm -f "$state/k3s-started"
    timeout 600 systemctl restart "$service" || give_up "$service does not start"
    check_health
    inputs >"$state/k3s-started"
  fi
}

check_health() {
  local config=/var/lib/rancher/k3s/agent/etc/containerd/config.toml
  # The kubelet's own word on itself: the cluster would take some 20 s to see that it is not there.
  eventually 120 curl -fsS -o /dev/null http://127.0.0.1:10248/healthz || give_up "the kubelet does not answer after 120 s"
  if [ "$ROLE" = server ]; then
    eventually 180 "$k3s" kubectl get --raw=/readyz >/dev/null || give_up "the API server is not ready after 180 s"
  else
    grep -Eq "runtimes\\.[\"']?wasmedge[\"']?\\]" "$config" ||
      fail "K3s did not find the WasmEdge shim when it started: $config has no runtime wasmedge"
  fi
}

give_up() {
  journalctl -u "$service" -n 20 --no-pager -o cat >&2
  fail "$1: the journal's last lines are above"
}
