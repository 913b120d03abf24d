# SPDX-License-Identifier: MIT
"""What is measured in which order: servers take turns within a round, and a
fault takes a server out."""
import time

import measure
import workloads
from programs import Fault, Trouble, say

LATENCY_SHARES = (0.5, 0.8)
LATENCY_ROUNDS = 3  # at most
CROSSING_ROUNDS = 3
CROSSING_SECONDS = 0.5  # at most


class Clock:
    """How much time is left, of none or of `limit` seconds since it was made."""

    def __init__(self, limit=None):
        self.began = time.monotonic()
        self.until = None if limit is None else self.began + limit

    def elapsed(self):
        return time.monotonic() - self.began

    def left(self):
        if self.until is None:
            return float("inf")
        return self.until - time.monotonic()


def at_most(kind):
    if kind.most == 1:
        return "serves one connection at a time"
    limit = f", by this machine's limit {kind.limit}" if kind.limit else ""
    return f"serves {kind.most:,} connections together at most{limit}"


class Rounds:
    """Measures, and records what comes of it."""

    def __init__(self, bench, kinds, records, clock):
        self.bench = bench
        self.cores = bench.layout.cores
        self.models = [kind for kind in kinds if kind.model]
        kinds = [kind for kind in kinds if not kind.apart]
        self.every = kinds  # also those that cannot use so many cores
        self.kinds = [kind for kind in kinds if kind.uses(self.cores)]
        self.records = records
        self.clock = clock
        self.out = set()    # (server, workload), or (server, None): all of them
        self.told = set()   # what is said once
        self.best = {}      # (server, workload): its best rate
        self.faults = 0

    # --- one measurement ---

    def about(self, question, kind, name, title, unit):
        return {"question": question, "server": kind.name,
                "version": kind.version, "workload": name, "title": title,
                "unit": unit, "cores": self.cores,
                "layout": str(self.bench.layout)}

    def attempt(self, what, about, number, action, *arguments, **more):
        """Calls action(), which gives figures (or a list of them) and commands."""
        server, workload = about["server"], about["workload"]
        if self.out & {(server, None), (server, workload)}:
            return None
        try:
            figures, commands = action(self.bench, *arguments)
        except Fault as fault:
            self.fault(about, str(fault), fault.wrong_bytes)
            return None
        except Trouble as trouble:
            self.missing(about, f"{what}: {trouble}")
            return None
        for one in figures if isinstance(figures, list) else [figures]:
            self.records.add(what=what, **about, round=number, figures=one,
                             commands=commands, **more)
        return figures

    def fault(self, about, reason, everywhere):
        server, workload = about["server"], about["workload"]
        say(f"{server}, {about['title']}: {reason}: it has no figure"
            f"{' anywhere' if everywhere else ''}")
        self.faults += 1
        self.out.add((server, None if everywhere else workload))
        self.records.add(what="fault", **about, reason=reason,
                         everywhere=everywhere)

    def late(self, about, what):
        """Whether no time is left: it is said of the first one in a phase, and
        recorded of all."""
        if self.clock.left() >= 0:
            return False
        if what not in self.told:
            self.told.add(what)
            say(f"no time is left for {what}, from {about['server']}, "
                f"{about['title']} on")
        self.records.add(what="missing", **about,
                         reason=f"{what}: no time was left")
        return True

    def missing(self, about, reason):
        key = (about["question"], about["server"], about["workload"], reason)
        if key not in self.told:
            self.told.add(key)
            say(f"{about['server']}, {about['title']}: {reason}")
            self.records.add(what="missing", **about, reason=reason)

    def able(self, kind, workload, about):
        """Whether it can have so many connections together; once it says why
        not."""
        if kind.most is None or workload.open_together <= kind.most:
            return True
        self.missing(about, at_most(kind))
        return False

    # --- all of a phase ---

    def each(self, question, which, kinds=None, number=1):
        """(kind, workload, about) of those that can, in turn: forth in one round
        and back in the next one, so that none is always early and none late,
        while the machine's speed changes."""
        in_turn = (kinds or self.kinds)[::1 if number % 2 else -1]
        for workload in which:
            for kind in in_turn:
                about = self.about(question, kind, workload.name,
                                   workload.title, workload.unit)
                if self.able(kind, workload, about):
                    yield kind, workload, about

    def throughput(self, question, which, rounds, kinds=None, until=0.0,
                   most=float("inf")):
        """Rounds of measurements of `most` seconds at most, but none after the
        first that would leave fewer than `until` seconds. Returns how many there
        were."""
        longest = 0.0
        for number in range(1, rounds + 1):
            if number > 1 and self.clock.left() - longest < until:
                return number - 1
            say(f"{question}: round {number} of {rounds}")
            began = time.monotonic()
            for kind, workload, about in self.each(question, which, kinds,
                                                   number):
                if self.late(about, "throughput"):
                    continue
                figures = self.attempt("throughput", about, number,
                                       measure.throughput, kind, workload,
                                       most)
                if figures:
                    key = (kind.name, workload.name)
                    self.best[key] = max(self.best.get(key, 0),
                                         figures["rate"])
            longest = max(longest, time.monotonic() - began)
        return rounds

    def latency(self, question, which, rounds):
        """Beside many idle connections in one round only, which takes long."""
        which = [workload for workload in which
                 if not workload.streams and not workload.thinks]
        for number in range(1, rounds + 1):
            say(f"{question}: latency, round {number} of {rounds}")
            once = [one for one in which if number == 1 or not one.idle]
            for kind, workload, about in self.each(question, once):
                best = self.best.get((kind.name, workload.name))
                for share in LATENCY_SHARES if best else ():
                    if self.late(about, "latency"):
                        break
                    self.attempt("latency", about, number, measure.latency,
                                 kind, workload, share, best)

    def calls(self, question, which, kinds=None):
        counter = self.bench.counter
        if counter is None:
            say("system calls are not counted: neither perf nor strace may")
            return
        say(f"{question}: system calls, by {counter.name}")
        which = [workload for workload in which if not workload.idle]
        for kind, workload, about in self.each(question, which, kinds):
            if self.late(about, "calls"):
                continue
            self.attempt("calls", about, 1, measure.calls, kind, workload,
                         tool=counter.name)

    def memory(self, counts):
        say(f"memory: up to {max(counts):,} silent connections")
        for kind in self.kinds:
            about = self.about("memory", kind, "silent", "silent connections",
                               "connection")
            can = [count for count in counts
                   if kind.most is None or count < kind.most]
            if len(can) < len(counts):
                self.missing(about, at_most(kind))
            if can and not self.late(about, "memory"):
                self.attempt("memory", about, 1, measure.silent_memory, kind,
                             can)

    def crossing(self, rounds):
        kinds = [kind for kind in self.kinds
                 if kind.name in workloads.CROSSING_SERVERS]
        self.throughput("crossing", list(workloads.CROSSING.values()),
                        min(rounds, CROSSING_ROUNDS), kinds,
                        most=CROSSING_SECONDS)
