# SPDX-License-Identifier: MIT
"""The universal scalability law, fitted to costs that were measured.

    C(n) = n / (1 + σ (n - 1) + κ n (n - 1))

C is the capacity of n threads in threads of the first, σ what they wait for each
other (contention), κ what it takes them to agree (coherence).

From: Gunther, "Guerrilla Capacity Planning" (2007), chapter 5. With a measurement
of one thread n/C - 1 = σ (n - 1) + κ n (n - 1) is a polynomial of second degree
without a constant, which linear regression solves; that is also the method
"default" of the R package usl (manual of its version 1.8), which up to 1.2 took
intervals from a bootstrap, as here. Both are kept from being negative: a server
whose rounds get cheaper with more threads has σ = κ = 0.
"""
import math
import random
from statistics import median

RESAMPLES = 1000
LEAST_ROUNDS = 3    # for an interval
WITHIN = 0.9        # of the resamples are in it


class Fit:
    """σ, κ, and by how much the law misses what was measured: {n: part of it}."""

    def __init__(self, sigma, kappa, measured):
        self.sigma = sigma
        self.kappa = kappa
        self.measured = measured
        self.residuals = {n: self.capacity(n) / of_n - 1
                          for n, of_n in measured.items() if n > 1}

    def capacity(self, n):
        return n / (1 + self.sigma * (n - 1) + self.kappa * n * (n - 1))

    @property
    def rms(self):
        squares = [one * one for one in self.residuals.values()]
        return math.sqrt(sum(squares) / len(squares))

    @property
    def worst(self):
        return max(self.residuals.values(), key=abs)

    @property
    def peak(self):
        """So many threads have the most capacity; None: it always grows."""
        if self.kappa <= 0:
            return None
        return math.sqrt(max(0, 1 - self.sigma) / self.kappa)


def squares(points, sigma, kappa):
    return sum((y - sigma * (n - 1) - kappa * n * (n - 1)) ** 2
               for n, y in points)


def coefficients(points):
    """The σ and κ, neither negative, of the least squares. points: (n, n/C - 1)."""
    a, b = zip(*((n - 1, n * (n - 1)) for n, _ in points))
    y = [one for _, one in points]

    def product(left, right):
        return sum(one * other for one, other in zip(left, right))

    aa, ab, bb = product(a, a), product(a, b), product(b, b)
    ay, by = product(a, y), product(b, y)
    # With one of them 0: what is least on an edge, if it is not within.
    found = [(max(0.0, ay / aa), 0.0), (0.0, max(0.0, by / bb))]
    determinant = aa * bb - ab * ab
    if determinant > 0:
        both = ((ay * bb - by * ab) / determinant,
                (by * aa - ay * ab) / determinant)
        if min(both) >= 0:
            return both
    return min(found, key=lambda one: squares(points, *one))


def capacities(rounds):
    """{n: C(n)}, from rounds of {n: cost of a unit of work}: the median of the
    ratios to one thread in the same round."""
    ratios = {}
    for costs in rounds:
        for n, cost in costs.items():
            if costs.get(1) and cost:
                ratios.setdefault(n, []).append(cost / costs[1])
    return {n: n / median(of_n) for n, of_n in sorted(ratios.items())}


def fit(rounds):
    """A Fit, or None if fewer than two counts of threads were measured beside one
    thread."""
    measured = capacities(rounds)
    points = [(n, n / capacity - 1)
              for n, capacity in measured.items() if n > 1]
    if len(points) < 2:
        return None
    return Fit(*coefficients(points), measured)


class Interval:
    """What fits of resampled rounds come to: from, to."""

    def __init__(self, fits):
        self.fits = fits
        self.sigma = self._of(lambda one: one.sigma)
        self.kappa = self._of(lambda one: one.kappa)

    def _of(self, value):
        values = sorted(value(one) for one in self.fits)
        left_out = int((1 - WITHIN) / 2 * len(values))
        return values[left_out], values[-1 - left_out]

    def capacity(self, n):
        return self._of(lambda one: one.capacity(n))


def interval(rounds):
    """By bootstrap over the rounds, the same each time; None: too few of them."""
    if len(rounds) < LEAST_ROUNDS:
        return None
    chance = random.Random(len(rounds))
    fits = [fit(chance.choices(rounds, k=len(rounds)))
            for _ in range(RESAMPLES)]
    fits = [one for one in fits if one is not None]
    return Interval(fits) if fits else None
