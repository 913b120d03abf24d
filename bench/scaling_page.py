# SPDX-License-Identifier: MIT
"""Question 3 on the page: what was measured, the law fitted to it, and in words
what came out."""
from html import escape
from statistics import median

import charts_scaling as charts
import usl
from parts import commands, html_table
from scaling import ACCEPTS_ON_ONE, SERVERS, shape
from tables import microseconds, number
from workloads import SPEED

MOST = 64  # threads to which the model is drawn


class Server:
    """All that was measured of one server under one workload."""

    def __init__(self, name, rows, processors):
        self.name = name
        self.processors = processors
        self.rounds = by_round(rows, "cpu_us")
        self.fit = usl.fit(self.rounds)
        self.interval = usl.interval(self.rounds)
        self.cpu = medians(rows, "cpu_us")
        self.rate = medians(rows, "rate")
        self.first = medians(rows, "first_us")

    def speeds(self):
        """{n: throughput, of that of one thread}, as far as there are
        processors."""
        return {n: self.rate[n] / self.rate[1] for n in self.rate
                if n <= self.processors and 1 in self.rate}

    def accepting(self):
        """What accepting takes of a session, as part of it, or None. Of all
        counts of threads the median: it does not depend on them."""
        if self.name not in ACCEPTS_ON_ONE:
            return None
        parts = [self.first[n] / self.cpu[n] for n in self.cpu]
        return median(parts) if parts and median(parts) > 0 else None


def by_round(rows, name):
    """[{n: figure}], one for each round."""
    found = {}
    for n, row in rows.items():
        for key, figures in row.rounds.items():
            found.setdefault(key, {})[n] = figures[name]
    return [found[key] for key in sorted(found)]


def medians(rows, name):
    return {n: median(figures[name] for figures in row.rounds.values())
            for n, row in sorted(rows.items()) if row.rounds}


def place(named):
    """Of one of SERVERS in their order."""
    return SERVERS.index(named[0]) if named[0] in SERVERS else len(SERVERS)


def unit(name):
    """What is done, under this workload."""
    return "session" if SPEED[name].session else "round trip"


def servers_of(found):
    """{workload: [Server]}, and those that have no fit among them."""
    rows, processors = {}, {}
    for table in found:
        name, count = shape(table.workload)
        processors[name] = table.cores
        for row in table.rows:
            if not row.fault and row.rounds:
                rows.setdefault(name, {}).setdefault(
                    row.server, {})[count] = row
    return {name: [Server(server, of_it, processors[name])
                   for server, of_it in sorted(servers.items(), key=place)]
            for name, servers in rows.items()}


# --- in words -----------------------------------------------------------------


def percent(value):
    return f"{100 * value:.1f}%"


def span(interval, show):
    return f" ({show(interval[0])} to {show(interval[1])})"


def coefficient(value):
    return "0" if value == 0 else f"{value:.2g}"


def run_told(name, servers):
    """What was run."""
    counts = sorted({n for server in servers for n in server.cpu})
    rounds = max(len(server.rounds) for server in servers)
    cores = servers[0].processors
    return (f"{SPEED[name].title}, on {', '.join(map(str, counts))} threads, in "
            f"{rounds} round{'s' if rounds > 1 else ''}. Server and teller-load "
            f"share all {cores} processors in each of them, so no more than "
            f"{cores} threads run at once, and the throughput at {cores} is what "
            "is left beside the client. ")


def fit_told(server, of_what):
    """What came out: a sentence or two."""
    fit, interval = server.fit, server.interval
    if fit is None:
        return (f"{server.name}: too few counts of threads were measured for a "
                "fit.")
    last = max(fit.measured)
    cost = last / fit.measured[last] - 1
    told = [f"{server.name}: a {of_what} takes "
            f"{abs(100 * cost):.0f}% {'more' if cost > 0 else 'less'} CPU on "
            f"{last} threads than on one; "]
    if fit.sigma == fit.kappa == 0:
        told.append("it does not rise with threads (C(n) is n, or more), so the "
                    "fit is σ = κ = 0 and sees no limit")
    else:
        told.append(f"σ = {coefficient(fit.sigma)}")
        told.append(span(interval.sigma, coefficient) if interval else "")
        told.append(f", κ = {coefficient(fit.kappa)}")
        told.append(span(interval.kappa, coefficient) if interval else "")
    told.append(f"; the law misses what was measured by {percent(fit.rms)} (rms), "
                f"{percent(abs(fit.worst))} at most. ")
    told.append(f"By the model, which is no measurement, {MOST} threads are worth "
                f"{fit.capacity(MOST):.1f} of the first")
    told.append(span(interval.capacity(MOST), lambda value: f"{value:.1f}")
                if interval else "")
    if fit.sigma == fit.kappa == 0:
        told.append(f": all that this says is that {server.processors} processors "
                    "at once have shown no limit")
    told.append(peak_told(fit) + ".")
    if interval is None:
        told.append(f" An interval takes {usl.LEAST_ROUNDS} rounds: there is "
                    "none.")
    return "".join(told)


def peak_told(fit):
    if fit.peak is None or fit.peak > 1000:
        return ""
    return f", and the most have {fit.peak:.0f} of them"


def accepting_told(server):
    part = server.accepting()
    if part is None:
        return ""
    first = median(server.first.values())
    return (f"{server.name} accepts on one thread, which takes "
            f"{microseconds(first)} of CPU for each session, {percent(part)} of "
            f"all: so (Amdahl) it never does more than {1 / part:.1f} times what "
            f"one processor does, {number(1e6 / first)} sessions per second on "
            "one like these, whatever the law says.")


# --- tables -------------------------------------------------------------------


def cell(value):
    return f"<td>{escape(value)}</td>"


def table(head, rows):
    heads = "".join(f'<th scope="col">{escape(one)}</th>' for one in head)
    body = "".join(f'<tr><th scope="row">{escape(row[0])}</th>'
                   f'{"".join(map(cell, row[1:]))}</tr>\n' for row in rows)
    return (f'<div class="wide"><table><thead><tr>{heads}</tr></thead><tbody>'
            f"{body}</tbody></table></div>")


def law_table(servers):
    rows = []
    for one in servers:
        if one.fit is None:
            continue
        def with_interval(value, of_it, show):
            return show(value) + (span(of_it(one.interval), show)
                                  if one.interval else "")
        rows.append([
            one.name,
            with_interval(one.fit.sigma, lambda i: i.sigma, coefficient),
            with_interval(one.fit.kappa, lambda i: i.kappa, coefficient),
            percent(one.fit.rms), percent(abs(one.fit.worst)),
            *(with_interval(one.fit.capacity(n), lambda i, n=n: i.capacity(n),
                            lambda value: f"{value:.1f}")
              for n in (16, MOST))])
    return table(["the law, fitted", "σ", "κ", "residual, rms", "largest",
                  "16 threads (model)", f"{MOST} threads (model)"], rows)


def measured_table(servers, of_what):
    counts = sorted({n for server in servers for n in server.cpu})
    rows = []
    for what, of_server, show in (
            (f"CPU of a {of_what}", lambda one: one.cpu, microseconds),
            ("capacity C(n)", lambda one: one.fit.measured if one.fit else {},
             lambda value: f"{value:.2f}"),
            (f"{of_what}s/s", lambda one: one.rate, number)):
        for one in servers:
            values = of_server(one)
            rows.append([f"{one.name}: {what}", *(
                show(values[n]) if n in values else "–" for n in counts)])
    for one in servers:
        if one.accepting() is not None:
            rows.append([f"{one.name}: CPU of the accepting thread", *(
                microseconds(one.first.get(n)) for n in counts)])
    return table(["threads", *map(str, counts)], rows)


# --- the section --------------------------------------------------------------


def chart(server, sessions):
    part = server.accepting() if sessions else None
    if server.fit is None or not server.speeds():
        return ""
    return charts.capacity(charts.Capacity(
        server.name, server.fit.measured, server.speeds(), server.fit.capacity,
        server.interval.capacity if server.interval else None,
        1 / part if part else None, MOST))


def sections(found):
    for name, servers in servers_of(found).items():
        sessions = bool(SPEED[name].session)
        told = [run_told(name, servers)]
        told += [fit_told(server, unit(name)) for server in servers]
        told += [accepting_told(server) for server in servers if sessions]
        own = [one for one in found if shape(one.workload)[0] == name]
        details = "".join(f"<h3>{escape(one.title)}</h3>{html_table(one)}"
                          f"{commands(one)}" for one in own)
        yield (f"<section><h3>{escape(SPEED[name].title)}: capacity by threads, "
               "in threads of the first</h3>"
               + charts.capacity_key(sessions)
               + '<div class="panels">'
               + "".join(chart(server, sessions) for server in servers)
               + "</div>" + "".join(f"<p>{escape(one)}</p>"
                                    for one in told if one)
               + law_table(servers) + measured_table(servers, unit(name))
               + "<details><summary>All figures of this</summary>"
               + f"{details}</details></section>")
