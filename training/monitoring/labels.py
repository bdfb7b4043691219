"""Ground truth: labels that came late, as SageMaker's format gives them, one a line below yyyy/mm/dd/hh of their collection.

Format: https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-model-quality-merge.html; `eventId` there is what the request was
sent with as InferenceId. The label of row n (from 1) of a request with several rows has the id `<inference id>-<n>`
(contracts.inference.row_ids). A label that comes twice counts once, and the later file's is taken: it is the correction.
"""

import csv
from array import array
from collections.abc import Sequence
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
from training.monitoring.summary import Numbers


class _Event(msgspec.Struct, gc=False):
    eventId: str  # noqa: N815 - the format's name


class _Line(msgspec.Struct, gc=False):
    groundTruthData: Truth  # noqa: N815 - the format's name
    eventMetadata: _Event  # noqa: N815 - the format's name


_LINE = msgspec.json.Decoder(_Line)


def parse_label(signature: Signature, text: str) -> float:
    """A class's number, or a number. Raises ValueError for what is no value of the target."""
    try:
        cells = next(csv.reader([text.strip()], strict=True), [])
    except csv.Error as error:
        raise ValueError(str(error)) from None
    cell = cells[0].strip() if len(cells) == 1 else ""
    if signature.problem is not Problem.REGRESSION:
        return float(signature.classes.index(cell))
    value = parse(ColumnKind.NUMERIC, cell)
    if not isinstance(value, float):
        raise ValueError("a label must hold a value")
    return value


@dataclass(frozen=True)
class Labels:
    """Labels by the key of their id, sorted: 16 bytes each."""

    keys: NDArray[np.uint64] = field(default_factory=lambda: np.empty(0, dtype=np.uint64))
    values: Numbers = field(default_factory=lambda: np.empty(0))
    unreadable: int = 0
    repeated: int = 0

    @classmethod
    def read(cls, folder: Path, signature: Signature) -> Self:
        """Every label below a folder."""
        keys, values = array("Q"), array("d")
        unreadable = 0
        for shard in find_shards(folder):
            for block in read_blocks(shard):
                for line in block.split(b"\n"):
                    if not line.strip():
                        continue
                    try:
                        found = _LINE.decode(line)
                        value = parse_label(signature, found.groundTruthData.data)
                    except (msgspec.DecodeError, ValueError):
                        unreadable += 1
                        continue
                    keys.append(key_of(found.eventMetadata.eventId))
                    values.append(value)
        return cls._of(np.array(keys, dtype=np.uint64), np.array(values, dtype=float), unreadable)

    @classmethod
    def _of(cls, keys: NDArray[np.uint64], values: Numbers, unreadable: int) -> Self:
        order = np.argsort(keys, kind="stable")
        keys, values = keys[order], values[order]
        last = np.append(keys[1:] != keys[:-1], True)[: len(keys)]
        return cls(keys[last], values[last], unreadable, int(len(keys) - last.sum()))

    def of(self, ids: Sequence[str]) -> Numbers:
        """The label of each id; NaN where there is none."""
        if not len(self.keys):
            return np.full(len(ids), np.nan)
        wanted = np.array([key_of(identifier) for identifier in ids], dtype=np.uint64)
        places = np.searchsorted(self.keys, wanted).clip(max=len(self.keys) - 1)
        return np.where(self.keys[places] == wanted, self.values[places], np.nan)
