#!/bin/bash
# Finds, or makes, a rustc that compiles for wasm32-unknown-unknown and prints its path on stdout: nothing else goes
# there. Progress and reasons go to stderr. Exit status: 0 with a path, 1 with a message that says what to install.
#
#   RUSTC="$(plugins/guest-toolchain.sh)" \
#   RUSTFLAGS="--remap-path-prefix=$PWD=. --remap-path-prefix=$CARGO_HOME=/cargo" \
#   cargo build --locked --release --target wasm32-unknown-unknown --target-dir target/guest -p patchbay-telegram
#
# What is expected of the caller:
# - RUSTC is set for the whole cargo call: procedural macros are compiled by the same compiler. cargo stays the host's.
# - RUSTFLAGS remaps the paths of the workspace and of cargo's home (the standard library's are remapped here), so that
#   the same source gives the same digest anywhere.
# - The target folder is the guests' own, because another compiler would otherwise rebuild the host's.
#
# Where the compiler comes from, in this order: the rustc at hand has the target; a private toolchain was made earlier;
# rustup adds the target (unless RUSTUP_AUTO_INSTALL=0); Debian's compiler and its sources of std, unpacked into a
# private folder. Nothing is installed into the system and no root is needed.
#
# PATCHBAY_TOOLCHAIN  the private folder (${XDG_CACHE_HOME:-$HOME/.cache}/patchbay/guest-toolchain)
# RUSTC               the rustc at hand (rustc)
# RUSTUP_AUTO_INSTALL 0: rustup isn't asked to download anything
#
# Safe when several run at once (one builds, the others wait for it) and when interrupted (built aside, then renamed).

set -euo pipefail

readonly target=wasm32-unknown-unknown
readonly folder="${PATCHBAY_TOOLCHAIN:-${XDG_CACHE_HOME:-${HOME:?HOME or PATCHBAY_TOOLCHAIN is needed}/.cache}/patchbay/guest-toolchain}"
readonly partial="$folder.partial"
# Seconds. The build takes 80 s on two cores.
readonly rustup_bound=300 update_bound=120 download_bound=600 build_bound=1200

say() { printf 'guest-toolchain: %s\n' "$*" >&2; }

# Whether this rustc has a standard library for the target. Sets `usable` to the compiler behind a rustup proxy, so
# that the answer doesn't depend on the folder it is asked from.
has_target() {
  local libdir sysroot
  libdir="$("$1" --print target-libdir --target "$target" 2>/dev/null)" || return 1
  compgen -G "$libdir/libstd-*.rlib" >/dev/null || return 1
  sysroot="${libdir%/lib/rustlib/*}"
  if [[ -x "$sysroot/bin/rustc" ]]; then usable="$sysroot/bin/rustc"; else usable="$(command -v "$1")"; fi
}

answer() { printf '%s\n' "$1"; exit 0; }

# 1. The compiler at hand.
readonly at_hand="${RUSTC:-rustc}"
usable=
if has_target "$at_hand"; then answer "$usable"; fi

# 2. A private toolchain made earlier. The folder appears whole or not at all.
if [[ -x "$folder/bin/rustc" ]]; then answer "$folder/bin/rustc"; fi

# 3. rustup.
if [[ "${RUSTUP_AUTO_INSTALL:-1}" != 0 ]] && command -v rustup >/dev/null; then
  say "asking rustup for $target"
  if timeout "$rustup_bound" rustup target add "$target" >&2 && has_target "$at_hand"; then answer "$usable"; fi
  say "rustup could not add $target"
fi

# 5. What to do where nothing worked.
give_up() {
  say "$*"
  cat >&2 <<'MESSAGE'
guest-toolchain: no Rust compiler for wasm32-unknown-unknown. One of these gives one:
  - with rustup:             rustup target add wasm32-unknown-unknown
  - on Debian 12 or later:   apt-get update, so that rustc-web and rust-web-src are known (they are unpacked privately)
  - on other distributions:  the package of Rust's standard library for wasm32-unknown-unknown
or set RUSTC to a compiler that has the target.
MESSAGE
  exit 1
}

# 4. Debian's compiler and its sources of std.
for tool in apt-get apt-cache dpkg dpkg-query flock timeout cargo; do
  command -v "$tool" >/dev/null || give_up "$tool isn't here"
done

mkdir -p "${folder%/*}"
exec 9>"$folder.lock"
if ! flock --nonblock 9; then
  say "another run is making the toolchain: waiting"
  flock --timeout $((update_bound + download_bound + build_bound)) 9 || give_up "the other run didn't end: see who holds $folder.lock"
fi
if [[ -x "$folder/bin/rustc" ]]; then answer "$folder/bin/rustc"; fi

# The minor version of a package's candidate or of a compiler: 96 of 1.96.0+dfsg1-1.
candidate_minor() { apt-cache policy "$1" 2>/dev/null | sed -n 's/^ *Candidate: 1\.\([0-9]*\)\..*/\1/p'; }
# The workspace asks for the compiler that the host is built with, or a later one.
needed_minor="$("$at_hand" --version 2>/dev/null | sed -n 's/^rustc 1\.\([0-9]*\)\..*/\1/p')"

new_enough() {
  local minor
  minor="$(candidate_minor rust-web-src)"
  [[ -n "$minor" && "$minor" -ge "${needed_minor:-0}" && "$minor" == "$(candidate_minor rustc-web)" ]]
}

if ! new_enough; then
  # A fresh machine has no lists, or older ones. Only root can refresh them: others go on with what is there.
  say "refreshing the package lists"
  timeout "$update_bound" apt-get update >&2 || say "apt-get update failed: going on with the lists at hand"
  new_enough || give_up "apt offers no rustc-web and rust-web-src of at least 1.${needed_minor:-0}"
fi

dependencies() {
  apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances "$1" | grep '^[a-z0-9]'
}
installed() { [[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" == installed ]]; }

std="libstd-rust-web-1.$(candidate_minor rustc-web)"
packages=(rustc-web libstd-rust-web-dev rust-web-src)
llvm=
while read -r package; do
  [[ "$package" =~ ^libllvm([0-9]+)$ ]] && llvm="${BASH_REMATCH[1]}"
  installed "$package" || packages+=("$package")
done < <(dependencies "$std")

# The linker: LLVM's, which every rustup toolchain carries, else Debian's.
triple="$("$at_hand" -vV 2>/dev/null | sed -n 's/^host: //p')"
triple="${triple:-$(uname -m)-unknown-linux-gnu}"
linker="$("$at_hand" --print sysroot 2>/dev/null || true)/lib/rustlib/$triple/bin/rust-lld"
if [[ ! -x "$linker" ]]; then
  linker=
  packages+=("lld-$llvm")
fi

rm -rf "$partial"
mkdir -p "$partial/debs" "$partial/bin"
trap 'rm -rf "$partial"' EXIT
trap 'exit 130' INT TERM HUP

say "downloading ${packages[*]}"
(cd "$partial/debs" && timeout "$download_bound" apt-get download "${packages[@]}" >&2) || give_up "the packages could not be downloaded"
for deb in "$partial"/debs/*.deb; do dpkg -x "$deb" "$partial"; done
rm -rf "$partial/debs"

# Multiarch folder of the unpacked libraries: usr/lib/x86_64-linux-gnu.
driver="$(compgen -G "$partial/usr/lib/*/librustc_driver-*.so" | head -n 1)" || give_up "rustc-web holds no compiler"
libraries="${driver%/*}"
libraries="${libraries#"$partial"/}"

cat >"$partial/bin/rustc" <<WRAPPER
#!/bin/sh
# Made by guest-toolchain.sh: Debian's compiler, run from where it was unpacked.
root="\${0%/*}/.."
LD_LIBRARY_PATH="\$root/$libraries:\$root/usr/lib/llvm-$llvm/lib\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}" exec "\$root/usr/bin/rustc" "\$@"
WRAPPER
chmod +x "$partial/bin/rustc"
"$partial/bin/rustc" --version >&2 || give_up "the unpacked compiler doesn't run here"

rustlib="$partial/usr/lib/rustlib"
mkdir -p "$rustlib/$triple/bin"
if [[ -n "$linker" ]]; then
  # A copy, not a link: rustup may remove that toolchain.
  cp "$linker" "$rustlib/$triple/bin/rust-lld"
else
  ln -s "../../../llvm-$llvm/bin/lld" "$rustlib/$triple/bin/rust-lld"
fi

# The standard library, once. With its bitcode, because guests are linked with LTO.
say "building the standard library for $target (about 80 s)"
mkdir -p "$partial/std/src"
printf '[package]\nname = "std-for-guests"\nversion = "0.0.0"\nedition = "2024"\n[workspace]\n' >"$partial/std/Cargo.toml"
printf '#![no_std]\n' >"$partial/std/src/lib.rs"
sources="$(cd "$rustlib/src/rust" && pwd -P)"
(
  cd "$partial/std"
  # The caller's settings are for guests, not for this build.
  unset CARGO_BUILD_RUSTFLAGS CARGO_BUILD_TARGET CARGO_ENCODED_RUSTFLAGS CARGO_TARGET_DIR RUSTC_WRAPPER RUSTC_WORKSPACE_WRAPPER
  RUSTC="$partial/bin/rustc" RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR="$partial/std/target" \
    RUSTFLAGS="-Cembed-bitcode=yes --remap-path-prefix=$sources=/rust --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo" \
    timeout "$build_bound" cargo build -Zbuild-std=std,panic_abort --target "$target" --release >&2
) || give_up "the standard library could not be built"
mkdir -p "$rustlib/$target/lib"
cp "$partial/std/target/$target/release/deps"/*.rlib "$rustlib/$target/lib/"
rm -f "$rustlib/$target/lib"/libstd_for_guests-*.rlib
# What only the build needed.
rm -rf "$partial/std" "$partial/usr/src" "$partial/usr/share" "$rustlib/src" "$partial/usr/bin/rustdoc"

rm -rf "$folder"
mv "$partial" "$folder"
answer "$folder/bin/rustc"
