# SPDX-License-Identifier: MIT
"""Where the CPU goes: perf's reports read, and a short run."""
import tempfile
import unittest

from support import BUILD, record

import page
import profiles
import servers
import summary
import tables
from layout import Layout
from measure import Bench
from programs import Trouble

REPORT = """
    27.22%  [kernel.kallsyms]  [k] _copy_to_iter
     1.50%  libuv.so.1.0.0     [.] 0x000000000001a080
     0.70%  teller-echo        [.] on_data(int, char)

no line of it
"""
ABOUT = {"question": "profile", "workload": "stream10", "title": "stream × 10",
         "unit": "MiB"}


class Read(unittest.TestCase):
    def test_a_line_is_a_function_and_its_share(self):
        self.assertEqual(
            {key: round(value, 4) for key, value in
             profiles.read(REPORT).items()},
            {(profiles.KERNEL, "_copy_to_iter"): 0.2722,
             ("libuv.so.1.0.0", "0x000000000001a080"): 0.015,
             ("teller-echo", "on_data(int, char)"): 0.007})

    def test_each_function_is_part_of_something(self):
        for module, function, part in (
                (profiles.KERNEL, "_copy_from_iter", "copying"),
                (profiles.KERNEL, "_raw_spin_unlock_irqrestore",
                 "locks, switches"),
                (profiles.KERNEL, "ep_poll_callback", "epoll"),
                (profiles.KERNEL, "tcp_ack", "TCP/IP"),
                (profiles.KERNEL, "kmem_cache_free", "memory"),
                (profiles.KERNEL, "fput", "files, calls"),
                (profiles.KERNEL, "zzz", "other kernel"),
                ("libuv.so.1.0.0", "tcp_ack", "libuv"), ("libc.so.6", "x", "libc"),
                ("teller-echo", "x", "the program")):
            self.assertEqual(profiles.part_of(module, function), part, function)


class Told(unittest.TestCase):
    RECORDS = [record(server, "profile", 1, {
        "samples": 1000, "part:copying": share, "part:libc": 0.1,
        "fn:copying:_copy_to_iter": share}, **ABOUT)
        for server, share in (("teller-echo", 0.54), ("epoll", 0.48))]

    def test_the_largest_part_is_the_first_column(self):
        table, = summary.tables(self.RECORDS)
        self.assertEqual([name for name, _, _ in tables.of(table)],
                         ["copying", "libc"])

    def test_the_page_has_the_functions_of_both(self):
        html = page.page(self.RECORDS)
        self.assertIn('<h2 id="profile">Where does the CPU go?', html)
        self.assertIn("_copy_to_iter</th><td>copying</td><td>54%</td>"
                      "<td>48%</td>", html)


class Measured(unittest.TestCase):
    def test_the_shares_of_a_run_come_to_all_of_it(self):
        with tempfile.TemporaryDirectory() as scratch:
            bench = Bench(BUILD, Layout(1), 0.3, None, scratch)
            try:
                figures, commands = profiles.profile(
                    bench, servers.models(BUILD)["epoll"], profiles.WORKLOADS[0])
            except Trouble as trouble:
                self.skipTest(str(trouble))
        parts = sum(value for name, value in figures.items()
                    if name.startswith("part:"))
        self.assertGreater(parts, 0.9)
        self.assertLess(parts, 1.1)
        self.assertIn("perf record", commands[0])


if __name__ == "__main__":
    unittest.main()
