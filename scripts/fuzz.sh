#!/bin/sh
# SPDX-License-Identifier: MIT
# fuzz.sh SECONDS [FUZZER...]: builds the preset fuzz, runs what is kept in
# tests/fuzz/corpus, and then new inputs for so many seconds in all: half of the
# time sequences, the others share the rest. What is new in the corpus stays in
# build/fuzz/corpus; what fails in build/fuzz/found, and it prints the command
# that repeats it.
set -u
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P) || exit 1
. "$root/scripts/lib.sh"
cd "$root" || exit 1

seconds=${1:?usage: fuzz.sh SECONDS [FUZZER...]}
shift
tree=$root/build/fuzz
all=$(cd tests/fuzz/corpus && echo *)
[ $# -gt 0 ] || eval "set -- $all"

install_missing cmake ninja clang libfuzzer libc pkg-config zlib
sh scripts/sources.sh libuv || exit
CMAKE_GENERATOR=${CMAKE_GENERATOR:-Ninja} cmake --preset fuzz >/dev/null &&
  cmake --build --preset fuzz || exit
export ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
mkdir -p "$tree/found"

# The share of one fuzzer.
share() {
  if [ "$count" -eq 1 ]; then echo "$seconds"
  elif [ "$1" = sequences ]; then echo $((seconds / 2))
  else echo $((seconds / 2 / (count - 1)))
  fi
}

# fuzz NAME: prints one line, and what was found.
fuzz() {
  log=$tree/$1.log
  mkdir -p "$tree/corpus/$1"
  time=$(share "$1")
  # -close_fd_mask: programs print what is wrong with their options.
  (cd "$tree" && tests/fuzz/fuzz_"$1" -max_total_time="$((time > 0 ? time : 1))" \
    -timeout=120 -rss_limit_mb=4096 -print_final_stats=1 -print_funcs=0 \
    -close_fd_mask=1 -max_len=300 -artifact_prefix="found/$1-" \
    "corpus/$1" "$root/tests/fuzz/corpus/$1") >"$log" 2>&1
  status=$?
  sed -n 's/^stat::number_of_executed_units: */runs /p
    s/^stat::average_exec_per_sec: */a second /p' "$log" | tr '\n' ' ' |
    { read -r line; printf '%-16s %s\n' "$1" "$line"; }
  [ "$status" -eq 0 ] && return
  grep -aE '^FAULT|ERROR|SUMMARY|Test unit written' "$log" | grep -av 'deadly'
  echo "repeat: build/fuzz/tests/fuzz/fuzz_$1 build/fuzz/found/$1-..."
  return 1
}

count=$#
failed=0
for name in "$@"; do
  fuzz "$name" || failed=1
done
exit "$failed"
