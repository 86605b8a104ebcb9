# Stops K3s on a server. Its pods go on.
timeout 300 systemctl stop k3s || fail "k3s does not stop"
