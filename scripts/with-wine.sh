#!/bin/sh
# SPDX-License-Identifier: MIT
# with-wine.sh COMMAND...: runs the command with a Wine of our own, in
# build/wine, that is kept awake meanwhile: the first program in a sleeping Wine
# takes 2.5 s to start, any other 0.04 s. The command finds the loader in $WINE.
set -u
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P) || exit 1
. "$root/scripts/lib.sh"

PATH=$PATH:/usr/lib/wine
wine=$(command -v wine64 || command -v wine) || die "no Wine: install wine64"
server=$(command -v wineserver || command -v wineserver64) ||
  die "no wineserver beside $wine"
make_build_dir
# WINEDLLOVERRIDES: no questions about Mono and Gecko, no menus, no debugger that
# comes up when a test crashes.
export WINE="$wine" WINEPREFIX="$build/wine" WINEDEBUG=-all \
  WINEDLLOVERRIDES='mscoree,mshtml=;winemenubuilder.exe,winedbg.exe=d'
unset DISPLAY

make_prefix() {
  "$wine" wineboot --init &&
    "$wine" reg add 'HKCU\Software\Wine' /v Version /d win10 /f &&
    "$server" -w && touch "$WINEPREFIX/teller-ready"
}

awake=
finish() {
  [ -z "$awake" ] || kill "$awake" 2>/dev/null
  "$server" -k 2>/dev/null
  "$server" -w 2>/dev/null
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

if [ ! -e "$WINEPREFIX/teller-ready" ]; then
  step wine.log "setting up Wine in $WINEPREFIX" make_prefix
fi
# A program that does nothing but wait for its input, which never comes: this
# shell holds both ends of it.
fifo=$WINEPREFIX/awake
rm -f "$fifo"
mkfifo "$fifo" || die "cannot make $fifo"
exec 3<>"$fifo"
"$wine" cmd <&3 3<&- >/dev/null 2>&1 &
awake=$!
# Wine's services are started by whoever comes first and keep what they inherit:
# a test's output, which ctest would then wait for. So let this come first.
"$wine" cmd /c exit </dev/null 3<&- >/dev/null 2>&1
"$@" 3<&-
