#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# attack.sh BUILD [quick]: what attackers cost honest clients. 20 of these are
# connected all the time and send a message each 10 ms. The p99 of their round
# trips, from when a message was to be sent, is measured alone, with the same
# attack on another teller-echo *beside* (what the work of the attackers costs on
# this machine), and under the attack, $ROUNDS times; the medians are compared.
# Others come new during the attack: an *answer* is their first one, from the
# begin of connecting on, p99 too. RSS, in KiB, is the server's before and at most.
# Fails where an attack makes the p99 more than $FACTOR times as long, or the
# server grow by more than $GROWTH KiB. quick is too short for a latency on a
# machine with other work: it only prints it.
#
# The attackers are elsewhere in truth: here they get what the server and the
# honest leave of the processors. Where this user may, these run in real time
# (chrt -f), all with the same priority, so that what an attack costs the server
# does delay its answers to the honest. Where not, the attackers are nice, which
# still lets them have a processor for milliseconds at a time, and the p99 is
# compared with the one beside. Those that send what they do not read are given
# the time to fill all buffers first.
#
# RUNNER is put before the server and the honest client instead of "chrt -f 1",
# and ATTACKER before the attacker instead of "nice -n 19".
# SERVER_OPTIONS are the server's: its limits and deadlines. FLOOD is the rate of
# the flood: ten times the accept rate, where SERVER_OPTIONS name one.
set -u
build=$1
# shellcheck source=tests/soak/lib.sh
. "${0%/*}/lib.sh"
options=${SERVER_OPTIONS:-}
factor=${FACTOR:-5}
compared=alone
if [ -z "${RUNNER+x}" ]; then
  if chrt -f 1 true 2>/dev/null; then
    RUNNER='chrt -f 1'
  else
    compared=beside
  fi
fi
growth=${GROWTH:-65536}
attackers=127.0.66.1,127.0.66.2,127.0.66.3,127.0.66.4
rounds=${ROUNDS:-3}
if [ "${2:-}" = quick ]; then
  time=1 few=50 many=2000 rounds=1 factor=1000000
else
  time=5 few=500 many=10000
fi
accept_rate=$(sed -n 's/.*--accept-rate[ =]\([0-9]*\).*/\1/p' <<<"$options")
flood=${FLOOD:-$((${accept_rate:-2000} * 10))}

# measure FILE: adds the p99 of those that are connected, over $time seconds.
measure() {
  touch "$dir/mark"
  await 5 test ! -e "$dir/mark" || fail "$name: the honest client is stuck"
  sleep "$((time + 1)).2"
  last_of honest p99_us >>"$dir/$1"
}

# For $time seconds, and until all is back.
newcomers() {
  # shellcheck disable=SC2086 # it is words
  ${RUNNER:-} "$soak" "$address" --connections 5 --mix probe=1 --probes 20 \
    --every 10ms --quiet --duration "$time" --timeout 60 >"$dir/new"
  number new p99 first_answer_us >>"$dir/answered"
  refused=$(number new failed all)
}

# shellcheck disable=SC2317 # it is called: by await
last_of() { # FILE NAME: of its last line a second
  grep '"second"' "$dir/$1" | tail -n 1 | grep -oE "\"$2\":[0-9.]+" |
    sed 's/.*://'
}

# All are open; or it is a flood, whose connections come and go.
# shellcheck disable=SC2317 # it is called: by await
has_begun() { # N
  [ "$(last_of attacker open)" -ge "$1" ] ||
    [ "$(last_of attacker own)" -gt 0 ]
}

# Those that send without reading have filled what there is to fill.
# shellcheck disable=SC2317 # it is called: by await
is_settled() {
  local sent
  sent=$(last_of attacker bytes_sent)
  sleep 1.1
  [ $(($(last_of attacker bytes_sent) - sent)) -lt 1000000 ]
}

watch_memory() { # PID: the most, until it is gone
  local most=0 now
  while now=$(rss_of "$1") && [ -n "$now" ]; do
    if [ "$now" -gt "$most" ]; then
      most=$now
      echo "$most" >"$dir/most"
    fi
    sleep 0.1
  done
}

median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

row() { printf '%-33s %8s %8s %8s %5s %9s %7s %7s %6s %9s %7s\n' "$@"; }

# begin_attack TARGET COUNT SOAK-OPTION...
begin_attack() {
  local target=$1 count=$2
  shift 2
  : >"$dir/attacker" # or the one before is seen in it
  # shellcheck disable=SC2086 # it is words
  ${ATTACKER:-nice -n 19} "$soak" "$target" --connections "$count" \
    --from "$attackers" --duration 600 "$@" >"$dir/attacker" 2>&1 &
  attacker=$!
  started="$started $attacker"
  await 60 has_begun "$count" && await 60 is_settled ||
    echo "note: $name: not all began: $(tail -n 1 "$dir/attacker")"
}

end_attack() {
  kill -INT "$attacker"
  end "$attacker" 60
}

# round COUNT SOAK-OPTION...: adds the figures of one to the files.
round() {
  local other target watcher honest
  # shellcheck disable=SC2086 # options are words
  serve other --listen 127.0.0.1:0 $options
  other=$pid target=$address
  # shellcheck disable=SC2086
  serve echo --listen 127.0.0.1:0 $options
  : >"$dir/honest"
  # shellcheck disable=SC2086
  ${RUNNER:-} "$soak" "$address" --connections 20 --mix probe=1 --probes 0 \
    --every 10ms --duration 600 --timeout 60 --strict --mark "$dir/mark" \
    >"$dir/honest" &
  honest=$!
  started="$started $honest"
  await 20 grep -q '"second"' "$dir/honest"
  measure alone
  begin_attack "$target" "$@"
  measure beside
  end_attack
  stop "$other" 60
  before=$(rss_of "$pid")
  watch_memory "$pid" &
  watcher=$!
  started="$started $watcher"
  begin_attack "$address" "$@"
  measure attacked
  newcomers
  end_attack
  stop "$honest" 60
  if [ "$ended" -ne 0 ]; then
    fail "$name: an honest client failed"
    grep '"event":"failed"' "$dir/honest" | head -n 3
  fi
  stop "$pid" 60
  [ "$ended" -eq 0 ] || fail "$name: teller-echo ended with $ended"
  wait "$watcher"
}

# attack NAME COUNT SOAK-OPTION...: COUNT connections of that kind at a time.
attack() {
  local base p99 most
  name=$1
  shift
  rm -f "$dir"/alone "$dir"/beside "$dir"/attacked "$dir"/answered
  for ((n = 0; n < rounds; n++)); do
    round "$@"
  done
  base=$(median <"$dir/$compared")
  p99=$(median <"$dir/attacked")
  most=$(cat "$dir/most")
  row "$name" "$(median <"$dir/alone")" "$(median <"$dir/beside")" "$p99" \
    "$(awk "BEGIN { printf \"%.1f\", $p99 / $base }")" "$(median <"$dir/answered")" "$before" "$most" \
    "$refused" "$(number attacker connected all)" "$(number attacker failed all)"
  ! is_more "$p99" "$(awk "BEGIN { print $factor * $base }")" ||
    fail "$name: the honest p99 is more than $factor times that $compared"
  [ $((most - before)) -le "$growth" ] ||
    fail "$name: the server has grown by $((most - before)) KiB"
}

echo "${RUNNER:-} teller-echo --loops 2 $options, compared with $compared"
row 'p99 of the honest, us:' alone beside attacked ratio 'answer' RSS 'at most' \
  failed attackers failed
attack "slow read, $few" "$few" --mix starve=1
attack "slow write (a byte a second), $many" "$many" --mix drip=1 --every 1
attack "flood, closed, $flood/s" "$flood" --mix flood=1 --rate "$flood"
attack "flood, held, $flood/s to $many" "$many" --mix mute=1 --rate "$flood"
attack "half-open, $many" "$many" --mix mute=1
exit "$status"
