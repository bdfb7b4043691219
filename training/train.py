"""train: the training table becomes a model.

Reads hyperparameters.json and channel `train`; searches with cross-validation; fits the best candidate twice, and fills the model's folder
(see artifact.py). The judged model has not seen the held out rows, and is what the evaluation measures; the one that goes live is the same,
fitted on those too: to leave rows out costs more than any choice that is made here, most of all where the held out ones are the newest. The
record says so, and so does the evaluation.

With fresh rows older ones may count less (aging.py). The baseline describes every row, and when some are fresh those alone: a window that
looks like them is what this model was made for. Its predictions are of rows that the model which made them had not seen, as production's
are: the judged model's of the held out ones, or with them cross-validation's of the others when those are few.
"""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field
from sklearn.pipeline import Pipeline

from contracts.baseline import PREDICTION, PROBABILITY
from contracts.columns import ColumnKind
from contracts.evaluation import Metric, Problem
from contracts.layout import CONSTRAINTS, STATISTICS, TRAIN_CHANNEL
from contracts.signature import SIGNATURE, Signature
from training.aging import best, try_half_lives, weigh
from training.artifact import JUDGED_FILE, MODEL_FILE, artifact_digest
from training.baseline import constrain, describe
from training.candidates import fit, propose
from training.export import export
from training.frame import Column, Columns, parse_table, to_frame
from training.paths import Paths
from training.record import Prior, Refit, TrainingRecord, libraries
from training.schema import HELD_OUT_TABLE, TRAIN_TABLE, Schema
from training.scoring import Predictions, predict
from training.search import Found, search
from training.stored import save_pipeline
from training.target import find_classes, parse_target
from training.text import read_table

BASELINE_ROWS = 100  # fewer fresh, or held out, rows than this are too few for a baseline of their own

log = logging.getLogger(__name__)


class Hyperparameters(BaseModel):
    """The job's settings. SageMaker hands them over as strings."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = Field(ge=0)
    folds: int = Field(ge=2)
    candidates: int = Field(ge=1)
    metric: Metric

    def strings(self) -> dict[str, str]:
        """As SageMaker takes them."""
        return {name: str(value) for name, value in self.model_dump(mode="json").items()}


@dataclass(frozen=True)
class Rows:
    """Rows as arrays, as the estimator's frame, and their target."""

    columns: Columns
    frame: pd.DataFrame
    target: Column

    @classmethod
    def read(cls, path: Path, signature: Signature) -> Self:
        """A table of texts."""
        return cls.parse(read_table(path, path.name, [*signature.features, signature.target]), signature)

    @classmethod
    def parse(cls, table: pd.DataFrame, signature: Signature) -> Self:
        """A table's rows. Raises DataError."""
        columns = parse_table(signature.features, table)
        return cls(columns, to_frame(signature.features, columns), parse_target(signature, table[signature.target]))

    def behind(self, older: "Rows") -> "Rows":
        """The older rows, and these."""
        columns = {name: np.concatenate([older.columns[name], column]) for name, column in self.columns.items()}
        frame = pd.concat([older.frame, self.frame], ignore_index=True)
        return Rows(columns, frame, np.concatenate([older.target, self.target]))


def main(paths: Paths, options: list[str]) -> None:
    """Run the job. SageMaker passes no options to a training job. Raises DataError."""
    if options:
        raise ValueError(f"train takes no options, and got {' '.join(options)}")
    settings = Hyperparameters.model_validate_json(paths.hyperparameters.read_bytes())
    channel = paths.training_input(TRAIN_CHANNEL)
    schema = Schema.read(channel)
    contract = schema.contract
    table = read_table(channel / TRAIN_TABLE, TRAIN_TABLE, [*contract.features, contract.target])
    signature = Signature.of(contract, find_classes(contract, table[contract.target]))
    rows = Rows.parse(table, signature)
    candidates = propose(signature.problem, settings.candidates, settings.seed)
    found = search(candidates, signature, rows.frame, rows.target, settings.metric, settings.folds, settings.seed)

    folder = paths.model
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SIGNATURE).write_text(signature.model_dump_json(indent=2))
    refit = fit_twice(folder, signature, found, rows, Rows.read(channel / HELD_OUT_TABLE, signature), schema.fresh_rows, settings)
    TrainingRecord(
        dataset_version=schema.dataset_version,
        rows=len(rows.target),
        problem=signature.problem,
        metric=settings.metric,
        seed=settings.seed,
        folds=settings.folds,
        chosen=found.best,
        trials=found.trials,
        prior=prior(signature, rows.target),
        refit=refit,
        learnt_until=schema.learnt_until,
        libraries=libraries(),
    ).write(folder)
    for trial in found.trials:
        log.info("%s %.4f  %s %s", settings.metric, trial.score, trial.candidate.family, trial.candidate.parameters)
    for note in refit.notes:
        log.info("%s", note)
    log.info("chosen: %s %.4f; artifact %s", found.best.candidate.family, found.best.score, artifact_digest(folder))


def write_model(pipeline: Pipeline, signature: Signature, folder: Path) -> None:
    """The model that goes live: its pipeline, and what the server takes of it."""
    save_pipeline(pipeline, folder / MODEL_FILE)
    runtime = export(pipeline, signature, folder)
    log.info("served from %s%s", runtime.name, f": {runtime.why}" if runtime.why else "")


def fit_twice(
    folder: Path, signature: Signature, found: Found, rows: Rows, held_out: Rows, fresh_rows: int | None, settings: Hyperparameters
) -> Refit:
    """Write the judged model, the one that goes live, and their baseline; how they were fitted. `fresh_rows`: of `rows`, the last."""
    candidate, metric, seed = found.best.candidate, settings.metric, settings.seed
    tried = () if fresh_rows is None else try_half_lives(candidate.family, signature, rows.frame, rows.target, metric, seed)
    half_life = best(tried, metric)
    judged = fit(candidate, signature, rows.frame, rows.target, seed, weigh(len(rows.target), half_life))
    every = held_out.behind(rows)
    live = fit(candidate, signature, every.frame, every.target, seed, weigh(len(every.target), half_life))
    save_pipeline(judged, folder / JUDGED_FILE)
    write_model(live, signature, folder)
    said = predict(judged, signature.problem, held_out.frame)
    fresh = 0 if fresh_rows is None else fresh_rows + len(held_out.target)
    described = np.arange(len(every.target))[-fresh if fresh >= BASELINE_ROWS else 0 :]
    answers = said if len(held_out.target) >= BASELINE_ROWS else found.predictions.and_then(said).at(described)
    write_baseline(folder, signature, {name: column[described] for name, column in every.columns.items()}, answers)
    return Refit(held_out=len(held_out.target), half_life=half_life, tried=tried)


def prior(signature: Signature, target: Column) -> Prior:
    """What the target alone says."""
    if signature.problem is Problem.REGRESSION:
        return Prior(mean=float(target.mean()))
    return Prior(class_rows=tuple(int(rows) for rows in np.bincount(target, minlength=len(signature.classes))))


def write_baseline(folder: Path, signature: Signature, columns: Columns, predictions: Predictions) -> None:
    """statistics.json and constraints.json of the features and of what the model says."""
    kinds = dict(signature.features)
    described = dict(columns)
    if signature.problem is Problem.REGRESSION:
        kinds[PREDICTION] = ColumnKind.NUMERIC
        described[PREDICTION] = predictions.values
    else:
        kinds[PREDICTION] = ColumnKind.CATEGORICAL
        described[PREDICTION] = np.array(signature.classes, dtype=object)[predictions.values]
    if signature.problem is Problem.BINARY and predictions.probabilities is not None:
        kinds[PROBABILITY] = ColumnKind.NUMERIC
        described[PROBABILITY] = predictions.probabilities[:, 1]
    statistics = describe(kinds, described)
    (folder / STATISTICS).write_text(statistics.model_dump_json(indent=2, exclude_none=True))
    (folder / CONSTRAINTS).write_text(constrain(statistics).model_dump_json(indent=2, exclude_none=True))
