#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# many.sh BUILD [quick]: 19,000 connections held by one teller-load (where a
# process may open 20,000 descriptors), at most 600 bytes of its memory each; and
# 100,000 by six, whose logs are merged into one result. Each process has a
# teller-echo of its own, and four 127.x addresses. quick: 3,000, and 4,000 by two.
set -u
build=$1
# shellcheck source=tests/soak/lib.sh
. "${0%/*}/../soak/lib.sh"
load=$build/src/load/teller-load
if [ "${2:-}" = quick ]; then
  one=3000 all=4000 pairs=2
else
  one=19000 all=100000 pairs=6
fi
memory_most=600 # bytes

most=$(ulimit -Hn)
[ "$most" = unlimited ] || [ "$most" -ge $((one + 100)) ] || {
  echo "SKIPPED: a process may open only $most descriptors here"
  exit 0
}

# figure FILE NAME: the first so called of the result there.
figure() {
  grep -oE "\"$2\":-?[0-9.]+" "$dir/$1" | head -n 1 | sed 's/.*://'
}

# hold PAIRS EACH: leaves the merged result in the file all.
hold() {
  local i pids='' clients=''
  for ((i = 0; i < $1; i++)); do
    serve "echo$i" --listen 127.0.0.1:0
    pids="$pids $pid"
    "$load" "$address" --mode idle --connections "$2" --duration 10 \
      --source "127.0.$i.1,127.0.$i.2,127.0.$i.3,127.0.$i.4" --timeout 60 \
      --log "$dir/log$i" --json --quiet >"$dir/load$i" &
    clients="$clients $!"
    started="$started $!"
  done
  for pid in $clients; do
    end "$pid" 180
    [ "$ended" -eq 0 ] || fail "teller-load ended with $ended"
  done
  for pid in $pids; do
    stop "$pid" 60
  done
  "$load" merge "$dir"/log* --json >"$dir/all" || fail "merge ended with $?"
  rm -f "$dir"/log*
}

# check N: that many were open, and each has answered.
check() {
  local connected trips
  connected=$(figure all connected)
  trips=$(figure all round_trips)
  echo "$connected connections, $trips of them answered at the end"
  [ "$connected $trips" = "$1 $1" ] || fail "not $1"
}

echo "one teller-load"
hold 1 "$one"
check "$one"
memory=$(figure load0 memory_per_connection)
echo "$memory bytes of its memory a connection"
[ "$one" -lt 19000 ] || ! is_more "$memory" "$memory_most" ||
  fail "more than $memory_most"
each=$(((all + pairs - 1) / pairs))
echo "$pairs of them"
hold "$pairs" "$each"
check $((pairs * each))
exit "$status"
