# SPDX-License-Identifier: MIT
"""Question 6, on made-up measurements, tiny servers and the models themselves."""
import sys
import unittest
from pathlib import Path
from unittest import mock

from support import BUILD, bench_of, record

import connections
import measure
import newcomers
import page
import servers
import sharing
import summary
import tables
from programs import Fault, Trouble

SERVER = Path(__file__).resolve().parent / "echo_server.py"


def kind(what):
    return servers.Kind(
        what, lambda port, options, cores: [sys.executable, SERVER, what,
                                            *options], "")


def model(name, way):
    return next(one for one in servers.models(BUILD)[name].by_way()
                if one.name == f"{name} {way}")


def measured(server, workload, what, number=1, **figures):
    return record(server, what, number, figures, question="sharing",
                  workload=workload, title=workload)


def shares(server, fewest, most, workload="held64", number=1, **more):
    return measured(server, workload, workload[:len("held")], number, threads=8,
                    fewest=fewest, most=most, even=8,
                    spread=(most - fewest) / 8, **more)


MIXED = {"workload": "mixed", "seconds": 2, "sessions": 1000,
         "long_p50_us": 100, "long_p99_us": 250, "short_p50_us": 300,
         "short_p99_us": 450}
RECORDS = [
    shares("even", 8, 8), shares("hash", 4, 11), shares("hash", 6, 13,
                                                        number=2),
    {**shares("even", 7, 9, **MIXED), "what": "mixed"},
    measured("even", "stalled", "stalled", opened=270, waited=0, p50_us=60,
             p99_us=900, max_us=1100),
    measured("hash", "stalled", "stalled", opened=270, waited=33, p50_us=61,
             p99_us=950000, max_us=999000),
]


class Told(unittest.TestCase):
    def setUp(self):
        self.held, self.mixed, self.stalled = summary.tables(RECORDS)

    def test_tables_have_medians_of_the_rounds(self):
        for table, line in (
                (self.held, r"hash +5 +12 +8 +88%"),
                (self.mixed, r"even +7 +9 +8 +25% +0\.100 / 0\.250 +0\.300 / "
                 r"0\.450 +1,000"),
                (self.stalled, r"hash +270 +33 +61\.0 µs +950 ms +999 ms")):
            text = "\n".join(tables.printed(table, tables.of(table)))
            self.assertRegex(text, line)

    def test_paragraphs_say_what_came_out(self):
        html = page.page(RECORDS)
        for words in (
                '<h2 id="sharing">6. How evenly are connections shared?',
                "opened 64 connections as fast as it could",
                "From the fewest that a thread got to the most: even 8; hash 5 "
                "to 12.",
                "of the long ones, from the fewest to the most: even 7 to 9.",
                "of the short ones: even 250 µs and 450 µs.",
                "even 0 of 270, p99 900 µs; hash 33 of 270, p99 950 ms."):
            self.assertIn(words, html)

    def test_percentiles_are_values_that_occurred(self):
        values = [5, 1, 4, 2, 3]
        for share, value in ((0.5, 3), (0.6, 3), (0.61, 4), (0.99, 5), (1, 5),
                             (0.01, 1)):
            self.assertEqual(sharing.percentile(values, share), value)

    def test_spread_is_of_an_even_share(self):
        self.assertEqual(sharing.spread([2, 4, 6]), {
            "threads": 3, "fewest": 2, "most": 6, "even": 4, "spread": 1})


class Newcomers(unittest.TestCase):
    def waits(self, what, *options):
        with servers.Running(kind(what), *options) as server:
            return newcomers.Newcomers(server.address, 100, 0.3).waits()

    def test_each_is_opened_and_served(self):
        waits = self.waits("none")
        self.assertEqual(len(waits), 30)
        self.assertGreater(min(waits), 0)

    def test_a_stall_counts_from_when_each_was_due(self):
        # The first of them stalls it for twice as long as they come.
        waits = self.waits("none", "--slow", "600")
        self.assertGreater(min(waits), 0.3)
        self.assertGreater(max(waits), 0.6)

    def test_what_is_wrong_is_a_fault(self):
        for what, reason in (("wrong", "wrong byte"), ("cut", "closed")):
            with self.assertRaisesRegex(Fault, reason):
                self.waits(what)


class Measured(unittest.TestCase):
    def setUp(self):
        self.bench = bench_of(self, 0.1)

    def test_in_turn_and_to_the_fewest_is_even(self):
        for way in ("rr", "least"):
            # A loop that gets no CPU for a second counts as stalled, and is left
            # out: on a busy machine, but not each time.
            for _ in range(3):
                figures, commands = sharing.held(
                    self.bench, model("teller", way), sharing.HELD[0])
                self.assertIn(f"--balance {way}", commands[0])
                if figures["spread"] == 0:
                    break
            self.assertEqual((figures["threads"], figures["fewest"],
                              figures["most"]), (8, 8, 8))

    def test_what_threads_have_open_is_told_when_asked(self):
        for way in servers.MODELS["epoll_threads"]["ways"]:
            with self.bench.start(model("epoll_threads", way),
                                  threads=3) as server:
                for count in connections.hold(server.address, 10, 1):
                    self.assertEqual(sum(sharing.open_now(server)), count)
                sharing.open_once(server, 0)
                with mock.patch.object(measure, "TIMEOUT", 0.3):
                    with self.assertRaisesRegex(Trouble, "0 .* open, not 5"):
                        sharing.open_once(server, 5)
                self.assertEqual(sum(sharing.taken(model("epoll_threads", way),
                                                   server)), 10)

    def test_long_ones_are_counted_behind_short_ones(self):
        figures, commands = sharing.mixed(
            self.bench, model("teller", "least"), sharing.MIXED)
        self.assertEqual(figures["even"], 8)
        self.assertGreater(figures["sessions"], 64)
        self.assertEqual(len(commands), 3)

    def test_a_loop_that_stalls_has_its_connections_wait(self):
        figures, commands = sharing.stalled(
            self.bench, model("teller", "rr"), sharing.STALLED)
        self.assertIn("--slow 1000", commands[0])
        self.assertEqual(figures["opened"], 270)
        # In turn: one of eight, less those that came at the very end.
        self.assertGreater(figures["waited"], 20)
        self.assertGreater(figures["max_us"], 500000)

    def test_who_does_not_tell_is_at_fault(self):
        with self.assertRaisesRegex(Fault, "does not tell"):
            sharing.held(self.bench, kind("none"), sharing.HELD[0])


if __name__ == "__main__":
    unittest.main()
