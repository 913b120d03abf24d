#!/bin/sh
# SPDX-License-Identifier: MIT
# wine.sh PROGRAM...: runs it in Wine; for ctest, which runs most programs in the
# Wine of with-wine.sh.
#
# With Wine 8, one program in some hundreds does not start on a busy machine: it
# ends with status 1 and has said nothing (160 runs of a test, four at once beside
# other work: one of them). That is told, and it is started once more; whoever has
# said anything, or ends otherwise, has started.
PATH=$PATH:/usr/lib/wine
: "${WINE:=$(command -v wine64 || command -v wine)}"
said=$(mktemp) || exit
trap 'rm -f "$said"' EXIT
for try in 1 2 3; do
  status=$({ { "$WINE" "$@" 2>&1 3>&-; echo $? >&3; } | tee "$said" >&4; } 3>&1) 4>&1
  [ "$status" = 1 ] && [ ! -s "$said" ] && [ "$try" -lt 3 ] || exit "$status"
  echo "wine.sh: $1 did not start: once more"
done
