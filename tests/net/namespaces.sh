#!/bin/sh
# SPDX-License-Identifier: MIT
# namespaces.sh BUILD [quick]: teller-echo and its clients in two network
# namespaces with a bad network between them: loss, a slow link, a tiny MTU, the
# cable pulled, sockets killed. In each case every byte comes back, 12 MiB behind
# a half-close too, and the server, told to stop while all of them are open,
# drains: it waits for each of them, resets none and ends by itself.
#
# Needs root, and a system that allows namespaces: without, it says so and is
# skipped. Nothing of it is seen outside: the addresses are on a pair of virtual
# devices that live and die with the namespaces.
set -u
build=$1
quick=${2:-}
echo_server=$build/src/echo/teller-echo
load=$build/src/load/teller-load
soak=$build/tests/soak/teller-soak
limit=120 # seconds for one wait
status=0 passed=0
dir=$(mktemp -d) || exit 1
here=teller-a-$$ there=teller-b-$$ # the server's namespace, the clients'
near=ta$$ far=tb$$                 # the ends of the cable
server='' clients=''

# shellcheck disable=SC2317 # it is called: by the trap
finish() {
  trap '' INT TERM HUP
  for pid in $server $clients; do
    kill -KILL "$pid" 2>/dev/null
  done
  wait
  ip netns del "$here" 2>/dev/null
  ip netns del "$there" 2>/dev/null
  rm -rf "$dir"
}
trap finish EXIT
trap 'exit 1' INT TERM HUP

skip() {
  echo "SKIPPED: $*"
  exit 0
}

fail() {
  echo "FAILED: $case: $*"
  status=1
  failed=1
}

for tool in ip tc nft ss; do
  command -v "$tool" >/dev/null || skip "there is no $tool here"
done
[ "$(id -u)" -eq 0 ] || skip "network namespaces are for root"
{
  ip netns add "$here" && ip netns add "$there" &&
    ip link add "$near" netns "$here" type veth peer name "$far" netns "$there"
} 2>"$dir/why" || skip "no network namespaces: $(cat "$dir/why")"

near() { ip netns exec "$here" "$@"; }
far() { ip netns exec "$there" "$@"; }

ip -n "$here" addr add 10.77.0.1/24 dev "$near"
ip -n "$there" addr add 10.77.0.2/24 dev "$far"
for other in 3 4; do
  ip -n "$there" addr add "10.77.0.$other/24" dev "$far"
done
ip -n "$here" link set "$near" up
ip -n "$there" link set "$far" up

# --- the server and its clients ------------------------------------------------

# await SECONDS COMMAND...: until it succeeds.
await() {
  tries=$(($1 * 10))
  shift
  until "$@" >/dev/null 2>&1; do
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || return 1
    sleep 0.1
  done
}

is_over() { ! kill -0 "$1"; }

# Sets $ended to its exit status; one that does not end is killed.
end() {
  await "$limit" is_over "$1" || kill -KILL "$1"
  wait "$1"
  ended=$?
}

# Those that have to end well.
end_all() {
  kill -INT "$load_pid"
  end "$load_pid"
  [ "$ended" -eq 0 ] || fail "teller-load ended with $ended"
  end "$soak_pid"
  [ "$ended" -eq 0 ] || fail "teller-soak ended with $ended"
  end "$server"
  [ "$ended" -eq 0 ] || fail "teller-echo ended with $ended"
  server='' clients=''
  [ "$(count_of open)" = 0 ] || fail "$(count_of open) were left open"
}

start_server() {
  : >"$dir/echo" # or the one before is seen in it
  ip netns exec "$here" "$echo_server" --listen 10.77.0.1:0 --loops 2 --json --drain "$limit" \
    >"$dir/echo" 2>"$dir/echo.err" &
  server=$!
  await 10 grep -q '"listening"' "$dir/echo" || {
    cat "$dir/echo.err"
    exit 1
  }
  port=$(grep -oE '10\.77\.0\.1:[0-9]+' "$dir/echo" | head -n 1)
  port=${port##*:}
}

# start_clients CONNECTIONS: teller-load's go on until end_all asks it to end.
start_clients() {
  ip netns exec "$there" "$load" "10.77.0.1:$port" --json --quiet --connections "$1" --size 4k \
    --duration "$limit" --timeout "$limit" >"$dir/load" 2>"$dir/load.err" &
  load_pid=$!
  ip netns exec "$there" "$soak" "10.77.0.1:$port" --from 10.77.0.3 \
    --connections 1 --duration 0.1 --mix half=1 --half 12M --timeout "$limit" \
    --strict --quiet >"$dir/soak" 2>&1 &
  soak_pid=$!
  clients="$load_pid $soak_pid"
}

# are_open ADDRESS N: as the server's system sees it.
# shellcheck disable=SC2317 # it is called: by await
are_open() {
  [ "$(near ss -Htn state established "( sport = :$port and dst = $1 )" |
    wc -l)" -ge "$2" ]
}

# The connection of teller-soak may have been there and gone.
# shellcheck disable=SC2317 # it is called: by await
all_are_open() {
  are_open 10.77.0.2 "$1" && { are_open 10.77.0.3 1 || is_over "$soak_pid"; }
}

count_of() { # NAME: of the server's summary
  grep '"summary"' "$dir/echo" | sed -n "s/.*\"total\":{\(.*\)\"loops\".*/\1/p" |
    grep -o "\"$1\":[0-9]*" | head -n 1 | sed 's/.*://'
}

# drain N: once all N connections of teller-load are there.
drain() {
  await 30 all_are_open "$1" || fail "$1 connections did not come to be"
  kill -INT "$server"
  await 10 grep -q '"draining"' "$dir/echo" || fail "the server does not drain"
}

# expect SECONDS SENTENCE: in so many seconds from the stop on all ends well.
expect() {
  sleep "$1"
  end_all
  [ "$(count_of peer)" = "$(count_of accepted)" ] ||
    fail "$(count_of peer) of $(count_of accepted) came to their end"
  tell "$2; $(grep -o '"round_trips":[0-9]*' "$dir/load" | sed 's/.*://') round \
trips, $(grep '"summary"' "$dir/soak" | grep -o '"bytes_verified":[0-9]*' |
    sed 's/.*://') bytes behind a half-close, $(count_of accepted) drained"
}

tell() {
  if [ -n "$failed" ]; then
    cat "$dir"/load "$dir"/load.err "$dir"/echo.err
    grep -v '"second"' "$dir/soak"
    tail -n 1 "$dir/echo"
  else
    passed=$((passed + 1))
    echo "ok: $case: $1"
  fi
}

begin() {
  case=$1 failed=''
}

# --- the cases -----------------------------------------------------------------

loss() {
  begin "loss of 5% each way"
  for side in near far; do
    "$side" nft -f - <<'END' || skip "nftables cannot drop by chance here"
table inet bad {
  chain in {
    type filter hook input priority 0;
    meta l4proto tcp numgen random mod 100 < 5 counter drop
  }
}
END
  done
  start_server
  start_clients 20
  drain 20
  expect "$1" "20 connections for $1 s"
  dropped=$(near nft list table inet bad | grep -o 'packets [0-9]*' | sed 's/.* //')
  [ "$dropped" -gt 20 ] || fail "only $dropped packets were lost"
  near nft delete table inet bad
  far nft delete table inet bad
}

slow() {
  begin "a link of $2"
  near tc qdisc add dev "$near" root tbf rate "$2" burst 16k latency 200ms ||
    skip "no tbf here"
  far tc qdisc add dev "$far" root tbf rate "$2" burst 16k latency 200ms
  start_server
  start_clients 10
  drain 10
  expect "$1" "10 connections for $1 s"
  near tc qdisc del dev "$near" root
  far tc qdisc del dev "$far" root
}

# Below 100 the kernel's own least segment does not go through (tcp_min_snd_mss).
tiny() {
  begin "an MTU of $2"
  ip -n "$here" link set "$near" mtu "$2"
  ip -n "$there" link set "$far" mtu "$2"
  start_server
  start_clients 20
  drain 20
  expect "$1" "20 connections for $1 s"
  ip -n "$here" link set "$near" mtu 1500
  ip -n "$there" link set "$far" mtu 1500
}

# pulled SECONDS NAMESPACE DEVICE: in mid-stream, and the stop falls into it.
pulled() {
  begin "the cable pulled for $1 s at $3"
  start_server
  start_clients 20
  await 30 all_are_open 20 || fail "20 connections did not come to be"
  ip -n "$2" link set "$3" down
  kill -INT "$server"
  sleep "$1"
  ! is_over "$load_pid" 2>/dev/null || fail "teller-load did not need the cable"
  ip -n "$2" link set "$3" up
  expect 2 "20 connections"
}

# killed SIDE: one client's connections go, on that side; the other's do not.
killed() {
  begin "sockets killed by ss -K on the $1 side"
  start_server
  start_clients 10
  ip netns exec "$there" "$soak" "10.77.0.1:$port" --connections 15 \
    --rate 10 --duration 60 --mix hold=1 --from 10.77.0.4 --quiet >"$dir/victim" 2>&1 &
  victim=$!
  clients="$clients $victim"
  { await 30 all_are_open 10 && await 30 are_open 10.77.0.4 15; } ||
    fail "25 connections did not come to be"
  if [ "$1" = server ]; then
    near ss -KHtn dst 10.77.0.4 >/dev/null 2>"$dir/why"
  else
    far ss -KHtn src 10.77.0.4 >/dev/null 2>"$dir/why"
  fi
  if ! await 3 grep -q '"event":"failed"' "$dir/victim"; then
    kill -KILL "$victim"
    wait "$victim"
    kill -INT "$server"
    end_all
    echo "SKIPPED: $case: this kernel does not do it: $(cat "$dir/why")"
    return
  fi
  kill -INT "$victim"
  end "$victim" # it was hurt, and says so
  kill -INT "$server"
  end_all
  [ "$(count_of error)" -ge 15 ] ||
    fail "$(count_of error) errors for 15 connections"
  [ $(($(count_of error) + $(count_of peer))) -eq "$(count_of accepted)" ] ||
    fail "the summary does not add up"
  tell "15 of $(count_of accepted) connections, counted as \
$(count_of error) errors; the others right to the byte"
}

if [ "$quick" = quick ]; then
  loss 3
  slow 2 100mbit
  tiny 2 200
  pulled 3 "$here" "$near"
  killed server
else
  loss 20
  slow 10 20mbit
  slow 10 100mbit
  tiny 10 120
  tiny 10 200
  pulled 10 "$here" "$near"
  pulled 10 "$there" "$far"
  killed server
  killed client
fi
echo "$passed cases passed"
exit "$status"
