#!/bin/bash
# Builds the shim. Runs as root inside a Debian trixie root file system: build.sh OUT WORK
#
#   OUT   gets bin/containerd-shim-wasmedge-v1 and, in lib/, every library that it needs besides the C library.
#         Keep the two side by side: the shim looks for its libraries in ../lib.
#   WORK  keeps the compiler and Cargo's state, so that a second build is short.
#
# The folder of this script is only read. Needs the packages binutils, cargo, gcc, libclang-dev, libseccomp-dev,
# libwasmedge-dev, patchelf, pkg-config, protobuf-compiler.
set -euo pipefail
export LC_ALL=C

say() { echo "shim: $*"; }
fail() { echo "shim: error: $*" >&2; exit 1; }

[ $# = 2 ] || fail "usage: build.sh OUT WORK"
source=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1" "$2"
out=$(cd "$1" && pwd)
work=$(cd "$2" && pwd)
libraries=/usr/lib/$(gcc -print-multiarch)

for tool in apt-get cargo nm patchelf pkg-config protoc; do
  command -v $tool >/dev/null || fail "$tool is not installed"
done
[ -e "$libraries/libwasmedge.so.0" ] || fail "libwasmedge-dev is not installed"

# runwasi's library needs Rust 1.88. trixie's rustc is older, but it also has a newer one, rustc-web, which cannot be
# installed beside the other (that has what compiles functions to WebAssembly). So it is unpacked, not installed.
if [ ! -e "$work/rust/done" ]; then
  say "unpack a newer Rust compiler"
  rm -rf "$work/rust"
  mkdir -p "$work/rust/debs"
  cd "$work/rust/debs"
  ls /var/lib/apt/lists/*_Packages >/dev/null 2>&1 || apt-get -qq update
  # The library packages' names hold versions, and Debian keeps the newest only: so ask for them.
  depends() { apt-cache depends "$1" | sed -n "s/^ *Depends: \($2[0-9.]*\)$/\1/p" | head -1; }
  std=$(depends libstd-rust-web-dev libstd-rust-web-)
  llvm=$(depends "$std" libllvm)
  [ -n "$std" ] && [ -n "$llvm" ] || fail "rustc-web's libraries are not in the package lists; run apt-get update"
  apt-get -qq -o APT::Sandbox::User=root download rustc-web libstd-rust-web-dev "$std" "$llvm" \
    || fail "cannot download rustc-web; run apt-get update"
  for package in *.deb; do dpkg -x "$package" "$work/rust"; done
  cat > "$work/rust/rustc" <<EOF
#!/bin/sh
LD_LIBRARY_PATH=$work/rust$libraries exec $work/rust/usr/bin/rustc "\$@"
EOF
  chmod +x "$work/rust/rustc"
  rm -r "$work/rust/debs"
  touch "$work/rust/done"
fi

# Debian's libwasmedge can compile WebAssembly, for which it maps libLLVM and what that needs: 200 MB, and megabytes of
# relocations in every pod. To run modules, compiled ones too, it needs none of it. So the shim gets a libLLVM that has
# the imported names and nothing behind them. A call to any ends the process, but for the one that libwasmedge makes on
# exit, to free tables that are empty.
say "make a libLLVM without LLVM"
llvm_name=$(patchelf --print-needed "$libraries/libwasmedge.so.0" | grep '^libLLVM')
llvm_tag=$(nm -D --undefined-only "$libraries/libwasmedge.so.0" | sed -n 's/.*@\(LLVM_.*\)/\1/p' | sort -u)
[ "$(wc -w <<<"$llvm_tag")" = 1 ] || fail "libwasmedge imports LLVM versions '$llvm_tag', not one"
mkdir -p "$work/llvm"
nm -D --undefined-only "$libraries/libwasmedge.so.0" | sed -n "s/^ *U \(.*\)@$llvm_tag$/\1/p" > "$work/llvm/imports"
readelf --dyn-syms -W "$libraries/$llvm_name" | awk '$7 != "UND" { sub(/@.*/, "", $8); print $8, $4, $3 }' > "$work/llvm/exports"
awk -v exit_call=_ZN4llvm17deallocate_bufferEPvmm '
  NR == FNR { wanted[$1]; next }
  !($1 in wanted) || seen[$1]++ { next }
  { print ".globl " $1 "\n.type " $1 ",@" ($2 == "FUNC" ? "function" : $2 == "TLS" ? "tls_object" : "object") }
  $2 == "FUNC" { print ".text\n" $1 ": " ($1 == exit_call ? "ret" : "ud2") }
  $2 != "FUNC" { print ".section " ($2 == "TLS" ? ".tbss,\"awT\",@nobits" : ".bss") "\n.balign 16\n.size " $1 "," $3 "\n" $1 ": .zero " $3 }
' "$work/llvm/imports" "$work/llvm/exports" > "$work/llvm/stub.s"
echo "$llvm_tag { global: *; };" > "$work/llvm/stub.map"
gcc -shared -nostdlib -Wl,-soname,"$llvm_name" -Wl,--version-script="$work/llvm/stub.map" -Wl,--build-id=none \
  -Wl,-z,noexecstack -o "$work/llvm/$llvm_name" "$work/llvm/stub.s"

# bindgen gets WasmEdge's headers alone: with all of /usr/include as an -I folder it mistakes the system's.
mkdir -p "$work/include"
ln -sfn /usr/include/wasmedge "$work/include/wasmedge"

say "compile (minutes when cold)"
rm -rf "$work/source"
mkdir "$work/source"
cp -r "$source/Cargo.toml" "$source/Cargo.lock" "$source/src" "$work/source"
cd "$work/source"
export CARGO_HOME="$work/cargo" CARGO_TARGET_DIR="$work/target" RUSTC="$work/rust/rustc" SOURCE_DATE_EPOCH=0
export WASMEDGE_INCLUDE_DIR="$work/include" WASMEDGE_LIB_DIR="$libraries"
export RUSTFLAGS="--remap-path-prefix=$work=/shim -C link-arg=-Wl,--build-id=none"
cargo build --locked --release || fail "cargo build failed"

say "collect"
rm -rf "$out/bin" "$out/lib"
mkdir "$out/bin" "$out/lib"
shim=$out/bin/containerd-shim-wasmedge-v1
cp "$CARGO_TARGET_DIR/release/containerd-shim-wasmedge-v1" "$shim"
cp "$work/llvm/$llvm_name" "$out/lib"
cp -L "$libraries/libwasmedge.so.0" "$out/lib"
# An rpath, not a runpath, is what the libraries' own needs are looked up in too.
patchelf --force-rpath --set-rpath "\$ORIGIN/../lib" "$shim"
# What the loader maps is what is needed: LLVM's needs are gone by now. The C library is the node's own.
LD_LIBRARY_PATH=$out/lib ldd "$shim" > "$work/needed" || fail "ldd cannot read the shim"
grep 'not found' "$work/needed" && fail "the shim lacks the libraries above"
awk '$2 == "=>" { print $3 }' "$work/needed" | while read -r library; do
  case $library in
    "$out"/* | */libc.so.6 | */libm.so.6) ;;
    *) cp -L "$library" "$out/lib" ;;
  esac
done
chmod 755 "$shim"
chmod 644 "$out"/lib/*
find "$out/bin" "$out/lib" -exec touch -h -d @0 {} +

"$shim" -v >/dev/null || fail "the shim does not start"
say "WasmEdge $(dpkg-query -W -f '${Version}' libwasmedge0), $("$RUSTC" --version | cut -d' ' -f1-2)," \
  "containerd-shim-wasm $(sed -n '/^name = "containerd-shim-wasm"/{n;s/version = "\(.*\)"/\1/p}' "$source/Cargo.lock")"
(cd "$out" && sha256sum bin/* lib/*)
