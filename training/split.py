"""Which rows are the holdout. Pure.

Without a time column a row's side is a hash of the seed and of the row's id (of its features, when there is no id). So a row keeps its side
in every later dataset version, nothing that an earlier model was trained on gets into a later holdout, and rows that are the same thing
never lie on both sides. With a time column the latest share of the rows is the holdout, as production will be later than training; rows
without a time count as the earliest.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.columns import ColumnKind
from contracts.config import Data
from contracts.errors import DataError
from contracts.evaluation import Problem
from training.frame import parse_column

Mask = NDArray[np.bool_]
SMALLEST_HOLDOUT = 10
HOLDOUT_ROWS_OF_A_CLASS = 2


def holdout_mask(contract: Data, table: pd.DataFrame, share: float, seed: int) -> Mask:
    """True for the rows of `table` (texts, only rows with a target) that are held out."""
    if contract.time is not None:
        return _latest(parse_column(contract.time, ColumnKind.DATETIME, table[contract.time]), share)
    keys = [contract.id] if contract.id is not None else list(contract.features)
    return np.array([_position(seed, row) < share for row in table[keys].itertuples(index=False, name=None)], dtype=bool)


def _latest(seconds: NDArray[np.float64], share: float) -> Mask:
    filled = np.where(np.isnan(seconds), -np.inf, seconds)
    # Rows of one moment stay together, on the training side.
    border = np.sort(filled)[int(np.ceil(len(filled) * (1 - share))) - 1]
    return np.asarray(filled > border, dtype=bool)


def _position(seed: int, cells: Sequence[str]) -> float:
    """A place in [0, 1) that depends on nothing but seed and cells. The cells' lengths keep ("ab", "c") and ("a", "bc") apart."""
    text = "".join(f"{len(cell)}:{cell}" for cell in (cell.strip() for cell in cells))
    return int.from_bytes(hashlib.sha256(f"{seed}|{text}".encode()).digest()[:8], "big") / 2**64


def rare_classes(contract: Data, cells: "pd.Series[str]", mask: Mask, folds: int) -> dict[str, int]:
    """The classes of a multiclass target that one side has too few rows of to learn or to judge them, with their rows on both sides."""
    if contract.problem is not Problem.MULTICLASS:
        return {}
    texts = cells.str.strip()
    training, holdout, both = (rows.value_counts() for rows in (texts[~mask], texts[mask], texts))
    return {
        str(text): int(rows)
        for text, rows in sorted(both.items())
        if training.get(text, 0) < folds or holdout.get(text, 0) < HOLDOUT_ROWS_OF_A_CLASS
    }


def check_split(contract: Data, cells: "pd.Series[str]", mask: Mask, folds: int) -> None:
    """Raise DataError, with every finding, when a side has too few rows of a class (or too few rows) to learn from or to judge by."""
    sides = {"training": cells[~mask], "holdout": cells[mask]}
    needed = {"training": folds, "holdout": HOLDOUT_ROWS_OF_A_CLASS}
    findings = [
        f"the {side} side of the split has {len(rows)} rows, and needs at least {max(SMALLEST_HOLDOUT, needed[side])}"
        for side, rows in sides.items()
        if len(rows) < max(SMALLEST_HOLDOUT, needed[side])
    ]
    if contract.problem is not Problem.REGRESSION:
        for side, rows in sides.items():
            counts = rows.str.strip().value_counts()
            findings += [
                f"class {text!r} of target {contract.target!r} has {counts.get(text, 0)} {side} rows, and needs at least {needed[side]}"
                for text in sorted(set(cells.str.strip()))
                if counts.get(text, 0) < needed[side]
            ]
    if findings:
        raise DataError([*findings, "Next: upload more rows, or change training.holdout or training.folds"])
