# Tells which key encrypts secrets, how far a rotation is, and whether all servers have the same.
# A server that has just started knows it a moment later.
eventually 30 k3s secrets-encrypt status || {
  k3s secrets-encrypt status >&2 || true
  fail "K3s does not tell how secrets are encrypted"
}
