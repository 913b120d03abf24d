# SPDX-License-Identifier: MIT
"""What a process and all that descend from it have used, from /proc. Linux."""
import os
from collections import Counter
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


def tree(pid):
    """The process itself and its descendants that live, in no order."""
    found, left = [], [pid]
    while left:
        one = left.pop()
        found.append(one)
        try:
            for task in Path(f"/proc/{one}/task").iterdir():
                left += map(int, (task / "children").read_text().split())
        except OSError:
            pass  # it has just ended
    return found


def threads(pid):
    """Counter of seconds of CPU so far, by thread, those that have ended left out.
    In nanoseconds where the kernel tells them (schedstat), else in ticks."""
    found = Counter()
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            found[int(task.name)] = int(
                (task / "schedstat").read_text().split()[0]) / 1e9
        except (OSError, IndexError):
            found[int(task.name)] = used_in(task / "stat", 2)
    return found


def used_in(stat, fields):
    """Seconds: the first `fields` of utime, stime, cutime and cstime; 0 if whose
    they are has just ended."""
    try:
        text = stat.read_text()
    except OSError:
        return 0
    ticks = text.rpartition(")")[2].split()[11:11 + fields]
    return sum(map(int, ticks)) / TICK


def cpu(pid):
    """Seconds of CPU so far: of all threads, also those that have ended, and of
    children that have ended and were waited for."""
    return sum(used_in(Path(f"/proc/{one}/stat"), 4) for one in tree(pid))


def memory(pid):
    """Counter of bytes: rss, and pss, which has of what processes share each one's
    part; and how many processes there are. What the kernel keeps for a connection
    is not in it."""
    total = Counter()
    for one in tree(pid):
        try:
            lines = Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        for line in lines:
            name, _, rest = line.partition(":")
            if name in ("Rss", "Pss"):
                total[name.lower()] += int(rest.split()[0]) * 1024
        total["processes"] += 1
    return total
