# SPDX-License-Identifier: MIT
"""Question 5, measured: what libuv costs over raw epoll, and teller over libuv.

Five servers on one thread that do the same in ever more layers: system calls by
name (strace), user-space instructions by whose they are (callgrind), and CPU and
time of a round trip. strace and callgrind slow a server down, so its batches are
larger under them; neither is timed.
"""
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import workloads
from counting import (UNWATCHED, calls_in, instructions_in, is_libuv,
                      per_round_trip, strace, valgrind)
from layout import Layout
from measure import Bench, amounts, check_end
from programs import Trouble, run_load, say
from records import shown
from scaling import cost
from servers import Kind, Running

SERVERS = ("epoll", "uv_try_write", "uv_guide", "teller_one_loop", "teller-echo")
WORKLOADS = ("64x50", "64x1", "depth16", "16kx50", "session1")
QUICK_WORKLOADS = ("64x50",)
ROUNDS, SECONDS = 5, 0.5  # at most
WHOSE = ("program", "teller", "libuv", "libc", "others")
LEAST = 0.0005  # of a call or an instruction for each round trip is none
FUNCTIONS = 30  # recorded of each
PUBLIC = "tlr_write"  # whoever is linked to teller has it


def workload_of(name):
    if name == "64x1":
        return workloads.Workload("64x1", "64 B × 1", connections=1)
    return workloads.SPEED[name]


def unwatched(kind):
    """teller-echo without its watchdog (see counting.py)."""
    if kind.name != "teller-echo":
        return kind
    return Kind(kind.name, lambda port, options, cores: kind.command(
        port, (*UNWATCHED, *options), cores), kind.version)


def twice(bench, kind, workload, pinned, counted, read):
    """A short run and a long one, of each read(): what a round trip takes."""
    measured, commands = [], []
    for limits in amounts(workload):
        with Running(kind, cores=1, counted=counted,
                     pinned=[*bench.layout.on_server(), *pinned]) as server:
            command = bench.load_command(server, workload, **limits)
            done = run_load(command)["round_trips"]
            check_end(kind, server)
        measured.append((done, read()))
        commands += [shown([*counted, *server.line]), shown(command)]
    if measured[1][0] <= measured[0][0]:
        raise Trouble("the longer run had no more to do")
    return per_round_trip(measured), commands


# --- system calls -------------------------------------------------------------


def calls(bench, kind, workload):
    logs = bench.scratch / "strace"

    def read():
        files = list(bench.scratch.glob("strace.*"))
        found = calls_in(files)
        for file in files:
            file.unlink()
        del found["batches"]
        return found

    found, commands = twice(bench, kind, workload, (), strace(logs), read)
    by_name = {f"call:{name}": value for name, value in sorted(found.items())
               if abs(value) >= LEAST}
    return {"calls": sum(found.values()), **by_name}, commands


# --- instructions -------------------------------------------------------------


def names_in(file):
    """Counter of the functions in a program or a static library."""
    try:
        done = subprocess.run(["nm", str(file)], text=True, timeout=60,
                              capture_output=True, check=True)
    except (OSError, subprocess.SubprocessError):
        return Counter()
    found = (line.split() for line in done.stdout.splitlines())
    return Counter(words[-1] for words in found
                   if len(words) == 3 and words[1] in "tT")


def tellers(program, library):
    """Names of what a program has of a static library, if it is linked to it. Not
    those that it has more often than the library, and so for itself, too: they
    cannot be told apart, and its own (on_read) is what a round trip calls."""
    here, there = names_in(program), names_in(library)
    if PUBLIC not in here:
        return set()
    return {name for name in here if here[name] <= there[name]}


def owner(program, library):
    """whose(module, function), one of WHOSE; `library` are the names of teller's
    functions that are linked into the program."""
    def whose(module, function):
        if is_libuv(module, function):
            return "libuv"
        if module == program:
            name = function.partition("'")[0]  # '2 is within itself
            return "teller" if name in library else "program"
        if module == "libteller":
            return "teller"
        return module if module == "libc" else "others"
    return whose


def instructions(bench, kind, workload):
    file = bench.scratch / "callgrind"
    program = Path(kind.command(0, (), 1)[0])
    whose = owner(program.name, tellers(
        program, Path(bench.folder) / "src" / "core" / "libteller.a"))
    found, commands = twice(bench, kind, workload, valgrind(file), (),
                            lambda: instructions_in(file, whose))
    figures = {"instructions": sum(found.values())}
    for name in WHOSE:
        figures[f"insn:{name}"] = sum(value for (of, _), value in found.items()
                                      if of == name)
    most = sorted(found.items(), key=lambda one: -one[1])[:FUNCTIONS]
    figures.update((f"fn:{of}:{function}", value)
                   for (of, function), value in most if value >= LEAST)
    return figures, commands


# --- all of it ----------------------------------------------------------------


def layers(rounds, options):
    names = QUICK_WORKLOADS if options.quick else WORKLOADS
    which = [workload_of(name) for name in names]
    layout = Layout(1)  # one thread is what is compared, whatever --cores says
    bench = Bench(rounds.bench.folder, layout, min(options.seconds, SECONDS),
                  None, rounds.bench.scratch)
    kinds = [unwatched(kind) for kind in rounds.every if kind.name in SERVERS]
    last = min(options.rounds, ROUNDS)
    for number in range(1, last + 1):
        say(f"layers: round {number} of {last}")
        for_each(rounds, bench, kinds, which, "throughput", cost, number)
    for tool, what, action in (("strace", "calls", calls),
                               ("valgrind", "instructions", instructions)):
        say(f"layers: {what}, by {tool}")
        for_each(rounds, bench, kinds, which, what, action if
                 shutil.which(tool) else lambda *_, of=tool: without(of))


def without(tool):
    raise Trouble(f"{tool} is not installed")


def for_each(rounds, bench, kinds, which, what, action, number=1):
    for workload in which:
        for kind in kinds:
            about = {**rounds.about("layers", kind, workload.name,
                                    workload.title, workload.unit),
                     "cores": 1, "layout": str(bench.layout)}
            if not rounds.late(about, f"layers, {what}"):
                rounds.attempt(what, about, number,
                               lambda _, *of: action(bench, *of), kind, workload)
