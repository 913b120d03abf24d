# SPDX-License-Identifier: MIT
"""What records (see records.py) come to: medians, spreads and ratios."""
import math
from statistics import median

BASELINE = {1: "epoll"}       # raw epoll on so many cores, or else
BASELINE_OF_SEVERAL = "epoll_threads"
LEAST_FIRST = {"slow": "slow_p99_us"}  # instead of the highest rate


def baseline(cores):
    return BASELINE.get(cores, BASELINE_OF_SEVERAL)


def control(server):
    """The name of this one where it is measured once more."""
    return f"{server} again"


class Row:
    """A server in a table: figures (name: median), or a reason why there are
    none. `ratios` to raw epoll are those of the rounds, `rates` likewise."""

    def __init__(self, server, version):
        self.server = server
        self.version = version
        self.figures = {}
        self.rates = []
        self.costs = []     # cpu_us of the rounds
        self.values = {}    # of all figures: those of the rounds
        self.ratios = []
        self.rounds = {}    # (run, round): the figures of its throughput
        self.commands = {}  # what: those of its first measurement
        self.missing = []   # what was not measured, and why
        self.fault = None

    @property
    def ratio(self):
        return median(self.ratios) if self.ratios else None

    @property
    def spread(self):
        """Of its rate: from the least to the most, as part of the median."""
        if len(self.rates) < 2:
            return None
        return (max(self.rates) - min(self.rates)) / median(self.rates)


class Table:
    """A workload of a question, on so many cores: rows in the order of order()."""

    def __init__(self, question, cores, workload, title, unit):
        self.question = question
        self.cores = cores
        self.workload = workload
        self.title = title
        self.unit = unit
        self.rows = []

    def row(self, server):
        return next((row for row in self.rows if row.server == server), None)


def order(table):
    """The key that sorts its rows."""
    name = LEAST_FIRST.get(table.question)
    if name is None:
        return lambda row: -row.figures.get("rate", 0)
    return lambda row: row.figures.get(name, math.inf)


def place(record):
    return record["question"], record["cores"], record["workload"]


def faults(records):
    return [record for record in records if record["what"] == "fault"]


def fault_of(records, server, cores, workload):
    """The first fault that leaves this server without a figure there, or None."""
    for record in faults(records):
        if record["server"] == server and (
                record["everywhere"] or (record["cores"], record["workload"]) ==
                (cores, workload)):
            return record
    return None


def rates(records, where, server):
    """{(run, round): rate}"""
    return {(record["run"], record["round"]): record["figures"]["rate"]
            for record in records
            if record["what"] == "throughput" and place(record) == where and
            record["server"] == server}


def names_of(record):
    """The names in a row of a measurement's figures: latency has two shares."""
    if record["what"] == "latency":
        suffix = f"@{record['figures']['share']:g}"
    elif record["what"] == "memory":
        suffix = f"@{record['figures']['connections']:g}"
    else:
        suffix = ""
    return {name + suffix: value for name, value in record["figures"].items()}


def fill(row, records):
    """The medians of all that was measured of one server at one place."""
    values = {}
    for record in records:
        if record["what"] == "missing":
            row.missing.append(record["reason"])
        if "figures" not in record:
            continue
        row.commands.setdefault(record["what"], record["commands"])
        if record["what"] == "throughput":
            row.rounds[record["run"], record["round"]] = record["figures"]
        for name, value in names_of(record).items():
            values.setdefault(name, []).append(value)
    row.costs = values.get("cpu_us", [])
    row.values = values
    row.figures = {name: median(of_name) for name, of_name in values.items()}


def tables(records):
    """All tables, in the order in which they were begun."""
    found = {}
    for record in records:
        table = found.setdefault(place(record), Table(
            *place(record), record["title"], record["unit"]))
        if table.row(record["server"]) is None:
            table.rows.append(Row(record["server"], record["version"]))
    for where, table in found.items():
        here = [record for record in records if place(record) == where]
        base = rates(here, where, baseline(table.cores))
        if fault_of(records, baseline(table.cores), *where[1:]):
            base = {}
        for row in table.rows:
            row.fault = fault_of(records, row.server, *where[1:])
            if row.fault:
                continue
            own = rates(here, where, row.server)
            row.rates = list(own.values())
            row.ratios = [rate / base[key] for key, rate in own.items()
                          if base.get(key)]
            fill(row, [r for r in here if r["server"] == row.server])
        table.rows.sort(key=order(table))
    return list(found.values())
