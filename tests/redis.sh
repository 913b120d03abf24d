#!/bin/sh
# SPDX-License-Identifier: MIT
# redis.sh KV: the example kv on 2 loops beside this system's redis-server: both
# give the same answers to redis-cli, and both figures of redis-benchmark are
# printed. Ends what it has started, and nothing else.
set -u
kv=$1
benchmark='-t set,get -n 100000 -c 50 -P 16'
dir=$(mktemp -d) || exit 1
kv_pid='' redis_pid='' status=0

# shellcheck disable=SC2317 # it is called: by the trap
finish() {
  [ -z "$kv_pid" ] || kill "$kv_pid" 2>/dev/null
  [ -z "$redis_pid" ] || kill "$redis_pid" 2>/dev/null
  wait
  rm -rf "$dir"
}
trap finish EXIT
trap 'exit 1' INT TERM HUP

fail() {
  echo "FAILED: $*"
  status=1
}

# Waits for up to 10 s until a command succeeds.
await() {
  tries=0
  until "$@" >/dev/null 2>&1; do
    tries=$((tries + 1))
    [ "$tries" -lt 100 ] || { echo "in vain: $*"; cat "$dir"/*.out; exit 1; }
    sleep 0.1
  done
}

"$kv" 0 2 >"$dir/kv.out" 2>&1 &
kv_pid=$!
await grep -q '^listening on 127.0.0.1:[1-9]' "$dir/kv.out"
kv_port=$(sed -n 's/.*127\.0\.0\.1://p' "$dir/kv.out" | tr -d '\r')

# redis-server cannot be told to take a free port: it is tried which is one.
port=$((20000 + $$ % 10000))
for _ in 1 2 3 4 5 6 7 8 9 10; do
  redis-server --port "$port" --bind 127.0.0.1 --save '' --appendonly no \
    --daemonize no --dir "$dir" >"$dir/redis.out" 2>&1 &
  redis_pid=$!
  await grep -qE 'Ready to accept|Address already in use|aborting' \
    "$dir/redis.out"
  ! grep -q 'Ready to accept' "$dir/redis.out" || break
  wait "$redis_pid"
  redis_pid='' port=$((port + 7))
done
[ -n "$redis_pid" ] || { cat "$dir/redis.out"; exit 1; }

# The same commands, one by one and with the types of the replies.
cat >"$dir/commands" <<'END'
PING
ping hello
PING "two words"
GET nothing
SET a 1
GET a
INCR a
get a
SET word "some words"
INCR word
INCR fresh
INCR fresh
SET space " 1"
INCR space
SET zero 007
INCR zero
SET most 9223372036854775807
INCR most
SET least -9223372036854775808
INCR least
SET binary "a\r\nb\x00c\xff"
GET binary
SET empty ""
GET empty
INCR empty
DEL a
DEL a
GET a
DEL nothing
END
for who in "kv $kv_port" "redis $port"; do
  redis-cli -p "${who#* }" --no-raw <"$dir/commands" >"$dir/${who% *}.answers" ||
    fail "redis-cli with ${who% *}"
done
if [ "$(wc -l <"$dir/commands")" -ne "$(wc -l <"$dir/redis.answers")" ] ||
  ! diff "$dir/kv.answers" "$dir/redis.answers"; then
  fail "kv and redis-server do not answer alike"
else
  echo "$(wc -l <"$dir/commands") commands, the same answers"
fi
case $(redis-cli -p "$kv_port" NOSUCH thing) in
  *"ERR unknown command 'NOSUCH'"*) ;;
  *) fail "an unknown command is not told" ;;
esac
# Pipelined by redis-cli, which counts the replies.
i=0
while [ "$i" -lt 20000 ]; do
  # shellcheck disable=SC2016 # no variables there
  printf '*3\r\n$3\r\nSET\r\n$6\r\nk%05d\r\n$1\r\nx\r\n' "$i"
  i=$((i + 1))
done >"$dir/pipe"
redis-cli -p "$kv_port" --pipe <"$dir/pipe" >"$dir/pipe.out" 2>&1
grep -q 'errors: 0, replies: 20000' "$dir/pipe.out" ||
  { cat "$dir/pipe.out"; fail "redis-cli --pipe"; }

# measure NAME PORT OPTION...: prints what redis-benchmark finds.
measure() {
  name=$1 port=$2
  shift 2
  # The words of it are options.
  # shellcheck disable=SC2086
  redis-benchmark -p "$port" $benchmark "$@" --csv >"$dir/csv" 2>"$dir/err" ||
    fail "redis-benchmark with $name"
  if grep -i error "$dir/csv" "$dir/err" ||
    [ "$(grep -cE '^"(SET|GET)"' "$dir/csv")" != 2 ]; then
    cat "$dir/csv" "$dir/err"
    fail "redis-benchmark with $name"
  fi
  sed -n "s/^\"\([SG]ET\)[^,]*,\"\([0-9]*\).*/  \1  \2 requests\/s  $name/p" \
    "$dir/csv"
}

echo "redis-benchmark $benchmark"
measure 'kv, 2 loops' "$kv_port"
measure 'redis-server' "$port"
echo "redis-benchmark $benchmark -r 100000"
measure 'kv, 2 loops' "$kv_port" -r 100000
measure 'redis-server' "$port" -r 100000

kill -INT "$kv_pid"
wait "$kv_pid" || fail "kv has not ended with 0"
kv_pid=''
exit "$status"
