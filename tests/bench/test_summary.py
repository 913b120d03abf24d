# SPDX-License-Identifier: MIT
"""What made-up measurements come to."""
import unittest

from support import fault, record, throughput

import calls
import crossing
import summary
import tables
from layout import Layout
from programs import Trouble


def only_table(records):
    found = summary.tables(records)
    assert len(found) == 1
    return found[0]


class Medians(unittest.TestCase):
    ROUNDS = [throughput("epoll", 1, 100), throughput("mine", 1, 150),
              throughput("epoll", 2, 200), throughput("mine", 2, 120),
              throughput("epoll", 3, 400), throughput("mine", 3, 300)]

    def test_a_ratio_is_the_median_of_those_within_a_round(self):
        row = only_table(self.ROUNDS).row("mine")
        self.assertEqual(row.ratios, [1.5, 0.6, 0.75])
        self.assertEqual(row.ratio, 0.75)  # and not 150 / 200
        self.assertEqual(row.figures["rate"], 150)

    def test_spread_is_from_least_to_most_of_the_median(self):
        self.assertEqual(only_table(self.ROUNDS).row("mine").spread, 180 / 150)
        self.assertIsNone(only_table(self.ROUNDS[:2]).row("mine").spread)

    def test_rounds_of_two_runs_are_not_mixed(self):
        later = [dict(one, run="20261126T130000") for one in
                 (throughput("epoll", 1, 1000), throughput("mine", 1, 500))]
        row = only_table(self.ROUNDS[:2] + later).row("mine")
        self.assertEqual(row.ratios, [1.5, 0.5])

    def test_a_round_without_raw_epoll_has_no_ratio(self):
        row = only_table(self.ROUNDS[:2] + self.ROUNDS[3:4]).row("mine")
        self.assertEqual((row.ratios, len(row.rates)), ([1.5], 2))

    def test_several_cores_are_compared_with_epoll_on_threads(self):
        row = only_table([throughput("epoll", 1, 50, cores=2),
                          throughput("epoll_threads", 1, 100, cores=2),
                          throughput("mine", 1, 90, cores=2)]).row("mine")
        self.assertEqual(row.ratio, 0.9)

    def test_the_fastest_is_first(self):
        names = [row.server for row in only_table(
            self.ROUNDS + [fault("bad", "a reason")]).rows]
        self.assertEqual(names, ["epoll", "mine", "bad"])

    def test_shares_of_latency_and_counts_of_memory_are_apart(self):
        row = only_table([
            record("mine", "latency", 1, {"share": share, "p50_us": value})
            for share, value in ((0.5, 10), (0.5, 30), (0.8, 500))]).row("mine")
        self.assertEqual((row.figures["p50_us@0.5"], row.figures["p50_us@0.8"]),
                         (20, 500))


class Faults(unittest.TestCase):
    def test_rounds_before_a_fault_do_not_count(self):
        row = only_table([throughput("epoll", 1, 100),
                          throughput("bad", 1, 500),
                          fault("bad", "1 × wrong byte")]).row("bad")
        self.assertEqual((row.figures, row.rates, row.ratio), ({}, [], None))
        self.assertEqual(row.fault["reason"], "1 × wrong byte")

    def test_a_wrong_byte_is_for_all_workloads_and_an_error_for_one(self):
        for everywhere in (True, False):
            found = summary.tables([
                throughput("bad", 1, 500),
                fault("bad", "why", everywhere, workload="other")])
            self.assertEqual(bool(found[0].row("bad").fault), everywhere)
            self.assertEqual(bool(found[0].row("bad").figures), not everywhere)

    def test_without_raw_epoll_there_are_no_ratios(self):
        row = only_table([throughput("epoll", 1, 100),
                          throughput("mine", 1, 500),
                          fault("epoll", "why")]).row("mine")
        self.assertEqual((row.rates, row.ratio), ([500], None))


class Printed(unittest.TestCase):
    def test_a_table_says_all_of_it(self):
        table = only_table(Medians.ROUNDS + [
            fault("bad", "1 × wrong byte"),
            record("few", "missing", reason="serves one at a time")])
        text = "\n".join(tables.printed(table, tables.of(table)))
        for line in (r"mine +150 +0\.75 +120%", "bad +no figure: 1 × wrong byte",
                     "few +not measured: serves one at a time"):
            self.assertRegex(text, line)

    def test_numbers_keep_three_digits(self):
        for value, told in ((0, "0"), (0.001234, "0.00123"), (2.046, "2.05"),
                            (46.04, "46.0"), (1234.5, "1,234"), (None, "–")):
            self.assertEqual(tables.number(value), told)
        for value, told in ((5.69, "5.69 µs"), (4330, "4.33 ms"),
                            (2e6, "2.00 s")):
            self.assertEqual(tables.microseconds(value), told)


class Crossing(unittest.TestCase):
    def test_it_says_where_threads_are_ahead(self):
        cells = {(1, 1): {"thread_pool": 120, "epoll": 100},
                 (10, 1): {"thread": 98, "thread_pool": 50, "epoll": 100},
                 (1, 16): {"thread": 50, "teller-echo": 90, "epoll": 100},
                 (9, 9): {"thread": 50}}
        text = crossing.claim(cells)
        for part in ("3 of them", "ahead of the best loop in 1 (1 × 1)",
                     "within 5% of it in 1 (10 × 1)", "behind in 1."):
            self.assertIn(part, text)


class Pieces(unittest.TestCase):
    def test_perf_and_strace_are_understood(self):
        self.assertEqual(calls.read_perf(
            "# started on\n\n4711,,raw_syscalls:sys_enter,99,100.00,,\n"), 4711)
        self.assertIsNone(calls.read_perf(
            "<not supported>,,raw_syscalls:sys_enter,0,100.00,,\n"))
        self.assertEqual(calls.read_strace("""\
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 60.00    0.000300           3       100           sendto
 40.00    0.000200           2        90        10 recvfrom
------ ----------- ----------- --------- --------- ----------------
100.00    0.000500           2       190        10 total
"""), 190)
        self.assertIsNone(calls.read_strace("strace: not permitted\n"))

    def test_server_and_load_have_cores_of_their_own(self):
        layout = Layout(2, [0, 1, 2, 3])
        self.assertEqual((layout.server, layout.client), ([0, 1], [2, 3]))
        self.assertTrue(layout.on_server()[-1].endswith("0,1"))

    def test_too_few_cores_are_shared_and_that_is_said(self):
        layout = Layout(2, [4, 5])
        self.assertEqual((layout.server, layout.on_server()), ([4, 5], []))
        self.assertIn("shared", str(layout))
        with self.assertRaises(Trouble):
            Layout(3, [4, 5])


if __name__ == "__main__":
    unittest.main()
