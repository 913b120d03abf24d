# SPDX-License-Identifier: MIT
"""Question 6: how many connections each thread comes to have."""
import os
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import measure as single
import tables
from connections import where
from newcomers import Newcomers, pinned
from programs import (Fault, Trouble, load_command, load_until, run_load,
                      say)
from records import shown
from workloads import Workload

THREADS = 8     # so that a few connections each are uneven: see
                # sharing_page.py
ROUNDS = 5      # at most
PARTS = ("p50", "p99")  # of a latency

HELD = [Workload(f"held{count}", f"{count:,} connections opened at once, and held",
                 connections=count, mode="idle") for count in (64, 1000)]
HOLD = 0.1      # seconds

MIXED = Workload("mixed", "64 long connections that come among short ones",
                 connections=64)
LONG_RATE = 1000    # round trips a second, over all long ones
SHORT = {"connections": 50, "session": 1, "rate": 500, "size": 64, "depth": 1}
BEFORE = 0.2    # seconds that the short ones are there before the long ones
LONG_LIMIT = 120    # seconds that these may be there

STALLED = Workload("stalled", "one loop stalled for a second", connections=1)
STALL_MS = 1000
NEW_RATE = 300      # new connections a second
NEW_SECONDS = 0.9   # of the stall
STALL_BEGINS = 0.05  # seconds after what it stalls at was sent
WAITED_MS = 100     # from there on one has waited


# --- asking the server --------------------------------------------------------


def told(server, what):
    """The numbers of each line "WHAT by thread: 3 4 ..." so far."""
    begin = f"{what} by thread:"
    return [[int(word) for word in line[len(begin):].split()]
            for line in list(server.told) if line.startswith(begin)]


def open_now(server):
    before = len(told(server, "open"))
    os.kill(server.pid, signal.SIGUSR1)
    until = time.monotonic() + single.TIMEOUT
    while time.monotonic() < until:
        lines = told(server, "open")
        if len(lines) > before:
            return lines[-1]
        time.sleep(0.002)
    raise Fault("it does not tell what its threads have open")


def open_once(server, count):
    """Those of each thread, when there are `count` of them in all."""
    until = time.monotonic() + single.TIMEOUT
    while True:
        shares = open_now(server)
        if sum(shares) == count:
            return shares
        if time.monotonic() > until:
            raise Trouble(f"it had {sum(shares)} connections open, not {count}")


def taken(kind, server):
    """Ends it, and returns what each thread has had in all."""
    single.check_end(kind, server)
    server.reader.join()
    lines = told(server, "taken")
    if not lines:
        raise Fault("it does not tell what its threads have taken")
    return lines[-1]


def spread(shares):
    """From the fewest to the most, as part of an even share."""
    return {"threads": len(shares), "fewest": min(shares), "most": max(shares),
            "even": sum(shares) / len(shares),
            "spread": (max(shares) - min(shares)) * len(shares) / sum(shares)}


# --- measuring ----------------------------------------------------------------


def held(bench, kind, workload):
    with bench.start(kind, threads=THREADS) as server:
        command = bench.load_command(server, workload, duration=HOLD)
        run_load(command)
        shares = taken(kind, server)
    if sum(shares) != workload.load["connections"]:
        raise Fault(f"its threads have taken {sum(shares)} connections")
    return spread(shares), [shown(server.line), shown(command)]


def commands_of_mixed(bench, server, seconds):
    short = [*bench.layout.on_client(), *load_command(
        bench.folder, server.address, timeout=single.TIMEOUT,
        duration=BEFORE + seconds, **SHORT)]
    long = bench.load_command(server, MIXED, rate=LONG_RATE, ramp=BEFORE,
                              duration=LONG_LIMIT)
    return short, long


def mixed(bench, kind, workload):
    """The long ones come when the short ones are there, and are counted when these
    have gone."""
    longs = []
    with bench.start(kind, threads=THREADS) as server, \
            ThreadPoolExecutor(1) as beside:
        short, long = commands_of_mixed(bench, server, 2 * bench.seconds)
        shorts = beside.submit(run_load, short)
        time.sleep(BEFORE)
        with load_until(long, longs):
            sessions = shorts.result()
            shares = open_once(server, workload.load["connections"])
        single.check_end(kind, server)
    figures = {**spread(shares), "sessions": sessions["sessions"],
               "seconds": 2 * bench.seconds,
               **single.percentiles(sessions, PARTS, "short_"),
               **single.percentiles(longs[0], PARTS, "long_")}
    return figures, [shown(server.line), shown(short), shown(long)]


def stall_one(address):
    """A connection that has a loop stall: it is the first, and has been sent to."""
    sock = socket.create_connection(where(address), timeout=single.TIMEOUT)
    sock.sendall(b"x")
    return sock


def percentile(values, share):
    """The least of them that this share of them does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]


def waits_while_stalled(address):
    """(seconds that each new connection waited, seconds of the stall)"""
    began = time.monotonic()
    with stall_one(address) as sock:
        time.sleep(STALL_BEGINS)
        waits = Newcomers(address, NEW_RATE, NEW_SECONDS).waits()
        if sock.recv(1) != b"x":
            raise Fault("the stalled connection got no answer", True)
    return waits, time.monotonic() - began


def stalled(bench, kind, workload):
    with bench.start(kind, threads=THREADS,
                     options=("--slow", STALL_MS)) as server:
        with pinned(bench.layout.client):
            try:
                waits, lasted = waits_while_stalled(server.address)
            except OSError as error:
                raise Fault(f"the stalled connection: {error}") from error
        shares = taken(kind, server)
    if sum(shares) != len(waits) + workload.load["connections"]:
        raise Fault(f"its threads have taken {sum(shares)} connections")
    if lasted < STALL_MS / 1000:
        raise Trouble(f"no loop has stalled for {STALL_MS} ms")
    figures = {"opened": len(waits),
               "waited": sum(1000 * wait > WAITED_MS for wait in waits)}
    for name, share in (("p50", 0.5), ("p99", 0.99), ("max", 1)):
        figures[f"{name}_us"] = 1e6 * percentile(waits, share)
    return figures, [shown(server.line)]


def measure(rounds, options):
    kinds = [one for kind in rounds.models if kind.ways
             for one in kind.by_way()]
    count = 1 if options.quick else min(options.rounds, ROUNDS)
    steps = [("held", HELD, held), ("mixed", [MIXED], mixed),
             ("stalled", [STALLED], stalled)]
    for number in range(1, count + 1):
        say(f"sharing: round {number} of {count}")
        for what, which, action in steps:
            for kind, workload, about in rounds.each("sharing", which, kinds):
                if not rounds.late(about, what):
                    rounds.attempt(what, about, number, action, kind, workload)


# --- telling ------------------------------------------------------------------


def whole(value):
    return "–" if value is None else f"{value:g}"


def pair(name):
    return tables.milliseconds(*(f"{name}_{part}_us" for part in PARTS))


SHARES = [
    ("fewest", "connections on a thread, median of the rounds",
     tables.figure("fewest", whole)),
    ("most", "likewise", tables.figure("most", whole)),
    ("even", "what each would have if all had as many", tables.figure("even", whole)),
    ("spread", "from the fewest to the most, as part of that",
     tables.figure("spread", tables.percent)),
]
COLUMNS = {
    "mixed": [*SHARES,
              ("long, ms", "p50 / p99 of the long ones' round trips",
               pair("long")),
              ("short, ms", "p50 / p99 of the short ones'", pair("short")),
              ("sessions", "short ones meanwhile", tables.figure("sessions"))],
    "stalled": [("opened", "connections", tables.figure("opened", whole)),
                ("waited", f"of them for more than {WAITED_MS} ms",
                 tables.figure("waited", whole)),
                ("p50", "until its round trip was over, from when a connection "
                 "was due", tables.figure("p50_us", tables.microseconds)),
                ("p99", "likewise", tables.figure("p99_us", tables.microseconds)),
                ("max", "likewise", tables.figure("max_us", tables.microseconds))],
}


def columns(table):
    return COLUMNS.get(table.workload, SHARES)


tables.COLUMNS_OF["sharing"] = columns
