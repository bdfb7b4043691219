"""evaluate: the new model (challenger) against the holdout, a baseline, and the champion on the same rows; then the gate.

Inputs: `model` (model.tar.gz), `holdout`, `champion` (champion.json, and the champion's model.tar.gz when there is one).
Output `evaluation`: evaluation.json for people and policies, outcome.json for the pipeline's next steps, and the
model's baseline and signature for the registry and for monitoring.

A champion that cannot be scored on this holdout, because columns or classes have changed since, is noted in the report and the
challenger is judged without it. A champion whose digest is not the registered one stops the job: somebody changed it.

When the holdout is of fresh rows, the challenger is the model that was fitted without them; what goes live is the same, fitted again on
those too (train.py), and the report says so. A champion of the same dataset version (a person trains once more) has learnt them in this
way too, so it is scored as it was before. Of any other holdout a champion that was fitted on everything may know rows; the report warns.
"""

import argparse
import logging
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd

from contracts import evaluation, layout
from contracts.errors import ArtifactError, DataError
from contracts.evaluation import Evaluation, GateRules, Metric, Outcome, Problem, Verdict, compared_metrics
from contracts.metadata import ChampionReference
from contracts.signature import SIGNATURE, Signature
from training.artifact import JUDGED_FILE, MODEL_FILE, artifact_digest, unpack
from training.frame import Column, parse_table
from training.paths import Paths
from training.predictor import PipelinePredictor, Predictor, verify
from training.record import Prior, TrainingRecord
from training.schema import HOLDOUT_TABLE, Schema
from training.scoring import Predictions, gain_error, measure
from training.target import parse_target
from training.text import read_table

SEEN = (
    "the champion was fitted on every row of its dataset version, and those that are held out here too it has seen. "
    "Next, if only that decides: training.gate.mode dry_run for this run"
)

log = logging.getLogger(__name__)


def main(paths: Paths, options: list[str]) -> None:
    """Run the job. A model that fails the gate is a result, not a failure. Raises ArtifactError, DataError."""
    parser = argparse.ArgumentParser(prog="evaluate")
    parser.add_argument("--metric", type=Metric, required=True)
    parser.add_argument("--gate", required=True, help="the gate's rules, as JSON")
    given = parser.parse_args(options)
    output = paths.processing_output(layout.EVALUATION_CHANNEL)
    with tempfile.TemporaryDirectory() as temporary:
        model = Path(temporary) / "model"
        unpack(paths.processing_input(layout.MODEL_CHANNEL) / layout.MODEL_ARCHIVE, model)
        record = TrainingRecord.read(model)
        challenger = PipelinePredictor.load(model, JUDGED_FILE if record.refit else MODEL_FILE)
        holdout = Holdout.read(paths.processing_input(layout.HOLDOUT_CHANNEL), challenger.signature)
        champion, note = ask_champion(
            paths.processing_input(layout.CHAMPION_CHANNEL), Path(temporary) / "champion", challenger.signature, holdout
        )
        for name in (layout.STATISTICS, layout.CONSTRAINTS, SIGNATURE):
            shutil.copyfile(model / name, output / name)
        notes = (*filter(None, [note]), *holdout.schema.notes, *(record.refit.notes if record.refit else ()))
        rules = GateRules.model_validate_json(given.gate)
        report = judge(given.metric, rules, challenger, record, champion, holdout, notes, artifact_digest(model))
    (output / layout.EVALUATION).write_text(report.model_dump_json(indent=2))
    (output / layout.OUTCOME).write_text(outcome(report, record).model_dump_json(indent=2))
    log.info("%s %.4f on %d rows; gate: %s", report.metric, report.score, report.rows, "; ".join(report.gate.reasons) or "passed")


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
    challenger: Predictor,
    record: TrainingRecord,
    champion: "Answers | None",
    holdout: Holdout,
    notes: tuple[str, ...],
    digest: str,
) -> Evaluation:
    """Score the challenger and the baseline, and ask the gate."""
    signature, target = challenger.signature, holdout.target
    said = challenger.predict(parse_table(signature.features, holdout.table))
    scores = measure(signature.problem, target, said)
    names = compared_metrics(signature.problem, metric, holdout.fresh)
    compared = compare(names, signature.problem, target, said, champion, record.seed) if champion else None
    baseline = measure(signature.problem, target, without_features(record.prior, len(target)))
    return Evaluation(
        problem=signature.problem,
        metric=metric,
        metrics=scores,
        baseline=baseline,
        champion=compared,
        gate=rules.decide(metric, scores, baseline, compared, holdout.fresh),
        dataset_version=record.dataset_version,
        rows=len(target),
        fresh=holdout.fresh,
        artifact_sha256=digest,
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
    """What the champion says about the holdout."""

    model_package_arn: str
    predictions: Predictions


def compare(
    names: Sequence[Metric], problem: Problem, target: Column, challenger: Predictions, champion: Answers, seed: int
) -> evaluation.Champion:
    """Score the champion, and say how well this holdout can tell the two apart in the metrics `names`."""
    errors = {name: gain_error(problem, name, target, challenger, champion.predictions, seed) for name in names}
    scores = measure(problem, target, champion.predictions)
    return evaluation.Champion(model_package_arn=champion.model_package_arn, metrics=scores, gain_errors=errors)


def ask_champion(folder: Path, workspace: Path, signature: Signature, holdout: Holdout) -> tuple[Answers | None, str | None]:
    """(the champion's predictions, and what is to be said about them), (None, why it has none), or (None, None) when there is none yet."""
    reference = ChampionReference.model_validate_json((folder / layout.CHAMPION).read_bytes())
    if reference.model_package_arn is None:
        return None, None
    if reference.artifact_sha256 is None:
        raise ArtifactError(f"{layout.CHAMPION} names {reference.model_package_arn} without its SHA-256, so it cannot be verified")
    unpack(folder / layout.MODEL_ARCHIVE, workspace)
    verify(workspace, reference.artifact_sha256, layout.CHAMPION)
    name, note = as_unseeing(TrainingRecord.read(workspace), holdout.schema)
    try:
        champion = PipelinePredictor.load(workspace, name)
        columns = parse_table(champion.signature.features, holdout.table)
        predictions = in_order_of(signature, champion.signature, champion.predict(columns))
    except (ArtifactError, DataError) as error:
        return None, f"the champion {reference.model_package_arn} cannot be scored on this holdout: {error}"
    return Answers(reference.model_package_arn, predictions), note


def as_unseeing(champion: TrainingRecord, schema: Schema) -> tuple[str, str | None]:
    """(which of the champion's models has not learnt these rows, what a reader should know about that)."""
    if champion.refit is None:
        return MODEL_FILE, None
    if champion.dataset_version == schema.dataset_version:
        return JUDGED_FILE, "the champion is of this dataset version too, and scored as it was before it was fitted on the held out rows"
    if schema.fresh_rows is None:
        return MODEL_FILE, SEEN
    return MODEL_FILE, None


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


def outcome(report: Evaluation, record: TrainingRecord) -> Outcome:
    """The report in the form that the pipeline's later steps read. That its champion had seen the rows belongs to why a model lost."""
    seen = [note for note in report.notes if note == SEEN and report.champion and report.gate.reasons]
    return Outcome(
        gate=Verdict.PASSED if report.gate.passed else Verdict.FAILED,
        reasons="; ".join([*report.gate.reasons, *seen]),
        artifact_sha256=report.artifact_sha256,
        score=str(report.score),
        libraries=" ".join(f"{name}={version}" for name, version in record.libraries.items()),
    )
