"""How far apart two histograms over the same bins are, and whether chance explains it. Pure.

The distance is Jensen-Shannon's, the root of the divergence in bits: symmetric, between 0 and 1, defined where a bin is empty, and the same
for numbers and categories. What it cannot do alone is small samples, whose histograms are apart by chance; Pearson's test of homogeneity
says so, on neighbouring bins that are first put together until the baseline lets expect EXPECTED rows in the smaller sample. Where the
window holds SURPRISE times as many, bins stay apart too: chance does not do that, and a value that nobody knew must not hide in its
neighbour. The chi-squared tail is written out, which spares the second that SciPy takes to load.
"""

from math import erfc, exp, lgamma, log, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.float64]
EXPECTED = 10
SURPRISE = 3


class Difference(NamedTuple):
    """`distance`: 0 the same, 1 nothing in common. `chance`: the probability that samples of one population differ more."""

    distance: float
    chance: float


def compare(baseline: Counts, window: Counts) -> Difference:
    """Two samples' counts over the same bins, whose order must not come from the window. Both samples must hold something."""
    baseline, window = _pool(baseline, window)
    here, there = window.sum(), baseline.sum()
    shares = (baseline + window) / (here + there)
    squares = ((window - here * shares) ** 2 / (here * shares)).sum() + ((baseline - there * shares) ** 2 / (there * shares)).sum()
    return Difference(_jensen_shannon(baseline / there, window / here), chi_squared_tail(float(squares), len(shares) - 1))


def _jensen_shannon(left: Counts, right: Counts) -> float:
    middle = (left + right) / 2
    divergence = sum(float((part[part > 0] * np.log2(part[part > 0] / middle[part > 0])).sum()) for part in (left, right)) / 2
    return sqrt(min(1.0, max(0.0, divergence)))


def _pool(baseline: Counts, window: Counts) -> tuple[Counts, Counts]:
    """Neighbouring bins put together until they hold enough; what is left over joins the last."""
    before, now = baseline.sum(), window.sum()
    shares = np.column_stack([baseline / before, window / now / SURPRISE]) * min(before, now)
    starts: list[int] = [0]
    held = np.zeros(2)
    for place, share in enumerate(shares):
        if held.max() >= EXPECTED:
            starts.append(place)
            held = np.zeros(2)
        held = held + share
    if held.max() < EXPECTED and len(starts) > 1:
        starts.pop()
    return np.add.reduceat(baseline, starts), np.add.reduceat(window, starts)


def chi_squared_tail(value: float, freedom: int) -> float:
    """The probability of a larger value: the finite sum that the incomplete gamma function is at half integers."""
    if freedom < 1 or value <= 0:
        return 1.0
    half = value / 2
    odd = freedom % 2 / 2
    terms = sum(exp((step + odd) * log(half) - half - lgamma(step + odd + 1)) for step in range(freedom // 2))
    return min(1.0, terms + (erfc(sqrt(half)) if odd else 0.0))
