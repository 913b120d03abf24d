# SPDX-License-Identifier: MIT
"""The page of bench/report. A section for each question that was measured; what
a question wants beside tables is a function in SECTIONS."""
from html import escape

import buffers_page
import charts
import crossing
import goals
import layers_page
import profiles_page
import relative
import scaling_page
import sharing_page
import slow_page
import summary
import tables
from page_style import STYLE
from parts import bars, commands, html_table, paragraph, titled
from workloads import QUESTIONS

ABOUT = {
    "speed": "Each server has a process of its own for each measurement, and "
    "teller-load checks every byte. The servers take turns within a round; "
    "ratios are to raw epoll in the same round. In a chart a bar is the median "
    "of the rounds, the line across its end goes from the least to the most, "
    "and the dark bar is raw epoll. Connections that think wait so long between "
    "two round trips, which bounds the rate: there compare CPU and latency.",
    "crossing": "Sessions of so many round trips of 64 B, with so many "
    "connections open at a time, in the closed loop: round trips for each "
    "second of CPU that the server used, and how long one takes at p99.",
    "slow": slow_page.ABOUT,
    "scaling": "CPU of a round trip on one and on more threads, on all "
    "processors and beside the client: with more threads than processors it is "
    "still measured what threads cost each other. Capacity C(n) is n times the CPU "
    "of a round trip on one thread, by that on n, in the same round; to it the "
    "universal scalability law C(n) = n / (1 + σ(n − 1) + κ n(n − 1)) is fitted "
    "by least squares of n/C − 1, with an interval that has 90% of the fits to "
    "resampled rounds. It knows of what costs CPU: where threads wait and use none, "
    "and what more processors, memory or a network would do, is not in it.",
    "memory": "So many connections are opened, each has one round trip and is "
    "silent from then on. Memory of all processes of the server, less what it "
    "had with one connection; PSS counts what processes share in parts. What "
    "the kernel keeps (sockets, stacks of threads, page tables) is not in it.",
    "layers": "The same work in ever more layers, each on one thread: raw epoll; "
    "libuv that writes at once (uv_try_write) and as its guide has it; teller that "
    "accepts on its only loop; teller-echo with one loop, without its watchdog, "
    "which wakes a loop four times a second however much there is to do. strace and "
    "callgrind slow a server down, so there its batches are larger; CPU and time "
    "are of rounds without them. Accepting 50 connections takes some calls more "
    "or less: 0.02 for each round trip.",
    "sharing": sharing_page.ABOUT,
    "buffers": buffers_page.ABOUT,
    "profile": profiles_page.ABOUT,
}


# --- the questions ------------------------------------------------------------


def speed_charts(table):
    return ('<div class="pair">'
            + bars(table, "{units}/s, in the closed loop", "rate",
                   lambda row: row.rates, tables.number)
            + bars(table, "CPU of the server for each {unit}", "cpu_us",
                   lambda row: row.costs, tables.microseconds) + "</div>")


def matrix(found):
    head = "".join(f'<th scope="col">{escape(table.title)}</th>'
                   for table in found)
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th>'
        + "".join(f"<td>{escape(text)}</td>" for text in texts) + "</tr>\n"
        for name, *texts in relative.rows(found))
    return (f'<div class="wide"><table><thead><tr><th>server</th>{head}</tr>'
            f"</thead><tbody>{body}</tbody></table></div>")


def speed(found):
    for cores, own in relative.by_cores(found):
        yield ("<section><h3>All workloads: throughput relative to raw epoll; "
               f"{goals.cores_of(cores)} for the server</h3>{matrix(own)}"
               "</section>")
    for table in found:
        yield (f"<section>{titled(table)}{speed_charts(table)}"
               f"{html_table(table)}{commands(table)}</section>")


def memory(found):
    for table in found:
        rows = []
        for row in table.rows:
            at = sorted((int(name[len("pss@"):]), value)
                        for name, value in row.figures.items()
                        if name.startswith("pss@"))
            if at:
                rows.append((row.server, [(f"{count:,} connections", value)
                                          for count, value in at]))
        rows.sort(key=lambda one: one[1][-1][1])
        chart = charts.dots("Memory of a silent connection", rows,
                            "bytes of PSS per connection")
        yield (f"<section>{titled(table)}{chart}"
               + paragraph("A dot for each number of connections, the filled "
                           "one for the largest.", "soft")
               + f"{html_table(table)}{commands(table)}</section>")


# Each a function of the tables of its question.
SECTIONS = {"speed": speed, "crossing": crossing.sections,
            "slow": slow_page.sections, "scaling": scaling_page.sections,
            "memory": memory, "layers": layers_page.sections,
            "sharing": sharing_page.sections,
            "buffers": buffers_page.sections,
            "profile": profiles_page.sections}


# --- the page -----------------------------------------------------------------


def head(records):
    machines = []
    for record in records:
        if record["machine"] not in machines:
            machines.append(record["machine"])
    dates = sorted({record["date"][:16].replace("T", " ")
                    for record in records})
    told = [f"{one['processor']}, {one['processors']} processors, "
            f"{one['kernel']}, commit {one['commit']}" for one in machines]
    layouts = sorted({f"{record['cores']} for the server: {record['layout']}"
                      for record in records if record.get("layout")})
    return "".join(paragraph(line) for line in [
        "; ".join(told), " to ".join(dict.fromkeys((dates[0], dates[-1]))) + " UTC",
        "Processors: " + "; ".join(layouts)])


def without_figure(records):
    """Who did something wrong, and what."""
    told = dict.fromkeys(
        f"{fault['server']} ("
        + ("anywhere" if fault["everywhere"] else
           f"{fault['title']}, {goals.cores_of(fault['cores'])}")
        + f"): {fault['reason']}" for fault in summary.faults(records))
    if not told:
        return ""
    return '<div class="note"><p>Without a figure:</p><ul>' + "".join(
        f"<li>{escape(one)}</li>" for one in told) + "</ul></div>"


def raw_row(record):
    figures = ", ".join(f"{name} {value:.6g}"
                        for name, value in record["figures"].items())
    made = "<br>".join(f"<code>{escape(command)}</code>"
                       for command in record["commands"])
    return (f"<tr><td class=\"text\">{escape(record['server'])}</td>"
            f"<td class=\"text\">{escape(record['workload'])}</td>"
            f"<td class=\"text\">{escape(record['what'])} {record['round']}</td>"
            f'<td class="why">{escape(figures)}</td>'
            f'<td class="why">{made}</td></tr>\n')


def raw(records):
    """Each measurement by itself, but those of a server that has no figure."""
    faults = summary.faults(records)
    rows = "".join(
        raw_row(record) for record in records if "figures" in record and
        not summary.fault_of(faults, record["server"], record["cores"],
                             record["workload"]))
    return ("<section><details><summary>Each measurement, and the commands that "
            'made it</summary><div class="wide"><table><thead><tr><th>server</th>'
            "<th>workload</th><th>what, round</th><th>figures</th>"
            f"<th>commands</th></tr></thead><tbody>{rows}</tbody></table></div>"
            "</details></section>")


def page(records):
    found = summary.tables(records)
    asked = [name for name in SECTIONS
             if any(table.question == name for table in found)]
    body = []
    for name in asked:
        of_it = [table for table in found if table.question == name]
        body.append(f'<h2 id="{name}">{escape(QUESTIONS[name])}</h2>'
                    + paragraph(ABOUT[name], "soft")
                    + "".join(SECTIONS[name](of_it)))
    titles = {name: QUESTIONS[name] for name in asked}
    to_reach = goals.section(records, "".join(
        titled(table) + html_table(table) + commands(table)
        for table in found if table.question == "goals"))
    if to_reach:
        titles["goals"] = QUESTIONS["goals"]
        body.append(to_reach)
    links = "".join(f'<a href="#{name}">{escape(title)}</a>'
                    for name, title in titles.items())
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Ways of serving, side by side</title><style>{STYLE}</style></head><body>
<header><h1>Ways of serving, side by side</h1>{head(records)}
<nav>{links}</nav></header>
<main>{without_figure(records)}{"".join(body)}
<h2>All that was measured</h2>{raw(records)}</main>
<footer>Written by bench/report from the lines of JSON that bench/run has left.
A head's title says what a column is. CPU time has a resolution of 10 ms.
</footer></body></html>
"""
