# SPDX-License-Identifier: MIT
"""The read buffer's size, on the page."""
from html import escape

import tables
from buffers import DEFAULT, KIB, SERVER, STUCK, UNREAD, name_of
from parts import bars, commands, html_table, titled

ABOUT = (
    f"{SERVER} with --read-buffer of {KIB[0]} KiB to {KIB[-1]:,} KiB, beside raw "
    "epoll (whose buffer has 64 KiB). A loop has one such buffer, and one more for "
    "each connection that waits to write: so a larger one may save calls where much "
    "comes at a time, costs an idle connection nothing, and costs memory where a "
    f"peer does not read: {UNREAD.load['connections']} of them send until nothing "
    f"has been taken for {STUCK} s.")


def sizes(table, figure):
    """{KiB: figure} of those that were measured."""
    rows = {kib: table.row(name_of(kib)) for kib in KIB}
    return {kib: row.figures[figure] for kib, row in rows.items()
            if row and figure in row.figures}


def what_came_out(table):
    if table.workload == UNREAD.name:
        found = sizes(table, "unread_pss")
        return (f"Each costs {found[DEFAULT] / 1024:,.0f} KiB with {DEFAULT} KiB: "
                + ", ".join(f"{value / found[DEFAULT]:.1f} times that with "
                            f"{kib:,} KiB" for kib, value in found.items()
                            if kib != DEFAULT)
                + ".") if found.get(DEFAULT) else ""
    found = sizes(table, "cpu_us")
    if DEFAULT not in found:
        return ""
    least = min(found, key=found.get)
    return (f"CPU for each {table.unit}, of what {DEFAULT} KiB take "
            f"({tables.microseconds(found[DEFAULT])}): "
            + ", ".join(f"{kib:,} KiB {value / found[DEFAULT]:.2f}"
                        for kib, value in found.items() if kib != DEFAULT)
            + f". The least is with {least:,} KiB.")


def drawn(table):
    if table.workload == UNREAD.name:
        return bars(table, "Memory of the server for each, bytes", "unread_pss",
                    lambda row: row.values["unread_pss"], tables.number)
    return bars(table, "CPU of the server for each {unit}", "cpu_us",
                lambda row: row.costs, tables.microseconds)


def sections(found):
    for table in found:
        yield (f"<section>{titled(table)}<p>{escape(what_came_out(table))}</p>"
               f"{drawn(table)}{html_table(table)}{commands(table)}</section>")
