"""Labels as callers send them -> ground truth.

A request holds one label, {"inference_id": "...", "label": ...}, or many, {"labels": [{...}, ...]}; it is used whole or refused whole.
A CSV file has the columns inference_id and label, others are left out; its good rows are used, and its bad ones are reported, without
their cells where there are private columns. Whether an inference id was ever given to a prediction is seen when labels and captures are
joined.
"""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from contracts.columns import CellError, told
from contracts.config import Data
from contracts.ground_truth import GroundTruth, label_text
from contracts.inference import LONGEST_ID, is_inference_id
from contracts.names import harmless
from contracts.refusal import Finding
from contracts.signature import SHOWN_PROBLEMS
from contracts.tables.delimited import rows
from contracts.tables.formats import FormatError
from contracts.tables.sources import Digested
from lambdas.api import JSON, Reply, headers_of, read_body, refuse

MOST_LABELS = 10_000  # a request; a CSV file may hold any number
LABELS_A_FILE = 50_000  # of ground truth, so that memory stays bounded
MOST_LISTED = 10_000  # refused rows that are written out
ID, LABEL = "inference_id", "label"
_EXAMPLE = '{"inference_id": "...", "label": ...} or {"labels": [{...}, ...]}'


def parse(event: Mapping[str, Any], data: Data, maximum_kilobytes: int) -> tuple[GroundTruth, ...] | Reply:
    """The labels in an HTTP API event, or the reply that says what is wrong with them."""
    content_type = headers_of(event).get("content-type", "")
    if content_type.split(";")[0].strip().lower() != JSON:
        return refuse(415, "UnsupportedMediaType", f"content-type {content_type[:100]!r} is not {JSON}")
    body = read_body(event, f"send {_EXAMPLE}", maximum_kilobytes)
    if isinstance(body, Reply):
        return body
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        return refuse(400, "BadRequest", f"the body is not JSON: {error}")
    items = _items(document)
    if items is None:
        return refuse(400, "BadRequest", f"the body must be {_EXAMPLE}")
    if not 1 <= len(items) <= MOST_LABELS:
        return refuse(413 if items else 400, "BadRequest", f"there are {len(items)} labels, and a request holds 1 to {MOST_LABELS}")
    return _checked(items, data)


def _items(document: Any) -> list[Any] | None:
    if not isinstance(document, dict):
        return None
    if set(document) != {"labels"}:
        return [document]
    return document["labels"] if isinstance(document["labels"], list) else None


def _checked(items: Sequence[Any], data: Data) -> tuple[GroundTruth, ...] | Reply:
    labels: list[GroundTruth] = []
    problems: list[str] = []
    for number, item in enumerate(items, 1):
        try:
            labels.append(_label(item, data))
        except ValueError as error:
            problems.append(f"label {number}: {error}")
    if problems:
        return refuse(422, "FeedbackError", f"{len(problems)} of {len(items)} labels cannot be used, so none is", _shorten(problems))
    return tuple(labels)


def _shorten(problems: list[str]) -> list[str]:
    hidden = len(problems) - SHOWN_PROBLEMS
    return problems[:SHOWN_PROBLEMS] + ([f"and {hidden} more"] if hidden > 0 else [])


def _label(item: Any, data: Data) -> GroundTruth:
    if not isinstance(item, dict) or set(item) != {ID, LABEL}:
        raise ValueError(f'must be {{"{ID}": "...", "{LABEL}": ...}}')
    column = ID
    try:
        name = _inference_id(item[ID])
        column = LABEL
        return GroundTruth.of(name, label_text(item[LABEL], data))
    except ValueError as error:
        raise ValueError(f"{column} {error}") from None


def _inference_id(value: Any) -> str:
    if not isinstance(value, str) or not is_inference_id(value.strip()):
        raise CellError(str(value), f"is not an id that a prediction has: at most {LONGEST_ID} letters, digits or ._:-")
    return value.strip()


@dataclass
class Refused:
    """What of a CSV file cannot be used: the first rows themselves, and findings with a count of each kind."""

    listed: list[tuple[int, str, str, str]] = field(default_factory=list)
    _kinds: dict[tuple[str | None, str], Finding] = field(default_factory=dict)

    def add(self, problem: str, kind: str, row: int | None = None, column: str | None = None, cells: tuple[str, str] = ("", "")) -> None:
        """One more; those of the same kind in the same column are counted together, under the words of the first."""
        known = self._kinds.get((column, kind))
        more = Finding(problem=problem, column=column, row=row) if known is None else known.model_copy(update={"count": known.count + 1})
        self._kinds[column, kind] = more
        if row is not None and len(self.listed) < MOST_LISTED:
            self.listed.append((row, *cells, problem))

    @property
    def findings(self) -> tuple[Finding, ...]:
        """In the order in which the kinds were first seen."""
        return tuple(self._kinds.values())

    def to_csv(self) -> str:
        """The rows with what is wrong with them, to be mended and uploaded again; nothing in them is run by a spreadsheet."""
        out = io.StringIO()
        cells = ([harmless(str(cell)) for cell in row] for row in self.listed)
        csv.writer(out, lineterminator="\n").writerows([("row", ID, LABEL, "problem"), *cells])
        return out.getvalue()


def read_labels(file: Digested, data: Data, refused: Refused) -> Iterator[tuple[GroundTruth, ...]]:
    """The good labels of a CSV file, LABELS_A_FILE at a time, so that memory stays bounded; what is bad goes to `refused`."""
    labels = _labels(file, data, refused)
    while batch := tuple(islice(labels, LABELS_A_FILE)):
        yield batch


def _labels(file: Digested, data: Data, refused: Refused) -> Iterator[GroundTruth]:
    table = rows(file)
    try:
        _, header = next(table, (0, []))
        places = _places([name.strip() for name in header], refused)
        if places is None:
            return
        for number, cells in table:
            label = _row(number, cells, places, len(header), data, refused)
            if label is not None:
                yield label
    except FormatError as error:
        refused.add(str(error), "format", error.row)


def _places(header: list[str], refused: Refused) -> tuple[int, int] | None:
    """Where the two columns are, or None when they are not there once each."""
    wrong = [name for name in (ID, LABEL) if header.count(name) != 1]
    for name in wrong:
        refused.add(f"the header must name this column once, and has it {header.count(name)} times", "header", column=name)
    return None if wrong else (header.index(ID), header.index(LABEL))


def _row(number: int, cells: Sequence[str], places: tuple[int, int], width: int, data: Data, refused: Refused) -> GroundTruth | None:
    if len(cells) != width:
        refused.add(f"the row has {len(cells)} cells, the header {width}", "cells", number)
        return None
    identity, text = (cells[place] for place in places)
    column = ID
    try:
        name = _inference_id(identity)
        column = LABEL
        return GroundTruth.of(name, label_text(text, data))
    except ValueError as error:
        quotes = not data.privacy.columns
        refused.add(told(error, quoted=quotes), "value", number, column, (identity, text) if quotes else ("", ""))
        return None
