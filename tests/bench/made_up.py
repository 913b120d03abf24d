#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""made_up.py FOLDER: measurements of all servers and of all kinds, made up and the
same each time, to look at the page of bench/report."""
import json
import random
import sys
from pathlib import Path

from support import fault, record, throughput

import workloads

SERVERS = ("teller-echo", "iterative", "fork", "thread", "thread_pool", "select",
           "poll", "accept_and_io", "epoll", "epoll_threads", "epoll_shared",
           "io_uring", "uv_guide", "uv_try_write", "teller_one_loop", "libevent",
           "libev", "asio", "node", "go", "nginx", "haproxy", "socat")
ROUNDS = 3


def speed(chance, cores, names):
    for number in range(1, ROUNDS + 1):
        for workload in map(workloads.SPEED.get, names):
            about = {"workload": workload.name, "title": workload.title,
                     "unit": workload.unit, "cores": cores}
            for i, server in enumerate(SERVERS):
                if server in ("iterative", "haproxy"):
                    if number == 1:
                        yield record(server, "missing", **about,
                                     reason="serves one connection at a time")
                    continue
                rate = 120000 * cores * chance.uniform(0.95, 1.05) * 0.93 ** i
                yield throughput(server, number, rate, **about)
                for share in (0.5, 0.8) if number == 1 else ():
                    yield record(server, "latency", number, {
                        "share": share, "asked": share * rate,
                        "p50_us": 3e6 / rate, "p99_us": 9e6 / rate,
                        "p99_9_us": 5e7 / rate}, **about)
                if number == 1:
                    yield record(server, "calls", 1, {
                        "calls": chance.uniform(1.8, 5)}, **about)
    yield fault("socat", "7 × wrong byte: connection 3, position 81,920",
                everywhere=True, cores=cores)


def crossing(chance):
    for workload in workloads.CROSSING.values():
        about = {"question": "crossing", "workload": workload.name,
                 "title": workload.title}
        for server in workloads.CROSSING_SERVERS:
            session = workload.session
            most = 90000 if "thread" in server else 110000
            rate = most * session / (session + (
                3 if "thread" in server else 5)) * chance.uniform(0.9, 1.1)
            for number in (1, 2):
                yield throughput(server, number,
                                 rate * chance.uniform(0.95, 1.05), **about)


def memory(chance):
    about = {"question": "memory", "workload": "silent",
             "title": "silent connections", "unit": "connection"}
    for server in SERVERS:
        each = 10 ** chance.uniform(2, 5)
        for count in workloads.SILENT:
            yield record(server, "memory", 1, {
                "connections": count, "pss": each + 40000 / count,
                "rss": 1.3 * each + 60000 / count, "processes": 1}, **about)


def everything():
    chance = random.Random(8)
    yield from speed(chance, 1, workloads.SPEED)
    yield from speed(chance, 2, workloads.QUICK)
    yield from crossing(chance)
    yield from memory(chance)


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "made-up.jsonl", "w", encoding="utf-8") as file:
        for one in everything():
            file.write(json.dumps(one) + "\n")


if __name__ == "__main__":
    main()
