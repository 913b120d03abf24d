# SPDX-License-Identifier: MIT
"""Question 2, on made-up measurements and on a tiny server with a slow handler."""
import sys
import unittest
from pathlib import Path

from support import BUILD, bench_of, fault, record

import page
import servers
import slow
import slow_page
import summary
import tables
from programs import Fault

SERVER = Path(__file__).resolve().parent / "echo_server.py"


def measured(server, p50, p99, number=1, **more):
    """In ms, beside the slow one; without it all are at 1 ms."""
    figures = {"delay_ms": 100, "asked": 2000, "seconds": 1, "unsent": 0,
               "slow_round_trips": 10, "calm_lateness_p99_us": 500}
    for name, values in (("calm", (1, 1, 1, 1)), ("slow", (p50, p99, p99, 150))):
        for part, value in zip(("p50", "p99", "p99_9", "max"), values):
            figures[f"{name}_{part}_us"] = 1000 * value
    return record(server, "slow", number, figures, question="slow",
                  workload="quick50", title="50 quick connections beside a slow "
                  "one", **more)


RECORDS = [measured("loop", 51, 99), measured("pool", 0.75, 96),
           measured("apart", 0.5, 2), measured("apart", 0.7, 4, 2),
           record("few", "missing", question="slow", workload="quick50",
                  reason="serves one connection at a time"),
           measured("bad", 0.1, 0.2),
           fault("bad", "1 × wrong byte", question="slow", workload="quick50")]


def kind(what):
    return servers.Kind(
        what, lambda port, options, cores: [sys.executable, SERVER, what,
                                            *options], "")


class Told(unittest.TestCase):
    def setUp(self):
        self.table, = summary.tables(RECORDS)

    def test_who_makes_quick_ones_wait_least_is_first(self):
        self.assertEqual([row.server for row in self.table.rows][:3],
                         ["apart", "pool", "loop"])

    def test_the_table_has_medians_without_and_beside_the_slow_one(self):
        text = "\n".join(tables.printed(self.table, tables.of(self.table)))
        for line in (r"apart +1\.00 / 1\.00 / 1\.00 / 1\.00 +"
                     r"0\.600 / 3\.00 / 3\.00 / 150 +10\.0 +0",
                     "few +not measured: serves one", "bad +no figure: 1 ×"):
            self.assertRegex(text, line)

    def test_the_paragraph_says_who_waits(self):
        told = slow_page.what_came_out(slow_page.measured(self.table))
        for words in (
                "Without the slow one their p99 is 1.00 ms; teller-load was as "
                "late as 500 µs",
                "1 of 3 keep the quick ones apart from it (apart): p50 600 µs, "
                "p99 3.00 ms, at most 150 ms",
                "1 of 3 let some of them wait (pool): p50 750 µs, p99 96.0 ms",
                "1 of 3 let all of them wait (loop): p50 51.0 ms, p99 99.0 ms"):
            self.assertIn(words, told)

    def test_who_waited_without_the_slow_one_is_not_judged(self):
        for row in self.table.rows:
            if row.server == "pool":
                row.figures["calm_p99_us"] = 20000
        told = slow_page.what_came_out(slow_page.measured(self.table))
        self.assertIn("too busy to judge pool.", told)
        self.assertNotIn("some of them", told)

    def test_it_has_a_section_on_the_page(self):
        html = page.page(RECORDS)
        self.assertIn('<h2 id="slow">2. What does a slow customer cost?', html)
        self.assertIn("blocks for 100 ms at each read", html)
        self.assertIn("let all of them wait (loop)", html)


class Measured(unittest.TestCase):
    def setUp(self):
        self.bench = bench_of(self, 0.3)

    def test_a_single_loop_lets_all_wait_for_the_slow_one(self):
        figures, commands = slow.both(self.bench, kind("none"))
        # However busy this machine is, the slow one's own share is what it is.
        self.assertGreater(figures["slow_max_us"], 1000 * slow.DELAY_MS / 2)
        self.assertGreater(figures["slow_round_trips"], 1)
        self.assertIn("--slow 100", commands[2])
        self.assertNotIn("--slow", commands[0])

    def test_a_wrong_byte_of_the_slow_one_is_a_fault(self):
        with servers.Running(kind("wrong")) as server:
            with self.assertRaisesRegex(Fault, "wrong byte") as caught:
                with slow.slow_customer(server.address) as customer:
                    customer.join()  # ends at the fault
            self.assertTrue(caught.exception.wrong_bytes)

    def test_a_connection_that_is_closed_is_a_fault(self):
        with servers.Running(kind("cut")) as server:
            with self.assertRaisesRegex(Fault, "closed the slow connection"):
                with slow.slow_customer(server.address) as customer:
                    customer.join()


class Ways(unittest.TestCase):
    def test_each_way_of_a_model_is_a_server_of_its_own(self):
        found = servers.models(BUILD)
        ways = list(found["teller"].by_way())
        self.assertEqual([way.name for way in ways],
                         ["teller least", "teller rr", "teller reuseport"])
        words = [str(word) for word in ways[1].command(0, ("--slow", 5), 4)]
        self.assertEqual(words[1:], ["--listen", "127.0.0.1:0", "--threads", "4",
                                     "--balance", "rr", "--slow", "5"])
        self.assertEqual(list(found["epoll"].by_way()), [found["epoll"]])

    def test_they_are_those_that_the_model_has(self):
        for model in servers.models(BUILD).values():
            program = model.command(0, (), 1)[0]
            told = servers.output_of(program, "--help")
            self.assertEqual(bool(model.ways), "--balance" in told, model.name)
            self.assertIn("|".join(model.ways), told)


if __name__ == "__main__":
    unittest.main()
