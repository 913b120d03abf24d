#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# foreign.sh LOAD: teller-load against echo servers that nobody here wrote, in
# each mode that the server can serve. What is not installed is named and skipped;
# what a server cannot do is tried as well, and has to be found out: it is printed
# with what teller-load says of it. Ends what it has started, and nothing else.
set -u
load=$1
dir=$(mktemp -d) || exit 1
pid='' status=0 passed=0 found=0 skipped=0 port=0

# shellcheck disable=SC2317 # it is called: by the trap
finish() {
  end
  rm -rf "$dir"
}
trap finish EXIT
trap 'exit 1' INT TERM HUP

# The server is a process group of its own, for it has one process a connection.
end() {
  [ -z "$pid" ] || kill -- "-$pid" 2>/dev/null
  pid=''
}

has() { command -v "$1" >/dev/null 2>&1; }

answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# serve COMMAND...: starts it with %p as a port that is free, which none of them
# can choose.
serve() {
  local try i
  for try in 1 2 3 4 5; do
    port=$((20000 + (RANDOM + try) % 10000))
    ! answers $port || continue
    set -m
    "${@//%p/$port}" >"$dir/out" 2>&1 &
    pid=$!
    set +m
    for ((i = 0; i < 100; i++)); do
      ! answers $port || return 0
      kill -0 $pid 2>/dev/null || break
      sleep 0.05
    done
    end
  done
  echo "FAILED: $1 does not serve"
  cat "$dir/out"
  status=1
  return 1
}

# ok NAME OPTION...: it serves this rightly.
ok() {
  local name=$1
  shift
  if timeout 60 "$load" "127.0.0.1:$port" "$@" >"$dir/load" 2>&1; then
    echo "  $name: well  ($* : $(summary))"
    passed=$((passed + 1))
  else
    echo "FAILED: $name: $*"
    cat "$dir/load"
    status=1
  fi
}

summary() {
  sed -n 's/^\(round trips\|sessions\) *\([0-9]*\)$/\2 \1/p; s/^every byte verified: //p' \
    "$dir/load" | paste -sd' '
}

# finds NAME WORDS OPTION...: it does not, and teller-load says so with these words.
finds() {
  local name=$1 words=$2
  shift 2
  timeout 60 "$load" "127.0.0.1:$port" "$@" >"$dir/load" 2>&1
  if [ $? = 1 ] && grep -qE "$words" "$dir/load"; then
    echo "  $name: FOUND ($*): $(grep -m1 -E "$words" "$dir/load" | cut -c1-150)"
    found=$((found + 1))
  else
    echo "FAILED: $name: $*: does not say \"$words\""
    cat "$dir/load"
    status=1
  fi
}

# is_here NAME COMMAND [APPLET]
is_here() {
  if ! has "$2"; then
    echo "SKIPPED: $1: $2 is not installed"
    skipped=$((skipped + 1))
    return 1
  fi
  echo "$1"
}

# All that an echo server has to do.
everything() {
  messages
  ok stream --mode stream --connections 3 --duration 1
  ok half-close --mode half-close --connections 5 --duration 1
  ok 'half-close, 100 KB' --mode half-close --connections 3 --size 100k \
    --round-trips 5
}

messages() {
  ok echo --connections 20 --duration 1
  ok 'echo, 8 on the way in pieces' --connections 5 --round-trips 200 \
    --size '1=5,2..3000=5,20k=1' --depth 8 --pieces 700
  ok session --connections 5 --session 3 --round-trips 30
  ok connect --mode connect --connections 4 --duration 1
  ok idle --mode idle --connections 30 --duration 1
  ok slow --mode slow --connections 5 --size 2k --read-rate 8k --duration 1
  ok 'open loop' --rate 500 --connections 10 --duration 1
}

socat_server() {
  is_here 'socat, with -t 10: each connection is a process and a cat' socat ||
    return
  if serve socat -t 10 'TCP-LISTEN:%p,bind=127.0.0.1,reuseaddr,fork,backlog=128' \
    EXEC:cat; then
    everything
    end
  fi
  # Its own 0.5 s begin with our end; what is still to come is cut off then. A
  # slow reader shows it.
  echo 'socat, as it is: 0.5 s from our end on'
  if serve socat 'TCP-LISTEN:%p,bind=127.0.0.1,reuseaddr,fork,backlog=128' \
    'SYSTEM:sleep 1; cat'; then
    finds 'half-close to what takes a second' 'ended it early|reset|stalled' \
      --mode half-close --connections 2 --size 20k --round-trips 1
    end
  fi
}

node_server() {
  local node=node
  has node || node=nodejs
  is_here "Node's net, allowHalfOpen" $node || return
  if serve $node -e 'require("net").createServer({allowHalfOpen: true},
      s => { s.on("error", () => {}); s.pipe(s); }).listen(%p, "127.0.0.1", 511)'; then
    everything
    end
  fi
  # Node ends its side with ours, but behind what it has written: all comes.
  echo "Node's net, as it is"
  if serve $node -e 'require("net").createServer(
      s => { s.on("error", () => {}); s.on("data", d => s.write(d)); }
      ).listen(%p, "127.0.0.1", 511)'; then
    everything
    end
  fi
  echo "Node's net, which answers a bit too late for its own end"
  if serve $node -e 'require("net").createServer(
      s => { s.on("error", () => {});
      s.on("data", d => setTimeout(() => s.write(d), 100)); }
      ).listen(%p, "127.0.0.1", 511)'; then
    ok echo --connections 5 --duration 1
    finds half-close 'ended it early' --mode half-close --connections 2 \
      --round-trips 1
    end
  fi
}

# It writes to its cat before it reads from it, and waits with that: what floods it
# stands still. With our end it ends its side, whatever cat still has to say.
ncat_server() {
  is_here 'ncat -e /bin/cat --keep-open' ncat || return
  if serve ncat -l 127.0.0.1 %p -e /bin/cat --keep-open -m 200; then
    messages
    finds stream 'timeout: stalled' --mode stream --connections 3 --duration 2 \
      --timeout 3
    finds half-close 'ended it early' --mode half-close --connections 5 \
      --duration 1
    end
  fi
}

# Debian's has no tcpsvd.
busybox_server() {
  is_here 'busybox nc -ll -e cat' busybox || return
  if ! busybox nc --help 2>&1 | grep -q -- '-ll with -e'; then
    echo 'SKIPPED: busybox: its nc has no -ll'
    skipped=$((skipped + 1))
    return
  fi
  if serve busybox nc -ll -p %p -e cat; then
    everything
    end
  fi
}

xinetd_server() {
  is_here "xinetd's own echo" xinetd || return
  cat >"$dir/xinetd.conf" <<END
service echo
{
  type = INTERNAL UNLISTED
  id = echo-stream
  socket_type = stream
  protocol = tcp
  user = $(id -un)
  wait = no
  port = @
  bind = 127.0.0.1
  instances = UNLIMITED
  per_source = UNLIMITED
  cps = 100000 1
}
END
  # shellcheck disable=SC2016 # expanded by that shell
  if serve bash -c 'sed "s/@/$0/" "$1/xinetd.conf" >"$1/x" && exec xinetd -dontfork -f "$1/x" -pidfile "$1/pid"' \
    %p "$dir"; then
    everything
    end
  fi
}

socat_server
node_server
ncat_server
busybox_server
xinetd_server
echo "$passed runs were well, $found faults of servers found, $skipped servers not here"
[ "$passed" -gt 0 ] || status=1
exit "$status"
