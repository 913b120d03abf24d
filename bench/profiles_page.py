# SPDX-License-Identifier: MIT
"""Where the CPU goes, on the page."""
from html import escape

import charts_scaling as charts
from goals import SERVER
from parts import commands, figure, html_table, titled
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
    if mine is None:
        return ""
    most = sorted(((value, name) for name, value in mine.figures.items()
                   if name.startswith("fn:")), reverse=True)[:TOP]
    rows = [row for row in table.rows if row.figures]
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in (
        "function", "of", *(row.server for row in rows)))
    body = ""
    for _, name in most:
        _, part, function = name.split(":", 2)
        body += (f'<tr><th scope="row">{escape(function)}</th>'
                 f"<td>{escape(part)}</td>" + "".join(
                     f"<td>{escape(percent(row.figures.get(name)))}</td>"
                     for row in rows) + "</tr>\n")
    return (f'<div class="wide"><table><thead><tr>{head}</tr></thead>'
            f"<tbody>{body}</tbody></table></div>") if most else ""


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
