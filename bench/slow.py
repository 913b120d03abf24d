# SPDX-License-Identifier: MIT
"""Question 2: what 50 quick connections pay for one whose handler is slow."""
import contextlib
import os
import socket
import threading

import measure as single
import tables
from connections import where
from programs import Fault, run_load, say
from records import shown
from workloads import Workload

DELAY_MS = 100
THREADS = 4     # of models that have them
RATE = 2000     # round trips of the quick ones in a second, over all of them
WARM = 0.3      # seconds: three stalls
ROUNDS = 3      # at most
SIZE = 64
PARTS = ("p50", "p99", "p99_9", "max")  # of their latency

# With one message on the way, a stall would hold back the next ones of the same
# connection, and a single loop would have too much to do. The slow connection is
# the one that is idle for teller-load.
QUICK_ONES = Workload("quick50", "50 quick connections beside a slow one", idle=1,
                      connections=50, depth=16)


# --- measuring ----------------------------------------------------------------


class Customer(threading.Thread):
    """The slow one: sends 64 B, and again as soon as they are back. It is served
    when this has been made."""

    def __init__(self, address):
        super().__init__()
        self.fault = None
        self.round_trips = 0
        self.enough = threading.Event()
        try:
            self.sock = socket.create_connection(where(address),
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
    for name, figures in (("calm_", calm), ("slow_", slow)):
        result.update(single.percentiles(figures, PARTS, name))
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
    return tables.milliseconds(*(f"{name}_{part}_us" for part in PARTS))


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
