# In front of every script here: as bash, and with these words.
set -euo pipefail
# sudo's own path has no /usr/local/bin on some systems.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

# What this program keeps on a host, root's alone. Not every script has need of it.
# shellcheck disable=SC2034
state=/var/lib/wasm-functions

fail() {
  echo "$(hostname): $*" >&2
  exit 1
}

sum() { sha256sum "$1" | cut -d' ' -f1; }

check_sum() {
  [ "$(sum "$1")" = "$2" ] || fail "$3 has SHA-256 $(sum "$1"), not $2: refused, nothing was installed"
}

download() {
  curl -fsSL --retry 3 --retry-connrefused --connect-timeout 15 -o "$2" "$1" || fail "$1 cannot be downloaded to $2"
}

# Tries a command once a second for so many seconds.
eventually() {
  local seconds=$1
  shift
  until "$@" 2>/dev/null; do
    [ "$seconds" -gt 0 ] || return 1
    seconds=$((seconds - 1))
    sleep 1
  done
}
