# SPDX-License-Identifier: MIT
"""The speeds to reach: what teller-echo shall do, and what was measured of it."""
from html import escape
from statistics import median, quantiles

import summary
from tables import number
from workloads import SPEED

SERVER = "teller-echo"
RATIOS = {"64x50": 1.0, "64x1000": 1.0, "16kx50": 1.0, "depth16": 1.0,
          "session1": 1.0, "session100": 1.0, "stream10": 1.25}
# And beside it the same with as many threads: on one core without a thread that
# accepts, on more with a listener for each.
BESIDE = {1: "teller_one_loop", 2: "teller-echo-reuseport"}
ABOUT = (
    f"What {SERVER} shall do, beside what was measured of it: the median of the "
    "rounds, and between which values the middle half of them is (the quartiles). "
    "Ratios are of a run of these servers only (--questions goals), one right after "
    "the other, if there was one. "
    "A ratio is of the throughput to that of raw epoll in the same round, with as "
    "many threads. The median decides whether a goal is met; “within the spread” "
    "says that the goal is between the quartiles, so that another run may find "
    "the opposite. Where the load is busy nearly all of the time it is the load "
    "that limits both, and what the server needs of its CPU tells more: it is "
    "given beside, as a part of what raw epoll needs. Raw epoll is measured again "
    "in each round, and the ratio of that to itself given, too: as far as it is "
    "from 1.00 is chance. teller-echo has one thread more, which accepts; "
    "teller_one_loop and --balance reuseport do without.")


class Goal:
    """At least, or at most, `target`; `values` are those of the rounds."""

    def __init__(self, name, target, values, at_least=False, beside=""):
        self.name = name
        self.target = target
        self.values = values
        self.at_least = at_least
        self.beside = beside  # what helps to judge it

    @property
    def measured(self):
        return median(self.values) if self.values else None

    @property
    def quartiles(self):
        """None of a single round, which says nothing of a spread."""
        if len(self.values) < 2:
            return None
        low, _, high = quantiles(self.values, n=4, method="inclusive")
        return low, high

    @property
    def verdict(self):
        if not self.values:
            return "not measured"
        reached = (self.measured >= self.target if self.at_least else
                   self.measured <= self.target)
        word = "met" if reached else "missed"
        if self.quartiles and \
                self.quartiles[0] <= self.target <= self.quartiles[1] and \
                self.quartiles[0] < self.quartiles[1]:
            return f"{word}, within the spread"
        return word


def cores_of(count):
    return f"{count} core{'s' if count > 1 else ''}"


def judged_by(table, row):
    """Its CPU, of raw epoll's, and how busy the load was."""
    told = []
    base = table.row(summary.baseline(table.cores))
    own, other = (one and one.figures.get("cpu_us") for one in (row, base))
    if own and other:
        told.append(f"CPU {own / other:.2f}")
    if "client_busy" in row.figures:
        told.append(f"load busy {100 * row.figures['client_busy']:.0f}%")
    again = table.row(summary.control(summary.baseline(table.cores)))
    if again and again.ratio:
        told.append(f"{again.server} {again.ratio:.2f}")
    return ", ".join(told)


def ratios(records):
    """Of the run that has just these servers, or else that of all."""
    tables = summary.tables(records)
    found = {(table.workload, table.cores): table
             for question in ("speed", "goals") for table in tables
             if table.question == question}
    for cores, other in BESIDE.items():
        for workload, target in RATIOS.items():
            table = found.get((workload, cores))
            name = f"ratio, {SPEED[workload].title}, {cores_of(cores)}"
            for server in (SERVER, other):
                row = table and table.row(server)
                if row and row.ratios:
                    yield Goal(name if server == SERVER else f"{name}, {server}",
                               target, row.ratios, True, judged_by(table, row))
                elif server == SERVER:
                    yield Goal(name, target, [], True)


def figures(records, question, what, workload, server=SERVER):
    """Those of a server, on one core, unless it has none for a fault."""
    if summary.fault_of(records, server, 1, workload):
        return []
    return [record["figures"] for record in records
            if record["what"] == what and summary.place(record) ==
            (question, 1, workload) and record["server"] == server]


def calls(records, server=SERVER):
    return [one["calls"] for one in
            figures(records, "speed", "calls", "64x50", server)]


def instructions(records):
    """As question 5 counts them: teller's and libuv's."""
    return [sum(of_one.get(f"insn:{whose}", 0) for whose in ("teller", "libuv"))
            for of_one in figures(records, "layers", "instructions", "64x50")]


def goals(records):
    """All of them, measured or not."""
    yield from ratios(records)
    base = calls(records, summary.baseline(1))
    yield Goal("system calls per round trip, 64 B × 50", 2.1, calls(records),
               beside=f"{summary.baseline(1)} {number(median(base))}"
               if base else "")
    yield Goal("instructions in user space per round trip, 64 B × 50, of teller "
               "and libuv", 350, instructions(records))
    silent = figures(records, "memory", "memory", "silent")
    most = max((one["connections"] for one in silent), default=0)
    yield Goal("bytes of PSS per silent connection"
               + (f", of {most:,.0f}" if most else ""), 400,
               [one["pss"] for one in silent if one["connections"] == most])


# --- as a table ---------------------------------------------------------------


def spread(goal):
    if not goal.values:
        return "–"
    if goal.quartiles is None:
        return "one only"
    low, high = (number(value) for value in goal.quartiles)
    return f"{low} to {high} of {len(goal.values)}"


def row(goal):
    """Texts: the goal, what it is, measured, its interval, the verdict, and what
    helps to judge."""
    sign = "≥" if goal.at_least else "≤"
    return (goal.name, f"{sign} {goal.target:g}", number(goal.measured),
            spread(goal), goal.verdict, goal.beside)


HEADS = ("goal", "", "median", "quartiles", "", "beside")


def section(records, tables=""):
    """None, if the server was not measured. tables: HTML, of what it is made of."""
    found = list(goals(records))
    if not any(goal.values for goal in found):
        return None
    body = "".join(
        "<tr>" + "".join(
            f'<th scope="row">{escape(text)}</th>' if i == 0 else
            f'<td class="{kind(goal) if i == 4 else ""}">{escape(text)}</td>'
            for i, text in enumerate(row(goal))) + "</tr>\n"
        for goal in found)
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in HEADS)
    return (f'<h2 id="goals">Speeds to reach</h2><p class="soft">{ABOUT}</p>'
            '<section><div class="wide"><table class="goals"><thead><tr>'
            f"{head}</tr></thead><tbody>{body}</tbody></table></div>{tables}"
            "</section>")


def kind(goal):
    word = goal.verdict.partition(",")[0]
    return {"met": "met", "missed": "fault"}.get(word, "soft")
