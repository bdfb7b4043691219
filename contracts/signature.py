"""A model's signature: the features it takes, what it answers, and how a request is checked against it.

It is written into the model's folder (signature.json) by train, and read by serve.
"""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field

from contracts.columns import CellError, ColumnKind, Value, parse
from contracts.config import Data
from contracts.errors import RequestError
from contracts.evaluation import Problem

SIGNATURE = "signature.json"
SHOWN_PROBLEMS = 20


class Signature(BaseModel):
    """What a model takes and gives. `classes` are the target's values as text, in the estimator's order; empty for regression."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    problem: Problem
    target: str
    positive: str | None = None
    features: dict[str, ColumnKind] = Field(min_length=1)
    classes: tuple[str, ...] = ()

    @classmethod
    def of(cls, data: Data, classes: tuple[str, ...] = ()) -> Self:
        """The signature of a project's models."""
        return cls(problem=data.problem, target=data.target, positive=data.positive, features=data.features, classes=classes)

    def parse_records(self, records: list[Any]) -> list[dict[str, Value]]:
        """JSON records as rows of values, the features in order. Raises RequestError naming row and feature of every problem."""
        rows: list[dict[str, Value]] = []
        problems = Problems()
        for number, record in enumerate(records, 1):
            row, wrong = self._row(record)
            rows.append(row)
            problems.add(number, wrong)
        problems.check()
        return rows

    def _row(self, record: Any) -> tuple[dict[str, Value], list[str]]:
        if not isinstance(record, Mapping):
            return {}, [f"must be an object of features, not {type(record).__name__}"]
        problems = [f"feature {name!r} is missing (null is allowed)" for name in self.features if name not in record]
        problems += [f"feature {str(name)[:80]!r} is unknown" for name in record if name not in self.features]
        row: dict[str, Value] = {}
        for name, kind in self.features.items():
            try:
                row[name] = from_json(kind, record.get(name))
            except ValueError as error:
                problems.append(f"feature {name!r}: {error}")
        return row, problems


class Problems:
    """What is wrong with a request: the first problems, and how many more there are. An answer, not a dump."""

    def __init__(self) -> None:
        self._shown: list[str] = []
        self._hidden = 0

    def add(self, row: int, problems: list[str]) -> None:
        """More of a row; counted from 1."""
        room = SHOWN_PROBLEMS - len(self._shown)
        self._shown += [f"row {row}: {problem}" for problem in problems[:room]]
        self._hidden += max(0, len(problems) - room)

    def check(self) -> None:
        """Raise RequestError when there are any."""
        if self._shown:
            raise RequestError(self._shown + ([f"and {self._hidden} more"] if self._hidden else []))


def from_json(kind: ColumnKind, value: Any) -> Value:
    """A JSON value as a value of a column's kind; None stays missing. Raises CellError with what was expected."""
    if value is None:
        return None
    if kind is ColumnKind.NUMERIC:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise CellError(str(value), "is not a number")
        return parse(kind, repr(float(value)))
    if kind is ColumnKind.BOOLEAN and isinstance(value, bool | int | float):
        return parse(kind, str(value + 0))  # -0.0 is 0.0
    if not isinstance(value, str):
        raise CellError(str(value), "is not text")
    return parse(kind, value)
