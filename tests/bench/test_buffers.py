# SPDX-License-Identifier: MIT
"""The read buffer's size, on made-up measurements and with teller-echo."""
import errno
import sys
import unittest
from pathlib import Path
from unittest import mock

from support import BUILD, bench_of, record, throughput

import buffers
import buffers_page
import page
import servers
import summary
import tables
from programs import Fault, Trouble

SERVER = Path(__file__).resolve().parent / "echo_server.py"
STREAM = {"question": "buffers", "workload": "stream10", "title": "stream × 10",
          "unit": "MiB"}
UNREAD = {"question": "buffers", "workload": "unread", "title": "unread",
          "unit": "round trip"}


def stream(kib, *cpus):
    return [throughput(buffers.name_of(kib), number, 1e6 / cpu, **STREAM)
            for number, cpu in enumerate(cpus, 1)]


def memory(kib, pss):
    return record(buffers.name_of(kib), "unread", 1,
                  {"unread_pss": pss, "unread_sent": 9e6}, **UNREAD)


RECORDS = [*stream(64, 400, 410, 390), *stream(128, 360, 370, 350),
           *stream(1024, 600), memory(64, 65536), memory(128, 98304)]


class Told(unittest.TestCase):
    def test_the_paragraphs_compare_with_the_default(self):
        streamed, unread = summary.tables(RECORDS)
        self.assertEqual(
            buffers_page.what_came_out(streamed),
            "CPU for each MiB, of what 64 KiB take (400 µs): 128 KiB 0.90, "
            "1,024 KiB 1.50. The least is with 128 KiB.")
        self.assertEqual(
            buffers_page.what_came_out(unread),
            "Each costs 64 KiB with 64 KiB: 1.5 times that with 128 KiB.")

    def test_without_the_default_nothing_is_compared(self):
        for table in summary.tables([*stream(128, 360), memory(128, 98304)]):
            self.assertEqual(buffers_page.what_came_out(table), "")

    def test_the_table_of_memory_has_its_own_columns(self):
        table = summary.tables(RECORDS)[1]
        text = "\n".join(tables.printed(table, tables.of(table)))
        self.assertRegex(text, r"memory, bytes +taken, bytes")
        self.assertRegex(text, r"64 KiB +65,536 +9,000,000")

    def test_it_has_a_section_on_the_page(self):
        html = page.page(RECORDS)
        self.assertIn('<h2 id="buffers">How large shall the read buffer be?',
                      html)
        self.assertIn("The least is with 128 KiB.", html)


class Measured(unittest.TestCase):
    def setUp(self):
        self.bench = bench_of(self, 0.3)

    def test_a_size_is_an_option_of_teller_echo(self):
        one = buffers.kind_of(servers.teller(BUILD, "teller-echo"), 256)
        self.assertEqual(one.name, "teller-echo, 256 KiB")
        words = [str(word) for word in one.command(7, (), 1)]
        self.assertIn("--read-buffer 262144", " ".join(words))

    def test_what_is_not_read_is_held_by_kernel_and_server(self):
        one = buffers.kind_of(servers.teller(BUILD, "teller-echo"), 64)
        figures, commands = buffers.unread(self.bench, one, buffers.UNREAD)
        self.assertGreater(figures["unread_sent"], 65536)
        self.assertGreater(figures["unread_pss"], 10000)
        self.assertLess(figures["unread_pss"], 200000)
        self.assertIn("--read-buffer 65536", commands[0])

    def test_a_connection_that_breaks_is_a_fault_and_no_descriptors_are_not(self):
        one = buffers.kind_of(servers.teller(BUILD, "teller-echo"), 64)
        for error, kind in ((errno.ECONNRESET, Fault), (errno.EMFILE, Trouble)):
            with mock.patch("buffers.fill", side_effect=OSError(error, "so")):
                with self.assertRaisesRegex(kind, "a peer that does not read"):
                    buffers.unread(self.bench, one, buffers.UNREAD)

    def test_who_takes_without_end_is_at_fault(self):
        endless = servers.Kind("endless", lambda port, options, cores: [
            sys.executable, SERVER, "sink"], "")
        limit, buffers.STUCK_LIMIT = buffers.STUCK_LIMIT, 1
        try:
            with self.assertRaisesRegex(Fault, "takes what is not read"):
                buffers.unread(self.bench, endless, buffers.UNREAD)
        finally:
            buffers.STUCK_LIMIT = limit


if __name__ == "__main__":
    unittest.main()
