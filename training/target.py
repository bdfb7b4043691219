"""The target: texts of a table as numbers. Classes are counted from 0 in the signature's order; binary is 0 and 1, 1 being `positive`."""

import numpy as np
import pandas as pd

from contracts.columns import ColumnKind
from contracts.config import Data
from contracts.errors import DataError
from contracts.evaluation import Problem
from contracts.signature import Signature
from training.frame import Column, parse_column


def target_kind(problem: Problem) -> ColumnKind:
    """How the target's cells are read."""
    return ColumnKind.NUMERIC if problem is Problem.REGRESSION else ColumnKind.CATEGORICAL


def find_classes(contract: Data, cells: "pd.Series[str]") -> tuple[str, ...]:
    """The classes in a table's target; empty for regression. Raises DataError when they are not what the problem says."""
    if contract.problem is Problem.REGRESSION:
        return ()
    found = sorted(set(parse_column(contract.target, ColumnKind.CATEGORICAL, cells)))
    if contract.problem is Problem.BINARY:
        others = [text for text in found if text != contract.positive]
        if len(others) != 1 or len(found) != 2:
            shown = ", ".join(repr(text) for text in found[:10])
            raise DataError([f"target {contract.target!r} must hold {contract.positive!r} and one other value, not {shown}"])
        return others[0], str(contract.positive)
    if len(found) < 2:
        raise DataError([f"target {contract.target!r} holds only {found[0]!r}; at least two classes are needed"])
    return tuple(found)


def parse_target(signature: Signature, cells: "pd.Series[str]") -> Column:
    """Floats for regression, class numbers otherwise. Raises DataError for a class that the model does not know."""
    column = parse_column(signature.target, target_kind(signature.problem), cells)
    if signature.problem is Problem.REGRESSION:
        return column
    numbers = {text: number for number, text in enumerate(signature.classes)}
    unknown = sorted(set(column) - set(numbers))
    if unknown:
        known = ", ".join(signature.classes)
        raise DataError([f"target {signature.target!r} holds {unknown[0]!r}; the model knows {known}"])
    return np.array([numbers[text] for text in column], dtype=int)
