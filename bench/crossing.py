# SPDX-License-Identifier: MIT
"""Question 1: session length times connections, and where the lines cross."""
from html import escape

import charts
from parts import commands, html_table
from tables import microseconds, number

THREADS = ("thread", "thread_pool")
LOOPS = ("epoll", "epoll_threads", "teller-echo")
MARGIN = 1.05  # what is less than 5% apart is as good


def shape(table):
    """(session, connections) of a workload's name, as workloads.py gives it."""
    session, _, connections = table.workload[len("session"):].partition("x")
    return int(session), int(connections)


def per_second(row):
    """Round trips for each second of CPU, or None."""
    used = row.figures.get("cpu_us")
    return 1e6 / used if used else None


def latency(row):
    return row.figures.get("p99_us")


def grid(found, value):
    """{(session, connections): {server: value}}"""
    cells = {}
    for table in found:
        of_table = {row.server: value(row) for row in table.rows
                    if not row.fault and value(row)}
        if of_table:
            cells[shape(table)] = of_table
    return cells


def axes(cells):
    return (sorted({session for session, _ in cells}),
            sorted({connections for _, connections in cells}))


def servers_of(cells):
    """Those that are in a chart, and their order."""
    names = {server for cell in cells.values() for server in cell}
    known = [name for name in THREADS + LOOPS if name in names]
    return (known + sorted(names.difference(known)))[:charts.COLOURS]


def series(cells, servers):
    """What charts.lines() draws, for each number of connections."""
    sessions, connections = axes(cells)
    values = [value for cell in cells.values() for value in cell.values()]
    span = charts.around(values)
    x_values = sessions if len(sessions) > 1 else [sessions[0], sessions[0] * 10]
    for count in connections:
        of_count = []
        for index, server in enumerate(servers):
            points = [(session, cells[session, count][server])
                      for session in sessions
                      if server in cells.get((session, count), {})]
            if points:
                of_count.append((index, server, points))
        yield (f"{count:,} connection{'s' if count > 1 else ''}", of_count, span,
               x_values)


def panels(cells, servers, unit, show):
    drawn = "".join(charts.lines(*panel, unit, show)
                    for panel in series(cells, servers))
    return f'<div class="panels">{drawn}</div>'


def best_table(cells, of_best, show):
    """Who is best, for each session length and number of connections."""
    sessions, connections = axes(cells)
    head = "".join(f'<th scope="col">{count:,}</th>' for count in connections)
    rows = []
    for session in sessions:
        row = []
        for count in connections:
            cell = cells.get((session, count))
            if cell is None:
                row.append("<td>–</td>")
                continue
            server = of_best(cell, key=cell.get)
            row.append(f"<td>{escape(server)}<br>{escape(show(cell[server]))}"
                       "</td>")
        rows.append(f'<tr><th scope="row">{session:,}</th>{"".join(row)}</tr>')
    return ('<div class="wide"><table><thead><tr><th>round trips ↓ '
            f"connections →</th>{head}</tr></thead><tbody>{''.join(rows)}"
            "</tbody></table></div>")


def claim(cells):
    """Where "short sessions favour threads" holds, in words."""
    ahead, even, behind = [], [], []
    for (session, count), cell in sorted(cells.items()):
        threads = max((cell[s] for s in THREADS if s in cell), default=None)
        loops = max((cell[s] for s in LOOPS if s in cell), default=None)
        if threads is None or loops is None:
            continue
        where = f"{session:,} × {count:,}"
        if threads > loops * MARGIN:
            ahead.append(where)
        elif loops > threads * MARGIN:
            behind.append(where)
        else:
            even.append(where)
    total = len(ahead) + len(even) + len(behind)
    if total == 0:
        return ""
    told = [f"“Short sessions favour threads”, by round trips for each second of "
            f"CPU (session length × connections, {total} of them): the better of "
            "a thread for each connection and a pool of threads is more than 5% "
            f"ahead of the best loop in {len(ahead)}"]
    told.append(f" ({', '.join(ahead)})" if ahead else "")
    told.append(f", within 5% of it in {len(even)}")
    told.append(f" ({', '.join(even)})" if even else "")
    told.append(f", and behind in {len(behind)}.")
    return f"<p>{escape(''.join(told))}</p>"


def sections(found):
    for cores in sorted({table.cores for table in found}):
        own = [table for table in found if table.cores == cores]
        work, wait = grid(own, per_second), grid(own, latency)
        if not work or not wait:
            continue
        servers = servers_of(work)
        for_the = f"{cores} core{'s' if cores > 1 else ''} for the server"
        keys = charts.legend(list(enumerate(servers)))
        yield (f"<section><h3>Round trips for each second of CPU, by session "
               f"length; {for_the}</h3>{keys}"
               + panels(work, servers, "round trips per second of CPU",
                        charts.short)
               + claim(work) + best_table(work, max, number)
               + "</section>")
        yield (f"<section><h3>Latency at full load, p99, by session length; "
               f"{for_the}</h3>{keys}"
               + panels(wait, servers, "µs", short_time)
               + best_table(wait, min, microseconds) + "</section>")
        details = "".join(f"<h3>{escape(table.title)}</h3>{html_table(table)}"
                          f"{commands(table)}" for table in own)
        yield (f"<section><details><summary>All figures of this, {for_the}"
               f"</summary>{details}</details></section>")


def short_time(value):
    return microseconds(value).replace(".00", "").replace(".0", "")
