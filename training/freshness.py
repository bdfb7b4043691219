"""How fresh rows, live traffic with its labels, are split: the newest of them are held out. Pure.

Neither the champion nor the challenger has seen those, and they are the nearest to what comes next.
"""

from collections import Counter
from collections.abc import Sequence

from contracts.config import Data
from contracts.evaluation import Problem

FRESH_SHARE = 0.5  # of the fresh rows are held out,
WHOLE_SHARE = 0.125  # and at most this share of all rows: when most rows are fresh, fewer judge as well, and the judged model sees more
SMALLEST_HOLDOUT = 10  # rows
HOLDOUT_ROWS_OF_A_CLASS = 2


def held_out(fresh: int, rows: int) -> int:
    """How many of so many fresh rows, among `rows` in all, are held out: the newest."""
    return max(min(round(fresh * FRESH_SHARE), SMALLEST_HOLDOUT), min(round(fresh * FRESH_SHARE), round(rows * WHOLE_SHARE)))


def too_few(contract: Data, targets: Sequence[str], older: int, minimum: int) -> str:
    """Why fresh rows with these targets, in order of their time, cannot be split into rows to learn from and to judge by; else "".

    `older`: how many rows there are besides.
    """
    if len(targets) < minimum:
        return f"{len(targets)} rows have a label, and {minimum} are needed"
    return cannot_judge(contract, targets[len(targets) - held_out(len(targets), older + len(targets)) :])


def cannot_judge(contract: Data, newest: Sequence[str]) -> str:
    """Why held out rows with these targets cannot judge a model; else ""."""
    if len(newest) < SMALLEST_HOLDOUT:
        return f"{len(newest)} fresh rows would be held out, and {SMALLEST_HOLDOUT} are needed"
    if contract.problem is Problem.REGRESSION:
        return ""
    if contract.problem is Problem.BINARY:  # which text is the other class, the contract does not say
        newest = [text if text == contract.positive else f"not {contract.positive}" for text in newest]
    counts = Counter(newest)
    if sum(rows >= HOLDOUT_ROWS_OF_A_CLASS for rows in counts.values()) >= 2:
        return ""
    found = ", ".join(f"{rows} of {text!r}" for text, rows in counts.most_common(5))
    return (
        f"the newest {len(newest)} fresh rows, which would be held out, are {found}; two classes need {HOLDOUT_ROWS_OF_A_CLASS} rows each"
    )
