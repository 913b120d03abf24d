#!/bin/sh
# SPDX-License-Identifier: MIT
# faults.sh [SECONDS]: shows that the fuzzer of sequences finds faults. Each patch
# of faults/ puts one into a copy of the library, which has to be found by what is
# kept in corpus/. It also says whether new inputs find it that begin with
# nothing, within so many seconds (300): a matter of luck and of the machine.
set -u
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd -P) || exit 1
. "$root/scripts/lib.sh"

seconds=${1:-300}
copy=$build/faults
install_missing cmake ninja clang libfuzzer libc pkg-config patch
sh "$root/scripts/sources.sh" libuv || exit
mkdir -p "$copy" || exit
rm -rf "$copy/src" "$copy/tests"
for part in CMakeLists.txt CMakePresets.json src tests scripts; do
  cp -R "$root/$part" "$copy" || exit
done
cd "$copy" || exit
CMAKE_GENERATOR=${CMAKE_GENERATOR:-Ninja} cmake --preset fuzz \
  -DFETCHCONTENT_SOURCE_DIR_LIBUV="$root/build/sources/libuv" >configure.log ||
  exit
fuzzer=build/fuzz/tests/fuzz/fuzz_sequences

# found LOG OPTION...: runs the fuzzer, which has to fail.
found() {
  log=$1
  shift
  if "$fuzzer" -print_funcs=0 -print_final_stats=1 -timeout=60 \
    -artifact_prefix="$copy/" "$@" >"$log" 2>&1; then
    return 1
  fi
  grep -aqE '^FAULT|ERROR: AddressSanitizer|runtime error' "$log"
}

build_fuzzer() {
  cmake --build --preset fuzz --target fuzz_sequences >build.log 2>&1
}

check() { # NAME
  kept=no
  ! found "$1.kept.log" -runs=0 "$root/tests/fuzz/corpus/sequences" || kept=yes
  grep -aE -m1 '^FAULT|ERROR: AddressSanitizer|runtime error' "$1.kept.log" |
    sed 's/^FAULT [^ ]*/ /; s/^/ /'
  begin=$(date +%s)
  if found "$1.log" -max_total_time="$seconds" -max_len=200 -len_control=10 \
    -seed=1; then
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$1.log")
    echo "$1: by the corpus: $kept; from nothing: after $runs runs, $(($(date +%s) - begin)) s"
  else
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$1.log")
    echo "$1: by the corpus: $kept; from nothing: not in $runs runs, $seconds s"
  fi
  [ "$kept" = yes ]
}

status=0
if ! build_fuzzer || found none.log -runs=0 "$root/tests/fuzz/corpus/sequences"; then
  echo "it finds a fault where there is none, or does not compile"
  exit 1
fi
for patch in "$root"/tests/fuzz/faults/*.patch; do
  name=$(basename "$patch" .patch)
  if patch -p1 -s <"$patch" && build_fuzzer; then
    check "$name" || status=1
  else
    echo "$name: does not apply, or does not compile"
    status=1
  fi
  patch -p1 -s -R <"$patch" || exit
done
exit "$status"
