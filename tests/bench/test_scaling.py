# SPDX-License-Identifier: MIT
"""Question 3: what is measured, and what the page makes of it."""
import contextlib
import re
import tempfile
import unittest
from html import unescape
from unittest import mock

from support import BUILD, chart, fault, record

import measure
import page
import records
import scaling
import scaling_page
import servers
import summary
from layout import Layout
from rounds import Clock, Rounds


def on_threads(server, workload, count, number, cpu_us, rate, first_us=0.0,
               **more):
    return record(server, "throughput", number, {
        "rate": rate, "cpu_us": cpu_us, "first_us": first_us, "p50_us": 1.0,
        "p99_us": 2.0, "p99_9_us": 3.0, "client_busy": 0.5},
        question="scaling", workload=f"{workload}/{count}", cores=2,
        title=f"{workload} on {count}", **more)


def scaled(server, workload, sigma, kappa, first_part=0.0):
    """Three rounds that follow the law."""
    found = []
    for number, base in ((1, 5.0), (2, 6.0), (3, 5.5)):
        for n in (1, 2, 4, 8):
            cost = base * (1 + sigma * (n - 1) + kappa * n * (n - 1))
            found.append(on_threads(server, workload, n, number, cost,
                                    1000.0 * n, first_part * cost))
    return found


class Scaling(unittest.TestCase):
    def servers(self, found):
        return scaling_page.servers_of(summary.tables(found))

    def test_the_law_is_fitted_to_the_cpu_of_the_rounds(self):
        server, = self.servers(scaled("epoll_threads", "64x50", 0.05,
                                      0.002))["64x50"]
        self.assertAlmostEqual(server.fit.sigma, 0.05, 6)
        self.assertAlmostEqual(server.fit.kappa, 0.002, 6)
        told = scaling_page.fit_told(server, "round trip")
        for part in ("46% more CPU on 8 threads than on one",
                     "σ = 0.05 (0.05 to 0.05)", "κ = 0.002 (0.002 to 0.002)",
                     "by 0.0% (rms), 0.0% at most",
                     "By the model, which is no measurement, 64 threads are worth "
                     "5.2 of the first (5.2 to 5.2), and the most have 22"):
            self.assertIn(part, told)

    def test_no_rise_is_said_to_be_none(self):
        server, = self.servers(scaled("epoll_threads", "64x50", -0.01,
                                      0))["64x50"]
        told = scaling_page.fit_told(server, "round trip")
        self.assertIn("the fit is σ = κ = 0", told)
        self.assertIn("2 processors at once have shown no limit", told)

    def test_the_accepting_thread_bounds_sessions(self):
        found = scaled("teller-echo", "session1", 0.01, 0, first_part=0.125)
        found += scaled("epoll_threads", "session1", 0.01, 0, first_part=0.125)
        server, other = self.servers(found)["session1"]
        self.assertIn("12.5% of all: so (Amdahl) it never does more than 8.0 "
                      "times", scaling_page.accepting_told(server))
        self.assertEqual(scaling_page.accepting_told(other), "")

    def test_throughput_is_shown_no_further_than_there_are_processors(self):
        server, = self.servers(scaled("teller-echo", "64x50", 0, 0))["64x50"]
        self.assertEqual(server.speeds(), {1: 1, 2: 2})
        self.assertIn("share all 2 processors",
                      scaling_page.run_told("64x50", [server]))

    def test_a_server_at_fault_is_not_there(self):
        found = scaled("epoll_shared", "64x50", 0, 0)
        found.append(fault("epoll_shared", "1 × wrong byte", True, cores=2,
                           question="scaling", workload="64x50/1"))
        self.assertEqual(self.servers(found), {})


class OnThePage(unittest.TestCase):
    def test_it_is_answered_in_words_and_with_a_chart(self):
        html = page.page(scaled("teller-echo", "session1", 0.01, 0.001,
                                first_part=0.125))
        text = unescape(re.sub("<[^>]*>", " ", html))
        for part in ("3. How does it scale?", "a model, not a measurement",
                     "so (Amdahl)"):
            self.assertIn(part, text)
        for label, word in (("Capacity of teller-echo by threads", "64"),
                            ("What the marks are",
                             "a model, not a measurement")):
            svg = chart(html, label)
            self.assertIn(f">{word}<", svg)
            # The page's colours and fonts, dark where it is dark.
            self.assertNotRegex(svg, r"(?<!url\()#[0-9a-f]{6}|[sS]ans|<style|<metadata|url\((?!#)")


class Measured(unittest.TestCase):
    def test_the_cpu_of_threads_on_real_servers_and_all_processors(self):
        with tempfile.TemporaryDirectory() as scratch, \
                mock.patch.multiple(scaling, COUNTS=(1, 2),
                                    WORKLOADS=("session1",)), \
                contextlib.closing(records.Records(scratch)) as written:
            bench = measure.Bench(BUILD, Layout(1), 0.1, None, scratch)
            kinds = [servers.teller(BUILD, "teller-echo"),
                     servers.models(BUILD)["epoll"]]
            scaling.scaling(Rounds(bench, kinds, written, Clock()),
                            mock.Mock(quick=False, rounds=1, seconds=0.1))
        self.assertEqual([(one["server"], one["workload"])
                          for one in written.all],
                         [("teller-echo", "session1/1"),
                          ("teller-echo", "session1/2")])
        for one, count in zip(written.all, (1, 2)):
            figures = one["figures"]
            self.assertRegex(one["commands"][0], f" --loops {count}$")
            self.assertNotIn("taskset", " ".join(one["commands"]))
            self.assertGreater(figures["first_us"], 0)
            self.assertGreaterEqual(figures["busiest_us"], figures["first_us"])
            self.assertGreater(figures["cpu_us"], figures["busiest_us"])


if __name__ == "__main__":
    unittest.main()
