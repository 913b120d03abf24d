# SPDX-License-Identifier: MIT
"""The speeds to reach, of made-up measurements."""
import unittest

from support import fault, record, throughput

import goals

NAME = "ratio, 64 B × 50, 1 core"


def found(records):
    return {goal.name: goals.row(goal) for goal in goals.goals(records)}


def rounds(*ratios, **more):
    made = []
    for number, ratio in enumerate(ratios, 1):
        made += [throughput("epoll", number, 1000 * number, **more),
                 throughput("teller-echo", number, 1000 * number * ratio, **more)]
    return made


class Goals(unittest.TestCase):
    def test_the_median_of_the_ratios_decides(self):
        for ratios, told in (((1.1, 1.2, 1.3), "met"), ((0.7, 0.9, 0.8), "missed"),
                             ((0.9, 1.01, 1.02), "met, within the spread"),
                             ((0.99, 0.98, 1.5), "missed, within the spread")):
            self.assertEqual(found(rounds(*ratios))[NAME][4], told, ratios)

    def test_the_interval_is_that_of_the_middle_half(self):
        self.assertEqual(found(rounds(1.1, 1.5, 1.2, 1.4, 1.3))[NAME],
                         (NAME, "≥ 1", "1.30", "1.20 to 1.40 of 5", "met",
                          "CPU 0.83, load busy 75%"))

    def test_a_run_of_its_own_goes_before_that_of_all(self):
        own = rounds(1.1, 1.2, 1.3, question="goals")
        for records in ([*rounds(0.5), *own], [*own, *rounds(0.5)]):
            self.assertEqual(found(records)[NAME][2], "1.20")

    def test_what_is_chance_is_beside_it(self):
        again = [throughput("epoll again", number, 950 * number)
                 for number in (1, 2, 3)]
        told = found([*rounds(1.1, 1.2, 1.3), *again])
        self.assertEqual(told[NAME][5],
                         "CPU 0.83, load busy 75%, epoll again 0.95")

    def test_a_single_round_has_no_interval(self):
        self.assertEqual(found(rounds(1.1))[NAME][2:5],
                         ("1.10", "one only", "met"))

    def test_streams_have_more_to_reach_and_two_cores_their_own_baseline(self):
        streams = rounds(1.2, workload="stream10", unit="MiB")
        self.assertEqual(found(streams)["ratio, stream × 10, 1 core"][1:5],
                         ("≥ 1.25", "1.20", "one only", "missed"))
        two = [dict(one, cores=2) for one in rounds(0.5)] + [
            throughput("epoll_threads", 1, 400, cores=2)]
        self.assertEqual(found(two)["ratio, 64 B × 50, 2 cores"][2], "1.25")

    def test_what_is_counted_has_a_most(self):
        told = found([
            record("teller-echo", "calls", 1, {"calls": 2.0371}),
            record("epoll", "calls", 1, {"calls": 9}),
            record("teller-echo", "instructions", 1, {
                "instructions": 900, "insn:teller": 341.0, "insn:libuv": 248.0,
                "insn:libc": 110.0}, question="layers"),
            *(record("teller-echo", "memory", 1,
                     {"connections": count, "pss": pss}, question="memory",
                     workload="silent")
              for count, pss in ((100, 300), (19000, 496), (1000, 350)))])
        self.assertEqual([row[1:3] + row[4:5] for row in list(told.values())[-3:]],
                         [("≤ 2.1", "2.04", "met"), ("≤ 350", "589", "missed"),
                          ("≤ 400", "496", "missed")])
        self.assertIn("bytes of PSS per silent connection, of 19,000", told)

    def test_of_a_server_at_fault_nothing_is_called_met(self):
        for everywhere in (True, False):
            told = found([*rounds(1.5), record("teller-echo", "calls", 1,
                                               {"calls": 2}),
                          fault("teller-echo", "why", everywhere)])
            self.assertEqual({row[4] for row in told.values()},
                             {"not measured"})

    def test_who_has_as_many_threads_is_beside_it(self):
        for cores, server in ((1, "teller_one_loop"),
                              (2, "teller-echo-reuseport")):
            told = found([dict(one, cores=cores) for one in [
                *rounds(0.9), throughput("epoll_threads", 1, 1000),
                throughput(server, 1, 1100), throughput("poll", 1, 1)]])
            name = NAME.replace("1 core", goals.cores_of(cores))
            self.assertEqual(told[f"{name}, {server}"][2:5],
                             ("1.10", "one only", "met"))
            self.assertEqual(len([one for one in told if one.startswith(name)]), 2)

    def test_what_was_not_measured_is_named(self):
        told = found(rounds(1.5))
        self.assertEqual(len(told), 2 * 7 + 3)
        self.assertEqual(sum(row[4] == "not measured"
                             for row in told.values()), len(told) - 1)
        self.assertIsNone(goals.section([throughput("epoll", 1, 100)]))


if __name__ == "__main__":
    unittest.main()
