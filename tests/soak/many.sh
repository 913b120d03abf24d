#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# many.sh BUILD [quick]: 19,000 connections held by one teller-echo (where a
# process may open 20,000 descriptors), and 100,000 by six, each with a client
# of its own, from several 127.x addresses. Each connection is checked to
# answer at once, and again when all of them are open. quick: 3,000, and 4,000
# by two.
set -u
build=$1
# shellcheck source=tests/soak/lib.sh
. "${0%/*}/lib.sh"
if [ "${2:-}" = quick ]; then
  one=3000 all=4000 pairs=2
else
  one=19000 all=100000 pairs=6
fi

most=$(ulimit -Hn)
ulimit -n "$most" # as the programs would do by themselves
[ "$most" = unlimited ] || [ "$most" -ge $((one + 100)) ] || {
  echo "SKIPPED: a process may open only $most descriptors here"
  exit 0
}

# is_full FILE N: all are connected, as the client says.
# shellcheck disable=SC2317 # it is called: by await
is_full() { grep -qE "\"open\":$2,\"connected\":$2," "$dir/$1"; }

# hold PAIRS EACH
hold() {
  begun=$(date +%s%N)
  pids='' clients='' i=0 rss=0
  while [ "$i" -lt "$1" ]; do
    serve "echo$i" --listen 127.0.0.1:0
    pids="$pids $pid"
    "$soak" "$address" --connections "$2" --mix hold=1 --strict --from-full \
      --from "127.0.$i.1,127.0.$i.2,127.0.$i.3,127.0.$i.4" --duration 600 \
      --timeout 120 --seed "$i" >"$dir/soak$i" 2>&1 &
    clients="$clients $!"
    started="$started $!"
    i=$((i + 1))
  done
  i=0
  while [ "$i" -lt "$1" ]; do
    await 120 is_full "soak$i" "$2" ||
      fail "pair $i: not $2 at a time: $(tail -n 1 "$dir/soak$i")"
    i=$((i + 1))
  done
  full=$(date +%s%N)
  for pid in $pids; do
    rss=$((rss + $(rss_of "$pid")))
  done
  for pid in $clients; do
    kill -INT "$pid" # has each say something once more
  done
  for pid in $clients; do
    end "$pid" 180
    [ "$ended" -eq 0 ] || fail "teller-soak ended with $ended"
  done
  answered=$(date +%s%N)
  for pid in $pids; do
    stop "$pid" 60
    [ "$ended" -eq 0 ] || fail "teller-echo ended with $ended"
  done
  i=0 open=0 whole=0 peer=0
  while [ "$i" -lt "$1" ]; do
    open=$((open + $(number "soak$i" open_at_finish)))
    whole=$((whole + $(number "soak$i" whole)))
    peer=$((peer + $(number "echo$i" peer)))
    [ "$(number "echo$i" open)" = 0 ] || fail "pair $i: some were left open"
    i=$((i + 1))
  done
  want=$(($1 * $2))
  echo "$1 of teller-echo: $open open at a time, $whole answered twice and ended \
well; open after $(((full - begun) / 1000000)) ms, all answered and closed \
$(((answered - full) / 1000000)) ms later; $rss KiB of the servers' memory"
  [ "$open $whole $peer" = "$want $want $want" ] ||
    fail "not $want: $open, $whole, and $peer by the servers' count"
}

hold 1 "$one"
hold "$pairs" $(((all + pairs - 1) / pairs))
exit "$status"
