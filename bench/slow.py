# SPDX-License-Identifier: MIT
"""Question 2: what 50 quick connections pay for one whose handler is slow."""
import contextlib
import os
import socket
import threading
from html import escape

import charts
import measure as single
import tables
from programs import Fault, run_load, say
from records import shown
from servers import POOL
from workloads import Workload

DELAY_MS = 100
THREADS = 4     # of models that have them
RATE = 2000     # round trips of the quick ones in a second, over all of them
WARM = 0.3      # seconds: three stalls
ROUNDS = 3      # at most
SIZE = 64

# With one message on the way, a stall would hold back the next ones of the same
# connection, and a single loop would have too much to do. The slow connection is
# the one that is idle for teller-load.
QUICK_ONES = Workload("quick50", "50 quick connections beside a slow one", idle=1,
                      connections=50, depth=16)


ABOUT = ("One connection has a handler that blocks: what the others pay for it. The "
         "servers are the models, which have such a handler; teller is the pool "
         "of loops that teller-echo has.")


# --- measuring ----------------------------------------------------------------


class Customer(threading.Thread):
    """The slow one: sends 64 B, and again as soon as they are back. It is served
    when this has been made."""

    def __init__(self, address):
        super().__init__()
        host, _, port = address.rpartition(":")
        self.fault = None
        self.round_trips = 0
        self.enough = threading.Event()
        try:
            self.sock = socket.create_connection((host, int(port)),
                                                 timeout=single.TIMEOUT)
            self.round_trip()
        except OSError as error:
            raise Fault(f"the slow connection: {error}") from error

    def round_trip(self):
        message = os.urandom(SIZE)
        self.sock.sendall(message)
        back = b""
        while len(back) < SIZE:
            more = self.sock.recv(SIZE - len(back))
            if not more:
                raise Fault("it closed the slow connection")
            back += more
        if back != message:
            raise Fault("the slow connection got a wrong byte", True)
        self.round_trips += 1

    def run(self):
        try:
            while not self.enough.is_set():
                self.round_trip()
        except Fault as fault:
            self.fault = fault
        except OSError as error:
            self.fault = Fault(f"the slow connection: {error}")

    def end(self):
        self.enough.set()
        self.join()
        self.sock.close()


@contextlib.contextmanager
def slow_customer(address):
    customer = Customer(address)
    customer.start()
    try:
        yield customer
    finally:
        customer.end()
    if customer.fault:
        raise customer.fault


def quick_ones(bench, kind, options, beside):
    """How long the round trips of the quick ones take, with somebody beside."""
    with bench.start(kind, options=options, threads=THREADS) as server:
        command = bench.load_command(server, QUICK_ONES, rate=RATE, warmup=WARM,
                                     duration=bench.seconds)
        with beside(server.address) as customer:
            figures = run_load(command)
        single.check_end(kind, server)
    return figures, customer, [shown(server.line), shown(command)]


def both(bench, kind):
    """Without the slow one, and with it."""
    calm, _, commands = quick_ones(bench, kind, (), contextlib.nullcontext)
    slow, customer, more = quick_ones(bench, kind, ("--slow", DELAY_MS),
                                      slow_customer)
    result = {"delay_ms": DELAY_MS, "asked": RATE, "seconds": bench.seconds,
              "slow_round_trips": customer.round_trips,
              "unsent": slow["unsent"],
              "calm_lateness_p99_us": calm["lateness_us"]["p99"]}
    for name, figures in (("calm", calm), ("slow", slow)):
        for part in ("p50", "p99", "p99_9", "max"):
            result[f"{name}_{part}_us"] = figures["latency_us"][part]
    return result, commands + more


def measure(rounds, options):
    kinds = [one for kind in rounds.models for one in kind.by_way()]
    count = 1 if options.quick else min(options.rounds, ROUNDS)
    for number in range(1, count + 1):
        say(f"slow: round {number} of {count}")
        for kind, _, about in rounds.each("slow", [QUICK_ONES], kinds):
            if not rounds.late(about, "slow"):
                rounds.attempt("slow", about, number, both, kind)


# --- telling ------------------------------------------------------------------


def quartet(name):
    def show(row):
        values = [row.figures.get(f"{name}_{part}_us")
                  for part in ("p50", "p99", "p99_9", "max")]
        return "–" if None in values else " / ".join(
            tables.number(value / 1000) for value in values)
    return show


def columns(_):
    return [("alone, ms", "the quick ones without the slow one: p50 / p99 / "
             "p99.9 / max, medians of the rounds", quartet("calm")),
            ("beside it, ms", "likewise, with the slow one", quartet("slow")),
            ("slow one", "round trips of it meanwhile",
             tables.figure("slow_round_trips")),
            ("unsent", "messages of the quick ones that were due, and not sent",
             lambda row: "–" if "unsent" not in row.figures else
             f"{row.figures['unsent']:.0f}")]


tables.COLUMNS_OF["slow"] = columns


def measured(table):
    return [row for row in table.rows if "slow_p99_us" in row.figures]


def span(rows, name):
    values = [row.figures[name] for row in rows]
    least, most = (tables.microseconds(f(values)) for f in (min, max))
    return least if least == most else f"{least} to {most}"


def what_was_run(rows):
    figures = rows[0].figures
    return (
        f"In each round each server was started twice: to serve "
        f"{QUICK_ONES.load['connections']} quick connections, {SIZE} B each "
        f"time and {figures['asked']:,.0f} round trips a second over all of "
        f"them, for {figures['seconds']:g} s after {WARM} s; and to serve them "
        f"beside a connection that came first, whose handler blocks for "
        f"{figures['delay_ms']:.0f} ms at each read, and which sends {SIZE} B "
        f"again when the last are back. A latency runs from when a message was "
        f"due, up to {QUICK_ONES.load['depth']} being on the way in a "
        f"connection, so that a stall counts for all that it holds up; and "
        "for how late teller-load was itself. Models with a number of threads "
        f"had {THREADS}, thread_pool {POOL}.")


def groups(rows):
    """Those that hold up nobody, some, and all. Half of the delay and a tenth
    are far from what the first of them, and the last, come to."""
    for words, belongs in (
            ("keep the quick ones apart from it",
             lambda p50, p99, delay: p99 < delay / 2),
            ("let some of them wait",
             lambda p50, p99, delay: p99 >= delay / 2 and p50 < delay / 10),
            ("let all of them wait",
             lambda p50, p99, delay: p99 >= delay / 2 and p50 >= delay / 10)):
        yield words, [row for row in rows if belongs(
            row.figures["slow_p50_us"], row.figures["slow_p99_us"],
            1000 * row.figures["delay_ms"])]


def what_came_out(rows):
    told = [f"Without the slow one their p99 is {span(rows, 'calm_p99_us')}; "
            "teller-load was as late as "
            f"{span(rows, 'calm_lateness_p99_us')} then."]
    # Nothing can be said of who waited as long without it.
    calm = [row for row in rows if row.figures["calm_p99_us"] <
            1000 * row.figures["delay_ms"] / 10]
    if len(calm) < len(rows):
        told.append("The machine was too busy to judge " + ", ".join(
            row.server for row in rows if row not in calm) + ".")
    for words, group in groups(calm):
        if group:
            told.append(
                f"{len(group)} of {len(rows)} {words} "
                f"({', '.join(row.server for row in group)}): p50 "
                f"{span(group, 'slow_p50_us')}, p99 "
                f"{span(group, 'slow_p99_us')}, at most "
                f"{span(group, 'slow_max_us')}.")
    return " ".join(told)


def sections(found, titled, html_table, commands):
    for table in found:
        rows = measured(table)
        told = chart = ""
        if rows:
            told = (f"<p>{escape(what_was_run(rows))}</p>"
                    f"<p>{escape(what_came_out(rows))}</p>")
            chart = charts.dots(
                "Latency of the quick ones beside a slow one",
                [(row.server, [(part, row.figures[f"slow_{name}_us"] / 1000)
                               for part, name in (("p50", "p50"), ("p99", "p99"),
                                                  ("max", "max"))])
                 for row in rows], "ms: p50, p99, and the most (filled)")
        yield (f"<section>{titled(table)}{told}{chart}{html_table(table)}"
               f"{commands(table)}</section>")
