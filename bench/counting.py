# SPDX-License-Identifier: MIT
"""Counts instead of times: system calls by name (strace) and user-space
instructions by function (callgrind). What it takes to start, to accept and to stop
falls out as the difference of a long run and a short one."""
from collections import Counter

import callgrind

# The watchdog wakes each loop four times a second, however much there is to do:
# under strace and valgrind, which are slow, that would look like a cost of each
# round trip.
UNWATCHED = ("--stall-time", "0")
WAIT_CALLS = ("epoll_wait", "epoll_pwait", "epoll_pwait2")


def per_round_trip(measured):
    """[(round trips, Counter)], short and long: the Counter of one round trip,
    which may have keys of 0."""
    (trips, few), (more_trips, many) = measured
    return {key: (many[key] - few[key]) / (more_trips - trips)
            for key in few.keys() | many.keys()}


def strace(logs):
    """A command to run a program under: a log for each thread, logs.TID."""
    return ["strace", "-ff", "-qq", "-s", "0", "-o", str(logs)]


def calls_in(logs):
    """strace's logs, a file a thread: how often each call was made.

    And "batches": how many epoll_waits told of something.
    """
    calls = Counter()
    for log in logs:
        for line in log.read_text(errors="replace").splitlines():
            name, bracket, rest = line.partition("(")
            if not bracket or not name.isidentifier():
                continue  # a signal, the end
            calls[name] += 1
            if name in WAIT_CALLS:
                returned = rest.rpartition(" = ")[2].split()[0]
                calls["batches"] += returned.isdigit() and int(returned) > 0
    return calls


def valgrind(file):
    """A command to run a program under, which leaves its instructions in file."""
    return ["valgrind", "--quiet", "--tool=callgrind",
            f"--callgrind-out-file={file}"]


def instructions_in(file, whose):
    """Counter of (whose(module, function), function)."""
    costs = Counter()
    for (module, function), count in callgrind.self_costs(file).items():
        costs[whose(module, function), function] += count
    return costs


def is_libuv(module, function):
    """Libraries may be shared, or in the program."""
    return module == "libuv" or function.startswith(("uv_", "uv__"))
