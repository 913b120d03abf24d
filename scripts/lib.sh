# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# What run.sh, test.sh, sources.sh and .ci/run share. They set $root, the folder
# of the project, and read this file. POSIX sh: a new system may have no other.

build=${TELLER_BUILD_DIR:-$root/build}
case $build in /*) ;; *) build=$PWD/$build ;; esac

# To standard error, so that the server's own output can be piped on.
say() { printf 'teller: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }
has() { command -v "$1" >/dev/null 2>&1; }

make_build_dir() {
  if ! mkdir -p "$build" 2>/dev/null || [ ! -w "$build" ]; then
    die "cannot write to $build: set TELLER_BUILD_DIR to a folder of your own"
  fi
}

# step LOG SENTENCE COMMAND...: says the sentence, runs the command quietly and
# shows the end of what it printed if it fails.
step() {
  step_log=$build/$1
  say "$2"
  shift 2
  if ! "$@" >"$step_log" 2>&1 </dev/null; then
    tail -n 30 "$step_log" >&2
    die "that failed; the whole of its output is in $step_log"
  fi
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"
  elif has sudo; then sudo "$@"
  else doas "$@"
  fi
}

can_be_root() { [ "$(id -u)" -eq 0 ] || has sudo || has doas; }

cores() { getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2; }

compiler() {
  for name in "${CC:-}" cc gcc clang; do
    if [ -n "$name" ] && has "${name%% *}"; then # CC may be "ccache gcc"
      echo "$name"
      return
    fi
  done
}

# missing NEED...: prints those of the needs that are not here. They are looked
# for by use and not in a package database: one that came another way serves too.
missing() {
  for need in "$@"; do
    case $need in
      ninja) has ninja || has ninja-build || has samu || has make ;;
      cc) [ -n "$(compiler)" ] ;;
      c++) has "${CXX:-c++}" ;;
      libc)
        # shellcheck disable=SC2046
        echo '#include <stdio.h>' | $(compiler) -E - >/dev/null 2>&1 ;;
      libuv | cmocka) pkg-config --exists "$need" 2>/dev/null ;;
      zlib)
        # shellcheck disable=SC2046
        echo '#include <zlib.h>' | $(compiler) -E - >/dev/null 2>&1 ;;
      liburing) [ -e /usr/include/liburing.h ] ;;
      mingw-zlib) [ -e /usr/x86_64-w64-mingw32/lib/libz.a ] ;;
      git) has git || ! old_libuv ;;
      certificates)
        [ -e /etc/ssl/certs/ca-certificates.crt ] || ! old_libuv ;;
      mingw) has x86_64-w64-mingw32-gcc ;;
      libfuzzer) has_libfuzzer ;;
      wine) has wine64 || has /usr/lib/wine/wine64 || has wine ;;
      node) has node || has nodejs ;;
      node-headers) [ -e /usr/include/node/node_api.h ] ;;
      luajit-headers) [ -e /usr/include/luajit-2.1/lua.h ] ;;
      luv) luajit -e "require('luv')" >/dev/null 2>&1 ;;
      matplotlib) /usr/bin/python3 -c 'import matplotlib' >/dev/null 2>&1 ;;
      jsonschema) /usr/bin/python3 -c 'import jsonschema' >/dev/null 2>&1 ;;
      uvloop) /usr/bin/python3 -c 'import uvloop' >/dev/null 2>&1 ;;
      *) has "$need" ;;
    esac || printf '%s ' "$need"
  done
}

has_libfuzzer() {
  has clang && echo 'int LLVMFuzzerTestOneInput(void) { return 0; }' |
    clang -fsanitize=fuzzer -xc - -o /dev/null >/dev/null 2>&1
}

# A libuv is here, and older than 1.44: CMake then clones a newer one.
old_libuv() {
  pkg-config --exists libuv 2>/dev/null &&
    ! pkg-config --atleast-version=1.44 libuv
}

manager() {
  for name in apt-get dnf pacman apk brew; do
    if has "$name"; then
      echo "$name"
      return
    fi
  done
}

# packages MANAGER NEED...: what the needs are called there. A need with no name
# of its own here is called the same everywhere.
packages() {
  case $1 in
    apt-get) names='ninja=ninja-build cc=gcc c++=g++ libc=libc6-dev libuv=libuv1-dev
      libfuzzer=libclang-rt-dev
      cmocka=libcmocka-dev zlib=zlib1g-dev liburing=liburing-dev mingw-zlib=libz-mingw-w64-dev llvm-cov=llvm certificates=ca-certificates
      dpkg-source=dpkg-dev dpkg-shlibdeps=dpkg-dev mingw=gcc-mingw-w64-x86-64
      wine=wine64 node=nodejs node-headers=libnode-dev
      luajit-headers=libluajit-5.1-dev redis-cli=redis-tools luv=lua-luv nvim=neovim
      uvloop=python3-uvloop jsonschema=python3-jsonschema
      matplotlib=python3-matplotlib ip=iproute2 tc=iproute2
      ss=iproute2 nft=nftables systemd-analyze=systemd' ;;
    dnf) names='ninja=ninja-build cc=gcc c++=gcc-c++ libc=glibc-devel
      pkg-config=pkgconf-pkg-config libuv=libuv-devel cmocka=libcmocka-devel
      zlib=zlib-devel
      certificates=ca-certificates' ;;
    pacman) names='cc=gcc c++=gcc libc=glibc pkg-config=pkgconf
      certificates=ca-certificates python3=python' ;;
    apk) names='ninja=samurai cc=gcc c++=g++ libc=musl-dev pkg-config=pkgconf
      libuv=libuv-dev cmocka=cmocka-dev zlib=zlib-dev certificates=ca-certificates' ;;
    brew) names='pkg-config=pkgconf certificates=ca-certificates' ;;
  esac
  shift
  for need in "$@"; do
    name=$need
    for pair in $names; do
      case $pair in "$need="*) name=${pair#*=} ;; esac
    done
    printf '%s ' "$name"
  done
}

# An update that fails for one source of several is no reason to stop.
update_lists() { as_root apt-get -qq update || true; }

install_with() { # MANAGER PACKAGE...
  manager=$1
  shift
  case $manager in
    apt-get)
      update_lists
      # A fresh system may be busy with its own upgrades: wait for the lock.
      as_root env DEBIAN_FRONTEND=noninteractive apt-get -y \
        --no-install-recommends -o DPkg::Lock::Timeout=300 install "$@" ;;
    dnf) as_root dnf -y --setopt=install_weak_deps=False install "$@" ;;
    pacman)
      # -y only where there is no usable list of packages: a list newer than the
      # system makes a partial upgrade.
      as_root pacman -S --needed --noconfirm "$@" ||
        as_root pacman -Sy --needed --noconfirm "$@" ;;
    apk) as_root apk add --update-cache "$@" ;;
    brew) brew install "$@" ;;
  esac
}

install_round() { # NEED...
  needs=$(missing "$@")
  [ -n "$needs" ] || return 0
  manager=$(manager)
  case "$manager: $needs" in
    ": "*) die "no package manager known here; please install: ${needs% }" ;;
    "brew: "*"cc "* | "brew: "*"libc "*) die "no C compiler: run xcode-select --install" ;;
  esac
  # The needs and the names are words, split on purpose.
  # shellcheck disable=SC2086
  names=$(packages "$manager" $needs)
  [ "$manager" = brew ] || can_be_root ||
    die "not root, and there is no sudo; have these installed: ${names% }"
  # shellcheck disable=SC2086
  step packages.log "installing with $manager: ${names% }" \
    install_with "$manager" $names
}

# install_missing NEED...: installs what is not here. Twice, because only once
# pkg-config and libuv are here can be told that this libuv is too old.
install_missing() {
  install_round "$@"
  install_round "$@"
  needs=$(missing "$@")
  [ -z "$needs" ] || die "installed, and yet not found: ${needs% }"
}

# The tests come and go with TELLER_BUILD_TESTS: run.sh needs no cmocka, and both
# share one build tree so that nothing is compiled twice.
tree=$build/release

configured_with() { # TELLER_BUILD_TESTS:BOOL=ON, say
  [ -e "$tree/build.ninja" ] || [ -e "$tree/Makefile" ] || return 1
  grep -qxF "$1" "$tree/CMakeCache.txt"
}

# configure ON|OFF: with the tests or without, where that is still to be done.
configure() {
  cmake_version=$(cmake --version |
    sed -n '1s/[^0-9]*\([0-9]*\)\.\([0-9]*\).*/\1 \2/p')
  # shellcheck disable=SC2086
  set -- "$1" $cmake_version
  if [ "$2" -lt 3 ] || { [ "$2" -eq 3 ] && [ "$3" -lt 20 ]; }; then
    die "cmake is $2.$3 here, and 3.20 is needed: see https://cmake.org/download"
  fi
  # A cache names its folders in full: after a move or a copy it is of no use.
  if [ -e "$tree/CMakeCache.txt" ] &&
    ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$root" "$tree/CMakeCache.txt"; then
    say "the project has moved: building anew"
    rm -rf "$tree"
  fi
  configured_with TELLER_BUILD_TESTS:BOOL=ON && return
  [ "$1" = OFF ] && configured_with TELLER_BUILD_TESTS:BOOL=OFF && return
  generator=
  if [ ! -e "$tree/CMakeCache.txt" ]; then
    if has ninja || has ninja-build || has samu; then
      generator=-GNinja
    fi
  fi
  sentence="configuring in $tree"
  if old_libuv; then
    sentence="$sentence; this system's libuv $(pkg-config --modversion libuv) is \
too old, so a newer one is cloned"
  fi
  # shellcheck disable=SC2086
  step configure.log "$sentence" cmake -S "$root" -B "$tree" $generator \
    -DCMAKE_BUILD_TYPE=Release "-DTELLER_BUILD_TESTS=$1"
}

compile() { # TARGET...
  step build.log "building" cmake --build "$tree" --parallel "$(cores)" \
    --target "$@"
}
