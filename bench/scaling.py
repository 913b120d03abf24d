# SPDX-License-Identifier: MIT
"""Question 3, measured: what a round trip costs on 1 and on more threads.

Server and teller-load have all processors together, whatever the number of
threads, and teller-load is always the same: so what changes is what the threads
cost each other (locks, caches, wake-ups, smaller batches). More threads than
processors are a measurement of that too, but not of a speed.
"""
import os

import processes
import workloads
from layout import Layout, threads
from measure import WARM, Bench, check_end, percentiles, units
from programs import Trouble, run_load, say
from records import shown

SERVERS = ("teller-echo", "epoll_threads", "epoll_shared")
# Who accepts on the process's first thread, and serves on others: all of its
# connections go through that one thread.
ACCEPTS_ON_ONE = ("teller-echo",)
WORKLOADS = ("64x50", "session1", "16kx50")
COUNTS = (1, 2, 3, 4, 6, 8)
ROUNDS, SECONDS = 5, 0.5  # at most
QUICK_WORKLOADS = ("64x50", "session1")
QUICK_COUNTS = (1, 2, 4)


class Together(Layout):
    """All processors for both, and `count` threads for the server."""

    def __init__(self, count):
        super().__init__(len(os.sched_getaffinity(0)))
        self.processors = self.cores
        self.cores = count  # as many threads the server is told to have

    def __str__(self):
        return (f"all {self.processors} processors for the server and "
                f"teller-load ({threads(self.client_threads)}) together")


def workload_of(name, count):
    """A workload on so many threads is one of its own, "64x50/4"."""
    base = workloads.SPEED[name]
    return workloads.Workload(f"{name}/{count}", f"{base.title}; on "
                              f"{threads(count)}", base.idle, **base.load)


def shape(workload):
    """Its workload in workloads.SPEED, and how many threads."""
    name, _, count = workload.rpartition("/")
    return name, int(count)


def cost(bench, kind, workload):
    """As measure.throughput, and the CPU of each thread."""
    with bench.start(kind) as server:
        warm = bench.load_command(server, workload, duration=WARM)
        command = bench.load_command(server, workload, duration=bench.seconds)
        run_load(warm)
        before = processes.threads(server.pid)
        figures = run_load(command)
        used = processes.threads(server.pid) - before
        first = used[server.pid]
        check_end(kind, server)
    done = units(workload, figures)
    if done == 0 or not used:
        raise Trouble("nothing came back within the time")
    return {"rate": done / figures["seconds"],
            "cpu_us": 1e6 * sum(used.values()) / done,
            "first_us": 1e6 * first / done,
            "busiest_us": 1e6 * max(used.values()) / done,
            "client_busy": figures["client_busy"],
            **percentiles(figures)}, [shown(server.line), shown(command)]


def one(rounds, kind, name, count, number, seconds):
    bench = Bench(rounds.bench.folder, Together(count), seconds, None,
                  rounds.bench.scratch)
    workload = workload_of(name, count)
    about = {**rounds.about("scaling", kind, workload.name, workload.title,
                            workload.unit),
             "cores": bench.layout.processors, "layout": str(bench.layout)}
    if not rounds.late(about, "scaling"):
        rounds.attempt("throughput", about, number,
                       lambda _: cost(bench, kind, workload))


def scaling(rounds, options):
    kinds = [kind for kind in rounds.every if kind.name in SERVERS]
    names, counts = WORKLOADS, COUNTS
    if options.quick:
        names, counts = QUICK_WORKLOADS, QUICK_COUNTS
    last = min(options.rounds, ROUNDS)
    for number in range(1, last + 1):
        say(f"scaling: round {number} of {last}")
        for name in names:
            for count in counts:
                for kind in kinds:
                    one(rounds, kind, name, count, number,
                        min(options.seconds, SECONDS))
