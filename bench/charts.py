# SPDX-License-Identifier: MIT
"""Charts, drawn by matplotlib, as SVG inside HTML or in a file. A unit of theirs
is a pixel of the page's text, and all are so narrow that a phone can show them.

A chart of another kind is a figure(width, height), drawn on with the colours of
this file or a look(index), and given to inline() or write().
"""
import io
import re
from html import escape

import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from page_style import LIGHT
from tables import number

WIDTH = 400
LINE = 18       # height of a row of bars or dots
COLOURS = 6     # of lines
INK, SOFT, RULE, CARD = (LIGHT[name] for name in ("ink", "soft", "rule", "card"))
BAR, BASE = LIGHT["bar"], LIGHT["base"]
LINES = [LIGHT[f"l{i}"] for i in range(COLOURS)]
MARKERS = "osD^vXP*"
DASHES = ("-", "--", ":")

matplotlib.rcParams.update({
    "svg.fonttype": "none", "font.size": 12, "figure.facecolor": "none",
    "axes.facecolor": "none", "axes.spines.top": False,
    "axes.spines.right": False, "axes.edgecolor": RULE, "axes.labelcolor": SOFT,
    "axes.titlesize": 12, "axes.titleweight": "bold", "axes.titlelocation":
    "left", "axes.axisbelow": True, "text.color": INK, "xtick.color": RULE,
    "ytick.color": RULE, "xtick.labelcolor": SOFT, "ytick.labelcolor": SOFT,
    "xtick.labelsize": 12, "ytick.labelsize": 12, "grid.color": RULE,
    "grid.linewidth": 1, "lines.linewidth": 1.8, "lines.markersize": 6,
    "legend.frameon": False,
})


# --- figures as SVG -----------------------------------------------------------


def figure(width=WIDTH, height=240):
    """An empty one, in pixels, which makes room for what is written beside its
    axes."""
    return Figure(figsize=(width / 72, height / 72), layout="constrained")


def look(index):
    """How a line is drawn: no two alike, for those who see no colours too."""
    return {"color": LINES[index % COLOURS],
            "marker": MARKERS[index % len(MARKERS)],
            "linestyle": DASHES[index // COLOURS % len(DASHES)]}


def svg(drawn, salt, **how):
    """The same bytes each time: without a date, and with names made of `salt`,
    as one page has many."""
    out = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": salt}):
        drawn.savefig(out, format="svg", metadata={
            "Date": None, "Creator": None, "Format": None, "Type": None}, **how)
    return out.getvalue()


def inline(drawn, title):
    """A figure as a part of a page, whose fonts and colours (light or dark) it
    takes. `title` says what it is to who cannot see it; without one it is said to
    be an ornament."""
    text = svg(drawn, title)
    width, height = (f"{72 * size:.0f}" for size in drawn.get_size_inches())
    label = f'role="img" aria-label="{escape(title)}"' if title else \
        'aria-hidden="true"'
    body = text[text.index("<defs>"):]
    for pattern, instead in ((r"<style.*?</style>", ""),     # it is for all
                             (r'<g id="[^"]*"/>\n', ""),
                             (r'<g id="[^"]*">', "<g>"),     # there twice
                             (r"<!--.*?-->\n?", ""), (r"\n\s*", "\n"),
                             (r"(font: [^;\"]*px)[^;\"]*", r"\1 var(--font)")):
        body = re.sub(pattern, instead, body, flags=re.S)
    for name, colour in LIGHT.items():
        body = body.replace(colour, f"var(--{name})")
    most = 1.25 * float(width)
    return (f'<svg viewBox="0 0 {width} {height}" style="max-width: {most:g}px" '
            f"{label}>{body.strip()}")


def write(drawn, file, title):
    """A figure as a file, on a light background of its own."""
    text = svg(drawn, title, facecolor=CARD)
    start = text.index(">", text.index("<svg")) + 1
    with open(file, "w", encoding="utf-8") as out:
        out.write(f"{text[:start]}\n <title>{escape(title)}</title>"
                  f"{text[start:]}")


# --- scales -------------------------------------------------------------------


def short(value):
    """1,000 as 1k"""
    for factor, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= factor:
            return f"{value / factor:g}{name}"
    return f"{value:g}"


def around(values):
    """Between numbers like 1, 2 and 5 that hold all of them and are apart."""
    least, most = min(values), max(values)
    steps = LogLocator(subs=(1, 2, 5), numticks=99).tick_values(
        least / 10, most * 10)
    low = max(step for step in steps if step <= least * (1 + 1e-9))
    return low, min(step for step in steps
                    if step >= most * (1 - 1e-9) and step > low)


def logarithmic(axis, low, high, show=short, margin=0.0):
    """Ticks at decades, and at 2 and 5 between them if there are few. `margin` is
    a part of its length, on both ends."""
    room = (high / low) ** margin
    axis.axes.set(**{f"{axis.axis_name}scale": "log",
                     f"{axis.axis_name}lim": (low / room, high * room)})
    axis.set_major_locator(LogLocator(
        subs=(1,) if high / low >= 100 else (1, 2, 5), numticks=99))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: show(value)))
    axis.grid(True)


def named_rows(axes, names):
    """From above, each with its name on the left."""
    axes.set(yticks=range(len(names)), ylim=(len(names) - 0.4, -0.6))
    axes.set_yticklabels(names, color=INK)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


# --- the charts ---------------------------------------------------------------


def bars(title, items, show=number):
    """items: (name, value, least, most, whether it is what others are compared
    with)."""
    drawn = figure(WIDTH, len(items) * LINE + 8)
    axes = drawn.subplots()
    names, values, least, most, base = zip(*items)
    spread = [[value - low for value, low in zip(values, least)],
              [high - value for value, high in zip(values, most)]]
    shown = axes.barh(range(len(items)), values, 0.66, xerr=spread,
                      color=[BASE if one else BAR for one in base],
                      error_kw={"ecolor": INK, "elinewidth": 1.5})
    axes.bar_label(shown, [show(value) for value in values], padding=4,
                   color=SOFT)
    named_rows(axes, names)
    axes.set(xticks=[], xlim=(0, max(most) or 1))
    return inline(drawn, title)


def dots(title, rows, unit):
    """rows: (name, [(label, value)]), one dot each on a logarithmic scale; the
    last one is filled."""
    values = [value for _, of_row in rows for _, value in of_row if value > 0]
    if not values:
        return ""
    drawn = figure(WIDTH, len(rows) * LINE + 44)
    axes = drawn.subplots()
    for y, (_, of_row) in enumerate(rows):
        at = [value for _, value in of_row if value > 0]
        axes.plot(at, [y] * len(at), "o", color=BASE, markerfacecolor=CARD,
                  clip_on=False)
        axes.plot(at[-1:], [y] * len(at[-1:]), "o", color=BASE, clip_on=False)
    named_rows(axes, [name for name, _ in rows])
    logarithmic(axes.xaxis, *around(values), margin=0.02)
    axes.set_xlabel(unit)
    return inline(drawn, title)


def lines(title, series, y_range, x_values, unit, show=number):
    """Lines on two logarithmic scales. series: (index, name, [(x, y)]), where the
    index is its look; all charts of a group have one y_range."""
    drawn = figure(260, 200)
    draw_lines(drawn.subplots(), title, series, y_range, x_values, show)
    return inline(drawn, f"{title}: {unit}")


def draw_lines(axes, title, series, y_range, x_values, show):
    for index, name, points in series:
        axes.plot(*zip(*points), label=name, clip_on=False, **look(index))
    logarithmic(axes.xaxis, x_values[0], x_values[-1], margin=0.05)
    axes.xaxis.grid(False)
    axes.set_xticks(x_values)
    logarithmic(axes.yaxis, *y_range, show, margin=0.03)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_title(title)


def legend(names):
    """names: (index, name), beside several charts."""
    return '<p class="legend">' + " ".join(
        f"<span>{key(index)}{escape(name)}</span>"
        for index, name in names) + "</p>"


def key(index):
    drawn = Figure(figsize=(26 / 72, 14 / 72))
    axes = drawn.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set(xlim=(0, 26), ylim=(0, 14))
    axes.plot([2, 13, 24], [7, 7, 7], markevery=[1], **look(index))
    return inline(drawn, "").replace("<svg ", '<svg class="key" ', 1)
