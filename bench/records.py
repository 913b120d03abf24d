# SPDX-License-Identifier: MIT
"""Measurements, as lines of JSON: one object each, with all that it takes to know
what was measured where.

    run       whose measurement it is: rounds are of one
    question  of workloads.QUESTIONS
    what      throughput, latency, calls, memory, slow, held, mixed, stalled: it has
              "figures", a name and a number each. fault: the server did something wrong, "reason"; it has
              no figure for that workload, or for none ("everywhere").
              missing: it was not measured, for "reason".
    server, version, workload, title, unit, cores, round
    commands  those that made it
    runner    the command of bench/run
    machine   what it was made on
"""
import datetime
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

from programs import ROOT, Trouble

SCHEMA = "teller-bench/1"


def processor():
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.machine()


def commit():
    """That of the sources, with a + if they were changed since; or "unknown"."""
    def git(*words):
        return subprocess.run(["git", *words], cwd=ROOT, text=True, check=True,
                              capture_output=True, timeout=30).stdout.strip()
    try:
        changed = git("status", "--porcelain", "--untracked-files=no")
        return git("rev-parse", "--short=12", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def machine():
    return {"host": platform.machine(), "processor": processor(),
            "kernel": f"{platform.system()} {platform.release()}",
            "processors": len(os.sched_getaffinity(0)), "commit": commit()}


def shown(command):
    """A command as one would type it in the root of the sources."""
    words = [str(word) for word in command]
    root = str(ROOT) + os.sep
    return " ".join(word[len(root):] if word.startswith(root) else word
                    for word in words)


class Records:
    """Writes them to a file of FOLDER that is this run's, each at once."""

    def __init__(self, folder):
        now = datetime.datetime.now(datetime.timezone.utc)
        self.run = now.strftime("%Y%m%dT%H%M%S.%f")
        self.file = Path(folder) / f"{self.run}.jsonl"
        self.machine = machine()
        self.runner = shown([Path(sys.argv[0]).absolute(), *(
            "FOLDER" if word == str(folder) else word for word in sys.argv[1:])])
        self.all = []
        try:
            Path(folder).mkdir(parents=True, exist_ok=True)
            self.file.touch(exist_ok=False)
        except OSError as error:
            raise Trouble(f"cannot write: {error}") from error

    def add(self, **record):
        now = datetime.datetime.now(datetime.timezone.utc)
        record = {"schema": SCHEMA, "run": self.run, **record,
                  "machine": self.machine, "runner": self.runner,
                  "date": now.isoformat(timespec="seconds")}
        self.all.append(record)
        with open(self.file, "a", encoding="utf-8") as file:
            file.write(json.dumps(record, ensure_ascii=False) + "\n")

    def close(self):
        """Leaves no file behind that is empty."""
        if not self.all:
            self.file.unlink()


def read(folder):
    """All records of a folder, in the order of its files' names."""
    found = []
    for file in sorted(Path(folder).glob("*.jsonl")):
        for number, line in enumerate(
                file.read_text(encoding="utf-8").splitlines(), 1):
            try:
                record = json.loads(line)
                if record["schema"] != SCHEMA:
                    raise ValueError(f"schema {record['schema']}")
            except (ValueError, TypeError, KeyError) as error:
                raise Trouble(f"{file}:{number}: not a measurement: {error}") \
                    from error
            found.append(record)
    if not found:
        raise Trouble(f"no measurement in {folder}")
    return found
