# SPDX-License-Identifier: MIT
"""One measurement of one server: each has a server process of its own.

A server that sends a wrong byte, has an error, or does not end as it should is a
Fault, and there is no figure. What cannot be measured here is Trouble.
"""
from collections import Counter
from pathlib import Path

import processes
from connections import hold, silent
from programs import Fault, Trouble, load_command, run_load
from records import shown
from servers import Running

WARM = 0.1      # seconds of load before what is timed
LATENCY_SECONDS = 0.5  # at most, at a given rate
TIMEOUT = 20    # seconds that a round trip may take
SHORT, LONG = 2000, 12000  # round trips over all connections, to count calls
STREAMED = 0.2, 0.6        # seconds, likewise
MIB = 1 << 20


class Bench:
    """What all measurements of a run have in common."""

    def __init__(self, folder, layout, seconds, counter, scratch):
        self.folder = folder
        self.layout = layout
        self.seconds = seconds
        self.counter = counter
        self.scratch = Path(scratch)

    def start(self, kind, counted=(), options=(), threads=None):
        return Running(kind, *options, counted=counted,
                       cores=threads or self.layout.cores,
                       pinned=self.layout.on_server())

    def load_command(self, server, workload, **limits):
        return [*self.layout.on_client(), *load_command(
            self.folder, server.address, timeout=TIMEOUT,
            threads=min(self.layout.client_threads,
                        workload.load["connections"]),
            **workload.load, **limits)]


def check_end(kind, server, counted=False, connections=0):
    """Ends it, and returns what it has used in all its life."""
    status, usage = server.stop(connections)
    if usage is None:
        raise Fault("it did not end when it was asked to")
    # perf says 0 of a program that a signal has ended.
    if status != kind.stopped and not (counted and kind.stopped < 0):
        raise Fault(f"it ended with status {status}")
    return usage


def units(workload, figures):
    """How many round trips, or MiB, that was."""
    if workload.streams:
        return figures["bytes_received"] / MIB
    return figures["round_trips"]


def percentiles(figures, parts=("p50", "p99", "p99_9"), of=""):
    """Those of teller-load's latency, as ours; of: whose, where there are more."""
    return {f"{of}{name}_us": figures["latency_us"][name] for name in parts}


def throughput(bench, kind, workload, most=float("inf")):
    """In the closed loop: as much as goes through, for `most` seconds at most."""
    seconds = min(bench.seconds, most)
    with bench.start(kind) as server:
        warm = bench.load_command(server, workload, duration=WARM)
        command = bench.load_command(server, workload, duration=seconds)
        with silent(server.address, workload.idle):
            warmed = units(workload, run_load(warm))
            before = processes.cpu(server.pid)
            figures = run_load(command)
            used = processes.cpu(server.pid) - before
        usage = check_end(kind, server, connections=workload.idle)
    done = units(workload, figures)
    if done == 0:
        raise Trouble("nothing came back within the time")
    life = done + warmed + (0 if workload.streams else workload.idle)
    result = {"rate": done / figures["seconds"], "cpu_us": 1e6 * used / done,
              "voluntary": usage.ru_nvcsw / life,
              "involuntary": usage.ru_nivcsw / life,
              "client_busy": figures["client_busy"]}
    if not workload.streams:
        result.update(percentiles(figures))
    return result, [shown(server.line), shown(command)]


def latency(bench, kind, workload, share, best):
    """In the open loop, at a share of the best rate."""
    rate = max(1, int(share * best))
    with bench.start(kind) as server:
        command = bench.load_command(
            server, workload, rate=rate, warmup=WARM,
            duration=min(bench.seconds, LATENCY_SECONDS))
        with silent(server.address, workload.idle):
            figures = run_load(command)
        check_end(kind, server, connections=workload.idle)
    return {"share": share, "asked": rate,
            "rate": figures["round_trips_per_second"], **percentiles(figures),
            "lateness_p99_us": figures["lateness_us"]["p99"],
            "unsent": figures["unsent"]}, [shown(server.line), shown(command)]


# --- system calls -------------------------------------------------------------


def amounts(workload):
    """The limits of a short run and of a long one. Whole sessions, so that each
    has the same share of connecting."""
    if workload.streams:
        return [{"duration": seconds} for seconds in STREAMED]
    session = max(1, workload.session)
    connections = workload.load["connections"]
    short, long = (max(1, total * workload.load["depth"] // connections)
                   for total in (SHORT, LONG))
    short = -(-short // session) * session
    long = max(2 * short, -(-long // session) * session)
    return [{"round_trips": short}, {"round_trips": long}]


def calls(bench, kind, workload):
    """System calls, as the difference of two runs: what a server makes to start
    and to end is not in it."""
    file = bench.scratch / "calls"
    counted, commands = [], []
    for limits in amounts(workload):
        prefix = bench.counter.prefix(file)
        with bench.start(kind, prefix) as server:
            command = bench.load_command(server, workload, **limits)
            done = units(workload, run_load(command))
            check_end(kind, server, counted=True)
        count = bench.counter.read(file.read_text())
        if count is None:
            raise Trouble(f"{bench.counter.name} has counted nothing")
        counted.append((done, count))
        commands += [shown([*prefix, *server.line]), shown(command)]
    (done, count), (more, calls_of_more) = counted
    if more <= done:
        raise Trouble("the longer run had no more to do")
    return {"calls": (calls_of_more - count) / (more - done)}, commands


# --- memory -------------------------------------------------------------------


def silent_memory(bench, kind, counts):
    """Bytes per silent connection, at each of `counts` of them. What the first
    connection brings with it (a loop's read buffer, and more) is left out."""
    found = []
    with bench.start(kind) as server:
        before = Counter()
        for held in hold(server.address, max(counts) + 1, 1):
            if held == 1:
                before = processes.memory(server.pid)
            elif held - 1 in counts:
                now = processes.memory(server.pid)
                found.append({"connections": held - 1, **{
                    name: (now[name] - before[name]) / (held - 1)
                    for name in ("rss", "pss")},
                    "processes": now["processes"]})
        check_end(kind, server, connections=max(counts))
    return found, [shown(server.line)]
