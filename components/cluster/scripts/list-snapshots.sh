# Tells the snapshots of etcd that this server has, the newest first: name, bytes and time of each on one line. It looks
# for files, since K3s itself tells only while it runs.
snapshots=/var/lib/rancher/k3s/server/db/snapshots
[ -d "$snapshots" ] || exit 0
find "$snapshots" -maxdepth 1 -type f ! -name '*.part' -printf '%T@\t%f\t%s\t%TY-%Tm-%TdT%TH:%TM:%.2TS\n' |
  sort -rn | cut -f 2-
