# Puts the archive of K3s's own images where K3s imports it when it starts, so this comes first. It leaves with K3s.
#   URL       the archive's
#   SUMS_URL  the release's list of SHA-256 sums, which names the archive ARCHIVE
#   ARCHIVE   its name
: "${URL:?}" "${SUMS_URL:?}" "${ARCHIVE:?}"

agent=/var/lib/rancher/k3s/agent
archive=$agent/images/$ARCHIVE
# As K3s makes it: what is below is its own.
install -d -m 0755 "$agent/images"

sums=$(mktemp)
# Beside the folder: K3s would import half an archive. On its disk: so that it is put in place whole.
trap 'rm -f "$sums" "$agent/$ARCHIVE.new"' EXIT
download "$SUMS_URL" "$sums"
expected=$(awk -v name="$ARCHIVE" '$2 == name { print $1 }' "$sums")
[ -n "$expected" ] || fail "$SUMS_URL has no sum of $ARCHIVE"
if [ -f "$archive" ] && [ "$(sum "$archive")" = "$expected" ]; then exit 0; fi

download "$URL" "$agent/$ARCHIVE.new"
check_sum "$agent/$ARCHIVE.new" "$expected" "$URL"
chmod 0644 "$agent/$ARCHIVE.new"
mv -f "$agent/$ARCHIVE.new" "$archive"
