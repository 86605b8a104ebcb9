#!/usr/bin/env bash
# Runs make targets in stages, one argument each, and ends with a table of the time that each target took, what failed, and
# the number of tests. The parts of a stage between `|` run at the same time, each line with its target's name before it: tests
# on real nodes and hosts mostly wait, for pods, reboots and timeouts. After a failure no further stage begins.
set -uo pipefail
cd "$(dirname "$0")/.." || exit

results=$(mktemp -d)
tightest=$results/tightest
# Each booted host and each node has some dozen of them, and one user's 128 do not reach for both at once.
inotify=/proc/sys/fs/inotify/max_user_instances
inotify_before=
watcher=

# The least that the machine has had: tests that fail for want of something do not say of what.
watch_machine() {
  local memory disk load least_memory=999999999 least_disk=999999999 highest=0
  while sleep 5; do
    memory=$(($(sed -n 's/^MemAvailable: *\([0-9]*\).*/\1/p' /proc/meminfo) / 1024))
    disk=$(($(df --output=avail -k . | tail -1) / 1024))
    load=$(cut -d. -f1 /proc/loadavg)
    ((memory < least_memory)) && least_memory=$memory
    ((disk < least_disk)) && least_disk=$disk
    ((load > highest)) && highest=$load
    echo "$(nproc) cores, load up to $highest; at least $least_memory MiB of memory and $least_disk MiB of disk free" >"$tightest"
  done
}

end() {
  [[ -z $watcher ]] || kill "$watcher"
  [[ -z $inotify_before ]] || echo "$inotify_before" >"$inotify"
  rm -rf "$results"
}
trap end EXIT

run() { # target
  local start=$SECONDS code=0
  make --no-print-directory "$1" || code=$?
  printf '%-8s %5d s%s\n' "$1" $((SECONDS - start)) "$( ((code == 0)) || echo '  failed')" >>"$results/times"
  return "$code"
}

in_turn() { # target...
  local target
  for target in "$@"; do
    printf '\n== %s\n' "$target"
    run "$target" || return
  done
}

beside_others() { # target...
  local target
  for target in "$@"; do
    run "$target" 2>&1 | sed -u "s/^/$target: /" || return
  done
}

at_once() { # part...
  local part jobs=() code=0
  if [[ -w $inotify && $(<"$inotify") -lt 1024 ]]; then
    inotify_before=$(<"$inotify")
    echo 1024 >"$inotify"
    echo "fs.inotify.max_user_instances is 1024 while these run, and $inotify_before again afterwards"
  fi
  for part in "$@"; do
    # shellcheck disable=SC2086 # targets are words
    beside_others $part &
    jobs+=($!)
  done
  for job in "${jobs[@]}"; do wait "$job" || code=$?; done
  return "$code"
}

if [[ $(uname) == Linux ]]; then
  watch_machine &
  watcher=$!
fi
rm -f .local/tests-*.json
status=0
for stage in "$@"; do
  if [[ $stage == *"|"* ]]; then
    IFS='|' read -ra parts <<<"$stage"
    printf '\n== at the same time:%s\n' "$(printf ' (%s)' "${parts[@]}")"
    at_once "${parts[@]}" || status=$?
  else
    # shellcheck disable=SC2086 # targets are words
    in_turn $stage || status=$?
  fi
  ((status == 0)) || break
done

printf '\n== time, %d s in all\n' "$SECONDS"
cat "$results/times" "$tightest" 2>/dev/null
printf '\n== in all\n'
node --import tsx test/summary.ts $(ls .local/tests-*.json 2>/dev/null)
exit "$status"
