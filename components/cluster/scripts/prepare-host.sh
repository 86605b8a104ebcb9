# Sets the host's kernel as the plan has it, for good, and remembers what it had before.
#   MODULES  kernel modules, one a line
#   SYSCTLS  settings, one `name=value` a line
: "${MODULES:?}" "${SYSCTLS:?}"

install -d -m 0700 "$state"
touch "$state/sysctls-before"

printf '%s\n' "$MODULES" >/etc/modules-load.d/wasm-functions.conf
for module in $MODULES; do
  # One that is built in is there, and cannot be loaded.
  modprobe -q "$module" || [ -e "/sys/module/$module" ] || grep -qw "$module" /proc/filesystems ||
    fail "the kernel has no module $module: install its package, or another kernel"
done

while IFS='=' read -r name value; do
  before=$(sysctl -n "$name" 2>/dev/null) || fail "the kernel knows no setting $name"
  grep -q "^$name=" "$state/sysctls-before" || printf '%s=%s\n' "$name" "$before" >>"$state/sysctls-before"
  [ "$before" = "$value" ] || sysctl -qw "$name=$value" || fail "$name cannot be set to $value"
done <<<"$SYSCTLS"
printf '%s\n' "$SYSCTLS" >/etc/sysctl.d/90-wasm-functions.conf
