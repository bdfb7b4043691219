"""evaluate: the new model (challenger) against the holdout, a baseline, and the champion on the same rows; then the gate.

Inputs: `model` (model.tar.gz), `holdout`, `champion` (champion.json, and the champion's model.tar.gz when there is one).
Output `evaluation`: evaluation.json for people and policies, outcome.json for the pipeline's next steps, and of the model that is to be
registered its model.tar.gz, baseline and signature. On fresh rows that may be a model that was live before (formers.py).

A champion that cannot be scored on this holdout, because columns or classes have changed since, is noted in the report and the
challenger is judged without it. A champion whose digest is not the registered one stops the job: somebody changed it.

The challenger is judged by the model that was fitted without the holdout; what goes live is the same, fitted again on it too (train.py),
and the report says so. A champion may have learnt these rows in this way. It has when it is of the same dataset version (a person trains
once more), and it may when both are of uploads, where a row stays on its side of the split: so there it is scored as it was before. One
that learnt from traffic has been taught every older row, and may know rows of an upload's holdout; the report warns.
"""

import argparse
import logging
import shutil
import tempfile
from pathlib import Path

from contracts import layout
from contracts.errors import ArtifactError, DataError
from contracts.evaluation import Evaluation, GateRules, Metric, Outcome, Verdict
from contracts.metadata import ChampionReference
from contracts.signature import SIGNATURE, Signature
from training.artifact import JUDGED_FILE, MODEL_FILE, artifact_digest, pack, unpack, verify
from training.export.check import settle
from training.formers import Entry, best_former, read_formers
from training.judging import Answers, Holdout, answers_of, judge
from training.paths import Paths
from training.predictor import PipelinePredictor
from training.record import TrainingRecord
from training.schema import Schema

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
    rules = GateRules.model_validate_json(given.gate)
    with tempfile.TemporaryDirectory() as temporary:
        workspace, rivals = Path(temporary), paths.processing_input(layout.CHAMPION_CHANNEL)
        model, archive = workspace / "model", paths.processing_input(layout.MODEL_CHANNEL) / layout.MODEL_ARCHIVE
        unpack(archive, model)
        record = TrainingRecord.read(model)
        challenger = PipelinePredictor.load(model, JUDGED_FILE if record.refit else MODEL_FILE)
        signature = challenger.signature
        holdout = Holdout.read(paths.processing_input(layout.HOLDOUT_CHANNEL), signature)
        reference = ChampionReference.model_validate_json((rivals / layout.CHAMPION).read_bytes())
        champion, note = ask_champion(reference, rivals, workspace / "champion", signature, holdout)
        notes = (*filter(None, [note]), *holdout.schema.notes, *(record.refit.notes if record.refit else ()))
        said = answers_of(challenger, signature, holdout)
        runtime = settle(model, holdout)  # may change the folder, so before its digest
        report = judge(given.metric, rules, said, record, champion, holdout, notes, artifact_digest(model), runtime)
        chosen = Entry(model, record, said, report)
        formers = read_formers(reference.formers, rivals, workspace, signature, champion, holdout, given.metric, rules)
        chosen = best_former(formers, chosen, champion, holdout, given.metric, rules) or chosen
        write_outputs(paths.processing_output(layout.EVALUATION_CHANNEL), chosen)
    report = chosen.report
    log.info("%s %.4f on %d rows; gate: %s", report.metric, report.score, report.rows, "; ".join(report.gate.reasons) or "passed")


def write_outputs(output: Path, chosen: Entry) -> None:
    """The reports, and what of the model is to be registered."""
    for name in (layout.STATISTICS, layout.CONSTRAINTS, SIGNATURE):
        shutil.copyfile(chosen.folder / name, output / name)
    pack(chosen.folder, output / layout.MODEL_ARCHIVE)  # SageMaker's own archive has the times of its making in it
    (output / layout.EVALUATION).write_text(chosen.report.model_dump_json(indent=2))
    (output / layout.OUTCOME).write_text(outcome(chosen.report, chosen.record).model_dump_json(indent=2))


def ask_champion(
    reference: ChampionReference, folder: Path, workspace: Path, signature: Signature, holdout: Holdout
) -> tuple[Answers | None, str | None]:
    """(the champion's predictions, and what is to be said about them), (None, why it has none), or (None, None) when there is none yet."""
    if reference.model_package_arn is None:
        return None, None
    if reference.artifact_sha256 is None:
        raise ArtifactError(f"{layout.CHAMPION} names {reference.model_package_arn} without its SHA-256, so it cannot be verified")
    unpack(folder / layout.MODEL_ARCHIVE, workspace)
    verify(workspace, reference.artifact_sha256, layout.CHAMPION)
    name, note = as_unseeing(TrainingRecord.read(workspace), holdout.schema)
    try:
        predictions = answers_of(PipelinePredictor.load(workspace, name), signature, holdout)
    except (ArtifactError, DataError) as error:
        return None, f"the champion {reference.model_package_arn} cannot be scored on this holdout: {error}"
    return Answers(reference.model_package_arn, predictions), note


def as_unseeing(champion: TrainingRecord, schema: Schema) -> tuple[str, str | None]:
    """(which of the champion's models has not learnt these rows, what a reader should know about that)."""
    if champion.refit is None:
        return MODEL_FILE, None
    if champion.dataset_version == schema.dataset_version:
        return JUDGED_FILE, "the champion is of this dataset version too, and scored as it was before it was fitted on the held out rows"
    if schema.fresh_rows is not None:
        return MODEL_FILE, None
    return (JUDGED_FILE, None) if champion.learnt_until is None else (MODEL_FILE, SEEN)


def outcome(report: Evaluation, record: TrainingRecord) -> Outcome:
    """The report in the form that the pipeline's later steps read. That its champion had seen the rows belongs to why a model lost."""
    seen = [note for note in report.notes if note == SEEN and report.champion and report.gate.reasons]
    return Outcome(
        gate=Verdict.PASSED if report.gate.passed else Verdict.FAILED,
        reasons="; ".join([*report.gate.reasons, *seen]),
        artifact_sha256=report.artifact_sha256,
        score=str(report.score),
        libraries=" ".join(f"{name}={version}" for name, version in record.libraries.items()),
        runtime=str(report.runtime.name),
        runtime_difference=report.runtime.difference,
    )
