#!/bin/sh
# SPDX-License-Identifier: MIT
# run.sh [deep]: Spin goes through all states of the model handover.pml, with
# the settings below. It must find no error and reach all of the model; and with
# each of the mistakes that the model can make it must find one. And what the
# model names must be in src/core. deep: more settings, for minutes.
set -u
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd -P) || exit 1
. "$root/scripts/lib.sh"
model=$root/tests/model/handover.pml
out=$build/model
status=0

fail() {
  echo "FAILED: $*"
  status=1
}

# The settings: see the model. USED: items, as bits.
quick='USED=32 HOW=0 DEADLINE=0
USED=33 HOW=4 DEADLINE=0
USED=32 HOW=1 DEADLINE=2 LEAVE=0
USED=36 HOW=3 DEADLINE=0
USED=1 HOW=0 DEADLINE=2
USED=20 BORROWED=1 HOW=0 DEADLINE=0
USED=32 BORROWED=1 HOW=2 DEADLINE=0
WORKERS=2 USED=0 BORROWED=1 HOW=0 DEADLINE=0'
deep='USED=36 HOW=3 DEADLINE=2
USED=33 HOW=0 DEADLINE=0
USED=33 HOW=2 DEADLINE=1
USED=33 HOW=0 DEADLINE=2
USED=3 HOW=1 DEADLINE=2 LEAVE=0
USED=3 HOW=1 DEADLINE=1
USED=20 LIMIT=0 BORROWED=1 HOW=0 DEADLINE=2
USED=1 BORROWED=1 HOW=1 DEADLINE=1
USED=96 BORROWED=1 HOW=2 DEADLINE=2
USED=96 HOW=1 DEADLINE=2
WORKERS=2 USED=1 LIMIT=0 HOW=2 DEADLINE=0
WORKERS=2 USED=32 LIMIT=0 HOW=0 DEADLINE=2'
quick_ends='USED=4 HOW=0 DEADLINE=0'
deep_ends='USED=33 HOW=4 DEADLINE=0
USED=32 HOW=1 DEADLINE=2 LEAVE=0
USED=33 HOW=0 DEADLINE=0
USED=4 BORROWED=1 HOW=2 DEADLINE=1
USED=36 HOW=3 DEADLINE=2'
mistakes='FLAG_OUTSIDE USED=4 HOW=0 DEADLINE=0
WAKE_FIRST USED=4 HOW=4 DEADLINE=0
WAKE_OUTSIDE USED=4 HOW=0 DEADLINE=0
ORDERS_CLEARED USED=0 HOW=0 DEADLINE=2
FULL_ONCE USED=33 HOW=4 DEADLINE=0
CLOSED_EARLY USED=0 HOW=0 DEADLINE=0
NUDGE_FORGOTTEN USED=1 HOW=1 DEADLINE=2 LEAVE=0
NO_LAST_LOOK USED=4 HOW=0 DEADLINE=0
ATTACH_LATE BORROWED=1 USED=0 HOW=0 DEADLINE=0
SIGNAL_OUTSIDE USED=0 HOW=1 DEADLINE=2
NO_HOST_LOOK USED=16 HOW=0 DEADLINE=0
KEPT_AND_BACK USED=1 HOW=0 DEADLINE=0
KNOWN_EARLY USED=0 HOW=2 DEADLINE=0
IDLE_EARLY WORKERS=2 LIMIT=0 USED=32 HOW=1 DEADLINE=2
BUSY_FORGOTTEN USED=1 HOW=0 DEADLINE=2'
deep_mistakes='END_AT_ONCE WORKERS=2 LIMIT=0 USED=32 HOW=1 DEADLINE=2'

# --- what the model names -----------------------------------------------------

functions() { grep -oE '[a-z_]+\.c:[a-z_]+' "$1" | sort -u; }

# Prints those that are not defined in src/core.
not_in_core() {
  functions "$1" | while IFS=: read -r file name; do
    grep -qE "^[a-z].*[ *]$name\(" "$root/src/core/$file" 2>/dev/null ||
      echo "$file:$name"
  done
}

check_names() {
  gone=$(not_in_core "$model")
  [ -z "$gone" ] || fail "the model names what src/core does not have:" "$gone"
  sed 's/mailbox\.c:admit/mailbox.c:let_in/' "$model" >"$out/renamed.pml"
  [ "$(not_in_core "$out/renamed.pml")" = mailbox.c:let_in ] ||
    fail "a function that has another name is not noticed"
  grep -oE 'point [a-z_]+' "$model" | sed 's/point //' | sort -u >"$out/points"
  grep -ohE 'TLR_POINT\([a-z_]+\)' "$root"/src/core/*.c |
    sed 's/TLR_POINT(//; s/)//' | sort -u >"$out/points.core"
  diff "$out/points" "$out/points.core" ||
    fail "the points of the model (<) and of src/core (>) differ"
  echo "$(functions "$model" | wc -l) functions and" \
    "$(wc -l <"$out/points") points of src/core are named"
}

# --- running it ---------------------------------------------------------------

# pan LOG OPTION...: with the settings that are in the environment.
pan() {
  log=$out/$1
  shift
  (cd "$out" && rm -f ./*.trail && "$@") >"$log" 2>&1
}

figure() { sed -nE "s/$1/\\1/p" "$log" | head -n 1; }

say_how() { # WHAT
  echo "$1: $(figure '^ *([0-9.e+]+) states, stored.*') states," \
    "$(figure '.*elapsed time ([0-9.]+).*') s"
}

# judge WHAT: whether all states were looked at, without an error.
judge() {
  if grep -q 'errors: 0$' "$log" && ! grep -qE 'Search not completed|max search depth' "$log"; then
    say_how "$1"
  else
    grep -E '^pan:|error' "$log"
    fail "$1"
  fi
}

# sound LOG "SETTINGS": all states, no error.
sound() {
  # The settings are words.
  # shellcheck disable=SC2086
  pan "$1" env $2 ./safety -m10000 -w20
  judge "$2"
}

# live LOG "SETTINGS": in each run the server stops, if no thread is kept from
# going on for ever.
live() {
  # shellcheck disable=SC2086
  pan "$1" env $2 ./liveness -a -f -m10000 -w20 -N ends
  judge "ends, $2"
}

# found NAME "SETTINGS": with that mistake there is an error.
found() {
  number=$(sed -nE "s/^#define $1 ([0-9]+) .*/\\1/p" "$model")
  # shellcheck disable=SC2086
  pan "$1" env "MUTATION=$number" $2 ./safety -m10000 -w20
  if grep -q 'errors: 1$' "$log"; then
    echo "$1: found: $(figure '^pan:1: (.*) \(at depth.*')," \
      "$(figure '^ *([0-9.e+]+) states, stored.*') states"
  else
    tail -n 20 "$log"
    fail "$1 is not found"
  fi
}

# The lines that no run has reached, but for those of the mistakes. A line may be
# in several places, and is told if it was reached in none.
check_reached() {
  (cd "$out" && ./safety -d) >"$out/states" 2>&1
  awk -v model="$model" '
    FNR == 1 { file++ }
    /proctype / { process = $NF }
    !match($0, /handover\.pml:[0-9]+/) { next }
    { line = substr($0, RSTART + 13, RLENGTH - 13) }
    file == 1 && $1 == "state" {
      if (!((process, $2) in at)) { at[process, $2] = line; states[line]++ }
    }
    file > 1 && $2 == "state" { # in the list of a run
      sub(/,/, "", $3)
      if (seen[process, $3] != file) { seen[process, $3] = file; missed[process, $3]++ }
    }
    END {
      for (state in missed) {
        if (missed[state] == file - 1) { dead[at[state]]++ }
      }
      for (number = 1; (getline text < model) > 0; number++) {
        if (dead[number] > 0 && dead[number] == states[number] && text !~ /mutated|unreached/) {
          print number ": " text
        }
      }
    }' "$out/states" "$out"/sound.* >"$out/unreached"
  [ ! -s "$out/unreached" ] || {
    cat "$out/unreached"
    fail "no run has reached these lines of the model"
  }
}

make_build_dir
rm -rf "$out"
mkdir -p "$out"
check_names
(cd "$out" && spin -a "$model") >"$out/spin.log" || { cat "$out/spin.log"; exit 1; }
cc=$(compiler)
# -O0: optimized it takes longer to compile than it then saves.
(cd "$out" && $cc -O0 -w -DSAFETY -DNOCLAIM -DCOLLAPSE -o safety pan.c) || exit 1
(cd "$out" && $cc -O0 -w -DCOLLAPSE -DNFAIR=3 -o liveness pan.c) || exit 1

number=0
while read -r settings && [ -n "$settings" ]; do
  number=$((number + 1))
  sound "sound.$number" "$settings"
done <<END
$quick
$([ "${1:-}" != deep ] || echo "$deep")
END
number=0
while read -r settings && [ -n "$settings" ]; do
  number=$((number + 1))
  live "live.$number" "$settings"
done <<END
$quick_ends
$([ "${1:-}" != deep ] || echo "$deep_ends")
END
check_reached
while read -r name settings && [ -n "$name" ]; do
  found "$name" "$settings"
done <<END
$mistakes
$([ "${1:-}" != deep ] || echo "$deep_mistakes")
END
exit "$status"
