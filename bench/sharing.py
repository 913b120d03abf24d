# SPDX-License-Identifier: MIT
"""Question 6: how many connections each thread comes to have."""
import os
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from html import escape

import charts
import measure as single
import tables
from newcomers import Newcomers, pinned
from programs import (Fault, Trouble, load_command, load_until, run_load,
                      say)
from records import shown
from workloads import Workload

THREADS = 8     # so that a few connections each are uneven; see ABOUT
ROUNDS = 5      # at most

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

ABOUT = (
    f"How many connections each of {THREADS} threads comes to have, as the servers "
    "count them themselves: 8, more than many machines have processors, so that it "
    "shows how few connections are shared, and it is connections that are counted, "
    "not speed. A loop of teller gets one because it has the fewest open (least), or "
    "in turn (rr); with reuseport each thread has a listening socket, and the kernel "
    "chooses by a hash; with exclusive all threads watch one listening socket, and "
    "who is first has it: which one that is depends on how many processors the "
    "threads share.")


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


def latencies(name, figures):
    return {f"{name}_{part}_us": figures["latency_us"][part]
            for part in ("p50", "p99")}


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
               "seconds": 2 * bench.seconds, **latencies("short", sessions),
               **latencies("long", longs[0])}
    return figures, [shown(server.line), shown(short), shown(long)]


def stall_one(address):
    """A connection that has a loop stall: it is the first, and has been sent to."""
    host, _, port = address.rpartition(":")
    sock = socket.create_connection((host, int(port)), timeout=single.TIMEOUT)
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


def of(name, show=tables.number):
    return lambda row: "–" if name not in row.figures else show(row.figures[name])


def whole(value):
    return f"{value:g}"


def pair(name):
    return lambda row: "–" if f"{name}_p99_us" not in row.figures else " / ".join(
        tables.number(row.figures[f"{name}_{part}_us"] / 1000)
        for part in ("p50", "p99"))


SHARES = [
    ("fewest", "connections on a thread, median of the rounds",
     of("fewest", whole)),
    ("most", "likewise", of("most", whole)),
    ("even", "what each would have if all had as many", of("even", whole)),
    ("spread", "from the fewest to the most, as part of that",
     of("spread", tables.percent)),
]
COLUMNS = {
    "mixed": [*SHARES,
              ("long, ms", "p50 / p99 of the long ones' round trips",
               pair("long")),
              ("short, ms", "p50 / p99 of the short ones'", pair("short")),
              ("sessions", "short ones meanwhile", of("sessions"))],
    "stalled": [("opened", "connections", of("opened", whole)),
                ("waited", f"of them for more than {WAITED_MS} ms",
                 of("waited", whole)),
                ("p50", "until its round trip was over, from when a connection "
                 "was due", of("p50_us", tables.microseconds)),
                ("p99", "likewise", of("p99_us", tables.microseconds)),
                ("max", "likewise", of("max_us", tables.microseconds))],
}


def columns(table):
    return COLUMNS.get(table.workload, SHARES)


tables.COLUMNS_OF["sharing"] = columns


def each_has(row):
    """As "fewest to most"."""
    fewest, most = row.figures["fewest"], row.figures["most"]
    return f"{fewest:g}" if fewest == most else f"{fewest:g} to {most:g}"


def of_each(rows, show):
    return "; ".join(f"{row.server} {show(row)}" for row in rows)


def told_of_held(rows):
    figures = rows[0].figures
    total = figures["threads"] * figures["even"]
    return (f"teller-load opened {total:,.0f} connections as fast as it could, and "
            f"held them; {figures['even']:g} on each of {figures['threads']:g} "
            "threads would be even. From the fewest that a thread got to the most: "
            f"{of_each(rows, each_has)}.")


def told_of_mixed(rows):
    figures = rows[0].figures

    def p99(row):
        return (f"{tables.microseconds(row.figures['long_p99_us'])} and "
                f"{tables.microseconds(row.figures['short_p99_us'])}")
    return (f"{SHORT['rate']} sessions a second of one round trip, from "
            f"{SHORT['connections']} places, came and went; meanwhile "
            f"{MIXED.load['connections']} connections were opened within {BEFORE} s "
            f"and had {LONG_RATE:,} round trips a second in all, for "
            f"{figures['seconds']:g} s. When the short ones had gone, the threads "
            f"had of the long ones, from the fewest to the most: "
            f"{of_each(rows, each_has)}. p99 of a round trip, of the long ones and "
            f"of the short ones: {of_each(rows, p99)}.")


def told_of_stalled(rows):
    def waited(row):
        return (f"{row.figures['waited']:g} of {row.figures['opened']:g}, p99 "
                f"{tables.microseconds(row.figures['p99_us'])}")
    return (f"The handler of the first connection blocked its thread for "
            f"{STALL_MS / 1000:g} s. In that time {NEW_RATE} new connections came a "
            "second, each for one round trip, due at its time whatever became of "
            f"those before. So many of them waited for more than {WAITED_MS} ms, "
            f"and p99 of all was: {of_each(rows, waited)}.")


def bars(rows, caption, name, show=tables.number):
    items = [(row.server, row.figures[name], min(row.values[name]),
              max(row.values[name]), False) for row in rows]
    return figure(caption, charts.bars(caption, items, show))


def figure(caption, chart):
    return f"<figure><figcaption>{escape(caption)}</figcaption>{chart}</figure>"


def dots(rows, caption, names):
    return figure(caption, charts.dots(
        caption, [(row.server, [(label, row.figures[name] / 1000)
                                for label, name in names]) for row in rows],
        "ms"))


def most_of(rows):
    even = rows[0].figures["even"]
    return bars(rows, f"Most connections on one thread; {even:g} is even", "most",
                whole)


def charts_of_mixed(rows):
    return most_of(rows) + dots(
        rows, "p99 of a round trip, long and (filled) short ones",
        [("long ones", "long_p99_us"), ("short ones", "short_p99_us")])


def charts_of_stalled(rows):
    return (bars(rows, f"Connections that waited for more than {WAITED_MS} ms",
                 "waited", whole)
            + dots(rows, "Until a new connection was served: p50, p99, the most "
                   "(filled)", [("p50", "p50_us"), ("p99", "p99_us"),
                                ("max", "max_us")]))


TOLD = {"mixed": (told_of_mixed, charts_of_mixed),
        "stalled": (told_of_stalled, charts_of_stalled)}


def sections(found, titled, html_table, commands):
    for table in found:
        rows = [row for row in table.rows if row.figures]
        told = drawn = ""
        if rows:
            tell, draw = TOLD.get(table.workload, (told_of_held, most_of))
            told = f"<p>{escape(tell(rows))}</p>"
            drawn = f'<div class="pair">{draw(rows)}</div>'
        yield (f"<section>{titled(table)}{told}{drawn}{html_table(table)}"
               f"{commands(table)}</section>")
