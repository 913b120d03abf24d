#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# analyze.sh [FOLDER|FILE...]: what clang-tidy, clang --analyze (as scan-build runs it),
# gcc -fanalyzer and cppcheck find in the C below these folders, which is to be
# nothing; without an argument, in src. Each exception stands in the code or in
# .clang-tidy with its reason. TOOLS names some of the tools, to run only these.
#
# First each tool is given a fault that it has to find. Files of Windows are looked
# at by cppcheck and by mingw's gcc, where it is here.
set -uo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
# shellcheck source=scripts/lib.sh
. "$root/scripts/lib.sh"
cd "$root" || exit 1

tools=${TOOLS:-tidy clang gcc cppcheck}
flags=(-std=c11 -D_GNU_SOURCE -DTLR_VERSION_TEXT="0" -Isrc -Isrc/core)
windows=(-std=c11 -DWIN32_LEAN_AND_MEAN -D_WIN32_WINNT=0x0602 -Isrc -Isrc/core
  "-isystem$root/build/sources/libuv/include")

tool_tidy() { clang-tidy --quiet "$1" -- "${flags[@]}"; }

tool_clang() {
  clang --analyze --analyzer-output text -Xclang -analyzer-werror \
    "${flags[@]}" "$1"
}

# -O0: what the optimiser makes of the code has paths that the code has not. And
# mingw's gcc 12 believes that what GetProcAddress() returned is uninitialized.
tool_gcc() {
  local cc=(gcc "${flags[@]}")
  case $1 in
    *_win.c)
      cc=(x86_64-w64-mingw32-gcc "${windows[@]}"
        -Wno-analyzer-use-of-uninitialized-value) ;;
    # gcc 12 loses sight of what realloc() has moved, two callers up.
    src/echo/options.c) cc+=(-Wno-analyzer-malloc-leak) ;;
  esac
  "${cc[@]}" -O0 -fanalyzer -Werror -c -o /dev/null "$1"
}

tool_cppcheck() {
  cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 \
    --enable=warning,performance,portability --suppress=missingIncludeSystem \
    "${flags[@]:1}" "$1"
}

# All that a tool says of a file, in one piece, if it is not content.
look() { # TOOL FILE
  local said
  # On stderr clang-tidy counts what it does not show.
  said=$("tool_$1" "$2" 2>&1) && return
  printf '%s: %s\n%s\n' "$1" "$2" "$said"
  return 1
}

seeds_are_found() {
  local seed=$build/seed.c tool found=0
  cat >"$seed" <<'END'
#include <stdlib.h>
int fault(int given);
int fault(int given)
{
    int *kept = malloc(sizeof(kept));

    if (given > 0) {
        return kept[0];
    }
    free(kept);
    return 0;
}
END
  for tool in $tools; do
    if look "$tool" "$seed" >/dev/null; then
      echo "$tool does not find a fault in $seed"
      found=1
    fi
  done
  return "$found"
}

can_be_for_windows() {
  has x86_64-w64-mingw32-gcc && [ -e build/sources/libuv/CMakeLists.txt ]
}

jobs_of() { # FOLDER...
  local tool file
  find "$@" -name '*.c' | LC_ALL=C sort | while read -r file; do
    for tool in $tools; do
      case $tool:$file in
        tidy:*_win.c | clang:*_win.c) continue ;;
        gcc:*_win.c) can_be_for_windows || continue ;;
      esac
      echo "$tool $file"
    done
  done
}

if [ "${1:-}" = --look ]; then
  look "$2" "$3"
  exit
fi
[ $# -gt 0 ] || set -- src
make_build_dir
seeds_are_found || exit
jobs_of "$@" >"$build/analyze.jobs"
if ! xargs -n 2 -P "$(cores)" bash scripts/analyze.sh --look \
  <"$build/analyze.jobs"; then
  echo "not clean"
  exit 1
fi
echo "$(wc -l <"$build/analyze.jobs") looks by ${tools// /, }: clean"
