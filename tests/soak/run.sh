#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# run.sh BUILD [quick]: hard use of teller-echo. 2,000 connections of mixed
# behaviour for 10 minutes; a new server takes over each 15 s, and in between the
# running one is squeezed to fewer descriptors than it needs and released again.
# No byte may be wrong, and no connection refused or reset that did not do it
# itself: neither by the old server nor by the new one. Prints how memory and
# descriptors go, with their slopes, which have to be flat.
#
# DURATION, CONNECTIONS, EVERY (seconds) and SERVER_OPTIONS change it. Without
# --takeover in this teller-echo, or without prlimit, that part is skipped.
set -u
build=$1
# shellcheck source=tests/soak/lib.sh
. "${0%/*}/lib.sh"
if [ "${2:-}" = quick ]; then
  duration=${DURATION:-10} connections=${CONNECTIONS:-300} every=${EVERY:-4}
  lifetime=2
else
  duration=${DURATION:-600} connections=${CONNECTIONS:-2000}
  every=${EVERY:-15} lifetime=8
fi
drain=60 # longer than any session takes
takeover='' squeeze='' servers='' pid='' count=0 takeovers=0 squeezes=0

if "$echo_server" --help | grep -q -- --takeover; then
  takeover=yes
else
  echo "SKIPPED: restart with takeover: this teller-echo has no --takeover"
fi
if command -v prlimit >/dev/null; then
  squeeze=yes
else
  echo "SKIPPED: descriptors squeezed: there is no prlimit here"
fi

# The next server; the one before it drains by itself.
start_next() {
  local options=(--listen "${address:-127.0.0.1:0}" --drain "$drain")
  [ -z "$takeover" ] || options+=(--takeover "$dir/takeover")
  # shellcheck disable=SC2206 # options are words
  options+=(${SERVER_OPTIONS:-})
  serve "echo$count" "${options[@]}"
  count=$((count + 1))
  servers="$servers $pid"
  list_living
}

# The processes that teller-soak watches: the old ones as long as they are there.
list_living() {
  local one
  for one in $servers; do
    [ ! -r "/proc/$one/status" ] || echo "$one"
  done >"$dir/pids.new"
  mv "$dir/pids.new" "$dir/pids"
}

# For two seconds nobody is accepted: whoever comes waits in the kernel's queue.
squeeze_it() {
  local used
  used=$(find "/proc/$pid/fd" -mindepth 1 2>/dev/null | wc -l)
  prlimit --pid "$pid" --nofile=$((used > 60 ? used - 50 : 10)): || return
  squeezes=$((squeezes + 1))
  sleep 2
  prlimit --pid "$pid" --nofile="$(prlimit --pid "$pid" --nofile \
    --output HARD --noheadings --raw)": ||
    fail "the descriptors cannot be given back"
}

start_next
"$soak" "$address" --connections "$connections" --duration "$duration" \
  --lifetime "$lifetime" --timeout 60 --strict --watch "$dir/pids" \
  --from 127.0.0.1,127.0.1.1,127.0.2.1,127.0.3.1 >"$dir/soak" 2>&1 &
client=$!
started="$started $client"
begun=$SECONDS
while [ $((SECONDS - begun + every)) -le "$duration" ] && kill -0 "$client"; do
  sleep $((every / 2))
  [ -z "$squeeze" ] || squeeze_it
  sleep $((every - every / 2 - (${squeeze:+2} + 0)))
  [ -z "$takeover" ] || { start_next && takeovers=$((takeovers + 1)); }
  list_living
done
end "$client" $((duration + 120))
soak_status=$ended

accepted=0 errors=0 out_of_descriptors=0 n=0
for one in $servers; do
  kill -INT "$one" 2>/dev/null # the last one; the others have ended
  end "$one" $((drain + 10))
  [ "$ended" -eq 0 ] || fail "server $n ended with $ended: $(cat "$dir/echo$n.err")"
  [ "$(number "echo$n" open)" = 0 ] || fail "server $n has left some open"
  accepted=$((accepted + $(number "echo$n" accepted)))
  errors=$((errors + $(number "echo$n" error)))
  for cause in stop owing queued; do
    [ "$(number "echo$n" "$cause")" = 0 ] ||
      fail "server $n has closed $(number "echo$n" "$cause") by $cause"
  done
  out_of_descriptors=$((out_of_descriptors + $(number "echo$n" out_of_descriptors)))
  n=$((n + 1))
done

connected=$(number soak connected all)
grep '"event":"failed"' "$dir/soak" | head -n 20
[ "$soak_status" -eq 0 ] || fail "teller-soak ended with $soak_status"
[ "$accepted" = "$connected" ] ||
  fail "$connected connected, and $accepted were accepted"
grep '"summary"' "$dir/soak"
echo "$connections connections at a time for $duration s, $takeovers takeovers, \
$squeezes squeezes ($out_of_descriptors times out of descriptors):"
echo "$connected connected, $(number soak whole all) whole, $(number soak own all) \
reset by themselves, $(number soak failed all) failed; $(number soak bytes_verified) \
bytes verified, $(number soak wrong failures) wrong"
for what in rss_kib descriptors; do
  mean=$(number soak mean "$what")
  slope=$(number soak per_minute "$what")
  echo "$what: from $(number soak first "$what") to $(number soak last "$what"), \
at most $(number soak most "$what"), mean $mean, slope $slope a minute"
  # In a minute a hundredth of what there is on average; short runs tell nothing.
  [ "$duration" -lt 120 ] || ! is_more "$slope" "$(awk "BEGIN { print $mean / 100 }")" ||
    fail "$what is not flat"
done
exit "$status"
