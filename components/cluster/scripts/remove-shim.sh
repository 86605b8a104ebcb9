# Removes the shim. No pod of this host runs any more: its node has left the cluster.
rm -f /usr/local/bin/containerd-shim-wasmedge-v1 /var/lib/wasm-functions/shim
