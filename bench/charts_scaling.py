# SPDX-License-Identifier: MIT
"""Charts of questions 3 and 5, drawn by matplotlib: how capacity grows with
threads, and bars of parts. As SVG inside the page, in its fonts and colours."""
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, NullLocator

from charts import CARD, LINES, SOFT, figure, inline, named_rows

ROW = 20  # height of one of bars


def drawn(width, height, draw, *what):
    """A figure, in pixels, and its axes given to draw()."""
    of_it = figure(width, height)
    draw(of_it.subplots(), *what)
    return of_it


# --- capacity by threads ------------------------------------------------------


class Capacity:
    """What a chart of one server shows. `measured` and `speeds`: {n: value};
    law(n) is the model, measured to `last` threads and drawn to `most`;
    band(n): from, to, or None; `bound` a value, or None."""

    def __init__(self, name, measured, speeds, law, band, bound, most):
        self.name = name
        self.measured = measured
        self.speeds = speeds
        self.law = law
        self.band = band
        self.bound = bound
        self.last = max(measured)
        self.most = most


def steps(begin, end, count=40):
    """Evenly on a logarithmic scale."""
    return [begin * (end / begin) ** (i / count) for i in range(count + 1)]


def draw_capacity(axes, chart):
    ticks = [2 ** power for power in range(20) if 2 ** power <= chart.most]
    for axis in (axes.xaxis, axes.yaxis):
        axis.axes.set(**{f"{axis.axis_name}scale": "log"})
        axis.set_ticks(ticks)
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.grid(True)
    axes.tick_params(length=0)
    least = 0.8 * min(*chart.measured.values(), *chart.speeds.values(), 0.7)
    axes.set(xlim=(0.9, chart.most * 1.1), ylim=(least, chart.most * 1.3),
             title=chart.name, xlabel="threads")
    axes.plot([1, chart.most], [1, chart.most], ":", color=SOFT, linewidth=1)
    if chart.band is not None:
        at = steps(1, chart.most)
        low, high = zip(*([max(least, end) for end in chart.band(n)]
                          for n in at))
        axes.fill_between(at, low, high, color=LINES[0], alpha=0.18, linewidth=0)
    for begin, end, dashes in ((1, chart.last, "-"),
                               (chart.last, chart.most, "--")):
        at = [n for n in steps(begin, end) if chart.law(n) >= least]
        axes.plot(at, list(map(chart.law, at)), dashes, color=LINES[0],
                  linewidth=1.8)
    if chart.bound is not None:
        axes.axhline(chart.bound, linestyle="-.", color=LINES[2], linewidth=1.4)
    axes.plot(*zip(*chart.speeds.items()), "s", color=LINES[1],
              markerfacecolor=CARD, markersize=8)
    axes.plot(*zip(*chart.measured.items()), "o", color=LINES[0], markersize=5)


def capacity(chart):
    return inline(drawn(300, 290, draw_capacity, chart),
                  f"Capacity of {chart.name} by threads")


def draw_key(axes, entries):
    axes.set_axis_off()
    axes.legend(handles=entries, loc="center left", ncols=2, borderpad=0)


def capacity_key(bounded):
    """What is what in them."""
    entries = [
        Line2D([], [], marker="o", linestyle="", color=LINES[0], markersize=5,
               label="capacity by CPU, measured"),
        Line2D([], [], marker="s", linestyle="", color=LINES[1], markersize=8,
               markerfacecolor=CARD, label="throughput, measured"),
        Line2D([], [], color=LINES[0], label="the law, fitted"),
        Line2D([], [], color=LINES[0], linestyle="--",
               label="a model, not a measurement"),
        Patch(color=LINES[0], alpha=0.18, label="90% of resampled rounds"),
        Line2D([], [], color=SOFT, linestyle=":", linewidth=1,
               label="n threads, n times one")]
    if bounded:
        entries.append(Line2D([], [], color=LINES[2], linestyle="-.",
                              label="the accepting thread is busy"))
    return inline(drawn(460, 22 * ((len(entries) + 1) // 2), draw_key,
                          entries), "What the marks are")


# --- bars of parts ------------------------------------------------------------


def draw_stacked(axes, rows, parts, show):
    names = [name for name, _ in rows]
    begin = [0.0] * len(rows)
    most = max(sum(of_row.values()) for _, of_row in rows)
    for part, colour in zip(parts, LINES):
        values = [max(0.0, of_row.get(part, 0)) for _, of_row in rows]
        if max(values) < 0.01 * most:
            part = None  # too little to be seen: it is not in the legend
        axes.barh(range(len(rows)), values, 0.66, left=begin, color=colour,
                  edgecolor=CARD, linewidth=0.6, label=part)
        begin = [start + value for start, value in zip(begin, values)]
    for y, total in enumerate(begin):
        axes.annotate(show(total), (total, y), (4, 0), va="center", color=SOFT,
                      textcoords="offset points")
    named_rows(axes, names)
    axes.set(xticks=[], xlim=(0, 1.16 * max(begin) or 1))
    axes.legend(loc="upper center", bbox_to_anchor=(0.4, -0.02), ncols=3,
                columnspacing=1, handlelength=1, handletextpad=0.4)


def stacked(title, rows, parts, show):
    """rows: (name, {part: value}); at most six parts, each with a colour that is
    its own in all charts with the same parts."""
    height = ROW * (len(rows) + (len(parts) + 2) // 3) + 12
    return inline(drawn(400, height, draw_stacked, rows, parts, show), title)
