#!/usr/bin/env bash
# Runs make targets in stages, one argument each, and ends with a table of the time that each target took, the number of
# tests, and what failed. The parts of a stage between `|` run at the same time, each line with its target's name before
# it: tests on real nodes and hosts mostly wait, for pods, reboots and timeouts. After a failure no further stage begins.
set -uo pipefail
cd "$(dirname "$0")/.." || exit

results=$(mktemp -d)
# Each booted host and each node has some dozen of them, and one user's 128 do not reach for both at once.
inotify=/proc/sys/fs/inotify/max_user_instances
inotify_before=

end() {
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
cat "$results/times"
node --import tsx test/summary.ts $(ls .local/tests-*.json 2>/dev/null)
exit "$status"
