# SPDX-License-Identifier: MIT
"""The columns of the tables, and figures as people read them."""


def number(value, digits=3):
    """With so many digits that count, and thousands set apart."""
    if value is None:
        return "–"
    if value == 0:
        return "0"
    decimals = 0
    scaled = abs(value)
    while scaled < 10 ** (digits - 1) and decimals < 6:
        scaled *= 10
        decimals += 1
    return f"{value:,.{decimals}f}"


def microseconds(value):
    """A time, given in µs."""
    if value is None:
        return "–"
    if value < 1000:
        return f"{number(value)} µs"
    if value < 1e6:
        return f"{number(value / 1000)} ms"
    return f"{number(value / 1e6)} s"


def whole(value):
    return "–" if value is None else f"{value:,.0f}"


def times(value):
    return "–" if value is None else f"{value:.2f}"


def percent(value):
    return "–" if value is None else f"{100 * value:.0f}%"


def milliseconds(*names):
    """Shows these figures, which are in µs, of a row that has them."""
    def show(row):
        values = [row.figures.get(name) for name in names]
        return "–" if None in values else " / ".join(
            number(value / 1000) for value in values)
    return show


def triple(row, share):
    """p50, p99 and p99.9 in milliseconds, at a share of the best rate."""
    suffix = "" if share is None else f"@{share:g}"
    return milliseconds(*(f"{name}_us{suffix}"
                          for name in ("p50", "p99", "p99_9")))(row)


def figure(name, show=number):
    return lambda row: show(row.figures.get(name))


# Head, what it is, and what it shows of a row; {unit} and {units} are the table's.
COLUMNS = [
    ("{units}/s", "throughput in the closed loop, median of the rounds",
     figure("rate", lambda value: number(value))),
    ("ratio", "to raw epoll in the same round, median",
     lambda row: times(row.ratio)),
    ("spread", "of the throughput: from the least to the most, of the median",
     lambda row: percent(row.spread)),
    ("latency, ms", "p50 / p99 / p99.9 in the closed loop: at full load, or "
     "where connections think at what these ask for",
     lambda row: triple(row, None)),
    ("at 50%, ms", "p50 / p99 / p99.9 in the open loop, at half of its best rate",
     lambda row: triple(row, 0.5)),
    ("at 80%, ms", "likewise, at 80% of it", lambda row: triple(row, 0.8)),
    ("CPU/{unit}", "of the server, user and system",
     figure("cpu_us", microseconds)),
    ("calls/{unit}", "system calls of the server", figure("calls")),
    ("switches/{unit}", "context switches, voluntary + involuntary",
     lambda row: "–" if "voluntary" not in row.figures else
     f"{number(row.figures['voluntary'], 2)} + "
     f"{number(row.figures['involuntary'], 2)}"),
    ("load busy", "how busy teller-load's threads were: near 100% it is what was "
     "measured", figure("client_busy", percent)),
]


def head(column, table):
    plural = table.unit if table.unit == "MiB" else table.unit + "s"
    return column.replace("{units}", plural).replace("{unit}", table.unit)


def printed(table, columns):
    """Lines of text: columns are (head, what, show)."""
    rows = [["", *(head(name, table) for name, _, _ in columns)]]
    for row in table.rows:
        if row.fault:
            rows.append([row.server, f"no figure: {row.fault['reason']}"])
        elif row.figures:
            rows.append([row.server, *(show(row) for _, _, show in columns)])
        else:
            rows.append([row.server, f"not measured: {row.missing[0]}"])
    whole = [row for row in rows if len(row) > 2 or len(columns) == 1]
    widths = [max((len(row[i]) for row in whole), default=0)
              for i in range(len(columns) + 1)]
    widths[0] = max(len(row[0]) for row in rows)
    for row in rows:
        first = row[0].ljust(widths[0])
        if len(row) != len(columns) + 1 or row[1].startswith("no"):
            yield f"  {first}  {row[1]}"
        else:
            yield f"  {first}  " + "  ".join(
                cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))


def of(table):
    """The columns of a table that have something to show."""
    make = COLUMNS_OF.get(table.question, lambda _: COLUMNS)
    return [column for column in make(table)
            if any(column[2](row) != "–" for row in table.rows)]


def memory_columns(table):
    counts = sorted({int(name.partition("@")[2]) for row in table.rows
                     for name in row.figures if name.startswith("pss@")})
    return [(f"{name.upper()} at {count:,}",
             f"{what}, bytes per connection, with so many",
             figure(f"{name}@{count}", whole))
            for name, what in (("pss", "shared memory counted in parts"),
                               ("rss", "resident memory of all processes"))
            for count in counts]


# A question's own: functions of a table.
COLUMNS_OF = {"memory": memory_columns}
