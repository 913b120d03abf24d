# SPDX-License-Identifier: MIT
"""How fast each server is, relative to raw epoll: all workloads at a glance."""
from statistics import median

import summary
from tables import number, times


def ratios(found):
    """{server: {workload's title: ratio to raw epoll}}, the best first: by the
    median of its ratios."""
    servers = {}
    for table in found:
        for row in table.rows:
            if row.ratio:
                servers.setdefault(row.server, {})[table.title] = row.ratio
    return dict(sorted(servers.items(),
                       key=lambda one: -median(one[1].values())))


def ratio(table, server):
    row = table.row(server)
    if row and row.fault:
        return "fault"
    return times(row.ratio if row else None)


def rate(table, server):
    row = table.row(server)
    told = number(row.figures.get("rate") if row else None)
    return f"{told} MiB" if table.unit == "MiB" and told != "–" else told


def rows(found):
    """Texts of tables that have as many cores: a name and a cell for each table.
    First what raw epoll does in a second, and then the ratios to it."""
    base = summary.baseline(found[0].cores)
    yield [f"{base}, per second", *(rate(table, base) for table in found)]
    for server in ratios(found):
        if server != base:
            yield [server, *(ratio(table, server) for table in found)]


def by_cores(found):
    """(cores, the tables that have so many)"""
    for cores in sorted({table.cores for table in found}):
        yield cores, [table for table in found if table.cores == cores]
