#!/bin/sh
# Stands in for Go where a test is about what surrounds a build: the real one takes minutes and cannot be told to fail.
# "Builds" a shell script that prints FAKE_GO_PRINTS whatever it is asked. FAKE_GO says how the build ends:
#   ok (once the file FAKE_GO_GATE exists, if one is named) | fail | offline | full (a real "no space left" from /dev/full) | hang (half a program is written by then)
# Each build adds a line to FAKE_GO_LOG: environment, folder, arguments.
case "$1" in
version)
  echo "go version go${FAKE_GO_VERSION:-1.26.8} linux/amd64"
  exit 0
  ;;
mod)
  echo "{\"Dir\": \"$FAKE_GO_MODULE\"}"
  exit 0
  ;;
esac

echo "CGO_ENABLED=$CGO_ENABLED GOFLAGS=$GOFLAGS GOWORK=$GOWORK GOTOOLCHAIN=$GOTOOLCHAIN dir=$PWD files=$(echo *) args=$*" >>"$FAKE_GO_LOG"
out=
while [ $# -gt 0 ]; do
  [ "$1" = "-o" ] && out=$2
  shift
done

program() {
  printf '#!/bin/sh\ncat <<END\n%s\nEND\n' "$FAKE_GO_PRINTS"
}

case "${FAKE_GO:-ok}" in
ok)
  while [ -n "$FAKE_GO_GATE" ] && [ ! -e "$FAKE_GO_GATE" ]; do sleep 0.05; done
  program >"$out"
  chmod +x "$out"
  ;;
fail)
  echo "go: downloading example.invalid/module v1.0.0" >&2
  echo "main.go:3:8: undefined: etcdmain" >&2
  exit 1
  ;;
offline)
  echo 'go: example.invalid/module@v1.0.0: Get "https://proxy.invalid/x": dial tcp: lookup proxy.invalid: no such host' >&2
  exit 1
  ;;
full)
  program | cat >/dev/full
  exit 1
  ;;
hang)
  echo "#!/bin/sh" >"$out"
  chmod +x "$out"
  sleep 300 &
  echo "$$ $!" >"$FAKE_GO_LOG.pids"
  wait
  ;;
esac
