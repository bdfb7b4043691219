"""Labels in SageMaker's ground-truth format: JSON lines that Model Monitor joins with captured predictions, by inference id.

Format: https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-model-quality-merge.html. The label is a CSV row of one cell. Files
lie under the hour in which the labels were collected, which is later than the hour of the prediction. When a row was labelled more than
once, the label that was collected last counts: files sort by time (contracts.layout), and within a file the last line counts.
"""

import csv
import io
import math
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from contracts.columns import ColumnKind, parse
from contracts.config import Data
from contracts.evaluation import Problem


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, alias_generator=to_camel, populate_by_name=True)


class GroundTruthData(_Part):
    """The label, as a CSV row of one cell."""

    data: str
    encoding: Literal["CSV"] = "CSV"


class GroundTruthMetadata(_Part):
    """Whose label it is: the row's inference id, which SageMaker calls eventId here."""

    event_id: str


class GroundTruth(_Part):
    """One line of a ground-truth file."""

    ground_truth_data: GroundTruthData
    event_metadata: GroundTruthMetadata
    event_version: str = "0"

    @classmethod
    def of(cls, inference_id: str, label: str) -> Self:
        """A row's label."""
        cell = io.StringIO()
        csv.writer(cell).writerow([label])
        return cls(
            ground_truth_data=GroundTruthData(data=cell.getvalue().removesuffix("\r\n")),
            event_metadata=GroundTruthMetadata(event_id=inference_id),
        )

    @property
    def inference_id(self) -> str:
        """Whose label it is."""
        return self.event_metadata.event_id

    @property
    def label(self) -> str:
        """The label as the target's text. Raises ValueError when the data is not a CSV row of one cell."""
        rows = list(csv.reader(io.StringIO(self.ground_truth_data.data, newline="")))
        if len(rows) != 1 or len(rows[0]) != 1:
            raise ValueError(f"{self.ground_truth_data.data[:40]!r} is not a CSV row of one cell")
        return rows[0][0]

    def to_line(self) -> str:
        """As a line, without its end."""
        return self.model_dump_json(by_alias=True)

    @classmethod
    def from_line(cls, line: str | bytes) -> Self:
        """From a line. Raises pydantic.ValidationError."""
        return cls.model_validate_json(line)


def label_text(value: Any, data: Data) -> str:
    """A label, from a CSV cell or from JSON, as the target's text. Raises ValueError saying what is wrong with it.

    A regression's label is a finite number. Any text may be a class: one that the model does not know yet is for the monitoring to see.
    """
    if isinstance(value, bool):
        raise ValueError(f"{str(value).lower()} has no quotes; give the class as the table writes it, as text")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} is not a finite number")
    if not isinstance(value, str | int | float):
        raise ValueError("is missing" if value is None else f"must be text or a number, not {type(value).__name__}")
    text = str(value).strip()
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("holds half a character, which JSON can write and UTF-8 cannot")
    if parse(ColumnKind.NUMERIC if data.problem is Problem.REGRESSION else ColumnKind.CATEGORICAL, text) is None:
        raise ValueError("is missing")
    return text
