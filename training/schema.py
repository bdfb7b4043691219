"""schema.json: what lies beside train.csv and holdout.csv, so that the later jobs need nothing but their channels."""

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from contracts.config import Data

SCHEMA = "schema.json"
TRAIN_TABLE = "train.csv"
HOLDOUT_TABLE = "holdout.csv"


class Schema(BaseModel):
    """Which rows these are. The counts are of the whole dataset version; `repeated` rows with an id were dropped, without one kept.

    `rare_classes` were left out, with so many rows.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    dataset_version: str
    contract: Data
    train_rows: int = Field(gt=0)
    holdout_rows: int = Field(gt=0)
    without_target: int = Field(ge=0)
    repeated: int = Field(ge=0)
    rare_classes: dict[str, int] = {}

    @property
    def rare_classes_in_words(self) -> str:
        """Which classes were left out."""
        named = ", ".join(f"{text!r} ({rows})" for text, rows in self.rare_classes.items())
        return f"too rare to be learnt and judged, so their rows were left out: {named}"

    def write(self, folder: Path) -> None:
        """Into a channel's folder."""
        (folder / SCHEMA).write_text(self.model_dump_json(indent=2))

    @classmethod
    def read(cls, folder: Path) -> Self:
        """From a channel's folder. Raises OSError and pydantic.ValidationError."""
        return cls.model_validate_json((folder / SCHEMA).read_bytes())
