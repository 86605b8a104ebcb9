# Has a node's pods leave it, from a server, before the node starts again with what they may not outlive.
#   NODE     its name
#   TIMEOUT  seconds that it may take
#   RELEASE  what it is to run: K3s's version and the shim's
: "${NODE:?}" "${TIMEOUT:?}" "${RELEASE:?}"

# One that is not there yet has no pods, and one that runs it keeps them.
is_there || exit 0
runs=$(annotation release)
[ "$runs" != "$RELEASE" ] || exit 0
others=$(others)
if [ -z "$others" ]; then
  echo "$NODE is the only one of its kind: its pods have nowhere to go, and stay" >&2
  exit 0
fi
# Marked, so that a node that somebody else has cordoned stays so.
cordoned=$(k3s kubectl get node "$NODE" -o jsonpath='{.spec.unschedulable}')
if [ -z "$cordoned" ]; then
  k3s kubectl annotate node "$NODE" --overwrite "$prefix/drained-for=$RELEASE" >/dev/null
fi
drain
