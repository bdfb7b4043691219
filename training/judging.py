"""Judging one model on the holdout: its scores, beside those of the champion and of a baseline, and the gate's verdict."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd

from contracts import evaluation
from contracts.errors import DataError
from contracts.evaluation import Evaluation, GateRules, Metric, Problem, compared_metrics
from contracts.runtime import RuntimeCheck
from contracts.signature import Signature
from training.frame import Column, parse_table
from training.predictor import Predictor
from training.record import Prior, TrainingRecord
from training.schema import HOLDOUT_TABLE, Schema
from training.scoring import Predictions, gain_error, measure
from training.target import parse_target
from training.text import read_table


@dataclass(frozen=True)
class Holdout:
    """The rows to judge by: texts, the target parsed."""

    schema: Schema
    table: pd.DataFrame
    target: Column

    @classmethod
    def read(cls, folder: Path, signature: Signature) -> Self:
        """From the channel. Raises DataError."""
        schema = Schema.read(folder)
        table = read_table(folder / HOLDOUT_TABLE, HOLDOUT_TABLE, [*schema.contract.features, schema.contract.target])
        return cls(schema, table, parse_target(signature, table[schema.contract.target]))

    @property
    def fresh(self) -> bool:
        """Whether they are of live traffic."""
        return self.schema.fresh_rows is not None


def judge(
    metric: Metric,
    rules: GateRules,
    said: Predictions,
    record: TrainingRecord,
    champion: "Answers | None",
    holdout: Holdout,
    notes: tuple[str, ...],
    digest: str,
    runtime: RuntimeCheck,
) -> Evaluation:
    """Score a model's predictions and the baseline, and ask the gate."""
    problem, target = record.problem, holdout.target
    scores = measure(problem, target, said)
    names = compared_metrics(problem, metric, holdout.fresh)
    compared = compare(names, problem, target, said, champion, record.seed) if champion else None
    baseline = measure(problem, target, without_features(record.prior, len(target)))
    return Evaluation(
        problem=problem,
        metric=metric,
        metrics=scores,
        baseline=baseline,
        champion=compared,
        gate=rules.decide(metric, scores, baseline, compared, holdout.fresh),
        dataset_version=record.dataset_version,
        rows=len(target),
        fresh=holdout.fresh,
        artifact_sha256=digest,
        runtime=runtime,
        notes=notes,
    )


def without_features(prior: Prior, rows: int) -> Predictions:
    """What a model says that only knows the training rows' target."""
    if prior.mean is not None:
        return Predictions(np.full(rows, prior.mean))
    counts = np.array(prior.class_rows, dtype=float)
    return Predictions.of_probabilities(np.tile(counts / counts.sum(), (rows, 1)))


@dataclass(frozen=True)
class Answers:
    """What a model of the registry says about the holdout."""

    model_package_arn: str
    predictions: Predictions


def compare(
    names: Sequence[Metric], problem: Problem, target: Column, challenger: Predictions, champion: Answers, seed: int
) -> evaluation.Champion:
    """Score the champion, and say how well this holdout can tell the two apart in the metrics `names`."""
    errors = {name: gain_error(problem, name, target, challenger, champion.predictions, seed) for name in names}
    scores = measure(problem, target, champion.predictions)
    return evaluation.Champion(model_package_arn=champion.model_package_arn, metrics=scores, gain_errors=errors)


def answers_of(model: Predictor, signature: Signature, holdout: Holdout) -> Predictions:
    """What another model says about the holdout, as one with `signature` would say it. Raises DataError when it cannot."""
    return in_order_of(signature, model.signature, model.predict(parse_table(model.signature.features, holdout.table)))


def in_order_of(wanted: Signature, given: Signature, predictions: Predictions) -> Predictions:
    """Another model's predictions with the classes in this model's order; a class that is new since then it never predicts.

    Raises DataError when the two answer different questions.
    """
    if given.problem is not wanted.problem or not set(given.classes) <= set(wanted.classes):
        raise DataError([f"it answers {_question(given)}, and the new model answers {_question(wanted)}"])
    if predictions.probabilities is None:
        return predictions
    ordered = np.zeros((len(predictions.values), len(wanted.classes)))
    ordered[:, [wanted.classes.index(text) for text in given.classes]] = predictions.probabilities
    return Predictions.of_probabilities(ordered)


def _question(signature: Signature) -> str:
    classes = "" if signature.problem is Problem.REGRESSION else f" of {', '.join(signature.classes)}"
    return f"a {signature.problem} problem{classes}"
