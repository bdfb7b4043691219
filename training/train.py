"""train: the training table becomes a model.

Reads hyperparameters.json and channel `train`; searches with cross-validation; fits the best candidate on every training row; fills the
model's folder (see artifact.py). The baseline describes the training rows, and the predictions that cross-validation made for them: those
were made on unseen rows, as production's are.
"""

import logging
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from contracts.baseline import PREDICTION, PROBABILITY
from contracts.columns import ColumnKind
from contracts.evaluation import Metric, Problem
from contracts.layout import CONSTRAINTS, STATISTICS, TRAIN_CHANNEL
from contracts.signature import SIGNATURE, Signature
from training.artifact import MODEL_FILE, artifact_digest, save_pipeline
from training.baseline import constrain, describe
from training.candidates import build, propose
from training.frame import Column, Columns, parse_table, to_frame
from training.paths import Paths
from training.record import Prior, TrainingRecord, libraries
from training.schema import TRAIN_TABLE, Schema
from training.scoring import Predictions
from training.search import search
from training.target import find_classes, parse_target
from training.text import read_table

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
    columns = parse_table(signature.features, table)
    target = parse_target(signature, table[contract.target])
    frame = to_frame(signature.features, columns)

    candidates = propose(signature.problem, settings.candidates, settings.seed)
    found = search(candidates, signature, frame, target, settings.metric, settings.folds, settings.seed)
    pipeline = build(found.best.candidate, signature.problem, signature.features, settings.seed).fit(frame, target)

    folder = paths.model
    folder.mkdir(parents=True, exist_ok=True)
    save_pipeline(pipeline, folder / MODEL_FILE)
    (folder / SIGNATURE).write_text(signature.model_dump_json(indent=2))
    write_baseline(folder, signature, columns, found.predictions)
    TrainingRecord(
        dataset_version=schema.dataset_version,
        rows=len(target),
        problem=signature.problem,
        metric=settings.metric,
        seed=settings.seed,
        folds=settings.folds,
        chosen=found.best,
        trials=found.trials,
        prior=prior(signature, target),
        libraries=libraries(),
    ).write(folder)
    for trial in found.trials:
        log.info("%s %.4f  %s %s", settings.metric, trial.score, trial.candidate.family, trial.candidate.parameters)
    log.info("chosen: %s %.4f; artifact %s", found.best.candidate.family, found.best.score, artifact_digest(folder))


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
