# SPDX-License-Identifier: MIT
"""The page of bench/report, of made-up measurements."""
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

from support import ROOT, fault, record, throughput

import page
from made_up import everything
from workloads import QUESTIONS

REPORT = ROOT / "bench" / "report"
EMPTY = {"meta", "br"}


def crossed(server, session, connections, rate):
    return throughput(server, 1, rate, question="crossing",
                      workload=f"session{session}x{connections}",
                      title=f"sessions of {session}, {connections} at a time")


RECORDS = [
    throughput("epoll", 1, 1234.5), throughput("mine", 1, 1357.25),
    throughput("epoll", 2, 2345.6), throughput("mine", 2, 2468.75),
    record("mine", "latency", 1, {"share": 0.5, "asked": 678, "p50_us": 41.7,
                                  "p99_us": 87.3, "p99_9_us": 91.9}),
    record("mine", "calls", 1, {"calls": 2.0371}, tool="perf"),
    throughput("bad<&", 1, 987654.25),
    fault("bad<&", "7 × wrong byte <&", everywhere=True),
    record("few", "missing", reason="serves one connection at a time"),
    record("mine", "memory", 1, {"connections": 19000, "pss": 517.3,
                                 "rss": 611.9, "processes": 3},
           question="memory", workload="silent", title="silent connections",
           unit="connection"),
    crossed("thread", 1, 1, 3131.25), crossed("epoll", 1, 1, 3030.5),
    crossed("thread", 100, 1, 4141.25), crossed("epoll", 100, 1, 5050.5),
]


class Page(HTMLParser):
    """Finds out whether elements are closed, and what is text."""

    def __init__(self, text):
        super().__init__()
        self.open, self.words, self.seen = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.words.append(data)


class Report(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(scratch.cleanup)
        cls.folder = Path(scratch.name)
        with open(cls.folder / "one.jsonl", "w", encoding="utf-8") as file:
            for one in RECORDS:
                file.write(json.dumps(one) + "\n")
        done = cls.run_it()
        assert done.returncode == 0, done.stderr
        cls.html = (cls.folder / "page.html").read_text(encoding="utf-8")
        cls.page = Page(cls.html)
        cls.text = " ".join(cls.page.words)

    @classmethod
    def run_it(cls, python=(sys.executable,), **how):
        return subprocess.run(
            [*python, REPORT, cls.folder, cls.folder / "page.html"], text=True,
            capture_output=True, timeout=120, **how)

    def test_each_figure_is_there_with_its_commands(self):
        rows = re.findall(r"<tr><td class=\"text\">.*?</tr>", self.html, re.S)
        for one in RECORDS:
            if "figures" not in one or one["server"] == "bad<&":
                continue
            figures = ", ".join(f"{name} {value:.6g}"
                                for name, value in one["figures"].items())
            found = [row for row in map(unescape, rows) if figures in row and
                     all(command in row for command in one["commands"])]
            self.assertEqual(len(found), 1, figures)

    def test_medians_are_in_the_tables(self):
        for text in ("1,913", "0.0417 / 0.0873 / 0.0919", "2.04", "517", "612",
                     # ratios 1357.25 / 1234.5 and 2468.75 / 2345.6
                     "1.08"):
            self.assertIn(text, self.page.words)

    def test_who_was_at_fault_is_named_and_has_no_figure(self):
        self.assertIn("bad<& (anywhere): 7 × wrong byte <&", self.text)
        self.assertNotIn("987,654", self.text)
        self.assertNotIn("987654", self.html)
        self.assertIn("not measured: serves one connection at a time",
                      self.text)

    def chart(self, label):
        """The one of that name: its texts."""
        found = [svg for svg in re.findall(r"<svg .*?</svg>", self.html, re.S)
                 if f'aria-label="{label}"' in svg]
        self.assertEqual(len(found), 1, label)
        return Page(found[0]).words

    def test_charts_say_what_they_show(self):
        words = self.chart("64 B × 50: round trips/s, in the closed loop")
        for word in ("epoll", "1,790", "mine", "1,913"):
            self.assertIn(word, words)
        self.assertNotIn("bad<&", words)
        self.assertIn("mine", self.chart("Memory of a silent connection"))
        self.assertIn("100", self.chart(
            "1 connection: round trips per second of CPU"))

    def test_it_needs_nothing_else_and_all_is_closed(self):
        self.assertEqual(self.page.open, [])
        names = [attributes["id"] for _, attributes in self.page.seen
                 if "id" in attributes]
        for tag, attributes in self.page.seen:
            self.assertNotIn(tag, ("script", "link", "img", "iframe"))
            self.assertNotIn("src", attributes)
            for name in ("href", "xlink:href"):
                self.assertRegex(attributes.get(name, "#"), "^#")
        for name in re.findall(r'url\(([^)]*)\)|xlink:href="([^"]*)"',
                               self.html):
            self.assertIn("".join(name)[1:], names)

    def test_the_same_measurements_give_the_same_page(self):
        self.assertEqual(self.run_it().returncode, 0)
        self.assertEqual((self.folder / "page.html").read_text(), self.html)

    def test_charts_have_the_colours_and_the_fonts_of_the_page(self):
        """So that they are dark where it is dark."""
        for svg in re.findall(r"<svg .*?</svg>", self.html, re.S):
            self.assertNotRegex(svg, "#[0-9a-f]{6}|sans|<style|<metadata")

    def test_a_python_without_matplotlib_hands_over_to_the_systems(self):
        # Without its site Debian's has none either.
        done = self.run_it([sys.executable, "-S"])
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_without_matplotlib_it_says_what_to_install(self):
        (self.folder / "none").mkdir()
        (self.folder / "none/matplotlib.py").write_text("raise ImportError")
        has_none = {**os.environ, "PYTHONPATH": str(self.folder / "none")}
        done = self.run_it([sys.executable], env=has_none)
        self.assertEqual(done.returncode, 2)
        self.assertIn("python3-matplotlib", done.stderr)
        self.assertNotIn("Traceback", done.stderr)
        done = subprocess.run([sys.executable, ROOT / "bench" / "run", "--help"],
                              env=has_none, text=True, capture_output=True,
                              timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_goals_are_in_the_page_if_the_server_was_measured(self):
        self.assertNotIn("Speeds to reach", self.page.words)
        text = page.page(RECORDS + [throughput("teller-echo", 1, 1000)])
        words = Page(text).words
        self.assertEqual(words.count("Speeds to reach"), 2)  # and a link to it
        at = words.index("ratio, 64 B × 50, 1 core")
        self.assertEqual(words[at + 1:at + 5],
                         ["≥ 1", "0.810", "one only", "missed"])

    def test_ratios_of_all_workloads_are_at_a_glance(self):
        at = self.page.words.index("epoll, per second")
        self.assertEqual([word for word in self.page.words[at:at + 6]
                          if word.strip()][:4],
                         ["epoll, per second", "1,790", "mine", "1.08"])

    def test_sections_are_in_the_order_of_the_questions(self):
        self.assertEqual([*page.SECTIONS, "goals"], list(QUESTIONS))
        self.assertEqual([*page.ABOUT, "goals"], list(QUESTIONS))
        found = re.findall('<h2 id="([a-z]+)">', page.page(list(everything())))
        self.assertEqual(found, list(QUESTIONS))

    def test_no_measurements_are_refused(self):
        with tempfile.TemporaryDirectory() as scratch:
            out = Path(scratch) / "page.html"
            for text in ("", "{}\n", "no JSON\n", '{"schema": "other/1"}\n'):
                (Path(scratch) / "one.jsonl").write_text(text)
                done = subprocess.run([sys.executable, REPORT, scratch, out],
                                      text=True, capture_output=True,
                                      timeout=60)
                self.assertEqual(done.returncode, 2, text)
                self.assertFalse(out.exists())


if __name__ == "__main__":
    unittest.main()
