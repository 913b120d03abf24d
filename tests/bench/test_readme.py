# SPDX-License-Identifier: MIT
"""What bench/report writes into README.md, and its pictures."""
import tempfile
import unittest
from pathlib import Path
from xml.etree import ElementTree

from support import ROOT, fault, record, throughput

import readme
from programs import Trouble

MARKED = """# A title
<!-- bench/report: speed -->
as it was
<!-- end -->
between
<!-- bench/report: memory -->
as it was
<!-- end -->
<!-- bench/report: crossing -->
<!-- end -->
the end
"""
BIG = {"workload": "64x1000", "title": "64 B × 1,000"}
STREAM = {"workload": "stream10", "title": "stream × 10", "unit": "MiB"}
SPEED = [
    throughput("epoll", 1, 1000, runner="bench/run --rounds 2 FOLDER"),
    throughput("mine", 1, 1500), throughput("epoll", 2, 3000),
    throughput("mine", 2, 3300), throughput("slow", 2, 300),
    throughput("epoll", 1, 500, **BIG), throughput("mine", 1, 450, **BIG),
    fault("slow", "1 × wrong byte", **BIG), throughput("epoll", 1, 80, **STREAM)]


def crossed(server, session, connections, rate):
    return throughput(server, 1, rate, question="crossing",
                      workload=f"session{session}x{connections}",
                      title=f"sessions of {session}, {connections} at a time")


CROSSING = [crossed("thread", 1, 16, 3131), crossed("epoll", 1, 16, 3030),
            crossed("thread", 10, 64, 41413), crossed("epoll", 10, 64, 50505)]
MEMORY = [record(server, "memory", 1, {"connections": count, "pss": pss,
                                       "rss": 1}, question="memory",
                 workload="silent", title="silent connections",
                 unit="connection")
          for server, count, pss in (("fork", 100, 12000.4), ("mine", 100, 520),
                                     ("mine", 19000, 496))]


class Readme(unittest.TestCase):
    def lines(self, records):
        return readme.fill(MARKED, records, {}).splitlines()

    def test_speed_is_told_as_ratios_to_raw_epoll(self):
        lines = self.lines(SPEED)
        for line in ("|  | 64 B × 50 | 64 B × 1,000 | stream × 10 |",
                     "| --- | ---: | ---: | ---: |",
                     "| epoll, per second | 2,000 | 500 | 80.0 MiB |",
                     "| mine | 1.30 | 0.90 | – |", "| slow | 0.10 | fault | – |"):
            self.assertIn(line, lines)

    def test_each_table_says_how_and_where_it_was_measured(self):
        text = "\n".join(self.lines(SPEED))
        self.assertIn(
            "`bench/run --rounds 2 FOLDER`, 2026-11-26, A processor, 4 "
            "processors, Linux 6.1, commit 0123456789ab; the server on [0], "
            "teller-load on [1].", text)
        self.assertIn("With 1 core for the server", text)

    def test_numbers_of_cores_have_tables_of_their_own(self):
        two = [throughput("epoll_threads", 1, 100, cores=2),
               throughput("mine", 1, 70, cores=2)]
        lines = self.lines(SPEED + two)
        self.assertIn("With 2 cores for the server:", lines)
        self.assertIn("| epoll_threads, per second | 100 |", lines)
        self.assertIn("| mine | 0.70 |", lines)

    def test_who_serves_most_is_named_for_each_shape(self):
        lines = self.lines(CROSSING)
        self.assertIn("| 1 | thread, 3.13k | – |", lines)
        self.assertIn("| 10 | – | epoll, 50.5k |", lines)

    def test_memory_is_sorted_by_the_most_connections(self):
        lines = self.lines(MEMORY)
        at = lines.index("| mine | 520 | 496 |")
        self.assertEqual(lines[at + 1], "| fork | 12,000 | – |")

    def test_what_was_measured_of_the_goals_is_a_table(self):
        made = [throughput(server, number, rate, question="goals")
                for number in (1, 2) for server, rate in (
                    ("epoll", 1000), ("epoll again", 990), ("teller-echo", 1100))]
        text = readme.fill("<!-- bench/report: goals -->\n<!-- end -->\n", made, {})
        self.assertIn("| goal |  | median | quartiles |  | beside |", text)
        self.assertIn("| ratio, 64 B × 50, 1 core | ≥ 1 | 1.10 | 1.10 to 1.10 of "
                      "2 | met | CPU 0.91, load busy 75%, epoll again 0.99 |",
                      text)
        self.assertNotIn("not measured", text)

    def test_what_is_not_measured_and_not_marked_stays(self):
        text = readme.fill(MARKED, MEMORY, {})
        before, after = MARKED.split("as it was\n<!-- end -->\nbetween")
        self.assertTrue(text.startswith(before + "as it was\n<!-- end -->\n"))
        self.assertTrue(text.endswith("<!-- end -->\nthe end\n"))
        # And again it is the same.
        self.assertEqual(readme.fill(text, MEMORY, {}), text)

    def test_markers_that_are_missing_or_unknown_are_refused(self):
        for text in ("no marker", MARKED.replace("speed", "sped")):
            with self.assertRaises(Trouble):
                readme.fill(text, SPEED, {})

    def test_the_readme_of_the_project_has_all_markers(self):
        text = (ROOT / "README.md").read_text(encoding="utf-8")
        self.assertEqual([match[1] for match in readme.MARKED.findall(text)],
                         list(readme.TABLES))


class Pictures(unittest.TestCase):
    def test_they_are_drawn_and_shown_below_their_tables(self):
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / "drawn" / "here"
            file = Path(scratch) / "README.md"
            file.write_text(MARKED, encoding="utf-8")
            readme.write(SPEED + CROSSING, file, folder)
            text = file.read_text(encoding="utf-8")
            for name, words in (("speed", {"mine", "slow", "64 B × 50"}),
                                ("crossing", {"16 connections", "thread",
                                              "64 connections"})):
                drawn = (folder / f"{name}.svg").read_text(encoding="utf-8")
                root = ElementTree.fromstring(drawn)
                told = {element.text for element in root.iter()}
                self.assertLessEqual(words, told)
                title = root[0].text
                self.assertIn(f"![{title}](drawn/here/{name}.svg)", text)
                # A background of its own, and no colour that the page sets.
                self.assertIn("fill: #ffffff", drawn)
                self.assertNotIn("var(--", drawn)
            readme.write(SPEED + CROSSING, None, folder)
            self.assertEqual(drawn, (folder / "crossing.svg").read_text())


if __name__ == "__main__":
    unittest.main()
