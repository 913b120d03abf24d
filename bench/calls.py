# SPDX-License-Identifier: MIT
"""System calls of a program and all that it starts: by perf where that may see
them, or else by strace, which slows them down."""
import shutil
import subprocess
import tempfile
from pathlib import Path

EVENT = "raw_syscalls:sys_enter"


def _perf(file):
    return ["perf", "stat", "-x,", "-e", EVENT, "-o", str(file)]


def _strace(file):
    return ["strace", "-f", "-c", "-o", str(file)]


def read_perf(text):
    """The count in the output of perf stat -x, or None."""
    for line in text.splitlines():
        fields = line.split(",")
        if EVENT in fields and fields[0].isdigit():
            return int(fields[0])
    return None


def read_strace(text):
    """The sum of the calls in the table of strace -c, or None."""
    total = None
    for line in text.splitlines():
        fields = line.split()
        if (len(fields) >= 5 and fields[3].isdigit() and
                fields[-1] not in ("total", "syscall")):
            total = (total or 0) + int(fields[3])
    return total


class Counter:
    """A way of counting: prefix(file) is a command to run a program under, and
    read(text) what is then in that file."""

    def __init__(self, name, prefix, read):
        self.name = name
        self.prefix = prefix
        self.read = read

    def works(self):
        if shutil.which(self.name) is None:
            return False
        with tempfile.TemporaryDirectory() as scratch:
            file = Path(scratch) / "count"
            try:
                subprocess.run([*self.prefix(file), "true"], check=True,
                               capture_output=True, timeout=30)
                return self.read(file.read_text()) is not None
            except (OSError, subprocess.SubprocessError):
                return False


def counter():
    """The best that works here, or None."""
    for one in (Counter("perf", _perf, read_perf),
                Counter("strace", _strace, read_strace)):
        if one.works():
            return one
    return None
