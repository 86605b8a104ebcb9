# Tells what there is of a host, one `name=value` a line, and changes nothing: who reads it judges.
#   MODULES   kernel modules to look for, one a line
#   SYSCTLS   the kernel's settings to tell, one name a line
#   PROGRAMS  programs to look for, one a line
#   PORTS     ports to look at, one `tcp/6443` a line
#   PEERS     what to connect to, one `address port` a line
#   URLS      what to download the first byte of, one a line
: "${MODULES?}" "${SYSCTLS?}" "${PROGRAMS?}" "${PORTS?}" "${PEERS?}" "${URLS?}"

tell() { printf '%s=%s\n' "$1" "$2"; }

# First and last, so that whoever asks can tell how far this clock is from its own.
tell clock.begin "$(date +%s.%N)"

if [ -r /etc/os-release ]; then
  # shellcheck source=/dev/null
  tell os "$(. /etc/os-release && echo "${PRETTY_NAME:-$NAME}")"
fi
tell init "$(cat /proc/1/comm)"
tell machine "$(uname -m)"
tell kernel "$(uname -r)"
for module in $MODULES; do
  if [ -e "/sys/module/$module" ] || grep -qw "$module" /proc/filesystems; then state=there
  # What is built in or can be loaded; nothing is loaded now.
  elif modprobe -qn "$module" 2>/dev/null; then state=there
  else state=missing; fi
  tell "module.$module" "$state"
done

if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
  tell cgroup.version 2
  tell cgroup.controllers "$(cat /sys/fs/cgroup/cgroup.controllers)"
else
  tell cgroup.version 1
  tell cgroup.controllers "$(awk '!/^#/ && $4 == 1 { printf "%s ", $1 }' /proc/cgroups)"
fi

tell cpus "$(nproc)"
tell memory "$(awk '/^MemTotal:/ { printf "%.0f", $2 * 1024 }' /proc/meminfo)"
tell swap "$(awk '/^SwapTotal:/ { printf "%.0f", $2 * 1024 }' /proc/meminfo)"
for folder in /var/lib/rancher /usr/local/bin; do
  # The disk of what is not there yet is that of the folder above it.
  at=$folder
  until [ -d "$at" ]; do at=$(dirname "$at"); done
  tell "free.$folder" "$(df --output=avail -B1 "$at" | tail -n 1 | tr -d ' ')"
done

for name in $SYSCTLS; do
  # Those of a module that is not loaded are not there yet.
  tell "sysctl.$name" "$(sysctl -n "$name" 2>/dev/null | tr '\t' ' ')"
done
for program in $PROGRAMS; do
  if command -v "$program" >/dev/null; then tell "program.$program" there; else tell "program.$program" missing; fi
done

k3s=none
for unit in k3s k3s-agent; do
  if systemctl -q is-active "$unit" 2>/dev/null; then k3s=$unit; fi
done
tell k3s "$k3s"
for port in $PORTS; do
  # Local ports are in hexadecimal; of TCP, only those that listen (0A) count.
  hex=$(printf ':%04X' "${port#*/}")
  files=("/proc/net/${port%/*}")
  [ ! -e "/proc/net/${port%/*}6" ] || files+=("/proc/net/${port%/*}6")
  state=$(awk -v hex="$hex" -v tcp="${port%%/*}" \
    'index($2, hex) == length($2) - 4 && (tcp != "tcp" || $4 == "0A") { found = 1 } END { print found ? "taken" : "free" }' "${files[@]}")
  tell "port.$port" "$state"
done
while read -r address port; do
  [ -n "$address" ] || continue
  # Its own message is the last word of the shell's: refused is an answer too, since it comes from the host.
  if answer=$(LC_ALL=C timeout 3 bash -c "exec 3<>/dev/tcp/$address/$port" 2>&1); then answer=open
  elif [ -z "$answer" ]; then answer="no answer in 3 s"; fi
  tell "peer.$address:$port" "$(printf '%s' "$answer" | head -n 1 | sed 's/.*: //')"
done <<<"$PEERS"
for url in $URLS; do
  # The first byte, since not everything that can be downloaded answers to HEAD.
  answer=$(curl -sSL -r 0-0 -o /dev/null --connect-timeout 5 --max-time 20 -w '%{http_code}' "$url" 2>&1) || true
  tell "url.$url" "$(printf '%s' "$answer" | tr '\n' ' ')"
done
tell clock.end "$(date +%s.%N)"
