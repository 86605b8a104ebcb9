#!/usr/bin/env bash
# Runs the named make targets one after another, fast ones first, and ends with a table of the time that each took and
# the number of tests. Stops at the first that fails.
set -uo pipefail
cd "$(dirname "$0")/.."

rm -f .local/tests-*.json
times=()
status=0
for target in "$@"; do
  printf '\n== %s\n' "$target"
  start=$SECONDS
  make --no-print-directory "$target" || status=$?
  times+=("$(printf '%-8s %5d s' "$target" $((SECONDS - start)))")
  ((status == 0)) || break
done

printf '\n== time\n'
printf '%s\n' "${times[@]}"
node --import tsx test/summary.ts $(ls .local/tests-*.json 2>/dev/null)
exit "$status"
