# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # shared with those who read this
# What run.sh, attack.sh and many.sh share. They set $build and read this file.
# It makes $dir, and ends what they have started, whatever happens.

echo_server=${TELLER_ECHO:-$build/src/echo/teller-echo}
soak=$build/tests/soak/teller-soak
status=0
started='' # pids
dir=$(mktemp -d) || exit 1

# shellcheck disable=SC2317 # it is called: by the trap
finish() {
  trap '' INT TERM HUP
  for pid in $started; do
    kill -KILL "$pid" 2>/dev/null
  done
  wait
  rm -rf "$dir"
}
trap finish EXIT
trap 'exit 1' INT TERM HUP

fail() {
  echo "FAILED: $*"
  status=1
}

die() {
  fail "$@"
  exit 1
}

# await SECONDS COMMAND...: until it succeeds.
await() {
  local until=$((SECONDS + $1 + 1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$until" ] || return 1
    sleep 0.1
  done
}

# shellcheck disable=SC2317 # it is called: by await
is_over() { ! kill -0 "$1"; }

# end PID SECONDS: waits for it; $ended is its exit status.
end() {
  await "$2" is_over "$1" || kill -KILL "$1"
  wait "$1"
  ended=$?
}

# stop PID SECONDS: asks it first.
stop() {
  kill -INT "$1" 2>/dev/null
  end "$@"
}

# serve NAME OPTION...: a server, with 2 loops; sets $pid and $address.
serve() {
  local out=$dir/$1
  shift
  : >"$out" # or the one before is seen in it
  # shellcheck disable=SC2086 # it is words
  ${RUNNER:-} "$echo_server" --loops 2 --json "$@" >"$out" 2>"$out.err" &
  pid=$!
  started="$started $pid"
  await 20 grep -q '"listening"' "$out" ||
    die "teller-echo does not listen: $(cat "$out.err")"
  address=$(grep -oE '127\.0\.0\.1:[0-9]+' "$out" | head -n 1)
}

# part FILE NAME: what the summary there has under that name: {...}
part() {
  grep '"summary"' "$dir/$1" | sed -n "s/.*\"$2\":\({[^}]*}\).*/\1/p"
}

# number FILE NAME [PART]: a number of the summary; of its first so called.
number() {
  { if [ $# -gt 2 ]; then part "$1" "$3"; else grep '"summary"' "$dir/$1"; fi; } |
    grep -oE "\"$2\":-?[0-9.]+" | head -n 1 | sed 's/.*://'
}

rss_of() { # PID: KiB
  sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$1/status" 2>/dev/null
}

# is_more A B: of numbers that may have a fraction
is_more() { awk "BEGIN { exit !($1 > $2) }"; }

[ -r "/proc/$$/status" ] || { echo "SKIPPED: there is no /proc here"; exit 0; }
