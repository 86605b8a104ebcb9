# Installs containerd's shim for WasmEdge. K3s looks for it once, when it starts, so this comes first.
#   URL     the release's archive
#   SHA256  of the archive; empty: the signature inside is verified by cosign
: "${URL:?}" "${SHA256?}"

name=containerd-shim-wasmedge-v1
shim=/usr/local/bin/$name
state=/var/lib/wasm-functions
install -d -m 0700 "$state"

# What is installed is what was, byte by byte: a file that was tampered with or half written is installed again.
if [ -x "$shim" ] && [ "$(cat "$state/shim" 2>/dev/null)" = "$URL $SHA256 $(sum "$shim")" ]; then
  exit 0
fi

work=$(mktemp -d "$state/shim.XXXXXX")
trap 'rm -rf "$work"' EXIT
download "$URL" "$work/archive"
[ -z "$SHA256" ] || check_sum "$work/archive" "$SHA256" "$URL"
tar -xzf "$work/archive" -C "$work" --no-same-owner || fail "$URL is no archive"
[ -f "$work/$name" ] || fail "$URL holds no $name"
if [ -z "$SHA256" ]; then
  command -v cosign >/dev/null ||
    fail "cosign is not on this host: install it, or set cluster.shim.sha256 to the sum of an archive that you have verified"
  cosign verify-blob "$work/$name" --signature "$work/$name.sig" --certificate "$work/$name.pem" \
    --certificate-identity https://github.com/containerd/runwasi/.github/workflows/action-build.yml@refs/heads/main \
    --certificate-oidc-issuer https://token.actions.githubusercontent.com ||
    fail "$URL is not signed by its publisher: nothing was installed"
fi
# A running shim keeps its file; the next pod gets the new one.
install -m 0755 "$work/$name" "$shim.new"
mv -f "$shim.new" "$shim"
printf '%s\n' "$URL $SHA256 $(sum "$shim")" >"$state/shim"
