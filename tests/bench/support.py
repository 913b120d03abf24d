# SPDX-License-Identifier: MIT
"""What the checks of bench/ share: its modules, and measurements made up."""
import os
import re
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BUILD = Path(os.environ.get("TELLER_BENCH", ROOT / "build" / "bench"))
sys.path.insert(0, str(ROOT / "bench"))

from layout import Layout
from measure import Bench

MACHINE = {"host": "x86_64", "processor": "A processor", "kernel": "Linux 6.1",
           "processors": 4, "commit": "0123456789ab"}


def bench_of(test, seconds):
    """For measurements of that test."""
    scratch = tempfile.TemporaryDirectory()
    test.addCleanup(scratch.cleanup)
    return Bench(BUILD, Layout(1), seconds, None, scratch.name)


def record(server, what="throughput", number=1, figures=None, **more):
    """A measurement of 64 B x 50, as bench/run writes it; `more` overrides."""
    made = {"schema": "teller-bench/1", "run": "20261126T120000",
            "question": "speed", "server": server, "version": "1.0",
            "workload": "64x50", "title": "64 B × 50", "unit": "round trip",
            "cores": 1, "layout": "the server on [0], teller-load on [1]",
            "what": what, "machine": MACHINE,
            "date": "2026-11-26T12:00:00+00:00"}
    if figures is not None:
        made.update(round=number, figures=figures,
                    commands=[f"./{server} --listen 127.0.0.1:0",
                              f"teller-load for {server} {what} {number}"])
    return {**made, **more}


def throughput(server, number, rate, **more):
    return record(server, "throughput", number, {
        "rate": rate, "cpu_us": 1e6 / rate, "voluntary": 0.25,
        "involuntary": 0.5, "client_busy": 0.75, "p50_us": 1e7 / rate,
        "p99_us": 2e7 / rate, "p99_9_us": 3e7 / rate}, **more)


def fault(server, reason, everywhere=False, **more):
    return record(server, "fault", reason=reason, everywhere=everywhere, **more)


def chart(html, label):
    """The one of that name on a page."""
    found = [svg for svg in re.findall(r"<svg .*?</svg>", html, re.S)
             if f'aria-label="{label}"' in svg]
    assert len(found) == 1, (label, len(found))
    return found[0]
