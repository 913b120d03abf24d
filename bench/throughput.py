#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Round trips per second of teller-echo: what teller-load gets from it.

    throughput.py [--rounds N] [--seconds S] [--json] [BUILD_DIR]

Both programs share this machine, so these are figures for comparing builds and
settings here, round by round, and not what a server does on its own. Each round
goes through all cases once, so that what else the machine does meets all.

Exit status: 0 measured, 2 not.
"""
import argparse
import json
import os
import sys
from statistics import median

from programs import Echo, Trouble, build, load, say

CASES = {  # size x connections
    "64 B x 50": {"connections": 50, "size": 64, "depth": 1},
    "64 B x 1000": {"connections": 1000, "size": 64, "depth": 1},
    "16 KiB x 50": {"connections": 50, "size": 16384, "depth": 1},
    "64 B x 50, depth 16": {"connections": 50, "size": 64, "depth": 16},
}
LOOPS = (1, 2)


def measure(options):
    folder = options.folder or build()
    rates = {(name, loops): [] for name in CASES for loops in LOOPS}
    for number in range(options.rounds):
        say(f"round {number + 1} of {options.rounds}")
        for (name, loops), of_case in rates.items():
            with Echo(folder, "--loops", str(loops)) as echo:
                done = load(folder, echo.address, duration=options.seconds,
                            **CASES[name])
                echo.stop()
            of_case.append(done["round_trips_per_second"])
    return rates


def show(rates):
    print(f"Round trips/s, median (least to most), {os.cpu_count()} CPUs "
          "shared by server and client")
    for (name, loops), of_case in rates.items():
        case = f"{name}, {loops} loop{'s' if loops > 1 else ''}"
        print(f"  {case:<30}{median(of_case):>10.0f}  "
              f"({min(of_case):.0f} to {max(of_case):.0f})")


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", metavar="BUILD_DIR", nargs="?",
                        help="a build tree of the project")
    parser.add_argument("--rounds", type=int, default=5, metavar="N")
    parser.add_argument("--seconds", type=float, default=1, metavar="S",
                        help="of each case in each round")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    try:
        rates = measure(options)
    except Trouble as trouble:
        say(trouble)
        return 2
    if options.json:
        print(json.dumps([{"case": name, "loops": loops, "rates": of_case}
                          for (name, loops), of_case in rates.items()]))
    else:
        show(rates)
    return 0


if __name__ == "__main__":
    sys.exit(main())
