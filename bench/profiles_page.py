# SPDX-License-Identifier: MIT
"""Where the CPU goes, on the page."""
import charts_scaling as charts
from goals import SERVER
from parts import commands, figure, functions_of, html_table, titled
from scaling_page import table as html_of
from tables import percent

TOP = 12
LARGE = ("copying", "TCP/IP", "locks, switches", "memory")  # of the kernel, and
USER = ("the program", "libuv", "libc")
DRAWN = (*LARGE, "other kernel", "user space")
ABOUT = (
    "The server runs under perf record, which looks some thousand times in each "
    "second of its CPU what it is doing: shares of all it was seen at, in the kernel "
    "by the names of its functions. A lock that ends with interrupts back on is "
    "where a virtual machine sees what was held up by it.")


def functions(table):
    """Those that the server is most in, and the others' shares of them."""
    mine = table.row(SERVER)
    most = functions_of(mine, TOP) if mine else []
    rows = [row for row in table.rows if row.figures]
    return html_of(
        ["function", "of", *(row.server for row in rows)],
        [[function, part, *(percent(row.figures.get(name)) for row in rows)]
         for _, name, part, function in most]) if most else ""


def drawn(table):
    rows = []
    for row in table.rows:
        of_row = dict.fromkeys(DRAWN, 0)
        for name, value in row.figures.items():
            kind, _, part = name.partition(":")
            if kind == "part":
                of_row[part if part in LARGE else "user space" if part in USER
                       else "other kernel"] += value
        if row.figures:
            rows.append((row.server, of_row))
    caption = "The server's CPU, by what it does"
    return figure(caption, charts.stacked(f"{table.title}: {caption}", rows, DRAWN,
                                          percent)) if rows else ""


def sections(found):
    for table in found:
        yield (f"<section>{titled(table)}{drawn(table)}{html_table(table)}"
               f"{functions(table)}{commands(table)}</section>")
