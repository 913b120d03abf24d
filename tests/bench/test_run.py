# SPDX-License-Identifier: MIT
"""bench/run itself, on real servers: ours, and tiny ones with a fault each."""
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from support import BUILD, ROOT

import measure
import records
import servers
import summary
import workloads
from programs import Fault, load_command

SERVER = Path(__file__).resolve().parent / "echo_server.py"
RUN = ROOT / "bench" / "run"
FAULTS = {  # of a server, and words of the reason
    "wrong": "1 × wrong byte",
    "cut": "closed early",
    "status": "ended with status 3",
    "mute": "did not start",
}


def added(*faults):
    words = []
    for name in faults:
        words += ["--add", f"{name}={sys.executable} {SERVER} {name}"]
    return words


class Run(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name) / "results"

    def run_it(self, *words, build=BUILD):
        done = subprocess.run(
            [sys.executable, RUN, "--rounds", "2", "--seconds", "0.1",
             "--workloads", "64x50", *words, self.folder, build],
            text=True, capture_output=True, timeout=120)
        self.told = done.stdout + done.stderr
        return done.returncode

    def row(self, server, question="speed"):
        found = [table for table in summary.tables(records.read(self.folder))
                 if table.question == question]
        self.assertEqual(len(found), 1)
        return found[0].row(server)

    def test_a_server_at_fault_has_no_figure_and_is_named(self):
        status = self.run_it("--servers", "epoll", "--questions", "speed",
                             *added("none", *FAULTS))
        self.assertEqual(status, 1, self.told)
        for name, reason in FAULTS.items():
            row = self.row(name)
            self.assertEqual((row.figures, row.rates, row.ratios),
                             ({}, [], []), name)
            self.assertIn(reason, row.fault["reason"])
            self.assertRegex(self.told,
                             f"(?m)^{name} has no figure for .*{reason}")
            self.assertRegex(self.told, f"(?m)^  {name} +no figure: ")
        for name in ("epoll", "none"):
            row = self.row(name)
            self.assertIsNone(row.fault)
            self.assertEqual(len(row.rates), 2, self.told)
            for figure in ("rate", "cpu_us", "p99_9_us", "p50_us@0.5",
                           "p50_us@0.8", "voluntary"):
                self.assertGreater(row.figures[figure], 0, figure)
        self.assertEqual(self.row("epoll").ratio, 1)
        self.assertGreater(self.row("none").ratio, 0)
        # A wrong byte takes a server out everywhere, the others only there.
        for name in FAULTS:
            self.assertEqual(self.row(name).fault["everywhere"],
                             name == "wrong")

    def test_each_workload_can_be_asked_for(self):
        names = [name for name in workloads.SPEED if name != "idle10000"]
        self.assertEqual(self.run_it("--servers", "epoll", "--questions",
                                     "speed", "--workloads", ",".join(names)),
                         0, self.told)
        self.assertEqual({record["workload"] for record in
                          records.read(self.folder)
                          if record["what"] == "throughput"}, set(names))

    def test_what_was_measured_has_its_commands_and_its_machine(self):
        self.assertEqual(self.run_it("--servers", "teller-echo,epoll",
                                     "--questions", "speed"), 0, self.told)
        for record in records.read(self.folder):
            self.assertIn(record["what"], ("throughput", "latency", "calls"))
            self.assertGreaterEqual(len(record["commands"]), 2)
            server, load = record["commands"][-2:]
            self.assertRegex(server, "(model_epoll|teller-echo) ")
            self.assertRegex(load, r"teller-load 127\.0\.0\.1:\d+ --json")
            for key in ("processor", "kernel", "processors", "commit"):
                self.assertTrue(record["machine"][key])
            self.assertRegex(record["date"], r"^20\d\d-\d\d-\d\dT")

    def test_a_server_that_does_not_end_is_at_fault(self):
        words = [sys.executable, SERVER, "stays"]
        kind = servers.Kind("stays", lambda *_: words, "")
        with mock.patch.object(servers, "STOP_LIMIT", 0.3):
            with servers.Running(kind) as server:
                with self.assertRaisesRegex(Fault, "did not end"):
                    measure.check_end(kind, server)
        self.assertFalse(Path(f"/proc/{server.pid}").exists())

    def test_nothing_measured_is_status_2(self):
        self.assertEqual(self.run_it("--servers", "epoll",
                                     build=self.folder / "none"), 2)
        self.assertEqual(self.run_it("--servers", "nobody"), 2)
        self.assertIn("there is no server nobody", self.told)
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_a_question_or_a_workload_that_is_none_is_named(self):
        for option, known in (("questions", "buffers, profile, goals"),
                              ("workloads", "64x50, 64x1000")):
            self.assertEqual(self.run_it(f"--{option}", "nonsense"), 2)
            self.assertIn(f"there is no nonsense in the {option}", self.told)
            self.assertIn(known, self.told)
        self.assertFalse(self.folder.exists())

    def test_memory_of_silent_connections(self):
        # Two ways of serving that are far apart, and one that serves too few.
        self.assertEqual(self.run_it(
            "--quick", "--questions", "memory", "--servers",
            "epoll,thread,thread_pool"), 0, self.told)
        epoll, thread = (self.row(name, "memory").figures["pss@1000"]
                         for name in ("epoll", "thread"))
        self.assertGreater(epoll, 8)
        self.assertLess(epoll, 1000)
        self.assertGreater(thread, 4096)
        pool = self.row("thread_pool", "memory")
        self.assertEqual(pool.figures, {})
        self.assertIn("64 connections", pool.missing[0])


class Scheduled(unittest.TestCase):
    def test_a_stream_that_never_waits_ends_under_sched_fifo(self):
        """The server, too, or it would not always keep teller-load busy."""
        mine = sorted(os.sched_getaffinity(0))
        if len(mine) == 1:
            self.skipTest("there is one processor")
        server, load = (["chrt", "-f", "1", "taskset", "-c", str(processor)]
                        for processor in (mine[0], mine[-1]))
        if subprocess.run([*server, "true"], capture_output=True,
                          timeout=10).returncode:
            self.skipTest("SCHED_FIFO is not allowed here")
        with servers.Running(servers.models(BUILD)["epoll"],
                             pinned=server) as running:
            command = [*load, *load_command(BUILD, running.address, mode="stream",
                                            connections=4, duration=0.3)]
            done = subprocess.run(command, text=True, capture_output=True,
                                  timeout=30)
        self.assertEqual(done.returncode, 0, done.stderr)


if __name__ == "__main__":
    unittest.main()
