"""schema.json: what lies beside train.csv and holdout.csv, so that the later jobs need nothing but their channels."""

from datetime import datetime
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from contracts.config import Data

SCHEMA = "schema.json"
TRAIN_TABLE = "train.csv"
HOLDOUT_TABLE = "holdout.csv"
HELD_OUT_TABLE = "held_out.csv"  # beside train.csv: what is held out, for the last fit


class Schema(BaseModel):
    """Which rows these are. The counts are of the whole dataset version; `repeated` rows with an id were dropped, without one kept.

    `rare_classes` were left out, with so many rows, and so were rows of `unknown_classes`. The last `fresh_rows` to train on are fresh;
    None: the version has none. The holdout is of `holdout_start` or later; the newest row is older than `learnt_until`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    dataset_version: str
    contract: Data
    train_rows: int = Field(gt=0)
    holdout_rows: int = Field(gt=0)
    without_target: int = Field(ge=0)
    repeated: int = Field(ge=0)
    rare_classes: dict[str, int] = {}
    fresh_rows: int | None = Field(default=None, ge=0)
    unknown_classes: int = Field(default=0, ge=0)
    holdout_start: datetime | None = None
    learnt_until: datetime | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out, in words."""
        notes = []
        if self.rare_classes:
            named = ", ".join(f"{text!r} ({rows})" for text, rows in self.rare_classes.items())
            notes.append(f"too rare to be learnt and judged, so their rows were left out: {named}")
        if self.unknown_classes:
            notes.append(f"{self.unknown_classes} fresh rows were left out, because their label is none of the target's two classes")
        return tuple(notes)

    def write(self, folder: Path) -> None:
        """Into a channel's folder."""
        (folder / SCHEMA).write_text(self.model_dump_json(indent=2))

    @classmethod
    def read(cls, folder: Path) -> Self:
        """From a channel's folder. Raises OSError and pydantic.ValidationError."""
        return cls.model_validate_json((folder / SCHEMA).read_bytes())
