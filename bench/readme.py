# SPDX-License-Identifier: MIT
"""What README.md has of the measurements: tables between markers, each a line of
its own, <!-- bench/report: NAME --> and <!-- end -->, and two pictures."""
import os
import re
from pathlib import Path

import charts
import crossing
import goals
import pictures
import relative
import summary
import tables
from goals import cores_of
from programs import Trouble

MARKED = re.compile(r"(<!-- bench/report: (\w+) -->\n)(.*?)(<!-- end -->)", re.S)


def markdown(head, rows):
    """The first column is text, the others are numbers."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def origin(records, tables):
    """With what, when, where and how those tables were measured."""
    places = {(table.question, table.cores, table.workload) for table in tables}
    here = [record for record in records if summary.place(record) in places]
    told = []
    for record in here:
        machine = record["machine"]
        one = (f"`{record.get('runner', 'bench/run FOLDER')}`, "
               f"{record['date'][:10]}, {machine['processor']}, "
               f"{machine['processors']} processors, {machine['kernel']}, commit "
               f"{machine['commit']}; {record['layout']}.")
        if one not in told:
            told.append(one)
    return "\n".join(told) + "\n\n"


# --- the tables ---------------------------------------------------------------


def speed(records, found):
    """Of each number of cores: server × workload."""
    for cores, own in relative.by_cores(found):
        yield f"With {cores_of(cores)} for the server:\n\n" + origin(records, own)
        yield markdown(["", *(table.title for table in own)],
                       list(relative.rows(own))) + "\n"


def best(records, found):
    """Who serves most for each second of CPU."""
    for cores, own in relative.by_cores(found):
        cells = crossing.grid(own, crossing.per_second)
        sessions, connections = crossing.axes(cells)
        yield f"With {cores_of(cores)} for the server:\n\n" + origin(records, own)
        yield markdown(
            ["round trips of a session ↓, connections →",
             *(f"{count:,}" for count in connections)],
            [[f"{session:,}", *(best_of(cells.get((session, count)))
                                for count in connections)]
             for session in sessions]) + "\n"


def best_of(cell):
    if not cell:
        return "–"
    server = max(cell, key=cell.get)
    return f"{server}, {charts.short(float(f'{cell[server]:.3g}'))}"


def memory(records, found):
    """Bytes of PSS for each connection."""
    for table in found:
        counts = sorted({int(name[len("pss@"):]) for row in table.rows
                         for name in row.figures if name.startswith("pss@")})
        rows = [row for row in table.rows if row.figures]
        rows.sort(key=lambda row: row.figures[max(
            (name for name in row.figures if name.startswith("pss@")),
            key=lambda name: int(name[len("pss@"):]))])
        yield origin(records, [table])
        yield markdown(["", *(f"of {count:,}" for count in counts)],
                       [[row.server, *(bytes_of(row, count)
                                       for count in counts)]
                        for row in rows]) + "\n"


def bytes_of(row, count):
    return tables.whole(row.figures.get(f"pss@{count}"))


def to_reach(records, found):
    """What was measured of the speeds to reach."""
    rows = [goals.row(goal) for goal in goals.goals(records) if goal.values]
    if found and rows:
        yield origin(records, found)
        yield markdown(list(goals.HEADS), [list(row) for row in rows]) + "\n"


TABLES = {"speed": speed, "crossing": best, "goals": to_reach,
          "memory": memory}


# --- into the files -----------------------------------------------------------


def fill(text, records, shown):
    """README's text with the tables of what was measured; others stay. shown:
    {question: (title, address)} of the pictures."""
    found = summary.tables(records)

    def filled(match):
        begin, name, before, end = match.groups()
        if name not in TABLES:
            raise Trouble(f"there is no table {name}: {', '.join(TABLES)}")
        of_it = [table for table in found if table.question == name]
        made = "".join(TABLES[name](records, of_it))
        if not made:
            return begin + before + end
        if name in shown:
            made += "![{}]({})\n\n".format(*shown[name])
        return f"{begin}\n{made}{end}"

    text, count = MARKED.subn(filled, text)
    if count == 0:
        raise Trouble("README has no <!-- bench/report: NAME --> and "
                      "<!-- end -->")
    return text


def write(records, readme=None, folder=None):
    """Returns what was written."""
    written, shown = [], {}
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        for name, title, drawn in pictures.all_of(summary.tables(records)):
            file = Path(folder) / f"{name}.svg"
            charts.write(drawn, file, title)
            written.append(file)
            if readme:
                shown[name] = title, os.path.relpath(file, Path(readme).parent)
    if readme:
        file = Path(readme)
        file.write_text(fill(file.read_text(encoding="utf-8"), records, shown),
                        encoding="utf-8")
        written.append(file)
    return written
