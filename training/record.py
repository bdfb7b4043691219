"""training.json: how a model came about, in the model's own folder."""

import platform
from importlib.metadata import version
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from contracts.evaluation import Metric, Problem
from training.search import Trial

RECORD = "training.json"
LIBRARIES = ("numpy", "pandas", "scikit-learn", "skops")


class Prior(BaseModel):
    """The training rows' target: rows of each class in the signature's order, or the mean. A model without features knows just this."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    class_rows: tuple[int, ...] = ()
    mean: float | None = None


class TrainingRecord(BaseModel):
    """What was tried on which data with which tools, and what was chosen."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dataset_version: str
    rows: int = Field(gt=0)
    problem: Problem
    metric: Metric
    seed: int
    folds: int
    chosen: Trial
    trials: tuple[Trial, ...]
    prior: Prior
    libraries: dict[str, str]

    def write(self, folder: Path) -> None:
        """Into the model's folder."""
        (folder / RECORD).write_text(self.model_dump_json(indent=2))

    @classmethod
    def read(cls, folder: Path) -> Self:
        """From the model's folder. Raises OSError and pydantic.ValidationError."""
        return cls.model_validate_json((folder / RECORD).read_bytes())


def libraries() -> dict[str, str]:
    """Versions of what decides a model's bytes."""
    return {"python": platform.python_version()} | {name: version(name) for name in LIBRARIES}
