"""Which rows are the holdout. Pure.

Without a time column a row's side is a hash of the seed and of the row's id (of its features, when there is no id). So a row keeps its side
in every later dataset version, nothing that an earlier model was trained on gets into a later holdout, and rows that are the same thing
never lie on both sides. With a time column the latest share of the rows is the holdout, as production will be later than training; rows
without a time count as the earliest.

Of a dataset version with fresh rows the newest of those are the holdout, and nothing else: see freshness.py.
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
from training.freshness import HOLDOUT_ROWS_OF_A_CLASS, SMALLEST_HOLDOUT, cannot_judge, held_out

Mask = NDArray[np.bool_]


def holdout_mask(contract: Data, table: pd.DataFrame, share: float, seed: int) -> Mask:
    """True for the rows of `table` (texts, only rows with a target) that are held out."""
    if contract.time is not None:
        return _latest(_seconds(contract, contract.time, table), share)
    keys = [contract.id] if contract.id is not None else list(contract.features)
    return np.array([_position(seed, row) < share for row in table[keys].itertuples(index=False, name=None)], dtype=bool)


def fresh_mask(fresh: Mask) -> Mask:
    """True for the newest of the fresh rows, which `fresh` names and which are in order of their time."""
    rows = np.flatnonzero(fresh)
    mask = np.zeros(len(fresh), dtype=bool)
    mask[rows[len(rows) - held_out(len(rows), len(fresh)) :]] = True
    return mask


def unknown_classes(contract: Data, cells: "pd.Series[str]", fresh: Mask) -> Mask:
    """True for the fresh rows of a binary problem whose target is none of the two classes that the other rows have."""
    if contract.problem is not Problem.BINARY:
        return np.zeros(len(cells), dtype=bool)
    texts = cells.str.strip()
    return np.asarray(fresh & ~texts.isin(set(texts[~fresh])).to_numpy(), dtype=bool)


def known_again(contract: Data, table: pd.DataFrame, mask: Mask) -> Mask:
    """True for the rows that have the id of a held out one."""
    if contract.id is None:
        return np.zeros(len(table), dtype=bool)
    ids = table[contract.id]
    return np.asarray(ids.isin(set(ids[mask])).to_numpy(), dtype=bool)


def by_time(contract: Data, table: pd.DataFrame, fresh_rows: int) -> NDArray[np.intp]:
    """The places of the rows in order of their time: the last `fresh_rows` are in order, and later than the others."""
    places = np.arange(len(table))
    if contract.time is None:
        return places
    older = len(table) - fresh_rows
    seconds = _seconds(contract, contract.time, table.iloc[:older])
    return np.concatenate([np.argsort(_filled(seconds), kind="stable"), places[older:]])


def _seconds(contract: Data, column: str, table: pd.DataFrame) -> NDArray[np.float64]:
    return parse_column(column, ColumnKind.DATETIME, table[column], quoted=not contract.privacy.columns)


def _filled(seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.isnan(seconds), -np.inf, seconds)


def _latest(seconds: NDArray[np.float64], share: float) -> Mask:
    filled = _filled(seconds)
    # Rows of one moment stay together, on the training side.
    border = np.sort(filled)[int(np.ceil(len(filled) * (1 - share))) - 1]
    return np.asarray(filled > border, dtype=bool)


def _position(seed: int, cells: Sequence[str]) -> float:
    """A place in [0, 1) that depends on nothing but seed and cells. The cells' lengths keep ("ab", "c") and ("a", "bc") apart."""
    text = "".join(f"{len(cell)}:{cell}" for cell in (cell.strip() for cell in cells))
    return int.from_bytes(hashlib.sha256(f"{seed}|{text}".encode()).digest()[:8], "big") / 2**64


def rare_classes(contract: Data, cells: "pd.Series[str]", mask: Mask, folds: int, judged: int = HOLDOUT_ROWS_OF_A_CLASS) -> dict[str, int]:
    """The classes of a multiclass target that one side has too few rows of to learn or to judge them, with their rows on both sides.

    To learn them takes `folds` rows, to judge them `judged`.
    """
    if contract.problem is not Problem.MULTICLASS:
        return {}
    texts = cells.str.strip()
    training, holdout, both = (rows.value_counts() for rows in (texts[~mask], texts[mask], texts))
    return {str(text): int(rows) for text, rows in sorted(both.items()) if training.get(text, 0) < folds or holdout.get(text, 0) < judged}


def check_split(
    contract: Data, train: "pd.Series[str]", holdout: "pd.Series[str]", folds: int, judged: int = HOLDOUT_ROWS_OF_A_CLASS
) -> None:
    """Raise DataError, with every finding, when a side's targets are too few of a class (or too few) to learn from or to judge by."""
    sides = {"training": train, "holdout": holdout}
    needed = {"training": folds, "holdout": judged}
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
                for text in sorted({*train.str.strip(), *holdout.str.strip()})
                if counts.get(text, 0) < needed[side]
            ]
    if findings:
        raise DataError([*findings, "Next: upload more rows, or change training.holdout or training.folds"])


def check_fresh(contract: Data, held: "pd.Series[str]") -> None:
    """Raise DataError when the held out fresh rows with these targets cannot judge a model."""
    why = cannot_judge(contract, [text.strip() for text in held])
    if why:
        raise DataError([f"{why}. Next: wait for more labels"])
