#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""made_up.py FOLDER: measurements of all servers and of all kinds, made up and the
same each time, to look at the page of bench/report."""
import json
import random
import sys
from pathlib import Path

from support import fault, record, throughput

import buffers
import goals
import layers
import profiles
import scaling
import sharing
import slow
import workloads

SERVERS = ("teller-echo", "iterative", "fork", "thread", "thread_pool", "select",
           "poll", "accept_and_io", "epoll", "epoll_threads", "epoll_shared",
           "io_uring", "uv_guide", "uv_try_write", "teller_one_loop", "libevent",
           "libev", "asio", "node", "go", "tokio", "nginx", "haproxy", "socat")
MODELS = ("iterative", "fork", "thread", "thread_pool", "select", "poll",
          "accept_and_io", "epoll", "epoll_threads reuseport",
          "epoll_threads exclusive", "epoll_shared", "io_uring", "uv_guide",
          "uv_try_write", "teller_one_loop", "teller least", "teller rr",
          "teller reuseport")
SHARED = [name for name in MODELS if " " in name]
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


def about(question, workload):
    return {"question": question, "workload": workload.name,
            "title": workload.title, "unit": workload.unit}


def slow_customer(chance):
    where = about("slow", slow.QUICK_ONES)
    yield record("iterative", "missing", **where,
                 reason="serves one connection at a time")
    for server in MODELS[1:]:
        waits = ("thread" in server and "epoll" not in server
                 or server in ("fork", "epoll_shared"))
        some = server.startswith(("teller ", "epoll_threads"))
        for number in range(1, ROUNDS + 1):
            busy = chance.uniform(0.9, 1.1)
            middle, most = ((60, 900) if waits else (70, 99000) if some
                            else (45000, 99000))
            yield record(server, "slow", number, {
                "delay_ms": 100, "asked": 2000, "seconds": 1,
                "slow_round_trips": 9, "unsent": 0,
                "calm_lateness_p99_us": 40 * busy, "calm_p50_us": 55 * busy,
                "calm_p99_us": 300 * busy, "calm_p99_9_us": 800 * busy,
                "calm_max_us": 1500 * busy, "slow_p50_us": middle * busy,
                "slow_p99_us": most * busy, "slow_p99_9_us": most * busy,
                "slow_max_us": 1.2 * most * busy}, **where)


def scaled(chance):
    for name in scaling.WORKLOADS:
        for count in scaling.COUNTS:
            where = {**about("scaling", scaling.workload_of(name, count)),
                     "cores": 4, "layout": "all 4 processors for the server and "
                     "teller-load (4 threads) together"}
            for i, server in enumerate(scaling.SERVERS):
                for number in range(1, ROUNDS + 1):
                    cost = (6 + i) * chance.uniform(0.98, 1.02) * (
                        1 + 0.02 * (i + 1) * (count - 1) + 0.001 * count ** 2)
                    made = throughput(server, number, min(4, count) * 1e6 /
                                      cost, **where)
                    made["figures"].update(cpu_us=cost, first_us=0.2 * cost,
                                           busiest_us=cost / count)
                    yield made


def layered(chance):
    for workload in map(layers.workload_of, layers.WORKLOADS):
        where = about("layers", workload)
        for i, server in enumerate(layers.SERVERS):
            for number in range(1, ROUNDS + 1):
                yield throughput(server, number, 1e6 / (
                    5 + i / 3 + chance.uniform(0, 0.2)), **where)
            named = {"call:read": 1, "call:write": 1, "call:epoll_pwait":
                     0.02 * (i + 1), "call:epoll_ctl": 1.02 if server ==
                     "uv_guide" else 0}
            yield record(server, "calls", 1, {"calls": sum(named.values()),
                                              **named}, **where)
            yield record(server, "instructions", 1, instructions(i), **where)


def instructions(i):
    whose = dict(zip(layers.WHOSE, (50, 280 if i > 2 else 0, 250 if i else 0,
                                    110 + 200 * (i == 2), 1)))
    functions = {f"fn:{of}:{of}_function_{n}_of_a_long_name": value / 2 ** n
                 for of, value in whose.items() if value for n in range(1, 7)}
    return {"instructions": sum(whose.values()), **functions,
            **{f"insn:{of}": value for of, value in whose.items()}}


def shared(chance):
    for server in SHARED:
        even = server.startswith("teller ") and "port" not in server
        for number in range(1, ROUNDS + 1):
            for workload in (*sharing.HELD, sharing.MIXED):
                each = workload.load["connections"] // 8
                off = 0 if even else chance.randint(1, each)
                shares = [each] * 6 + [each - off, each + off]
                more = {} if workload is not sharing.MIXED else {
                    "seconds": 2, "sessions": 1000,
                    **{f"{name}_{part}_us": 1000 * chance.uniform(0.1, 1)
                       for name in ("long", "short") for part in ("p50", "p99")}}
                yield record(server, "mixed" if more else "held", number,
                             {**sharing.spread(shares), **more},
                             **about("sharing", workload))
            yield record(server, "stalled", number, {
                "opened": 270, "waited": 0 if even else 33,
                "p50_us": 300, "p99_us": 1200 if even else 950000,
                "max_us": 2400 if even else 990000},
                **about("sharing", sharing.STALLED))


def buffered(chance):
    servers = ["epoll", *(buffers.name_of(kib) for kib in buffers.KIB)]
    for i, server in enumerate(servers):
        for number in range(1, ROUNDS + 1):
            for workload in buffers.WORKLOADS:
                yield throughput(server, number, 2000 * chance.uniform(0.9, 1.1),
                                 **about("buffers", workload))
        yield record(server, "unread", 1, {
            "unread_pss": 65536 * (i or 1), "unread_sent": 9e6},
            **about("buffers", buffers.UNREAD))


def to_reach(chance):
    for number in range(1, ROUNDS + 1):
        for workload in map(workloads.SPEED.get, goals.RATIOS):
            for server in ("epoll again", goals.SERVER, "epoll", goals.BESIDE[1]):
                yield throughput(server, number, 9e4 * chance.uniform(0.9, 1.1),
                                 **about("goals", workload))


def profiled():
    for workload in profiles.WORKLOADS:
        for server in (goals.SERVER, "epoll"):
            yield record(server, "profile", 1, {
                "samples": 3000, "part:copying": 0.5, "part:TCP/IP": 0.3,
                "part:libuv": 0.2, "fn:copying:_copy_to_iter": 0.4,
                "fn:TCP/IP:tcp_ack": 0.1}, **about("profile", workload))


def everything():
    chance = random.Random(8)
    yield from speed(chance, 1, workloads.SPEED)
    yield from speed(chance, 2, workloads.QUICK)
    yield from crossing(chance)
    yield from slow_customer(chance)
    yield from scaled(chance)
    yield from memory(chance)
    yield from layered(chance)
    yield from shared(chance)
    yield from buffered(chance)
    yield from to_reach(chance)
    yield from profiled()


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "made-up.jsonl", "w", encoding="utf-8") as file:
        for one in everything():
            file.write(json.dumps(one) + "\n")


if __name__ == "__main__":
    main()
