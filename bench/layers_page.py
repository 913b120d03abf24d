# SPDX-License-Identifier: MIT
"""Question 5 on the page: what each layer adds to a round trip, whether the goals
are met, and which functions take teller-echo's instructions."""
from html import escape
from statistics import median

import charts_scaling as charts
from layers import SERVERS, WHOSE
from parts import bars, commands, figure, functions_of
from scaling_page import table
from tables import microseconds, number

BASE = "epoll"
STEPS = (  # a layer: what has it, what is the same without it, and its name
    ("uv_try_write", "epoll", "libuv (uv_try_write) over raw epoll"),
    ("uv_guide", "epoll", "libuv as its guide has it over raw epoll"),
    ("teller_one_loop", "uv_try_write", "teller on one loop over uv_try_write"),
    ("teller-echo", "uv_try_write",
     "teller-echo, which accepts on another thread, over uv_try_write"),
)
OURS, GOALS_AT = "teller-echo", "64x50"
CALLS_GOAL, INSTRUCTIONS_GOAL = 2.1, 350
TOP = 15
BUSY = 0.9  # of its time: then it is what was measured
SHOWN_CALLS = ("read", "write", "epoll_wait", "epoll_ctl", "accept4")
LABELS = {"program": "the program", "others": "others"}


def label(whose):
    return LABELS.get(whose, whose)


def calls_of(row):
    """{name: calls}, all but a few as "others"; None: not counted."""
    if "calls" not in row.figures:
        return None
    found = dict.fromkeys((*SHOWN_CALLS, "others"), 0.0)
    for name, value in row.figures.items():
        if name.startswith("call:"):
            # The C library says which of its kinds an epoll_wait is.
            call = name[len("call:"):].replace("epoll_pwait", "epoll_wait")
            found[call if call in found else "others"] += value
    return found


def instructions_of(row):
    if "instructions" not in row.figures:
        return None
    return {label(whose): row.figures.get(f"insn:{whose}", 0.0)
            for whose in WHOSE}


def ratios(row, base, value):
    """Of the same round, to base."""
    if row is None or base is None:
        return []
    pairs = [(value(figures), value(base.rounds[key]))
             for key, figures in row.rounds.items() if key in base.rounds]
    return [own / under for own, under in pairs if under > 0]


def cpu_of(figures):
    return figures["cpu_us"]


def time_of(figures):
    """Of a thread of the server that has always something to do."""
    return 1e6 / figures["rate"]


def times(values):
    return f"× {median(values):.2f}" if values else "–"


def rows_of(one):
    """The table's rows, in the order of the layers."""
    return [one.row(name) for name in SERVERS
            if one.row(name) is not None and one.row(name).figures]


# --- in words -----------------------------------------------------------------


def more(value, unit, decimals):
    if abs(value) < 0.5 * 10 ** -decimals:
        return f"as many {unit}"
    return (f"{abs(value):,.{decimals}f} {'more' if value > 0 else 'fewer'} "
            f"{unit}")


def step_told(one, name, base, what):
    row, under = one.row(name), one.row(base)
    if row is None or under is None or not (row.figures and under.figures):
        return ""
    told = []
    if "calls" in row.figures and "calls" in under.figures:
        told.append(more(row.figures["calls"] - under.figures["calls"],
                         "system calls", 2))
    if "instructions" in row.figures and "instructions" in under.figures:
        told.append(more(row.figures["instructions"] -
                         under.figures["instructions"], "instructions", 0))
    for value, unit in ((cpu_of, "the CPU"), (time_of, "the time")):
        found = ratios(row, under, value)
        if found:
            told.append(f"{median(found):.2f} times {unit}")
    return f"{what}: {', '.join(told)}." if told else ""


def run_told(one):
    rounds = max((len(row.rounds) for row in one.rows), default=0)
    counted = [what for what, name in (
        ("system calls by strace", "calls"),
        ("instructions by callgrind", "instructions"))
        if any(name in row.figures for row in one.rows)]
    told = [f"{one.title}, on one thread (teller-echo has one more, which "
            f"accepts): {rounds} round{'s' if rounds != 1 else ''} for CPU and "
            "time; "]
    told.append(" and ".join(counted) + ", each as the difference of a long run "
                "and a short one." if counted else "nothing was counted.")
    busy = max((row.figures.get("client_busy", 0) for row in one.rows),
               default=0)
    if busy >= BUSY:
        told.append(f" teller-load was busy for {100 * busy:.0f}% of the time with "
                    "one of them: there the time is as much its as the server's, "
                    "and CPU tells servers apart.")
    missing = sorted({reason for row in one.rows for reason in row.missing})
    told += [f" Left out: {reason}." for reason in missing]
    return "".join(told)


def goal(value, most, what, decimals):
    if value <= most:
        verdict = "the goal is met"
    else:
        verdict = f"the goal is missed by {value - most:,.{decimals}f}"
    return (f"{what}: {value:,.{decimals}f}, at most {most:,.{decimals}f} were "
            f"wanted: {verdict}.")


def ours(row):
    """Instructions of teller's, its program's and libuv's."""
    return sum(row.figures.get(f"insn:{whose}", 0)
               for whose in ("program", "teller", "libuv"))


def goals_told(one):
    """What teller-echo was to reach, at this workload."""
    row = one.row(OURS)
    if row is None:
        return []
    told = []
    if "calls" in row.figures:
        told.append(goal(row.figures["calls"], CALLS_GOAL,
                         f"System calls of {OURS} for a round trip", 2))
    if "instructions" in row.figures:
        own = {whose: row.figures.get(f"insn:{whose}", 0) for whose in WHOSE}
        told.append(goal(
            ours(row), INSTRUCTIONS_GOAL, f"User-space instructions of {OURS} "
            "for a round trip, its own and libuv's, without libc's", 0)
            + f" Of them teller's library has {own['teller']:.0f}, its handler "
            f"{own['program']:.0f}, libuv {own['libuv']:.0f}; libc has "
            f"{own['libc']:.0f} more." + least_told(one, row))
    return told


def least_told(one, row):
    """What the same libuv takes in a program that does no more."""
    plain = one.row("uv_try_write")
    if plain is None or "insn:libuv" not in plain.figures:
        return ""
    libuv = plain.figures["insn:libuv"]
    return (f" A plain program on libuv (uv_try_write) has {ours(plain):.0f}, "
            f"{libuv:.0f} of them libuv's: of the {ours(row):.0f}, "
            f"{ours(row) - ours(plain):.0f} are what teller adds.")


# --- tables -------------------------------------------------------------------


def figures_table(rows, base):
    shown = [name for name in (*SHOWN_CALLS, "others")
             if any((calls_of(row) or {}).get(name, 0) >= 0.005
                    for row in rows)]
    parts = [label(whose) for whose in WHOSE]
    head = ["server", "calls", *shown, "instructions", *parts, "CPU", "to epoll",
            "time", "to epoll"]
    found = []
    for row in rows:
        calls, instructions = calls_of(row), instructions_of(row)
        found.append([
            row.server, two(row.figures.get("calls")),
            *(two(calls and calls[name]) for name in shown),
            whole(row.figures.get("instructions")),
            *(whole(instructions and instructions[name]) for name in parts),
            microseconds(row.figures.get("cpu_us")),
            times(ratios(row, base, cpu_of)),
            microseconds(1e6 / row.figures["rate"]
                         if "rate" in row.figures else None),
            times(ratios(row, base, time_of))])
    return table(head, found)


def two(value):
    return "–" if value is None else f"{value + 0.0:.2f}".replace("-0.00", "0.00")


def whole(value):
    return "–" if value is None else f"{value + 0.0:,.0f}".replace("-0", "0")


def profile(row):
    """The functions of most instructions, and what is left."""
    found = functions_of(row, TOP)
    if not found:
        return ""
    total = row.figures["instructions"]
    rows = []
    for value, _, whose, function in found:
        rows.append([function, label(whose), f"{value:.1f}",
                     f"{100 * value / total:.0f}%"])
    left = total - sum(value for value, *_ in found)
    rows.append(["all others", "", f"{left:.1f}", f"{100 * left / total:.0f}%"])
    return (f"<h3>Where the instructions of {escape(row.server)} go</h3>"
            + table(["function", "whose", "instructions", "of all"], rows)
            + '<p class="soft">Itself, without what it calls. One with an address '
            "for a name is in a library that has no names for its own "
            "functions.</p>")


# --- the section --------------------------------------------------------------


def drawn(one, rows):
    """Charts of what was counted."""
    found = []
    for caption, of_row, show in (
            ("User-space instructions, by whose they are", instructions_of,
             lambda value: f"{value:,.0f}"),
            ("System calls, by name", calls_of, two)):
        shown = [(row.server, of_row(row)) for row in rows if of_row(row)]
        if shown:
            chart = charts.stacked(f"{one.title}: {caption}", shown,
                                   list(shown[0][1]), show)
            found.append(figure(caption, chart))
    return f'<div class="pair">{"".join(found)}</div>' if found else ""


def sections(found):
    for one in found:
        rows = rows_of(one)
        base = one.row(BASE)
        told = [run_told(one), *(step_told(one, *step) for step in STEPS)]
        told += goals_told(one) if one.workload == GOALS_AT else []
        mine = one.row(OURS)
        yield (f"<section><h3>{escape(one.title)}; for each {escape(one.unit)}"
               "</h3>" + drawn(one, rows) + '<div class="pair">'
               + bars(one, "CPU of the server for each {unit}", "cpu_us",
                      lambda row: row.costs, microseconds)
               + bars(one, "{units}/s, in the closed loop", "rate",
                      lambda row: row.rates, number) + "</div>"
               + "".join(f"<p>{escape(line)}</p>" for line in told if line)
               + figures_table(rows, base)
               + (profile(mine) if mine and one.workload == GOALS_AT else "")
               + commands(one) + "</section>")
