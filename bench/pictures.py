# SPDX-License-Identifier: MIT
"""The two pictures of README.md, each a file of its own."""
from matplotlib.lines import Line2D

import charts
import crossing
import relative
from goals import cores_of

WIDTH = 640


def all_of(found):
    """(question, title, figure), of what was measured, with the fewest cores."""
    cores = min((table.cores for table in found), default=1)
    own = [table for table in found if table.cores == cores]
    for question, draw in (("crossing", lines_cross), ("speed", speeds)):
        of_it = [table for table in own if table.question == question]
        drawn = draw(of_it, cores) if of_it else None
        if drawn:
            yield question, *drawn


# --- where the lines cross ----------------------------------------------------


def lines_cross(found, cores):
    cells = crossing.grid(found, crossing.per_second)
    if not cells:
        return None
    title = ("Round trips for each second of CPU, by round trips of a session; "
             f"{cores_of(cores)} for the server")
    servers = crossing.servers_of(cells)
    counts = crossing.axes(cells)[1]
    across = min(3, len(counts))
    down = -(-len(counts) // across)
    drawn = charts.figure(WIDTH, 180 * down + 60)
    panels = drawn.subplots(down, across, squeeze=False)
    for axes in panels.flat[len(counts):]:
        axes.set_axis_off()
    for axes, panel in zip(panels.flat, crossing.series(cells, servers)):
        charts.draw_lines(axes, *panel, charts.short)
    finish(drawn, title, [(Line2D([], [], **charts.look(i)), server)
                          for i, server in enumerate(servers)], 3)
    return title, drawn


# --- the speed of each server -------------------------------------------------


def speeds(found, cores):
    of_server = relative.ratios(found)
    if not of_server:
        return None
    title = (f"Throughput relative to raw epoll; {cores_of(cores)} for the "
             "server")
    names = list(of_server)
    workloads = [table.title for table in found]
    drawn = charts.figure(WIDTH, 22 * len(names) + 130)
    axes = drawn.subplots()
    values = [value for one in of_server.values() for value in one.values()]
    charts.logarithmic(axes.xaxis, *charts.around([*values, 1]), margin=0.02)
    charts.named_rows(axes, names)
    axes.grid(True)
    axes.axvline(1, color=charts.INK, linewidth=1)
    marks = []
    for i, workload in enumerate(workloads):
        at = [(of_server[name][workload], y) for y, name in enumerate(names)
              if workload in of_server[name]]
        style = {**charts.look(i), "linestyle": "none"}
        if at:
            axes.plot(*zip(*at), **style, alpha=0.85)
            marks.append((Line2D([], [], **style), workload))
    finish(drawn, title, marks, 2)
    return title, drawn


def finish(drawn, title, marks, columns):
    """A title, and below a legend."""
    rows = -(-len(marks) // columns)
    height = 72 * drawn.get_size_inches()[1]
    below = (20 * rows + 8) / height
    drawn.get_layout_engine().set(rect=(0, below, 1, 1 - below))
    drawn.suptitle(title, x=0.01, ha="left", fontsize=13, fontweight="bold")
    handles, names = zip(*marks)
    drawn.legend(handles, names, loc="lower left", ncol=columns)
