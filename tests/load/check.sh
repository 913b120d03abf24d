#!/bin/sh
# SPDX-License-Identifier: MIT
# check.sh BUILD FOLDER: logs and percentiles that the programs of the build tree
# BUILD write are read by hdr-histogram-js, which check.js has to find; logs are added
# up; and what is damaged is found out by both. Writes into FOLDER.
set -u
load=$1/src/load/teller-load sample=$1/tests/load/teller-load-sample
dir=$2
tests=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P) || exit 1
rm -rf "$dir"
mkdir -p "$dir" || exit 1
failed=0

fail() {
  echo "FAILED: $*"
  failed=1
}

good() { # COMMAND...
  "$@" || fail "$*"
}

# Ends with 1, and says so with these words.
bad() { # WORDS COMMAND...
  words=$1
  shift
  "$@" >"$dir/bad.out" 2>&1
  status=$?
  if [ "$status" -ne 1 ] || ! grep -qF -- "$words" "$dir/bad.out"; then
    cat "$dir/bad.out"
    fail "ended with $status, without \"$words\": $*"
  else
    sed 's/^/  found out: /' "$dir/bad.out" | cut -c1-150
  fi
}

# shellcheck disable=SC2317 # called by good
rate_of() { grep -oE '"(round_trips|sessions|bytes_received)":[0-9]+' "$1" | head -n 3; }

# Of the run and of its log.
# shellcheck disable=SC2317 # likewise
same_rate() { [ "$(rate_of "$1")" = "$(rate_of "$2")" ]; }

check() { node "$tests/check.js" "$@"; }

good "$sample" "$dir"
cd "$dir" || exit 1

echo "what is written is read:"
good check counts all.log all.counts
good check percentiles all.log all.txt
good check percentiles empty.log empty.txt

echo "two logs are as one of all:"
good "$load" merge one.log two.log --json --histogram merged.txt >merged.json
good "$load" merge all.log --json >all.json
good cmp merged.json all.json
good cmp merged.txt all.txt
good check result all.log merged.json
good check percentiles all.log merged.txt

echo "the other way round:"
good check write other.log
good "$load" merge other.log --json --histogram other.txt >other.json
good check result other.log other.json
good grep -q '"began":1700000000\.000,' other.json
good check percentiles other.log other.txt
# What tests/test_load_hdr.c holds is what it writes today, too.
golden=$(check golden)
{ [ -n "$golden" ] &&
  tr -d ' "\n' <"$tests/../test_load_hdr.c" | grep -qF "$golden"; } ||
  fail "tests/test_load_hdr.c has not $golden"

echo "what is not right is found out:"
sed '3s/[0-9]* 1$/5 1/' all.counts >wrong.counts
bad 'in slot' check counts all.log wrong.counts
grep -v '^Tag=lateness' all.log >wrong.log
bad 'the list of measures' check counts wrong.log all.counts
sed '/^2\.000,/s/\(HISTF.\{300\}\)...../\1+++++/' all.log >wrong.log
bad 'Error' check counts wrong.log all.counts
sed '20s/1/2/' all.txt >wrong.txt
bad 'line 20 is' check percentiles all.log wrong.txt
sed 's/"p99":[0-9]*/&1/' merged.json >wrong.json
bad 'p99 is' check result all.log wrong.json

# shellcheck disable=SC2317 # it is called: by bad
merge() { "$load" merge one.log "$1" --quiet; }
number=$(grep -n '^1\.000,' two.log | cut -d: -f1)
sed "${number}s/[A-Za-z]\$/*/; ${number}s/=\$/*/" two.log >wrong.log
bad "wrong.log: line $number: a histogram damaged" merge wrong.log
sed "${number}s/HISTF\(.*\).\$/HISTF\1/" two.log >wrong.log
bad "wrong.log: line $number: a histogram damaged" merge wrong.log
sed "${number}s/,1\.000,[0-9]*/,1.000,1/" two.log >wrong.log
bad "wrong.log: line $number: a histogram that is not as" merge wrong.log
sed "${number}d" two.log >wrong.log
bad 'some are missing' merge wrong.log
sed '$d' two.log >wrong.log
bad 'its last line is missing' merge wrong.log
sed '$s/ bytes_verified=[0-9]*//' two.log >wrong.log
bad 'a result that is not whole' merge wrong.log
head -c 8000 two.log >wrong.log
bad 'wrong.log: line' merge wrong.log
cat two.log two.log >wrong.log
bad 'a second log' merge wrong.log
sed '$s/mode=echo/mode=connect/' two.log >wrong.log
bad 'not of one kind' merge wrong.log
sed '$s/error_reset=0/error_reset=1/' two.log >wrong.log
bad '"reset":1' "$load" merge one.log wrong.log --json
bad 'cannot read none.log' merge none.log
echo 'no log' >wrong.log
bad 'wrong.log: line 1: no line of' merge wrong.log
: >wrong.log
bad 'no log' merge wrong.log
head -c 1000000 /dev/zero >wrong.log
bad 'longer than any line' merge wrong.log
mkdir folder.log
bad 'folder.log' merge folder.log
bad 'no/folder: no such file' "$load" merge one.log --histogram no/folder
"$load" merge >usage.out 2>&1
[ $? -eq 2 ] || fail 'without a file it does not end with 2'

# ---- of real runs ----

"$1/src/echo/teller-echo" --listen 127.0.0.1:0 >served &
server=$!
trap 'kill "$server"' EXIT
address=''
tries=0
while [ -z "$address" ] && [ "$tries" -lt 100 ]; do
  sleep 0.1
  tries=$((tries + 1))
  address=$(sed -n 's/^listening on \(127[^,]*\).*/\1/p' served)
done
for mode in 'echo --rate 2000 --warmup 1' 'echo --session 10' connect stream; do
  # shellcheck disable=SC2086 # it is words
  good timeout 60 "$load" "$address" --mode $mode --duration 2 --quiet \
    --log real.log --histogram real.txt --json >real.json
  good check result real.log real.json
  good "$load" merge real.log --json >merged.json
  good same_rate real.json merged.json
  echo "$mode: $(grep -oE '"latency_us":\{"count":[0-9]+' real.json) read back"
done
timeout 60 "$load" "$address" --duration 1 --quiet --log real.log --json >real.json
sed 's/"p50":/"p50":1/' real.json >wrong.json
check result real.log wrong.json >wrong.out 2>&1 && fail 'a wrong p50 is not found out'
exit "$failed"
