# SPDX-License-Identifier: MIT
"""What the sections of the page are made of, whatever they tell."""
from html import escape

import charts
import goals
import summary
import tables


def paragraph(what, kind=""):
    return f'<p class="{kind}">{escape(what)}</p>'


# --- tables -------------------------------------------------------------------


def commands_of(row):
    for what, commands in row.commands.items():
        yield (f"<dt>{escape(row.server)}, {escape(what)}</dt>" + "".join(
            f"<dd><code>{escape(command)}</code></dd>"
            for command in commands))


def commands(table):
    """Those that made the figures: of the first round, as the others are alike
    but for the port."""
    told = "".join("".join(commands_of(row)) for row in table.rows)
    return (f'<details><summary>The commands</summary><dl class="commands">'
            f"{told}</dl></details>" if told else "")


def cells(row, columns):
    if row.fault:
        return (f'<td class="why fault" colspan="{len(columns)}">no figure: '
                f"{escape(row.fault['reason'])}</td>")
    if not row.figures:
        return (f'<td class="why" colspan="{len(columns)}">not measured: '
                f"{escape(row.missing[0] if row.missing else '')}</td>")
    return "".join(f"<td>{escape(show(row))}</td>" for _, _, show in columns)


def html_table(table):
    columns = tables.of(table)
    head = "".join(f'<th scope="col" title="{escape(what)}">'
                   f"{escape(tables.head(name, table))}</th>"
                   for name, what, _ in columns)
    body = "".join(
        f'<tr data-server="{escape(row.server)}">'
        f'<th scope="row" title="{escape(row.version)}">'
        f"{escape(row.server)}</th>{cells(row, columns)}</tr>\n"
        for row in table.rows)
    place = (f'data-place="{escape(table.question)} {table.cores} '
             f'{escape(table.workload)}"')
    return (f'<div class="wide"><table {place}><thead><tr><th>server</th>'
            f"{head}</tr>"
            f"</thead><tbody>{body}</tbody></table></div>")


def functions_of(row, most):
    """(value, name, whose, function) of those that it is most in."""
    found = sorted(((value, name) for name, value in row.figures.items()
                    if name.startswith("fn:")), reverse=True)[:most]
    return [(value, name, *name.split(":", 2)[1:]) for value, name in found]


# --- a table's head and its charts --------------------------------------------


def titled(table):
    return (f"<h3>{escape(table.title)}; {goals.cores_of(table.cores)} for the "
            "server</h3>")


def figure(caption, chart):
    return f"<figure><figcaption>{escape(caption)}</figcaption>{chart}</figure>"


def bars(table, caption, name, values, show):
    """One chart of a table's rows; values(row): all that were measured."""
    base = summary.baseline(table.cores)
    items = [(row.server, row.figures[name], min(values(row)),
              max(values(row)), row.server == base)
             for row in table.rows if name in row.figures]
    caption = tables.head(caption, table)
    return figure(caption, charts.bars(f"{table.title}: {caption}", items,
                                       show)) if items else ""
