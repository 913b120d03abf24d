# SPDX-License-Identifier: MIT
"""What bounds a run: time to build peers, this machine's limits, and how long all
of it will take."""
import argparse
import os
import signal
import tempfile
import time
import unittest
from collections import Counter
from pathlib import Path
from unittest import mock

from support import BUILD

import foresight
import servers
import slow
import workloads
from layout import Layout
from measure import Bench
from programs import Trouble
from rounds import Clock, Rounds, at_most


class Building(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)
        self.source = self.folder / "source"
        self.source.write_text("")

    def build(self, script, limit):
        return servers.build_once(self.folder / "program", self.source,
                                  ["sh", "-c", script], limit,
                                  cwd=self.folder)

    def test_what_takes_too_long_is_ended_with_all_it_has_started(self):
        with self.assertRaisesRegex(Trouble, "more than 1 s to build"):
            self.build("sleep 300 & echo $! > child; sleep 300", 1)
        child = int((self.folder / "child").read_text())
        self.addCleanup(lambda: gone(child) or os.kill(child, signal.SIGKILL))
        until = time.monotonic() + 30
        while not gone(child) and time.monotonic() < until:
            time.sleep(0.01)
        self.assertTrue(gone(child))

    def test_a_program_is_built_once_and_again_if_its_source_is_newer(self):
        script = "echo x >> count; touch program"
        os.utime(self.source, (1, 1))
        for _ in range(2):
            self.assertTrue(self.build(script, 60))
        self.assertEqual((self.folder / "count").read_text(), "x\n")
        os.utime(self.source, (2**31, 2**31))
        self.assertTrue(self.build(script, 60))
        self.assertEqual((self.folder / "count").read_text(), "x\nx\n")
        self.assertFalse(self.build("touch -d @1 program; exit 1", 60))

    def test_tokio_is_left_out_when_there_is_no_time_to_build_it(self):
        crates = self.folder / "crates"
        (crates / "tokio-1.2.3").mkdir(parents=True)
        with mock.patch.object(servers, "CRATES", crates), \
                mock.patch.object(servers.shutil, "which", lambda _: "cargo"), \
                mock.patch.object(servers, "build_once",
                                  return_value=True) as build:
            with self.assertRaisesRegex(Trouble, "there is no time"):
                servers.tokio(self.folder, servers.TOKIO_TAKES - 1)
            build.assert_not_called()
            self.assertEqual(servers.tokio(self.folder,
                                           servers.TOKIO_TAKES).version, "1.2.3")
            build.assert_called_once()


def gone(pid):
    """Whether it has ended, also if nobody has waited for it yet."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True
    return text.rpartition(")")[2].split()[0] == "Z"


class Machine(unittest.TestCase):
    def test_a_limit_of_the_machine_is_said_to_be_one(self):
        with mock.patch.object(servers.resource, "getrlimit",
                               return_value=(1500, 1500)):
            self.assertEqual(servers.tasks_most(), 500)
        for name in ("fork", "thread"):
            kind = servers.model(name, "true")
            self.assertEqual(kind.most, servers.tasks_most())
            self.assertIn("by this machine's limit of processes and threads",
                          at_most(kind))
        self.assertNotIn("machine", at_most(servers.model("select", "true")))


class Order(unittest.TestCase):
    def test_servers_take_turns_forth_and_back(self):
        kinds = [servers.models(BUILD)[name] for name in ("poll", "epoll")]
        bench = Bench(BUILD, Layout(1), 0.2, None, "/nowhere")
        rounds = Rounds(bench, kinds, mock.Mock(), Clock())
        which = [workloads.SPEED[name] for name in ("64x50", "16kx50")]
        for number, names in ((1, ["poll", "epoll"]), (2, ["epoll", "poll"])):
            told = [(workload.name, kind.name) for kind, workload, _ in
                    rounds.each("speed", which, number=number)]
            self.assertEqual(told, [(workload.name, name)
                                    for workload in which for name in names])


class Foreseen(unittest.TestCase):
    def foreseen(self, question, rounds=3, seconds=0.2, names=("epoll",)):
        found = servers.models(BUILD)
        bench = Bench(BUILD, Layout(1), seconds, None, "/nowhere")
        options = argparse.Namespace(rounds=rounds, quick=False)
        return foresight.foresee(question, options, bench,
                                 [found[name] for name in names])

    def test_each_measurement_counts(self):
        which = [workloads.SPEED["64x50"]]

        def speed(rounds, options):
            rounds.throughput("speed", which, options.rounds)
            rounds.latency("speed", which, 1)
        one, more, two = (self.foreseen(speed, *how)["speed"] for how in (
            (1, 0.2), (3, 0.2), (1, 0.2, ("epoll", "poll"))))
        each = foresight.START + 0.1 + 0.2
        self.assertAlmostEqual(one, 3 * each)
        self.assertAlmostEqual(more, 5 * each)
        self.assertAlmostEqual(two, 6 * each)
        # Who serves one connection at a time is not measured.
        self.assertEqual(self.foreseen(speed, names=("iterative",)), Counter())

    def test_it_is_about_what_it_takes(self):
        """Within a factor of 10: the machine may be busy."""
        foreseen = self.foreseen(slow.measure, 1)["slow"]
        records = mock.Mock()
        with tempfile.TemporaryDirectory() as scratch:
            bench = Bench(BUILD, Layout(1), 0.2, None, scratch)
            rounds = Rounds(bench, [servers.models(BUILD)["epoll"]], records,
                            Clock())
            began = time.monotonic()
            slow.measure(rounds, argparse.Namespace(rounds=1, quick=False))
        took = time.monotonic() - began
        self.assertEqual(records.add.call_args.kwargs["what"], "slow")
        self.assertGreater(took, foreseen / 10)
        self.assertLess(took, foreseen * 10)

    def test_it_is_told_by_question(self):
        self.assertEqual(foresight.told(Counter(speed=600, slow=130)),
                         "this will take about 12 minutes (speed 10, slow 2)")


if __name__ == "__main__":
    unittest.main()
