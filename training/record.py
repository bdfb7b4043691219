"""training.json: how a model came about, in the model's own folder."""

import platform
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from statistics import fmean
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from contracts.evaluation import Metric, Problem
from training.aging import Aged
from training.artifact import RECORD
from training.search import Trial

LIBRARIES = ("joblib", "numpy", "onnx", "onnxruntime", "pandas", "scikit-learn", "scipy", "skops", "threadpoolctl")


class Prior(BaseModel):
    """The training rows' target: rows of each class in the signature's order, or the mean. A model without features knows just this."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    class_rows: tuple[int, ...] = ()
    mean: float | None = None


class Refit(BaseModel):
    """That the model was fitted again, as it was judged, on the held out rows too; `tried`, with fresh rows: how much older rows count."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    held_out: int = Field(gt=0, description="rows that the judged model has not seen")
    half_life: float | None
    tried: tuple[Aged, ...]

    @property
    def notes(self) -> tuple[str, ...]:
        """In words."""
        again = f"scored before it was fitted again, in the same way, on the {self.held_out} held out rows too"
        if not self.tried:
            return (again,)
        counted = "all rows count alike" if self.half_life is None else f"weights halve with every {self.half_life:.0%} of the rows"
        scores = ", ".join(
            f"{'alike' if aged.half_life is None else f'{aged.half_life:.0%}'} {fmean(aged.scores):.4f}"
            for aged in self.tried
            if aged.scores
        )
        return (f"{counted}: so what came later was predicted best, or as well as best ({scores or 'too few rows to try'})", again)


class TrainingRecord(BaseModel):
    """What was tried on which data with which tools, and what was chosen. `rows`: of the model that was judged."""

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
    refit: Refit | None = Field(default=None, description="None: a model of before every training did so")
    learnt_until: datetime | None = Field(default=None, description="the end of the live traffic among its rows; None: there was none")
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
