#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What teller-echo costs, counted and not timed, against the budgets below.

    costs.py [--quick] [--json] [BUILD_DIR]

The real programs are measured: teller-echo on one loop, loaded by teller-load,
which checks every byte. What it takes to start, to accept and to stop falls out
as the difference of a long run and a short one. Without a build folder the
preset "bench" is built. Linux with glibc; needs strace and valgrind.

Exit status: 0 all within the budgets, 1 something is not, 2 not measured.
"""
import argparse
import json
import mmap
import shutil
import struct
import sys
import tempfile
from collections import Counter
from pathlib import Path

from connections import allow_descriptors, hold
from counting import (UNWATCHED, WAIT_CALLS, calls_in, instructions_in,
                      is_libuv, per_round_trip, strace, valgrind)
from programs import Echo, Trouble, build, load, say

# --- the budgets --------------------------------------------------------------

CALLS = 2.01          # system calls per round trip, less epoll_wait
WAITS = 1.01          # epoll_waits per round trip, and per batch: per one that
                      # had something to tell
ALLOCATIONS = 0.001  # 0, but the text that is printed at the end may grow once
IDLE_BYTES = 400     # per idle connection, ours and libuv's, at any number
INSTRUCTIONS = {      # per round trip, in user space: teller's, and all
    "64 B x 1": (300, 1450),
    "64 B x 50": (300, 850),
    "64 B x 50, depth 16": (30, 90),
    "16 KiB x 50": (300, 850),
    "64 B x 50, timeouts": (420, 970),
}

# --- what is measured ---------------------------------------------------------

CASES = {  # size x connections
    "64 B x 1": {"connections": 1, "size": 64, "depth": 1},
    "64 B x 50": {"connections": 50, "size": 64, "depth": 1},
    "64 B x 50, depth 16": {"connections": 50, "size": 64, "depth": 16},
    "16 KiB x 50": {"connections": 50, "size": 16384, "depth": 1},
}
TIMEOUTS = ("--idle-timeout", "60", "--write-timeout", "30", "--max-lifetime",
            "3600")
SHORT = 2000          # round trips of a short run over all connections, times
                      # the depth, so that there are about as many reads
LONG = 52000          # and of a long one: accepting 50 connections may take 150
                      # calls more or less, and that has to be far below 0.01
QUICK_LONG = 12000    # where it need not be
IDLE = 5000           # idle connections
IDLE_FROM = 1000      # from here on the cost per connection is looked at
SILENT = 250          # of so many silent connections one speaks
TOP, TOP_OF = 10, "64 B x 50"  # functions listed
COUNTED_CALLS = ("read", "write", "epoll_ctl")


class Report:
    """The tables, as they are filled, and what was checked."""

    def __init__(self, quiet):
        self.quiet = quiet
        self.figures = []
        self.broken = []

    def line(self, text=""):
        if not self.quiet:
            print(text, flush=True)

    def row(self, name, cells, decimals=3):
        """Cells are texts, or numbers."""
        texts = [cell if isinstance(cell, str) else
                 f"{round(cell, decimals) + 0.0:.{decimals}f}"
                 for cell in cells]  # + 0.0: no -0.000
        self.line(f"  {name:<20}" + "".join(f"{text:>12}" for text in texts))

    def figure(self, what, case, value, unit, budget=None):
        """One number; with a budget it is checked."""
        holds = budget is None or value <= budget
        self.figures.append({"what": what, "case": case, "value": value,
                             "unit": unit, "budget": budget, "holds": holds})
        if not holds:
            self.broken.append(f"{what}, {case}: {value:.6g} {unit}, "
                               f"the budget is {budget:.6g}")


def runs(folder, case, long, options=(), **how):
    """A short and a long run, each with a server of its own.

    Yields the round trips of each once its server has stopped.
    """
    for total in (SHORT, long):
        with Echo(folder, "--loops", "1", *UNWATCHED, *options,
                  **how) as echo:
            each = total * case["depth"] // case["connections"]
            done = load(folder, echo.address, round_trips=each, **case)
            summary = echo.stop()
        if summary["bytes_in"] != done["bytes_sent"]:
            raise Trouble("the server has not seen what was sent")
        yield done["round_trips"]


# --- system calls -------------------------------------------------------------


def count_calls(folder, case, scratch):
    measured = []
    logs = scratch / "strace"
    for trips in runs(folder, case, LONG, prefix=strace(logs), forks=True):
        files = list(scratch.glob("strace.*"))
        measured.append((trips, calls_in(files)))
        for file in files:
            file.unlink()
    return per_round_trip(measured)


def system_calls(folder, report, _, scratch):
    say("counting system calls (strace)")
    report.line("System calls per round trip; budget: "
                f"{CALLS} without epoll_wait, {WAITS} epoll_wait, "
                f"{WAITS} of them per batch")
    report.row("", [*COUNTED_CALLS, "others", "sum", "epoll_wait",
                    "per batch"])
    for name, case in CASES.items():
        calls = count_calls(folder, case, scratch)
        batches = calls.pop("batches")
        waits = sum(calls.pop(call, 0) for call in WAIT_CALLS)
        total = sum(calls.values())
        counted = [calls.get(call, 0) for call in COUNTED_CALLS]
        report.row(name, [*counted, total - sum(counted), total, waits,
                          waits / batches])
        for call, value in sorted(calls.items()):
            if value != 0:
                report.figure(f"{call} per round trip", name, value, "calls")
        report.figure("system calls per round trip, less epoll_wait", name,
                      total, "calls", CALLS)
        report.figure("epoll_wait per round trip", name, waits, "calls", WAITS)
        report.figure("epoll_wait per batch", name, waits / batches, "calls",
                      WAITS)
    report.line()


# --- allocations and memory ---------------------------------------------------


class Allocations:
    """The figures that alloc_count.c keeps for a program."""

    FIELDS = ("malloc", "calloc", "realloc", "free", "blocks", "requested",
              "usable", "reserved")
    FORMAT = struct.Struct(f"={len(FIELDS)}Q")

    def __init__(self, folder, scratch):
        module = Path(folder) / "bench" / "alloc_count.so"
        if not module.exists():
            raise Trouble(f"no {module}: build with -DTELLER_BUILD_BENCH=ON")
        self.file = scratch / "allocations"
        self.file.write_bytes(bytes(self.FORMAT.size))
        self.env = {"LD_PRELOAD": str(module.resolve()),
                    "TLR_ALLOC_COUNT": str(self.file)}
        with open(self.file, "rb") as file:
            self.memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def now(self):
        values = Counter(dict(zip(self.FIELDS,
                                  self.FORMAT.unpack_from(self.memory))))
        if values["malloc"] == 0:
            raise Trouble("the program's allocations were not counted")
        return values

    def clear(self):
        self.file.write_bytes(bytes(self.FORMAT.size))


def allocations(folder, report, long, scratch):
    say("counting allocations (a preloaded malloc)")
    report.line("Allocations per round trip; budget: "
                f"{ALLOCATIONS} in all")
    names = Allocations.FIELDS[:4]
    report.row("", [*names, "sum"])
    counted = Allocations(folder, scratch)
    for name, case in CASES.items():
        measured = []
        for trips in runs(folder, case, long, env=counted.env):
            measured.append((trips, counted.now()))
            counted.clear()
        calls = per_round_trip(measured)
        total = sum(abs(calls[call]) for call in names)
        report.row(name, [*(calls[call] for call in names), total], 4)
        report.figure("allocations per round trip", name, total, "calls",
                      ALLOCATIONS)
    report.line()


def resident(pid):
    """The anonymous memory of a process, in bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise Trouble("no RssAnon in /proc")


def idle_costs(folder, loops, speak_every, scratch):
    """[Counter]: the bytes per connection, at ever more connections.

    The first one is left out: it brings a loop's read buffer, and more.
    """
    counted = Allocations(folder, scratch)
    first = None
    costs = []
    with Echo(folder, "--loops", str(loops), *UNWATCHED,
              env=counted.env) as echo:
        for held in hold(echo.address, IDLE, speak_every):
            now = counted.now()
            now["resident"] = resident(echo.pid)
            now["chunks"] = now["usable"] + 8 * now["blocks"]
            if first is None:
                first = now
            elif held >= IDLE_FROM:
                costs.append({key: (now[key] - first[key]) / (held - 1)
                              for key in now})
        echo.stop()
    return costs


def idle(folder, report, _, scratch):
    say(f"holding {IDLE} idle connections")
    report.line("User memory per idle connection, bytes, with "
                f"{IDLE_FROM} to {IDLE} of them; budget: {IDLE_BYTES} usable, "
                "on 1 loop, at worst")
    report.row("", ["asked for", "usable", "+ malloc's", "asked for",
                    "usable", "+ malloc's", "resident"])
    report.row("", 3 * ["mean"] + 3 * ["worst"] + ["at last"])
    variants = [("1 loop", 1, 1, IDLE_BYTES),
                ("1 loop, silent", 1, SILENT, IDLE_BYTES),
                ("2 loops", 2, 1, None), ("4 loops", 4, 1, None)]
    for name, loops, speak_every, budget in variants:
        costs = idle_costs(folder, loops, speak_every, scratch)
        mean = {key: sum(cost[key] for cost in costs) / len(costs)
                for key in costs[0]}
        worst = {key: max(cost[key] for cost in costs) for key in costs[0]}
        report.row(name, [cost[key] for cost in (mean, worst) for key in
                          ("requested", "usable", "chunks")] +
                   [costs[-1]["resident"]], 1)
        report.figure("bytes asked for per idle connection, mean", name,
                      mean["requested"], "bytes")
        report.figure("usable bytes per idle connection, mean", name,
                      mean["usable"], "bytes")
        report.figure("usable bytes per idle connection, at worst", name,
                      worst["usable"], "bytes", budget)
        report.figure("bytes with malloc's own per idle connection, at worst",
                      name, worst["chunks"], "bytes")
        report.figure("resident bytes per idle connection", name,
                      costs[-1]["resident"], "bytes")
    report.line()


# --- instructions -------------------------------------------------------------


def instructions(folder, report, long, scratch):
    say("counting instructions (callgrind)")
    report.line("User-space instructions per round trip")
    modules = ("teller", "libuv", "libc")
    report.row("", [*modules, "others", "sum", "teller may", "all may"])
    costs = {}
    variants = [(name, case, ()) for name, case in CASES.items()]
    variants.append((f"{TOP_OF}, timeouts", CASES[TOP_OF], TIMEOUTS))
    for name, case, options in variants:
        costs[name] = count_instructions(folder, case, long, scratch, options)
        total = sum(costs[name].values())
        shares = dict.fromkeys(modules, 0)
        for (module, _), count in costs[name].items():
            if module in shares:
                shares[module] += count
        others = total - sum(shares.values())
        ours, most = INSTRUCTIONS[name]
        report.row(name, [*shares.values(), others, total,
                          str(ours), str(most)], 1)
        report.figure("instructions per round trip", name, total,
                      "instructions", most)
        report.figure("teller's instructions per round trip", name,
                      shares["teller"], "instructions", ours)
        report.figure("libuv's instructions per round trip", name,
                      shares["libuv"], "instructions")
    report.line()
    top_functions(report, costs[TOP_OF])


def count_instructions(folder, case, long, scratch, options=()):
    file = scratch / "callgrind"
    measured = []
    for trips in runs(folder, case, long, options, prefix=valgrind(file)):
        measured.append((trips, instructions_in(file, whose)))
    return per_round_trip(measured)


def whose(module, function):
    if is_libuv(module, function):
        return "libuv"
    return "teller" if module in ("teller-echo", "libteller") else module


def top_functions(report, costs):
    report.line(f"Of them, {TOP_OF}, the most are in")
    for (module, function), count in Counter(costs).most_common(TOP):
        report.line(f"  {count:8.1f}  {function}  [{module}]")
        report.figure(f"instructions per round trip in {function} of {module}",
                      TOP_OF, count, "instructions")
    report.line()


# --- all of it ----------------------------------------------------------------


def check_tools():
    missing = [tool for tool in ("strace", "valgrind")
               if shutil.which(tool) is None]
    if missing:
        raise Trouble(f"please install {' and '.join(missing)}")
    allow_descriptors(IDLE + 100)


def measure(options):
    check_tools()
    folder = options.folder or build()
    report = Report(quiet=options.json)
    long = QUICK_LONG if options.quick else LONG
    with tempfile.TemporaryDirectory(prefix="teller-costs-") as scratch:
        for part in (system_calls, allocations, idle, instructions):
            part(folder, report, long, Path(scratch))
    if options.json:
        print(json.dumps({"figures": report.figures,
                          "holds": not report.broken}, indent=1))
    return report.broken


def main():
    parser = argparse.ArgumentParser(
        description=__doc__.partition("\n")[0])
    parser.add_argument("folder", metavar="BUILD_DIR", nargs="?",
                        help="a build tree with -DTELLER_BUILD_BENCH=ON")
    parser.add_argument("--quick", action="store_true",
                        help="fewer round trips, for CI")
    parser.add_argument("--json", action="store_true", help="print JSON")
    try:
        broken = measure(parser.parse_args())
    except Trouble as trouble:
        say(trouble)
        return 2
    for line in broken:
        say(f"over budget: {line}")
    if not broken:
        say("all within the budgets")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
