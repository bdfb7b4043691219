"""Former champions: models that were live before, asked once more on fresh rows, because a concept that comes back is known to them.

A former goes live again, as it was, when it is shown to be better than whichever of champion and challenger would be live: beyond what
chance explains at 95 %, one-sided. It must not have learnt from traffic as late as the holdout's.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from contracts import layout
from contracts.errors import ArtifactError, DataError
from contracts.evaluation import CHANCE, Evaluation, GateMode, GateRules, Metric
from contracts.metadata import FormerReference
from contracts.signature import Signature
from training.artifact import unpack, verify
from training.export.check import check
from training.judging import Answers, Holdout, answers_of, judge
from training.predictor import PipelinePredictor
from training.record import TrainingRecord
from training.runtime import read_runtime
from training.scoring import Predictions, gain_error

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Entry:
    """A model that may go live: its files, what it says about the holdout, and what was found about that."""

    folder: Path
    record: TrainingRecord
    said: Predictions
    report: Evaluation


def read_formers(
    references: Sequence[FormerReference],
    folder: Path,
    workspace: Path,
    signature: Signature,
    champion: Answers | None,
    holdout: Holdout,
    metric: Metric,
    rules: GateRules,
) -> list[Entry]:
    """The formers that have not seen the holdout and can be scored on it. Raises ArtifactError for one that somebody changed."""
    entries = []
    for number, reference in enumerate(references, 1):
        place = layout.former_folder(number)
        model = workspace / place
        unpack(folder / place / layout.MODEL_ARCHIVE, model)
        verify(model, reference.artifact_sha256, layout.CHAMPION)
        record = TrainingRecord.read(model)
        if not _unseeing(record, holdout):
            continue
        try:
            said = answers_of(PipelinePredictor.load(model), signature, holdout)
            runtime = check(model, holdout)
        except (ArtifactError, DataError) as error:
            log.info("%s cannot be scored on this holdout: %s", reference.model_package_arn, error)
            continue
        if runtime.name is not read_runtime(model).name:
            log.info("%s cannot go live as it was: %s", reference.model_package_arn, runtime.why)
            continue
        report = judge(metric, rules, said, record, champion, holdout, (), reference.artifact_sha256, runtime)
        report = report.model_copy(update={"former": reference.model_package_arn})
        entries.append(Entry(model, record, said, report))
    return entries


def _unseeing(former: TrainingRecord, holdout: Holdout) -> bool:
    """Whether all that it learnt is older than the holdout."""
    start = holdout.schema.holdout_start
    return former.learnt_until is None or (start is not None and former.learnt_until <= start)


def best_former(
    formers: Sequence[Entry], challenger: Entry, champion: Answers | None, holdout: Holdout, metric: Metric, rules: GateRules
) -> Entry | None:
    """The former that is shown to be better than what would be live, the best of them; None when there is none."""
    if rules.mode is GateMode.DISABLED:
        return None
    found = challenger.report
    if found.gate.passed or champion is None or found.champion is None:
        rival, score = challenger.said, found.score
    else:
        rival, score = champion.predictions, found.champion.metrics[metric]
    better = []
    for former in formers:
        gain = metric.gain(former.report.score, score)
        if gain <= 0 or former.report.gate.reasons:
            continue  # the standard error takes a bootstrap
        error = gain_error(challenger.record.problem, metric, holdout.target, former.said, rival, challenger.record.seed)
        if gain > CHANCE * error:
            better.append((gain, former))
    if not better:
        return None
    best = max(better, key=lambda pair: pair[0])[1]
    note = (
        f"{best.report.former} was live before, and is better on these fresh rows than the champion and than the challenger "
        f"({metric} {found.score:.4f}): it goes live again, as it was"
    )
    report = best.report.model_copy(update={"notes": (note, *found.notes)})
    return Entry(best.folder, best.record, best.said, report)
