# SPDX-License-Identifier: MIT
"""The universal scalability law, fitted to made-up costs."""
import unittest

import support

import usl

assert support  # it knows where the modules of bench/ are

COUNTS = (1, 2, 3, 4, 6, 8)


def costs(sigma, kappa, first=5.0, counts=COUNTS):
    return {n: first * (1 + sigma * (n - 1) + kappa * n * (n - 1))
            for n in counts}


class Fitted(unittest.TestCase):
    def test_known_coefficients_come_back(self):
        for sigma, kappa in ((0.05, 0.002), (0.3, 0), (0, 0.01), (0, 0)):
            fit = usl.fit([costs(sigma, kappa, first) for first in (5, 7.5, 6)])
            self.assertAlmostEqual(fit.sigma, sigma, 9)
            self.assertAlmostEqual(fit.kappa, kappa, 9)
            self.assertLess(fit.rms, 1e-9)
            self.assertAlmostEqual(
                fit.capacity(64), 64 / (1 + 63 * sigma + 64 * 63 * kappa), 6)

    def test_a_round_is_compared_with_one_thread_of_its_own(self):
        slow = {n: 10 * cost for n, cost in costs(0.05, 0.002).items()}
        fit = usl.fit([costs(0.05, 0.002), slow])
        self.assertAlmostEqual(fit.sigma, 0.05, 9)
        without_one = costs(0.9, 0.9, counts=(2, 3, 4))
        self.assertAlmostEqual(usl.fit([slow, without_one]).sigma, 0.05, 9)

    def test_what_it_misses_is_told(self):
        wrong = costs(0.05, 0.002)
        wrong[4] *= 1.2
        fit = usl.fit([wrong])
        # One of five is some 20% too cheap in the fit: it bends to it a little.
        self.assertGreater(fit.worst, 0.1)
        self.assertLess(fit.worst, 0.2)
        self.assertEqual(fit.worst, fit.residuals[4])
        self.assertGreater(fit.rms, 0.04)
        self.assertLess(fit.rms, fit.worst)
        self.assertNotIn(1, fit.residuals)

    def test_no_others_have_fewer_squares_and_none_is_negative(self):
        for points in ([(2, 0.1), (3, 0.4), (4, 0.3), (8, 2.0)],
                       [(2, 0.3), (4, 0.5), (8, 0.6)],      # κ would be below 0
                       [(2, -0.1), (4, 0.0), (8, 1.2)],     # σ would be
                       [(2, -0.2), (4, -0.1), (8, -0.3)]):  # and both
            sigma, kappa = usl.coefficients(points)
            least = usl.squares(points, sigma, kappa)
            for i in range(100):
                for k in range(100):
                    self.assertLessEqual(
                        least, usl.squares(points, i / 100, k / 1000) + 1e-12)
            self.assertGreaterEqual(min(sigma, kappa), 0)

    def test_cheaper_with_threads_is_no_contention(self):
        fit = usl.fit([{1: 5, 2: 4.5, 4: 4.25}])
        self.assertEqual((fit.sigma, fit.kappa, fit.peak), (0, 0, None))
        self.assertEqual(fit.capacity(64), 64)
        self.assertGreater(fit.measured[4], 4)
        self.assertLess(fit.worst, 0)

    def test_the_peak_has_the_most_capacity(self):
        fit = usl.fit([costs(0.1, 0.001)])
        self.assertAlmostEqual(fit.peak, 30, 6)
        for n in (20, 29, 31, 50):
            self.assertLess(fit.capacity(n), fit.capacity(30))

    def test_too_few_counts_are_no_fit(self):
        self.assertIsNone(usl.fit([]))
        self.assertIsNone(usl.fit([{1: 5, 2: 6}]))
        self.assertIsNone(usl.fit([{2: 5, 3: 6, 4: 7}]))


class Bootstrap(unittest.TestCase):
    ROUNDS = [costs(sigma, 0.002) for sigma in (0.02, 0.05, 0.08, 0.04, 0.06)]

    def test_it_holds_the_fit_and_is_as_wide_as_rounds_differ(self):
        found = usl.interval(self.ROUNDS)
        low, high = found.sigma
        self.assertLess(low, 0.049)
        self.assertGreater(high, 0.051)
        self.assertGreaterEqual(low, 0.02)
        self.assertLessEqual(high, 0.08)
        low, high = found.capacity(64)
        self.assertLess(low, usl.fit(self.ROUNDS).capacity(64))
        self.assertGreater(high, usl.fit(self.ROUNDS).capacity(64))

    def test_rounds_that_agree_have_none_to_speak_of(self):
        low, high = usl.interval([costs(0.05, 0.002)] * 5).sigma
        self.assertLess(high - low, 1e-9)

    def test_it_is_the_same_each_time(self):
        self.assertEqual(usl.interval(self.ROUNDS).sigma,
                         usl.interval(self.ROUNDS).sigma)

    def test_two_rounds_are_too_few(self):
        self.assertIsNone(usl.interval(self.ROUNDS[:2]))


if __name__ == "__main__":
    unittest.main()
