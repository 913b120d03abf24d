# SPDX-License-Identifier: MIT
"""Question 2 on the page: what a slow customer costs the others."""
from html import escape

import charts
import tables
from parts import commands, html_table, titled
from servers import POOL
from slow import QUICK_ONES, SIZE, THREADS, WARM

ABOUT = ("One connection has a handler that blocks: what the others pay for it. The "
         "servers are the models, which have such a handler; teller is the pool "
         "of loops that teller-echo has.")


def measured(table):
    return [row for row in table.rows if "slow_p99_us" in row.figures]


def span(rows, name):
    values = [row.figures[name] for row in rows]
    least, most = (tables.microseconds(f(values)) for f in (min, max))
    return least if least == most else f"{least} to {most}"


def what_was_run(rows):
    figures = rows[0].figures
    return (
        f"In each round each server was started twice: to serve "
        f"{QUICK_ONES.load['connections']} quick connections, {SIZE} B each "
        f"time and {figures['asked']:,.0f} round trips a second over all of "
        f"them, for {figures['seconds']:g} s after {WARM} s; and to serve them "
        f"beside a connection that came first, whose handler blocks for "
        f"{figures['delay_ms']:.0f} ms at each read, and which sends {SIZE} B "
        f"again when the last are back. A latency runs from when a message was "
        f"due, up to {QUICK_ONES.load['depth']} being on the way in a "
        f"connection, so that a stall counts for all that it holds up; and "
        "for how late teller-load was itself. Models with a number of threads "
        f"had {THREADS}, thread_pool {POOL}.")


def groups(rows):
    """Those that hold up nobody, some, and all. Half of the delay and a tenth
    are far from what the first of them, and the last, come to."""
    for words, belongs in (
            ("keep the quick ones apart from it",
             lambda p50, p99, delay: p99 < delay / 2),
            ("let some of them wait",
             lambda p50, p99, delay: p99 >= delay / 2 and p50 < delay / 10),
            ("let all of them wait",
             lambda p50, p99, delay: p99 >= delay / 2 and p50 >= delay / 10)):
        yield words, [row for row in rows if belongs(
            row.figures["slow_p50_us"], row.figures["slow_p99_us"],
            1000 * row.figures["delay_ms"])]


def what_came_out(rows):
    told = [f"Without the slow one their p99 is {span(rows, 'calm_p99_us')}; "
            "teller-load was as late as "
            f"{span(rows, 'calm_lateness_p99_us')} then."]
    # Nothing can be said of who waited as long without it.
    calm = [row for row in rows if row.figures["calm_p99_us"] <
            1000 * row.figures["delay_ms"] / 10]
    if len(calm) < len(rows):
        told.append("The machine was too busy to judge " + ", ".join(
            row.server for row in rows if row not in calm) + ".")
    for words, group in groups(calm):
        if group:
            told.append(
                f"{len(group)} of {len(rows)} {words} "
                f"({', '.join(row.server for row in group)}): p50 "
                f"{span(group, 'slow_p50_us')}, p99 "
                f"{span(group, 'slow_p99_us')}, at most "
                f"{span(group, 'slow_max_us')}.")
    return " ".join(told)


def sections(found):
    for table in found:
        rows = measured(table)
        told = chart = ""
        if rows:
            told = (f"<p>{escape(what_was_run(rows))}</p>"
                    f"<p>{escape(what_came_out(rows))}</p>")
            chart = charts.dots(
                "Latency of the quick ones beside a slow one",
                [(row.server, [(part, row.figures[f"slow_{name}_us"] / 1000)
                               for part, name in (("p50", "p50"), ("p99", "p99"),
                                                  ("max", "max"))])
                 for row in rows], "ms: p50, p99, and the most (filled)")
        yield (f"<section>{titled(table)}{told}{chart}{html_table(table)}"
               f"{commands(table)}</section>")
