#!/bin/sh
# SPDX-License-Identifier: MIT
# memcheck.sh TESTS-FOLDER TEST...: runs these tests under valgrind, which is to
# find no error in memory, no leak and no descriptor left open; the C library and
# libuv, as they are installed, included. First a program with both faults has to
# be found out.
set -u
export TELLER_VALGRIND=1
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P) || exit 1
. "$root/scripts/lib.sh"
folder=$1
shift
out=$build/memcheck
failed=0

# check PROGRAM: its own output goes to a file beside valgrind's.
check() {
  name=$(basename "$1")
  rm -f "$out/$name".*
  timeout -k 10 300 valgrind --fair-sched=yes --leak-check=full --show-leak-kinds=all \
    --errors-for-leak-kinds=all --track-fds=yes --error-exitcode=99 \
    --log-file="$out/$name.%p.log" "$1" >"$out/$name.out" 2>&1 </dev/null
  status=$?
  if [ "$status" -eq 0 ] && ! nothing_is_open "$out/$name".*.log; then
    echo "$name: descriptors are left open"
    status=98
  fi
  return "$status"
}

# Those that it was started with, and valgrind's log, are "inherited".
nothing_is_open() { # LOG...
  awk '/ Open / { open = 1; next }
    open && !/<inherited from parent>/ { left = 1 }
    { open = 0 }
    END { exit left }' "$@"
}

seed_is_found() {
  cat >"$out/seed.c" <<'END'
#include <fcntl.h>
#include <stdlib.h>
int main(int argc, char **argv)
{
    char *lost = argc > 1 ? malloc(100) : NULL;

    (void)argv;
    return argc > 1 ? lost == NULL : open("/dev/null", O_RDONLY) < 0;
}
END
  $(compiler) -o "$out/seed" "$out/seed.c" || return
  ! check "$out/seed" || { echo "a descriptor is left open, and nothing said so"; return 1; }
  printf '#!/bin/sh\nexec valgrind -q --leak-check=full --error-exitcode=99 %s/seed leak\n' \
    "$out" >"$out/seed.sh"
  ! sh "$out/seed.sh" 2>/dev/null || { echo "a leak, and nothing said so"; return 1; }
}

has valgrind || die "no valgrind"
make_build_dir
mkdir -p "$out"
seed_is_found || exit
for test in "$@"; do
  check "$folder/test_$test" && continue
  failed=1
  echo "test_$test: FAILED"
  grep -vE '\[ +(RUN|OK) ' "$out/test_$test.out" | tail -n 20
  cat "$out/test_$test".*.log | head -n 60
done
[ "$failed" -eq 0 ] && echo "clean: $*"
exit "$failed"
