# Has a server encrypt by a new key. It goes on to write every secret anew after this.
k3s secrets-encrypt rotate-keys || fail "K3s does not rotate the key: its journal says why (journalctl -u k3s)"
