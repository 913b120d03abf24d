# SPDX-License-Identifier: MIT
"""Question 5: what is counted, and what the page makes of it."""
import contextlib
import re
import tempfile
import unittest
from html import unescape
from unittest import mock

from support import BUILD, chart, record

import layers
import layers_page
import measure
import page
import records
import servers
import summary
from layout import Layout
from rounds import Clock, Rounds


def layer(server, what, figures, number=1, **more):
    return record(server, what, number, figures, question="layers", **more)


def timed(server, number, cpu_us, rate):
    return layer(server, "throughput", {"cpu_us": cpu_us, "rate": rate}, number)


def counted(server, calls, own, tellers, libuv, libc=110.0):
    return [layer(server, "calls", {
        "calls": calls, "call:read": 1.0, "call:epoll_pwait": calls - 2,
        "call:write": 1.0}), layer(server, "instructions", {
            "instructions": own + tellers + libuv + libc, "insn:program": own,
            "insn:teller": tellers, "insn:libuv": libuv, "insn:libc": libc,
            "insn:others": 0.0, "fn:teller:tlr_<write>": 39.5,
            "fn:libuv:uv_try_write2": 56.25})]


LAYERS = [
    timed("epoll", 1, 4.0, 100e3), timed("teller-echo", 1, 5.0, 80e3),
    timed("epoll", 2, 8.0, 50e3), timed("teller-echo", 2, 9.6, 40e3),
    timed("epoll", 3, 4.0, 90e3), timed("teller-echo", 3, 4.4, 100e3),
    timed("uv_try_write", 1, 4.4, 90e3), timed("uv_try_write", 2, 9.0, 50e3),
    *counted("epoll", 2.02, 49, 0, 0), *counted("uv_try_write", 2.05, 40, 0, 250),
    *counted("teller-echo", 2.03, 30, 320, 250),
]


class Layers(unittest.TestCase):
    def table(self):
        one, = summary.tables(LAYERS)
        return one

    def test_a_step_is_the_difference_and_the_ratio_within_rounds(self):
        told = layers_page.step_told(self.table(), "teller-echo", "epoll", "All")
        # CPU 1.25, 1.2, 1.1; time 1.25, 1.25, 0.9
        self.assertEqual(told, "All: 0.01 more system calls, 551 more "
                         "instructions, 1.20 times the CPU, 1.25 times the time.")
        self.assertEqual(layers_page.step_told(self.table(), "uv_guide", "epoll",
                                               "All"), "")

    def test_a_round_without_a_tick_of_cpu_has_no_ratio(self):
        one, = summary.tables(LAYERS + [timed("epoll", 4, 0.0, 100e3),
                                        timed("teller-echo", 4, 9.0, 100e3)])
        self.assertEqual(layers_page.ratios(
            one.row("teller-echo"), one.row("epoll"), layers_page.cpu_of),
            [1.25, 1.2, 4.4 / 4])

    def test_goals_are_judged_without_libc(self):
        calls, instructions = layers_page.goals_told(self.table())
        self.assertIn("2.03, at most 2.10 were wanted: the goal is met", calls)
        self.assertIn("600, at most 350 were wanted: the goal is missed by 250",
                      instructions)
        self.assertIn("310 are what teller adds", instructions)

    def test_a_goal_reached_exactly_is_met(self):
        self.assertIn("is met", layers_page.goal(350, 350, "", 0))
        self.assertIn("missed by 1", layers_page.goal(351, 350, "", 0))

    def test_waiting_is_one_call_by_any_name(self):
        calls = layers_page.calls_of(self.table().row("epoll"))
        self.assertAlmostEqual(calls["epoll_wait"], 0.02)
        self.assertEqual((calls["read"], calls["others"]), (1.0, 0.0))

    def test_functions_are_whose_they_are(self):
        whose = layers.owner("teller-echo", {"tlr_write", "give"})
        for module, function, of in (
                ("teller-echo", "give", "teller"),
                ("teller-echo", "tlr_write'2", "teller"),
                ("teller-echo", "on_read", "program"),
                ("teller-echo", "uv_try_write", "libuv"),
                ("libuv", "0x1a080", "libuv"), ("libteller", "give", "teller"),
                ("libc", "read", "libc"), ("ld-linux-x86-64", "x", "others")):
            self.assertEqual(whose(module, function), of)

    def test_what_a_program_has_more_often_than_the_library_is_its_own(self):
        echo = BUILD / "src" / "echo" / "teller-echo"
        names = layers.tellers(echo, BUILD / "src" / "core" / "libteller.a")
        self.assertIn("tlr_write", names)
        self.assertNotIn("on_read", names)  # both have one
        self.assertNotIn("main", names)


class OnThePage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.html = page.page(LAYERS + [
            record("uv_guide", "missing", question="layers",
                   reason="calls: strace is not installed")])
        cls.text = unescape(re.sub("<[^>]*>", " ", cls.html))

    def test_it_is_answered_in_words(self):
        for part in ("5. What does libuv cost, and teller over it?",
                     "the goal is missed by 250",
                     "Left out: calls: strace is not installed", "tlr_<write>"):
            self.assertIn(part, self.text)

    def test_charts_have_the_colours_and_the_fonts_of_the_page(self):
        for label, words in (
                ("64 B × 50: User-space instructions, by whose they are",
                 ("uv_try_write", "710", "libuv")),
                ("64 B × 50: System calls, by name", ("2.03", "epoll_wait"))):
            svg = chart(self.html, label)
            for word in words:
                self.assertIn(f">{word}<", svg)
            self.assertNotRegex(svg, r"(?<!url\()#[0-9a-f]{6}|[sS]ans|<style|<metadata|url\((?!#)")

    def test_the_profile_has_the_most_first_and_what_is_left(self):
        found = re.search(r"Where the instructions of teller-echo go.*?</table>",
                          self.html, re.S).group()
        rows = re.findall(r'<th scope="row">(.*?)</th>', found)
        self.assertEqual(rows, ["uv_try_write2", "tlr_&lt;write&gt;",
                                "all others"])
        self.assertIn("<td>614.2</td>", found)  # of 710


class Measured(unittest.TestCase):
    """On real servers, with few round trips and no limit of time."""

    def measured(self, names):
        with contextlib.ExitStack() as stack:
            scratch = stack.enter_context(tempfile.TemporaryDirectory())
            stack.enter_context(mock.patch.object(layers, "WORKLOADS",
                                                  ("64x50",)))
            stack.enter_context(mock.patch.multiple(measure, SHORT=500,
                                                    LONG=2500))
            written = stack.enter_context(contextlib.closing(
                records.Records(scratch)))
            bench = measure.Bench(BUILD, Layout(1), 0.1, None, scratch)
            kinds = [servers.teller(BUILD, "teller-echo"),
                     *servers.models(BUILD).values()]
            layers.layers(Rounds(bench, [kind for kind in kinds
                                         if kind.name in names], written,
                                 Clock()),
                          mock.Mock(quick=False, rounds=1, seconds=0.1))
        return {(one["server"], one["what"]): one.get("figures", one)
                for one in written.all}

    def test_calls_and_instructions_of_real_servers(self):
        found = self.measured(("teller-echo", "epoll", "uv_try_write"))
        for server in ("teller-echo", "epoll", "uv_try_write"):
            self.assertGreater(found[server, "throughput"]["rate"], 0)
            # Accepting 50 connections takes some more, or less.
            for call in ("call:read", "call:write"):
                self.assertAlmostEqual(found[server, "calls"][call], 1,
                                       delta=0.2)
        own, libuv, plain = (found[server, "instructions"] for server in
                             ("teller-echo", "uv_try_write", "epoll"))
        self.assertEqual((plain["insn:teller"], plain["insn:libuv"]), (0, 0))
        self.assertEqual(libuv["insn:teller"], 0)
        for figures, whose, least in (
                (own, "teller", 100), (own, "libuv", 100), (own, "program", 5),
                (libuv, "libuv", 100), (plain, "program", 10)):
            self.assertGreater(figures[f"insn:{whose}"], least, whose)
        self.assertLess(plain["instructions"], libuv["instructions"])
        self.assertLess(libuv["instructions"], own["instructions"])

    def test_a_tool_that_is_missing_is_said_and_the_rest_measured(self):
        with mock.patch.object(layers.shutil, "which", lambda _: None):
            found = self.measured(("epoll",))
        self.assertGreater(found["epoll", "throughput"]["rate"], 0)
        self.assertEqual(len(found), 2)
        # The last of both that are missing, of one name.
        self.assertEqual(found["epoll", "missing"]["reason"],
                         "instructions: valgrind is not installed")


if __name__ == "__main__":
    unittest.main()
