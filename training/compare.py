"""compare: a registered model beside one that was made again from the same data, code, libraries and seed.

Grade A: the same files, byte by byte. Grade B: other bytes, but the same answer to every probe row: the same classes, and probabilities or
values that are equal to the last bit. The probe rows are the holdout of the dataset version.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np

from contracts.errors import ArtifactError, DataError
from contracts.reproduction import REPRODUCTION, FileDifference, Grade, Reproduction
from training.artifact import artifact_digest, file_digests, pack, unpack
from training.judging import Holdout, answers_of
from training.paths import Paths
from training.predictor import PipelinePredictor
from training.record import TrainingRecord
from training.scoring import Predictions


def main(_paths: Paths, options: list[str]) -> None:
    """Run the job. Raises ArtifactError when the registered archive cannot be read."""
    parser = argparse.ArgumentParser(prog="compare")
    parser.add_argument("--registered", type=Path, required=True, help="model.tar.gz")
    parser.add_argument("--again", type=Path, required=True, help="the folder of the model that was made again")
    parser.add_argument("--holdout", type=Path, required=True, help="the folder that prepare wrote")
    parser.add_argument("--output", type=Path, required=True, help="a folder")
    given = parser.parse_args(options)
    with tempfile.TemporaryDirectory() as temporary:
        registered = Path(temporary) / "registered"
        unpack(given.registered, registered)
        pack(given.again, Path(temporary) / "again.tar.gz")
        same = (Path(temporary) / "again.tar.gz").read_bytes() == given.registered.read_bytes()
        found = compare(registered, given.again, given.holdout, archive_is_the_same=same)
    given.output.mkdir(parents=True, exist_ok=True)
    (given.output / REPRODUCTION).write_text(found.model_dump_json(indent=2))


def compare(registered: Path, again: Path, holdout: Path, *, archive_is_the_same: bool) -> Reproduction:
    """Two models' folders."""
    digests = artifact_digest(registered), artifact_digest(again)
    result = Reproduction(
        grade=Grade.A if digests[0] == digests[1] else Grade.DIFFERENT,
        registered_sha256=digests[0],
        again_sha256=digests[1],
        archive_is_the_same=archive_is_the_same,
        files=_files(registered, again),
        libraries=_libraries(registered, again),
    )
    if result.grade is Grade.A:
        return result
    try:
        before, after, rows = _answers(registered, again, holdout)
    except (ArtifactError, DataError, ValueError) as error:
        return result.model_copy(update={"why": f"the predictions cannot be compared: {error}"})
    changed = int(np.sum(before.values != after.values))
    largest = _largest(before, after)
    grade = Grade.B if changed == 0 and largest == 0.0 else Grade.DIFFERENT
    return result.model_copy(update={"grade": grade, "probe_rows": rows, "changed_predictions": changed, "largest_difference": largest})


def _answers(registered: Path, again: Path, holdout: Path) -> tuple[Predictions, Predictions, int]:
    one, other = PipelinePredictor.load(registered), PipelinePredictor.load(again)
    if one.signature != other.signature:
        raise DataError(["they take or give different things"])
    rows = Holdout.read(holdout, one.signature)
    return answers_of(one, one.signature, rows), answers_of(other, other.signature, rows), len(rows.target)


def _largest(before: Predictions, after: Predictions) -> float:
    if before.probabilities is None or after.probabilities is None:
        return float(np.abs(before.values - after.values).max(initial=0.0))
    return float(np.abs(before.probabilities - after.probabilities).max(initial=0.0))


def _files(registered: Path, again: Path) -> tuple[FileDifference, ...]:
    one, other = file_digests(registered), file_digests(again)
    differ = sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))
    return tuple(FileDifference(name=name, registered=one.get(name), again=other.get(name)) for name in differ)


def _libraries(registered: Path, again: Path) -> dict[str, tuple[str | None, str | None]]:
    then, now = (TrainingRecord.read(folder).libraries for folder in (registered, again))
    return {name: (then.get(name), now.get(name)) for name in sorted(then.keys() | now.keys()) if then.get(name) != now.get(name)}
