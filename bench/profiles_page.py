# SPDX-License-Identifier: MIT
"""Where the CPU goes, on the page."""
from html import escape

from goals import SERVER
from parts import commands, html_table, titled
from tables import percent

TOP = 12
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


def sections(found):
    for table in found:
        yield (f"<section>{titled(table)}{html_table(table)}{functions(table)}"
               f"{commands(table)}</section>")
