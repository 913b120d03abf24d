# SPDX-License-Identifier: MIT
"""Question 6 on the page: how evenly connections are shared."""
from html import escape

import charts
import tables
from parts import commands, figure, html_table, titled
from sharing import (BEFORE, LONG_RATE, MIXED, NEW_RATE, SHORT, STALL_MS,
                     THREADS, WAITED_MS, whole)

ABOUT = (
    f"How many connections each of {THREADS} threads comes to have, as the servers "
    "count them themselves: 8, more than many machines have processors, so that it "
    "shows how few connections are shared, and it is connections that are counted, "
    "not speed. A loop of teller gets one because it has the fewest open (least), or "
    "in turn (rr); with reuseport each thread has a listening socket, and the kernel "
    "chooses by a hash; with exclusive all threads watch one listening socket, and "
    "who is first has it: which one that is depends on how many processors the "
    "threads share.")


def each_has(row):
    """As "fewest to most"."""
    fewest, most = row.figures["fewest"], row.figures["most"]
    return f"{fewest:g}" if fewest == most else f"{fewest:g} to {most:g}"


def of_each(rows, show):
    return "; ".join(f"{row.server} {show(row)}" for row in rows)


def told_of_held(rows):
    figures = rows[0].figures
    total = figures["threads"] * figures["even"]
    return (f"teller-load opened {total:,.0f} connections as fast as it could, and "
            f"held them; {figures['even']:g} on each of {figures['threads']:g} "
            "threads would be even. From the fewest that a thread got to the most: "
            f"{of_each(rows, each_has)}.")


def told_of_mixed(rows):
    figures = rows[0].figures

    def p99(row):
        return (f"{tables.microseconds(row.figures['long_p99_us'])} and "
                f"{tables.microseconds(row.figures['short_p99_us'])}")
    return (f"{SHORT['rate']} sessions a second of one round trip, from "
            f"{SHORT['connections']} places, came and went; meanwhile "
            f"{MIXED.load['connections']} connections were opened within {BEFORE} s "
            f"and had {LONG_RATE:,} round trips a second in all, for "
            f"{figures['seconds']:g} s. When the short ones had gone, the threads "
            f"had of the long ones, from the fewest to the most: "
            f"{of_each(rows, each_has)}. p99 of a round trip, of the long ones and "
            f"of the short ones: {of_each(rows, p99)}.")


def told_of_stalled(rows):
    def waited(row):
        return (f"{row.figures['waited']:g} of {row.figures['opened']:g}, p99 "
                f"{tables.microseconds(row.figures['p99_us'])}")
    return (f"The handler of the first connection blocked its thread for "
            f"{STALL_MS / 1000:g} s. In that time {NEW_RATE} new connections came a "
            "second, each for one round trip, due at its time whatever became of "
            f"those before. So many of them waited for more than {WAITED_MS} ms, "
            f"and p99 of all was: {of_each(rows, waited)}.")


def bars(rows, caption, name, show=tables.number):
    items = [(row.server, row.figures[name], min(row.values[name]),
              max(row.values[name]), False) for row in rows]
    return figure(caption, charts.bars(caption, items, show))


def dots(rows, caption, names):
    return figure(caption, charts.dots(
        caption, [(row.server, [(label, row.figures[name] / 1000)
                                for label, name in names]) for row in rows],
        "ms"))


def most_of(rows):
    even = rows[0].figures["even"]
    return bars(rows, f"Most connections on one thread; {even:g} is even", "most",
                whole)


def charts_of_mixed(rows):
    return most_of(rows) + dots(
        rows, "p99 of a round trip, long and (filled) short ones",
        [("long ones", "long_p99_us"), ("short ones", "short_p99_us")])


def charts_of_stalled(rows):
    return (bars(rows, f"Connections that waited for more than {WAITED_MS} ms",
                 "waited", whole)
            + dots(rows, "Until a new connection was served: p50, p99, the most "
                   "(filled)", [("p50", "p50_us"), ("p99", "p99_us"),
                                ("max", "max_us")]))


TOLD = {"mixed": (told_of_mixed, charts_of_mixed),
        "stalled": (told_of_stalled, charts_of_stalled)}


def sections(found):
    for table in found:
        rows = [row for row in table.rows if row.figures]
        told = drawn = ""
        if rows:
            tell, draw = TOLD.get(table.workload, (told_of_held, most_of))
            told = f"<p>{escape(tell(rows))}</p>"
            drawn = f'<div class="pair">{draw(rows)}</div>'
        yield (f"<section>{titled(table)}{told}{drawn}{html_table(table)}"
               f"{commands(table)}</section>")
