#!/bin/sh
# SPDX-License-Identifier: MIT
# run.sh [windows]: installs teller, static, shared and with libuv's headers only, and has
# foreign programs built against each in every way there is: see host.c, which is
# all of them. Works in build/embed; needs cmake, make, a C compiler, pkg-config,
# libuv, and libuv's source in build/sources (sh scripts/sources.sh libuv).
# For windows it needs mingw, and is run by scripts/with-wine.sh.
set -u
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd -P) || exit 1
. "$root/scripts/lib.sh"

hosts=$root/tests/embed
out=$build/embed
libuv=$root/build/sources/libuv
passed=0

run() { # LOG COMMAND...: quietly, unless it fails
  log=$out/$1.log
  shift
  "$@" >"$log" 2>&1 </dev/null && return
  tail -n 40 "$log" >&2
  die "failed: $* (all of it: $log)"
}

ok() {
  passed=$((passed + 1))
  printf 'ok  %s\n' "$*"
}

# install_teller NAME OPTION...: into $out/NAME/prefix, which is not the prefix
# it was configured with: an installed tree may be moved.
install_teller() {
  name=$1
  shift
  run "$name-configure" cmake -S "$root" -B "$out/$name" \
    -DCMAKE_INSTALL_PREFIX=/nowhere -DCMAKE_INSTALL_LIBDIR=lib \
    -DCMAKE_BUILD_TYPE=Release -DTELLER_WERROR=ON -DTELLER_BUILD_TESTS=OFF \
    -DTELLER_BUILD_EXAMPLES=OFF "$@"
  run "$name-build" cmake --build "$out/$name" --parallel "$(cores)"
  rm -rf "$out/$name/prefix"
  run "$name-install" cmake --install "$out/$name" --prefix "$out/$name/prefix"
}

# Prints what an installed tree has to have, less the programs.
files_of() { # static|shared
  cat <<END
include/teller.h
lib/cmake/teller/TellerFindLibuv.cmake
lib/cmake/teller/tellerConfig.cmake
lib/cmake/teller/tellerConfigVersion.cmake
lib/cmake/teller/tellerTargets-release.cmake
lib/cmake/teller/tellerTargets.cmake
lib/pkgconfig/teller.pc
share/doc/teller/LICENSE
share/man/man3/teller.3
END
  if [ "$1" = static ]; then
    echo lib/libteller.a
  else
    printf '%s\n' lib/libteller.so "lib/libteller.so.$abi" \
      "lib/libteller.so.$version"
  fi
}

programs='bin/teller-echo
bin/teller-load
share/man/man1/teller-echo.1
share/man/man1/teller-load.1
share/teller/result.schema.json'

# check_tree NAME static|shared [MORE-FILES]: all that is to be there and nothing
# else, and no file for hosts names a folder of this machine.
check_tree() {
  (cd "$out/$1/prefix" && find . ! -type d | sed 's,^\./,,' | LC_ALL=C sort) \
    >"$out/$1.files"
  { files_of "$2"; [ -z "${3:-}" ] || echo "$3"; } | LC_ALL=C sort |
    diff - "$out/$1.files" || die "not the files to be installed: $1"
  if grep -rnE "$root|/nowhere" "$out/$1/prefix/lib/cmake" \
    "$out/$1/prefix/lib/pkgconfig"; then
    die "a folder of this machine is in an installed file"
  fi
  ok "$1: the files that are to be installed, no more; none names a folder here"
}

# build_host NAME PROJECT OPTION...: builds a foreign project and runs it.
build_host() {
  name=$1
  project=$hosts/$2
  shift 2
  run "$name-configure" cmake -S "$project" -B "$out/$name" "$@"
  run "$name-build" cmake --build "$out/$name" --parallel "$(cores)"
  run_host "$name"
}

run_host() { # NAME
  run "$1-run" timeout 100 "$out/$1/host"
  ok "$1: $(cat "$out/$1-run.log")"
}

pkg_config_host() { # NAME TREE
  mkdir -p "$out/$1"
  rm -f "$out/$1/host"
  run "$1-build" env PKG_CONFIG_PATH="$out/$2/prefix/lib/pkgconfig" \
    LDFLAGS="-Wl,-rpath,$out/$2/prefix/lib" \
    make -C "$hosts/pkg-config" CC="$(compiler)" OUT="$out/$1"
  run_host "$1"
}

# The installed programs do what those of the build tree do.
check_programs() { # TREE
  for program in echo load; do
    for option in --version --help; do
      if ! "$out/$1/src/$program/teller-$program" "$option" >"$out/here" ||
        ! "$out/$1/prefix/bin/teller-$program" "$option" >"$out/there" ||
        ! cmp "$out/here" "$out/there"; then
        die "$1: teller-$program $option is not the same when installed"
      fi
    done
  done
  "$out/$1/prefix/bin/teller-echo" --listen 127.0.0.1:0 --loops 2 \
    >"$out/$1-echo.log" 2>&1 &
  server=$!
  tries=0
  until address=$(grep -oE -m1 '127\.0\.0\.1:[1-9][0-9]*' "$out/$1-echo.log"); do
    tries=$((tries + 1))
    [ $tries -lt 100 ] || break
    sleep 0.1
  done
  status=0
  timeout 60 "$out/$1/prefix/bin/teller-load" "$address" --connections 20 \
    --round-trips 100 --quiet || status=$?
  kill -INT "$server"
  wait "$server" || status=$?
  [ "$status" -eq 0 ] || die "$1: the installed programs failed: $status"
  ok "$1: the installed programs serve, and do what those of the build tree do"
}

# A libuv whose CMake package names a library that is not there, as where a
# distribution packs the two apart: pkg-config finds libuv nonetheless.
broken_package() {
  mkdir -p "$out/broken/lib/cmake/libuv"
  echo 'message(FATAL_ERROR "libuv.a is not there")' \
    >"$out/broken/lib/cmake/libuv/libuvConfig.cmake"
  rm -rf "$out/broken-host" "$out/broken-teller"
  run broken-teller cmake -S "$root" -B "$out/broken-teller" \
    -DTELLER_BUILD_TESTS=OFF "-DCMAKE_PREFIX_PATH=$out/broken"
  run broken-host cmake -S "$hosts/cmake-package" -B "$out/broken-host" \
    "-DCMAKE_PREFIX_PATH=$out/broken;$out/static/prefix"
  ok "a broken CMake package of libuv is no obstacle"
}

# A libuv that has a CMake package, which the user points at.
good_package() {
  mkdir -p "$out/good/lib/cmake/libuv"
  cat >"$out/good/lib/cmake/libuv/libuvConfig.cmake" <<END
add_library(libuv::uv UNKNOWN IMPORTED)
find_library(LIBUV_HERE uv REQUIRED)
set_target_properties(libuv::uv PROPERTIES IMPORTED_LOCATION \${LIBUV_HERE}
  INTERFACE_COMPILE_DEFINITIONS FROM_THE_PACKAGE)
END
  build_host libuv-package cmake-package \
    "-Dlibuv_DIR=$out/good/lib/cmake/libuv" \
    "-DCMAKE_PREFIX_PATH=$out/static/prefix"
  grep -rq FROM_THE_PACKAGE "$out/libuv-package/build.ninja" \
    "$out/libuv-package/CMakeFiles" 2>/dev/null ||
    die "libuv_DIR was given, and another libuv was taken"
}

# Nothing of libuv in it: the host's is found at load time.
check_headers_only() { # TREE
  nm -D "$out/$1/prefix/lib/libteller.so" >"$out/nm" || die "no nm"
  grep -q ' U uv_loop_init$' "$out/nm" || die "$1: uv_loop_init is not left out"
  ! grep ' [A-Z] uv_' "$out/nm" | grep -v ' U ' || die "$1: defines uv_*"
  ! readelf -d "$out/$1/prefix/lib/libteller.so" | grep 'NEEDED.*libuv' ||
    die "$1: is linked to libuv"
  ok "$1: links no libuv, and leaves its functions to the host"
}

# The flags that make teller hard to attack are not forced on who takes it in.
check_flags() { # TREE
  commands=$out/$1/compile_commands.json
  hard='fstack-protector-strong|fPIE|_FORTIFY_SOURCE|fcf-protection'
  grep '"command".*server\.c' "$commands" | grep -qE "$hard" ||
    die "$1: teller is not compiled with the flags of TellerHardening.cmake"
  ! grep '"command".*host\.c' "$commands" | grep -E "$hard" ||
    die "$1: its own files are compiled with flags of teller's"
  ok "$1: hardening flags for teller, none for its host"
}

# Two libuvs in a program crash it: this is refused, and says what to do.
two_libuvs() {
  if cmake -S "$hosts/own-libuv" -B "$out/own-libuv" "-DTELLER_SOURCE=$root" \
    "-DLIBUV_SOURCE=$libuv" -DBUILD_SHARED_LIBS=ON >"$out/two.log" 2>&1; then
    die "a shared teller was given a static libuv, and took it"
  fi
  grep -q TELLER_LIBUV_HEADERS_ONLY "$out/two.log" || die "see $out/two.log"
  ok "a shared library does not swallow a static libuv"
}

make_build_dir
mkdir -p "$out"
[ -e "$libuv/CMakeLists.txt" ] || die "no libuv there: $libuv"
[ -n "${CMAKE_GENERATOR:-}" ] || ! has ninja || export CMAKE_GENERATOR=Ninja
version=$(sed -n 's/^project(teller VERSION \([0-9.]*\).*/\1/p' \
  "$root/CMakeLists.txt")
abi=${version%.*}

# Cross-built, static and as a DLL, with an installed libuv.dll, and run under
# Wine.
windows() {
  toolchain=-DCMAKE_TOOLCHAIN_FILE=$root/scripts/cmake/mingw-w64.cmake
  run windows-libuv-configure cmake -S "$libuv" -B "$out/windows-libuv" \
    "$toolchain" -DLIBUV_BUILD_TESTS=OFF -DCMAKE_POLICY_VERSION_MINIMUM=3.5 \
    -DCMAKE_INSTALL_LIBDIR=lib
  run windows-libuv-build cmake --build "$out/windows-libuv" \
    --parallel "$(cores)"
  run windows-libuv-install cmake --install "$out/windows-libuv" \
    --prefix "$out/windows-libuv/prefix"
  libuv_dir=-Dlibuv_DIR=$out/windows-libuv/prefix/lib/cmake/libuv
  windows_host windows-static OFF
  ! grep 'DLL Name: libteller' "$out/imports" || die "there is a DLL of teller"
  windows_host windows-shared ON
  grep -q 'DLL Name: libteller.dll' "$out/imports" || die "the DLL is not used"
}

windows_host() { # NAME SHARED
  host=$out/$1-host
  install_teller "$1" "$toolchain" "$libuv_dir" -DBUILD_SHARED_LIBS="$2" \
    -DTELLER_BUILD_PROGRAMS=OFF
  run "$1-host-configure" cmake -S "$hosts/cmake-package" -B "$host" \
    "$toolchain" "$libuv_dir" "-Dteller_DIR=$out/$1/prefix/lib/cmake/teller"
  run "$1-host-build" cmake --build "$host" --parallel "$(cores)"
  for dll in "$out/$1"/prefix/bin/*.dll "$out"/windows-libuv/prefix/bin/*.dll; do
    [ ! -e "$dll" ] || cp "$dll" "$host" || die "cannot copy $dll"
  done
  run "$1-host-run" timeout 100 "${WINE:?}" "$host/host.exe"
  x86_64-w64-mingw32-objdump -p "$host/host.exe" >"$out/imports" ||
    die "no objdump"
  ok "$1: $(cat "$out/$1-host-run.log")"
}

if [ "${1:-}" = windows ]; then
  windows
  echo "$passed passed, 0 failed"
  exit
fi

install_teller static
check_tree static static "$programs"
check_programs static
build_host package-static cmake-package "-DCMAKE_PREFIX_PATH=$out/static/prefix"
pkg_config_host pkg-config-static static
good_package
broken_package

run vcpkg-port cmake "-DOUT=$out/vcpkg" -P "$hosts/vcpkg.cmake"
! grep -A 5 'not used by the project' "$out/vcpkg-port.log" ||
  die "the port sets an option that there is not"
(cd "$out/vcpkg/package" && find . ! -type d | sed 's,^\./,,' | LC_ALL=C sort) \
  >"$out/vcpkg.files"
diff - "$out/vcpkg.files" <<END || die "not the files of a vcpkg package"
debug/lib/libteller.a
debug/lib/pkgconfig/teller.pc
include/teller.h
lib/libteller.a
lib/pkgconfig/teller.pc
share/teller/TellerFindLibuv.cmake
share/teller/copyright
share/teller/result.schema.json
share/teller/tellerConfig.cmake
share/teller/tellerConfigVersion.cmake
share/teller/tellerTargets-debug.cmake
share/teller/tellerTargets-release.cmake
share/teller/tellerTargets.cmake
share/teller/usage
tools/teller/teller-echo
tools/teller/teller-load
END
build_host vcpkg-host cmake-package "-DCMAKE_PREFIX_PATH=$out/vcpkg/package"

install_teller shared -DBUILD_SHARED_LIBS=ON
check_tree shared shared "$programs"
check_programs shared
build_host package-shared cmake-package "-DCMAKE_PREFIX_PATH=$out/shared/prefix"
pkg_config_host pkg-config-shared shared

build_host subdirectory-static subdirectory "-DTELLER_SOURCE=$root" \
  -DCMAKE_EXPORT_COMPILE_COMMANDS=ON
check_flags subdirectory-static
build_host subdirectory-shared subdirectory "-DTELLER_SOURCE=$root" \
  -DBUILD_SHARED_LIBS=ON

install_teller headers -DBUILD_SHARED_LIBS=ON -DTELLER_LIBUV_HEADERS_ONLY=ON \
  -DTELLER_BUILD_PROGRAMS=OFF
check_tree headers shared
check_headers_only headers

# One tree for all that build libuv themselves, so that it is built once.
own_libuv() { # WHAT OPTION...
  what=$1
  shift
  build_host own-libuv own-libuv -Uteller_DIR "-DLIBUV_SOURCE=$libuv" \
    -DBUILD_SHARED_LIBS=OFF "$@"
  ! ldd "$out/own-libuv/host" | grep libuv || die "own-libuv: there are two"
  ok "own-libuv: $what"
}
two_libuvs
own_libuv "teller's source in it" "-DTELLER_SOURCE=$root"
own_libuv "an installed static teller" -DTELLER_SOURCE= \
  "-DCMAKE_PREFIX_PATH=$out/static/prefix"
own_libuv "an installed teller without any libuv" -DTELLER_SOURCE= \
  "-DCMAKE_PREFIX_PATH=$out/headers/prefix"

echo "$passed passed, 0 failed"
