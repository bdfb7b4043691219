"""Ground truth: labels that came late, as SageMaker's format gives them, one a line below yyyy/mm/dd/hh of their collection.

Format: https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-model-quality-merge.html; `eventId` there is what the request was
sent with as InferenceId. The label of row n (from 1) of a request with several rows has the id `<inference id>-<n>`
(contracts.inference.row_ids). A label that comes twice counts once, and the later file's is taken: it is the correction.

A class that the model does not know is a label like any other: no answer of the model agrees with it.
"""

import csv
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from contracts.columns import ColumnKind, parse
from contracts.evaluation import Problem
from contracts.signature import Signature
from training.monitoring.captures import Truth, find_shards, key_of, read_blocks
from training.monitoring.summary import KEPT, Numbers

OTHERS = "other unknown classes"


class _Event(msgspec.Struct, gc=False):
    eventId: str  # noqa: N815 - the format's name


class _Line(msgspec.Struct, gc=False):
    groundTruthData: Truth  # noqa: N815 - the format's name
    eventMetadata: _Event  # noqa: N815 - the format's name


_LINE = msgspec.json.Decoder(_Line)


def parse_cell(text: str) -> str:
    """A label's text, without the space around it. Raises ValueError for what is not one cell of CSV that holds something."""
    try:
        cells = next(csv.reader([text.strip()], strict=True), [])
    except csv.Error as error:
        raise ValueError(str(error)) from None
    cell = cells[0].strip() if len(cells) == 1 else ""
    if not cell:
        raise ValueError("a label must hold a value")
    return cell


class LabelReader:
    """Reads labels as numbers: a regression's own, or the place of a class in `names`, where those that the model does not know follow it.

    Of such names the first KEPT are told apart, so that texts which are no classes do not fill the memory. `names`: those of labels that
    were read before, so that the numbers stay theirs.
    """

    def __init__(self, signature: Signature, names: Iterable[str] = ()) -> None:
        self._numeric = signature.problem is Problem.REGRESSION
        self._numbers = {name: number for number, name in enumerate(dict.fromkeys((*signature.classes, *names)))}
        self._most = len(signature.classes) + KEPT

    @property
    def names(self) -> tuple[str, ...]:
        """The model's classes, and those that labels named besides."""
        return tuple(self._numbers)

    def read(self, text: str) -> float:
        """A label's number. Raises ValueError for what is no value of the target."""
        cell = parse_cell(text)
        if not self._numeric:
            name = cell if cell in self._numbers or len(self._numbers) < self._most else OTHERS
            return float(self._numbers.setdefault(name, len(self._numbers)))
        value = parse(ColumnKind.NUMERIC, cell)
        if not isinstance(value, float):
            raise ValueError("a label must hold a value")
        return value


@dataclass(frozen=True)
class Labels:
    """Labels by the key of their id, sorted: 16 bytes each. `names`: what the numbers of classes stand for (LabelReader)."""

    keys: NDArray[np.uint64] = field(default_factory=lambda: np.empty(0, dtype=np.uint64))
    values: Numbers = field(default_factory=lambda: np.empty(0))
    names: tuple[str, ...] = ()
    unreadable: int = 0
    repeated: int = 0

    @classmethod
    def read(cls, folder: Path, signature: Signature) -> Self:
        """Every label below a folder."""
        keys, values = array("Q"), array("d")
        reader, unreadable = LabelReader(signature), 0
        for shard in find_shards(folder):
            for block in read_blocks(shard):
                for line in block.split(b"\n"):
                    if not line.strip():
                        continue
                    try:
                        found = _LINE.decode(line)
                        value = reader.read(found.groundTruthData.data)
                    except (msgspec.DecodeError, ValueError):
                        unreadable += 1
                        continue
                    keys.append(key_of(found.eventMetadata.eventId))
                    values.append(value)
        in_order, own, repeated = _sorted(keys, values)
        return cls(in_order, own, reader.names, unreadable, repeated)

    def of(self, ids: Sequence[str]) -> Numbers:
        """The label of each id; NaN where there is none."""
        if not len(self.keys):
            return np.full(len(ids), np.nan)
        wanted = np.array([key_of(identifier) for identifier in ids], dtype=np.uint64)
        places = np.searchsorted(self.keys, wanted).clip(max=len(self.keys) - 1)
        return np.where(self.keys[places] == wanted, self.values[places], np.nan)


def _sorted(keys: "array[int]", values: "array[float]") -> tuple[NDArray[np.uint64], Numbers, int]:
    """(the keys in order, each once; its last value; how many values a later one replaced)."""
    unsorted = np.frombuffer(keys, dtype=np.uint64)
    order = np.argsort(unsorted, kind="stable")
    found = unsorted[order]
    last = np.append(found[1:] != found[:-1], True)[: len(found)]
    return found[last], np.frombuffer(values)[order[last]], int(len(found) - last.sum())
