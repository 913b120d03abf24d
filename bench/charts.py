# SPDX-License-Identifier: MIT
"""Charts as SVG inside HTML: text in the page's colours (see page_style.py), all
with a viewBox so narrow that text can be read on a phone."""
import math
from html import escape

from tables import number

WIDTH = 400
LINE = 18       # height of a row of bars or dots
LABELS = 104    # width of their names
VALUES = 62     # and of what is written behind a bar
COLOURS = 6     # of lines, in the style


def svg(width, height, title, body):
    return (f'<svg viewBox="0 0 {width} {height:.0f}" role="img" '
            f'aria-label="{escape(title)}">{"".join(body)}</svg>')


def text(x, y, what, kind=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}">{escape(what)}</text>'


def line(x1, y1, x2, y2, kind):
    return (f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
            f'class="{kind}"/>')


def hint(what):
    return f"<title>{escape(what)}</title>"


def bars(title, items, show=number):
    """items: (name, value, least, most, whether it is what others are compared
    with)."""
    most = max((high for _, _, _, high, _ in items), default=1) or 1
    room = WIDTH - LABELS - VALUES
    body = []
    for i, (name, value, low, high, base) in enumerate(items):
        y = i * LINE
        x = LABELS + room * value / most
        body.append("<g>" + hint(f"{name}: {show(value)} "
                                 f"({show(low)} to {show(high)})"))
        body.append(text(LABELS - 6, y + 13, name, "name"))
        body.append(f'<rect x="{LABELS}" y="{y + 3}" width="{x - LABELS:.1f}" '
                    f'height="{LINE - 6}" class="bar{" base" if base else ""}"/>')
        if high > low:
            body.append(line(LABELS + room * low / most, y + LINE / 2,
                             LABELS + room * high / most, y + LINE / 2,
                             "whisker"))
        end = LABELS + room * max(value, high) / most
        body.append(text(end + 4, y + 13, show(value), "value") + "</g>")
    return svg(WIDTH, len(items) * LINE, title, body)


class Log:
    """A logarithmic scale from pixel `begin` to `end`."""

    def __init__(self, low, high, begin, end):
        self.low = math.log10(low)
        self.high = max(math.log10(high), self.low + 1e-9)
        self.begin, self.end = begin, end

    def __call__(self, value):
        part = (math.log10(value) - self.low) / (self.high - self.low)
        return self.begin + part * (self.end - self.begin)

    def ticks(self):
        """Decades; between them 2 and 5 if there are few."""
        low = math.floor(self.low - 1e-6)
        found = [step * 10 ** power
                 for power in range(low, math.ceil(self.high) + 1)
                 for step in (1, 2, 5)]
        within = [value for value in found
                  if self.low - 1e-6 <= math.log10(value) <= self.high + 1e-6]
        decades = [value for value in within
                   if abs(math.log10(value) % 1) < 1e-6]
        return within if len(decades) < 3 else decades


def short(value):
    """1,000 as 1k"""
    for factor, name in ((1e6, "M"), (1e3, "k")):
        if value >= factor:
            return f"{value / factor:g}{name}"
    return f"{value:g}"


def around(values):
    """Between numbers like 1, 2 and 5 that hold all of them and are apart."""
    least, most = min(values), max(values)
    steps = [step * 10.0 ** power for power in range(-9, 15)
             for step in (1, 2, 5)]
    low = max(step for step in steps if step <= least * (1 + 1e-9))
    return low, min(step for step in steps
                    if step >= most * (1 - 1e-9) and step > low)


def dots(title, rows, unit):
    """rows: (name, [(label, value)]), one dot each on a logarithmic scale; the
    last one is filled."""
    values = [value for _, of_row in rows for _, value in of_row if value > 0]
    if not values:
        return ""
    low, high = around(values)
    x = Log(low, high, LABELS + 4, WIDTH - 14)
    bottom = len(rows) * LINE
    body = [line(x(tick), 0, x(tick), bottom, "grid") +
            text(x(tick), bottom + 14, short(tick), "tick x")
            for tick in x.ticks()]
    for i, (name, of_row) in enumerate(rows):
        y = i * LINE + LINE / 2
        body.append(text(LABELS - 6, y + 4, name, "name"))
        shown = [(label, value) for label, value in of_row if value > 0]
        for k, (label, value) in enumerate(shown):
            kind = "dot last" if k == len(shown) - 1 else "dot"
            body.append(f'<circle cx="{x(value):.1f}" cy="{y:.1f}" r="4" '
                        f'class="{kind}">'
                        + hint(f"{name}, {label}: {number(value)} {unit}")
                        + "</circle>")
    body.append(text(LABELS + 4, bottom + 28, unit, "tick"))
    return svg(WIDTH, bottom + 32, title, body)


MARKS = ("M-3,0a3,3 0 1,0 6,0a3,3 0 1,0 -6,0", "M-3,-3h6v6h-6z", "M0,-4l4,7h-8z",
         "M0,-4l4,4l-4,4l-4,-4z", "M-4,-3h8l-4,7z",
         "M-3,-3l6,6M3,-3l-6,6")


def mark(index, x, y):
    return (f'<path d="{MARKS[index % len(MARKS)]}" '
            f'transform="translate({x:.1f},{y:.1f})" class="mark l{index}"/>')


def lines(title, series, y_range, x_values, unit, show=number):
    """Lines on two logarithmic scales. series: (index, name, [(x, y)]), where the
    index is its colour; all charts of a group have one y_range."""
    width, height, left, top, bottom = 260, 200, 40, 20, 26
    low, high = y_range
    x = Log(x_values[0], x_values[-1], left + 8, width - 10)
    y = Log(low, high, height - bottom, top + 6)
    body = [text(0, 12, title, "head")]
    for tick in y.ticks():
        body.append(line(left, y(tick), width - 4, y(tick), "grid") +
                    text(left - 5, y(tick) + 4, show(tick), "tick y"))
    body += [text(x(value), height - 10, short(value), "tick x")
             for value in x_values]
    for index, name, points in series:
        path = " ".join(f"{'L' if i else 'M'}{x(a):.1f},{y(b):.1f}"
                        for i, (a, b) in enumerate(points))
        body.append(f'<path d="{path}" class="line l{index}"/>')
        for a, b in points:
            body.append("<g>" + hint(f"{name}, {a:,}: {number(b)} {unit}") +
                        mark(index, x(a), y(b)) + "</g>")
    return svg(width, height, title, body)


def legend(names):
    """names: (index, name)"""
    return '<p class="legend">' + " ".join(
        f'<span><svg viewBox="-6 -6 12 12" class="key" aria-hidden="true">'
        f"{mark(index, 0, 0)}</svg>{escape(name)}</span>"
        for index, name in names) + "</p>"
