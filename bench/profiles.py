# SPDX-License-Identifier: MIT
"""Where a server's CPU goes: samples of perf, the kernel's part with them."""
import re
import shutil
import subprocess
from collections import Counter

import tables
from goals import BESIDE, SERVER
from measure import check_end
from programs import Trouble, run_load, say
from records import shown
from summary import baseline
from workloads import SPEED

WORKLOADS = [SPEED[name] for name in ("64x50", "16kx50", "session1", "stream10")]
HERTZ = 4000
LEAST_SAMPLES = 200
LEAST = 0.002   # of all samples: what is less is not told by its name
KERNEL = "[kernel.kallsyms]"

# Parts of the kernel, by the names of its functions: the first that fits.
PARTS = [
    ("copying", r"copy|memcpy|memset|clear_page|check_object|virt_addr"),
    ("epoll", r"^_*(ep_|epoll|do_epoll|eventpoll|eventfd)|poll"),
    ("memory", r"kmem|slab|alloc|free|page|folio|memcg|netmem|put_cred"),
    ("locks, switches", r"spin|mutex|sched|switch|wake|irq|idle|rcu|futex|lock"),
    ("TCP/IP", r"tcp|inet|ip_|ipv|sk_|sock|skb|dev|net|loopback|bbr|xmit|neigh|"
     r"qdisc|nf_|fib|rt_|release_"),
    ("files, calls", r"fd|file|fput|fget|vfs|sys|entry|read|write|ioctl|close|"
     r"dentry|inode|security|apparmor"),
    ("other kernel", ""),
]


def part_of(module, function):
    if module != KERNEL:
        if module.startswith("libuv"):
            return "libuv"
        return "libc" if module.startswith(("libc.", "libpthread", "[vdso")) \
            else "the program"
    return next(name for name, words in PARTS if re.search(words, function))


def read(text):
    """{(module, function): share}, of perf report's lines."""
    found = Counter()
    for line in text.splitlines():
        match = re.match(r"\s*([\d.]+)%\s+(\S+)\s+\[.\] (.+?)\s*$", line)
        if match:
            found[match[2], match[3]] += float(match[1]) / 100
    return found


def perf(file, *words):
    try:
        return subprocess.run(["perf", *words, "-i", str(file)], text=True,
                              capture_output=True, check=True, timeout=60).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise Trouble(f"perf: {error}") from error


def profile(bench, kind, workload):
    if shutil.which("perf") is None:
        raise Trouble("perf is not installed")
    file = bench.scratch / "samples"
    prefix = ["perf", "record", "-q", "-e", "cpu-clock", "-F", str(HERTZ), "-o",
              str(file)]
    with bench.start(kind, prefix) as server:
        command = bench.load_command(server, workload, duration=bench.seconds)
        run_load(command)
        check_end(kind, server, counted=True)
    found = read(perf(file, "report", "--stdio", "-q", "--no-children", "--sort",
                      "dso,sym"))
    samples = perf(file, "script", "-F", "comm").count("\n")
    file.unlink()
    if samples < LEAST_SAMPLES:
        raise Trouble(f"perf has taken {samples} samples only")
    figures = {"samples": samples}
    for (module, function), share in found.items():
        part = part_of(module, function)
        figures[f"part:{part}"] = figures.get(f"part:{part}", 0) + share
        if share >= LEAST:
            figures[f"fn:{part}:{function}"] = share
    return figures, [shown([*prefix, *server.line]), shown(command)]


def measure(rounds, options):
    names = (baseline(rounds.cores), SERVER, BESIDE.get(rounds.cores))
    kinds = [kind for kind in rounds.kinds if kind.name in names]
    if not kinds:
        say("profile: none of its servers is asked for")
        return
    say("profile: samples of perf")
    for kind, workload, about in rounds.each("profile", WORKLOADS, kinds):
        if not rounds.late(about, "profile"):
            rounds.attempt("profile", about, 1, profile, kind, workload)


# --- telling ------------------------------------------------------------------


def columns(table):
    parts = Counter()
    for row in table.rows:
        for name, value in row.figures.items():
            if name.startswith("part:"):
                parts[name] += value
    return [(name.partition(":")[2], "of the samples of the server's CPU",
             tables.figure(name, tables.percent))
            for name, _ in parts.most_common()]


tables.COLUMNS_OF["profile"] = columns
