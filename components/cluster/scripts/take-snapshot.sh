# Takes a snapshot of etcd on this server, and tells the file.
#   NAME  what the file's name begins with
: "${NAME:?}"
snapshots=/var/lib/rancher/k3s/server/db/snapshots
files() { find "$snapshots" -maxdepth 1 -type f -name "$NAME-*" ! -name '*.part' 2>/dev/null | sort || true; }

before=$(files)
timeout 300 k3s etcd-snapshot save --name "$NAME" >&2 || fail "K3s takes no snapshot: the reason is above"
# K3s tells the name in its log alone.
new=$(comm -13 <(printf '%s\n' "$before") <(files))
[ -n "$new" ] || fail "K3s says that it took a snapshot, but $snapshots has no new file $NAME-*"
printf '%s\n' "$new"
