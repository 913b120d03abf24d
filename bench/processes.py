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


def cpu(pid):
    """Seconds of CPU so far: of all threads, also those that have ended, and of
    children that have ended and were waited for."""
    ticks = 0
    for one in tree(pid):
        try:
            text = Path(f"/proc/{one}/stat").read_text()
        except OSError:
            continue
        ticks += sum(map(int, text.rpartition(")")[2].split()[11:15]))
    return ticks / TICK


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
