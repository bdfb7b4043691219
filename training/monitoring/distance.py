"""How far apart two histograms over the same bins are, and whether chance explains it. Pure.

The distance is Jensen-Shannon's, the root of the divergence in bits: symmetric, between 0 and 1, defined where a bin is empty, and the same
for numbers and categories. What it cannot do alone is small samples, whose histograms are apart by chance; Pearson's test of homogeneity
says so, on bins that are first put together until each expects EXPECTED rows in the smaller sample. The chi-squared tail is Wilson and
Hilferty's: right to a few percent of itself, which is all that a threshold needs, and it spares the second that SciPy takes to load.
"""

from math import sqrt
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.float64]
EXPECTED = 10


class Difference(NamedTuple):
    """`distance`: 0 the same, 1 nothing in common. `chance`: the probability that samples of one population differ more."""

    distance: float
    chance: float


def compare(baseline: Counts, window: Counts, ordered: bool) -> Difference:
    """Two samples' counts over the same bins; neighbours are alike when `ordered`. Both samples must hold something."""
    baseline, window = _pool(baseline, window, ordered)
    here, there = window.sum(), baseline.sum()
    shares = (baseline + window) / (here + there)
    squares = ((window - here * shares) ** 2 / (here * shares)).sum() + ((baseline - there * shares) ** 2 / (there * shares)).sum()
    return Difference(_jensen_shannon(baseline / there, window / here), chi_squared_tail(float(squares), len(shares) - 1))


def _jensen_shannon(left: Counts, right: Counts) -> float:
    middle = (left + right) / 2
    divergence = sum(float((part[part > 0] * np.log2(part[part > 0] / middle[part > 0])).sum()) for part in (left, right)) / 2
    return sqrt(min(1.0, max(0.0, divergence)))


def _pool(baseline: Counts, window: Counts, ordered: bool) -> tuple[Counts, Counts]:
    """Bins put together until each expects EXPECTED rows: neighbours, or else all rare ones; what is left over joins the last."""
    both = baseline + window
    expected = both / both.sum() * min(baseline.sum(), window.sum())
    order = np.arange(len(both)) if ordered else np.argsort(-both, kind="stable")
    groups: list[list[int]] = [[]]
    held = 0.0
    for place in order:
        if held >= EXPECTED:
            groups.append([])
            held = 0.0
        groups[-1].append(int(place))
        held += expected[place]
    if held < EXPECTED and len(groups) > 1:
        rest = groups.pop()
        groups[-1] += rest
    return np.array([baseline[group].sum() for group in groups]), np.array([window[group].sum() for group in groups])


def chi_squared_tail(value: float, freedom: int) -> float:
    """The probability of a larger value."""
    if freedom < 1:
        return 1.0
    spread = 2 / (9 * freedom)
    # The lower tail of the mirrored point: 1 - cdf would be 0 from eight standard deviations on.
    return NormalDist().cdf(-((value / freedom) ** (1 / 3) - (1 - spread)) / sqrt(spread))
