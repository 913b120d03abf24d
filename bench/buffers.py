# SPDX-License-Identifier: MIT
"""How large teller-echo's read buffer shall be: what each size saves of its CPU,
and what it costs where a peer sends and does not read."""
import contextlib
import time

import measure as single
import processes
import tables
from connections import opened, speak, told_of
from goals import SERVER
from programs import Fault, say
from records import shown
from servers import Kind
from summary import baseline
from workloads import SPEED, Workload

KIB = (64, 128, 256, 512, 1024)
DEFAULT = 64    # of teller-echo
WORKLOADS = [SPEED[name] for name in ("stream10", "16kx50", "64x50")]
UNREAD = Workload("unread", "50 peers that send and do not read")
STUCK = 0.5     # seconds in which nothing could be sent: no more will be taken
STUCK_LIMIT = 20  # seconds
ROUNDS = 5      # at most
CHUNK = bytes(1 << 16)


def name_of(kib):
    return f"{SERVER}, {kib:,} KiB"


def kind_of(kind, kib):
    return Kind(name_of(kib), lambda port, options, cores: kind.command(
        port, ("--read-buffer", kib << 10, *options), cores), kind.version)


# --- peers that do not read ---------------------------------------------------


def fill(conns):
    """Sends on all until none has taken any for a while. Returns how much."""
    sent, last = 0, time.monotonic()
    until = last + STUCK_LIMIT
    while time.monotonic() - last < STUCK:
        if time.monotonic() > until:
            raise Fault(f"it takes what is not read of it for {STUCK_LIMIT} s")
        for conn in conns:
            with contextlib.suppress(BlockingIOError):
                sent += conn.send(CHUNK)
                last = time.monotonic()
        time.sleep(0.001)
    return sent


def unread(bench, kind, workload):
    try:
        return memory_of_unread(bench, kind, workload)
    except OSError as error:
        raise told_of(error, "a peer that does not read") from error


def memory_of_unread(bench, kind, workload):
    """Bytes of memory for each of them, and those that it has taken."""
    with bench.start(kind) as server, contextlib.ExitStack() as stack:
        conns = []
        for _ in range(workload.load["connections"]):
            conns.append(stack.enter_context(opened(server.address)))
            speak(conns[-1])
            conns[-1].setblocking(False)
        before = processes.memory(server.pid)
        sent = fill(conns)
        now = processes.memory(server.pid)
        stack.close()
        single.check_end(kind, server)
    return {"unread_pss": (now["pss"] - before["pss"]) / len(conns),
            "unread_sent": sent / len(conns)}, [shown(server.line)]


# --- all of it ----------------------------------------------------------------


def measure(rounds, options):
    own = next((kind for kind in rounds.kinds if kind.name == SERVER), None)
    if own is None:
        say(f"buffers: {SERVER} is not among the servers")
        return
    kinds = [kind for kind in rounds.kinds
             if kind.name == baseline(rounds.cores)]
    kinds += [kind_of(own, kib) for kib in KIB]
    rounds.throughput("buffers", WORKLOADS,
                      1 if options.quick else min(options.rounds, ROUNDS),
                      kinds)
    rounds.calls("buffers", WORKLOADS, kinds)
    for kind, workload, about in rounds.each("buffers", [UNREAD], kinds):
        if not rounds.late(about, "buffers"):
            rounds.attempt("unread", about, 1, unread, kind, workload)


# --- telling ------------------------------------------------------------------


def columns(table):
    if table.workload != UNREAD.name:
        return tables.COLUMNS
    return [("memory, bytes", "PSS of the server for each peer that does not read",
             tables.figure("unread_pss", tables.whole)),
            ("taken, bytes", "of what each has sent, by the kernel and the server",
             tables.figure("unread_sent", tables.whole))]


tables.COLUMNS_OF["buffers"] = columns
