# Undoes prepare-host.sh: the kernel's settings are what they were before it. Modules stay loaded until the next boot.
state=/var/lib/wasm-functions
rm -f /etc/sysctl.d/90-wasm-functions.conf /etc/modules-load.d/wasm-functions.conf
if [ -e "$state/sysctls-before" ]; then
  while IFS='=' read -r name value; do
    sysctl -qw "$name=$value" || echo "$name stays $(sysctl -n "$name")" >&2
  done <"$state/sysctls-before"
fi
rm -rf "$state"
