# SPDX-License-Identifier: MIT
"""How long a run will take: all that it would measure, asked for without doing it,
and what each such measurement takes about."""
import contextlib
import io
from collections import Counter

import slow
import workloads
from measure import LATENCY_SECONDS, WARM
from rounds import CROSSING_SECONDS, Clock, Rounds

START = 0.12    # seconds: a server's start and its end, and teller-load's
OPEN = 2e-4     # for a connection that is opened and held, of the servers' mean
MIXED = 3.2     # with sharing.py's: two runs, and what comes before and after
COUNTED = 2.0   # under strace, for a run and a longer one, and
SIMULATED = 4.0  # under callgrind


def takes(about, what, seconds):
    """Seconds for one measurement."""
    question, timed = about["question"], min(seconds, 0.5)
    if what == "memory":
        return START + OPEN * workloads.SILENT[-1]
    if what == "unread":
        return START + 2
    if what == "profile":
        return START + seconds + 1.5
    if question == "slow":
        return 2 * (START + slow.WARM + seconds)
    if question == "sharing":
        return {"held": 2 * START, "mixed": MIXED - 2 + 2 * seconds,
                "stalled": START + 1}[what]
    if question == "layers" and what != "throughput":
        return COUNTED if what == "calls" else SIMULATED
    if what == "calls":
        return COUNTED / 1.5
    if what == "latency":
        timed = min(seconds, LATENCY_SECONDS)
    elif question == "crossing":
        timed = min(seconds, CROSSING_SECONDS)
    elif question in ("speed", "buffers", "goals"):
        timed = seconds
    workload = workloads.SPEED.get(about["workload"])
    return START + WARM + timed + OPEN * (workload.idle if workload else 0)


class Nowhere:
    """Where records go that are none."""

    def add(self, **_):
        pass


class Foresight(Rounds):
    """As Rounds, but each measurement is only counted, as seconds by question."""

    def __init__(self, bench, kinds):
        super().__init__(bench, kinds, Nowhere(), Clock())
        self.seconds = Counter()

    def attempt(self, what, about, number, action, *arguments, **more):
        self.seconds[about["question"]] += takes(about, what,
                                                 self.bench.seconds)
        return {"rate": 1.0}


def foresee(measure, options, bench, kinds):
    """Counter of seconds, by question, that measure(rounds, options) will take."""
    rounds = Foresight(bench, kinds)
    with contextlib.redirect_stderr(io.StringIO()):  # it says what it does
        measure(rounds, options)
    return rounds.seconds


def told(seconds):
    """In words."""
    by_question = ", ".join(f"{name} {value / 60:.0f}"
                            for name, value in seconds.items())
    return (f"this will take about {sum(seconds.values()) / 60:.0f} minutes "
            f"({by_question})")
