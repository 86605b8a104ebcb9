# Brings containerd's shim for WasmEdge to a host: in place where K3s does not run yet, which looks for it once, when it
# starts; else beside, for when its pods have left.
#   ROLE    agent
#   URL     the release's archive
#   SHA256  of the archive; empty: the signature inside is verified by cosign
: "${URL:?}" "${SHA256?}"

name=containerd-shim-wasmedge-v1
install -d -m 0700 "$state" "$wanted"

# What is there is what was verified, byte by byte: a file that was tampered with or half written is brought again.
for file in "$wanted/shim" "$shim"; do
  if [ -e "$file" ] && [ "$(cat "$state/shim" 2>/dev/null)" = "$URL $SHA256 $(sum "$file")" ]; then
    # In place already: what is beside it is not wanted any more.
    [ "$file" != "$shim" ] || rm -f "$wanted/shim"
    date +%s.%N
    exit 0
  fi
done

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
mv -f "$work/$name" "$wanted/shim"
printf '%s\n' "$URL $SHA256 $(sum "$wanted/shim")" >"$state/shim"
if ! runs; then
  place "$wanted/shim" "$shim" 755
  rm -f "$wanted/shim"
fi
# That it ran; see install-k3s.sh.
date +%s.%N
