# Makes of a snapshot the cluster's state, on the first server, while K3s runs on none. Its token and all else is in its
# config and the files that this names.
#   SNAPSHOT  the file's name
: "${SNAPSHOT:?}"
db=/var/lib/rancher/k3s/server/db
[ -f "$db/snapshots/$SNAPSHOT" ] || fail "there is no $db/snapshots/$SNAPSHOT"
if systemctl -q is-active k3s; then fail "k3s still runs"; fi
# K3s's own guard against two resets in a row, which is what one that was broken off is finished by.
rm -f "$db/reset-flag"
# Where snapshots go to a bucket as well, K3s would look for this one there.
log=$(k3s server --cluster-reset --etcd-s3=false --cluster-reset-restore-path="$db/snapshots/$SNAPSHOT" 2>&1) || {
  printf '%s\n' "$log" | tail -n 20 >&2
  fail "K3s does not restore $SNAPSHOT: the last lines of its log are above. What was there before is still in $db/etcd or $db/etcd-old-*"
}
