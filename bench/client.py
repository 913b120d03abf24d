#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""teller-load against a client on epoll itself with the same duties.

    client.py [--rounds N] [--seconds S] [BUILD_DIR]

Both load the same teller-echo from one thread, with every byte checked, in turn
in each round: what is printed is the median of the rounds' ratios, which has to
be 0.95 at least. On a machine with two processors server and client have one
each.

Exit status: 0 as fast, 1 too slow, 2 not measured.
"""
import argparse
import subprocess
import sys
from pathlib import Path
from statistics import median

from programs import Echo, Trouble, build, load, say

CASES = {
    "64 B x 50": {"connections": 50, "size": 64},
    "64 B x 1000": {"connections": 1000, "size": 64},
    "16 KiB x 50": {"connections": 50, "size": 16384},
}
LEAST = 0.95


def plain(folder, address, connections, size, seconds):
    command = [Path(folder) / "bench" / "epoll_load", address.rpartition(":")[2],
               connections, size, seconds]
    done = subprocess.run([str(word) for word in command], text=True,
                          capture_output=True, timeout=60 + seconds)
    if done.returncode != 0:
        raise Trouble(f"epoll_load failed: {done.stderr}")
    return float(done.stdout)


def measure(options):
    folder = options.folder or build()
    figures = {name: [] for name in CASES}
    for number in range(options.rounds):
        say(f"round {number + 1} of {options.rounds}")
        for name, case in CASES.items():
            with Echo(folder, "--loops", "1") as echo:
                ours = load(folder, echo.address, depth=1,
                            duration=options.seconds,
                            **case)["round_trips_per_second"]
                raw = plain(folder, echo.address, seconds=options.seconds,
                            **case)
                echo.stop()
            figures[name].append((ours, raw))
    return figures


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", metavar="BUILD_DIR", nargs="?",
                        help="a build tree of the project")
    parser.add_argument("--rounds", type=int, default=7, metavar="N")
    parser.add_argument("--seconds", type=float, default=2, metavar="S")
    options = parser.parse_args()
    status = 0
    try:
        figures = measure(options)
    except Trouble as trouble:
        say(trouble)
        return 2
    print(f"{'round trips/s, median':<24}{'teller-load':>12}{'epoll':>12}"
          f"{'ratio':>8}  (of the rounds)")
    for name, pairs in figures.items():
        ratios = [ours / raw for ours, raw in pairs]
        ratio = median(ratios)
        print(f"  {name:<22}{median(o for o, _ in pairs):>12.0f}"
              f"{median(r for _, r in pairs):>12.0f}{ratio:>8.2f}"
              f"  ({min(ratios):.2f} to {max(ratios):.2f})")
        status |= ratio < LEAST
    return status


if __name__ == "__main__":
    sys.exit(main())
