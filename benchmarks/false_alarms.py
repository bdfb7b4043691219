"""Why a distance decides and a test only guards: false alarms and detections by sample size, simulated.

Windows of 20 numeric and 5 categorical columns against a baseline; every histogram is drawn from the true shares of its bins. For each
size of baseline and window: the share of windows in which at least one column is called drifted, by the test alone, by the distance
alone, and by both as the analyzer does; then how often one column that truly moved is found. Seeded; takes about a minute.

    .venv/bin/python benchmarks/false_alarms.py
"""

from statistics import NormalDist

import numpy as np

from contracts.monitoring import Thresholds
from training.monitoring.distance import Difference, compare

BASELINES = (500, 10_000)
WINDOWS = (100, 300, 1_000, 10_000, 100_000, 1_000_000)
ROUNDS = 200
BINS = 20
CATEGORIES = np.array([0.5, 0.2, 0.1, 0.08, 0.05, 0.03, 0.02, 0.01, 0.006, 0.004])
LIMITS = Thresholds()


def normal_shares(shift: float) -> np.ndarray:
    """Shares of a normal column's bins, which had equal shares before its mean moved by `shift` standard deviations; none is beyond."""
    inner = [NormalDist().inv_cdf(place / BINS) for place in range(1, BINS)]
    cuts = np.array([0.0, *(NormalDist(shift).cdf(cut) for cut in inner), 1.0])
    return np.array([0.0, *np.diff(cuts), 0.0])


def draw(generator: np.random.Generator, shares: np.ndarray, rows: int) -> np.ndarray:
    """A histogram of so many rows."""
    return generator.multinomial(rows, shares / shares.sum()).astype(float)


def column(generator: np.random.Generator, number: int, before: int, now: int, shift: float) -> Difference:
    """Baseline against window: 20 numeric columns, then 5 categorical ones, which move by changing places with their neighbour."""
    if number < 20:
        return compare(draw(generator, normal_shares(0), before), draw(generator, normal_shares(shift), now))
    moved = CATEGORIES * (1 - shift) + np.roll(CATEGORIES, 1) * shift
    return compare(draw(generator, CATEGORIES, before), draw(generator, moved, now))


def verdicts(difference: Difference) -> np.ndarray:
    """Called drifted: by the test alone, by the distance alone, by both."""
    test = difference.chance < LIMITS.significance / 25
    far = difference.distance > LIMITS.distance
    return np.array([test, far, test and far])


def alarms(generator: np.random.Generator, columns: int, before: int, now: int, shift: float) -> np.ndarray:
    """Rounds x rules: whether at least one of so many columns is called drifted."""
    rounds = [[verdicts(column(generator, number, before, now, shift)) for number in range(columns)] for _ in range(ROUNDS)]
    return np.array(rounds).any(axis=1)


def main() -> None:
    """Print both tables."""
    generator = np.random.default_rng(20)
    print(f"{'baseline':>9}{'window':>11} | {'false alarms: test':>18}  distance  both", end="")
    print(" | all moved by 0.05 sd: test  both | found: 0.25 sd   0.5 sd   1 sd")
    for before in BASELINES:
        for now in WINDOWS:
            still = alarms(generator, 25, before, now, 0)
            barely = alarms(generator, 20, before, now, 0.05)
            found = [np.mean([verdicts(column(generator, 0, before, now, shift))[2] for _ in range(ROUNDS)]) for shift in (0.25, 0.5, 1)]
            test, far, both = still.mean(axis=0)
            print(
                f"{before:>9,}{now:>11,} | {test:>18.1%}{far:>10.1%}{both:>6.1%} | {barely[:, 0].mean():>26.1%}{barely[:, 2].mean():>6.1%}"
                f" | {found[0]:>14.0%}{found[1]:>9.0%}{found[2]:>7.0%}"
            )


if __name__ == "__main__":
    main()
