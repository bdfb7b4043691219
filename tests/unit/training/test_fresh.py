"""Fresh rows: the newest are held out, the others are to train on, in order; nothing held out is trained on."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto import mock_aws

from contracts.baseline import Statistics
from contracts.config import Data
from contracts.errors import DataError
from contracts.evaluation import Evaluation, GateRules, Metric, Outcome, Problem, Verdict
from contracts.layout import EVALUATION, EVALUATION_CHANNEL, HOLDOUT_CHANNEL, OUTCOME, STATISTICS
from contracts.manifest import DataFile, Manifest
from contracts.signature import Signature
from tests.unit.training.tables import (
    METRIC,
    contract,
    enthrone,
    hand_over,
    pack,
    prepare,
    stretch,
    table,
    trained,
    upload,
    upload_more,
)
from training.__main__ import main
from training.artifact import JUDGED_FILE, MODEL_FILE
from training.candidates import propose
from training.evaluate import SEEN
from training.frame import parse_table
from training.freshness import SMALLEST_HOLDOUT, held_out, too_few
from training.paths import Paths
from training.predictor import PipelinePredictor
from training.prepare import Divided, divide
from training.record import TrainingRecord
from training.schema import HOLDOUT_TABLE
from training.scoring import measure
from training.search import search
from training.target import parse_target
from training.text import read_table
from training.train import Hyperparameters, Rows, fit_twice

pytestmark = pytest.mark.usefixtures("few_trees")
FILE = DataFile(bucket="b", key="k", version_id="1", size=1, sha256="0" * 64, rows=1)


def rows(answers: list[str], first: int = 0) -> pd.DataFrame:
    """Rows with these targets, one a minute from the `first`."""
    numbers = range(first, first + len(answers))
    return pd.DataFrame(
        {
            "id": [f"row-{number}" for number in numbers],
            "when": [str(np.datetime64("2026-01-01T00:00") + number) for number in numbers],
            "size": [f"{number}" for number in numbers],
            "answer": answers,
        },
        dtype=str,
    )


def data(problem: str, **changes: object) -> Data:
    return contract(problem, features={"size": "numeric"}, **changes)


def divided(contract: Data, older: pd.DataFrame, fresh: pd.DataFrame) -> Divided:
    table = pd.concat([older, fresh], ignore_index=True)
    manifest = Manifest(dataset="demo", files=(FILE,), columns=(), contract=contract, fresh=stretch(len(fresh)))
    return divide(manifest, table, np.arange(len(table)) >= len(older), share=0.3, folds=2, seed=1)


@given(older=st.integers(10, 60), fresh=st.integers(20, 80), id_column=st.sampled_from(["id", None]))
def test_the_newest_fresh_rows_are_held_out_and_all_others_are_to_train_on_in_order(older: int, fresh: int, id_column: str | None) -> None:
    answers = [str(number) for number in range(older + fresh)]
    found = divided(data("regression", id=id_column), rows(answers[:older]), rows(answers[older:], older))
    held = held_out(fresh, older + fresh)
    border = older + fresh - held
    assert found.train["answer"].tolist() == answers[:border]
    assert found.holdout["answer"].tolist() == answers[border:]
    assert (found.schema.train_rows, found.schema.holdout_rows) == (border, held)
    assert found.schema.fresh_rows == fresh - held


def test_older_rows_are_put_in_order_of_the_time_column_before_the_fresh_ones() -> None:
    answers = [str(number) for number in range(60)]
    older = rows(answers[:30]).iloc[::-1]
    older.loc[26, "when"] = ""  # no time: the earliest
    found = divided(data("regression", time="when"), older, rows(answers[30:], 30))
    assert found.train["answer"].tolist() == ["26", *answers[:26], *answers[27 : 60 - held_out(30, 60)]]


def test_a_row_to_train_on_with_the_id_of_a_held_out_one_is_dropped() -> None:
    answers = [str(number) for number in range(60)]
    older, fresh = rows(answers[:30]), rows(answers[30:], 30)
    older.loc[4, "id"], fresh.loc[0, "id"] = "row-59", "row-58"
    found = divided(data("regression"), older, fresh)
    assert "4" not in set(found.train["answer"])
    assert not set(found.train["id"]) & set(found.holdout["id"])
    assert found.schema.fresh_rows == 30 - held_out(30, 60) - 1


def test_a_label_that_is_neither_class_is_left_out_and_said() -> None:
    older, fresh = rows(["yes", "no"] * 15), rows(["yes", "no"] * 20 + ["maybe", "on "], 30)
    found = divided(data("binary"), older, fresh)
    assert found.schema.unknown_classes == 2
    assert "2 fresh rows were left out" in found.schema.notes[0]
    assert set(found.holdout["answer"]) == {"yes", "no"}


def test_a_class_that_the_fresh_rows_lack_is_still_learnt_and_a_new_one_too() -> None:
    older, fresh = rows(["a", "b", "c"] * 10), rows(["a", "b", "d"] * 20, 30)
    found = divided(data("multiclass"), older, fresh)
    assert set(found.train["answer"]) == {"a", "b", "c", "d"}
    assert set(found.holdout["answer"]) == {"a", "b", "d"}
    assert found.schema.rare_classes == {}


def test_fresh_rows_that_cannot_judge_stop_the_run_and_say_why() -> None:
    older = rows(["yes", "no"] * 15)
    with pytest.raises(DataError, match="two classes need 2 rows each"):
        divided(data("binary"), older, rows(["yes"] * 20 + ["no"] * 20, 30))
    with pytest.raises(DataError, match="9 fresh rows"):
        divided(data("regression"), rows(["1"] * 20), rows(["1"] * 18, 20))
    with pytest.raises(DataError, match="0 fresh rows"):
        divided(data("binary"), older, rows(["ja", "nein"] * 20, 30))


@given(answers=st.lists(st.sampled_from(["yes", "no"]), max_size=60), minimum=st.integers(10, 40))
def test_what_collect_lets_through_prepare_can_divide(answers: list[str], minimum: int) -> None:
    contract = data("binary")
    if too_few(contract, answers, 30, minimum):
        return
    found = divided(contract, rows(["yes", "no"] * 15), rows(answers, 30))
    assert found.schema.holdout_rows == held_out(len(answers), 30 + len(answers))
    assert len(answers) >= minimum


@given(fresh=st.integers(0, 3000), older=st.integers(10, 10_000))
def test_at_most_half_of_the_fresh_and_an_eighth_of_all_rows_are_held_out_but_ten(fresh: int, older: int) -> None:
    held = held_out(fresh, older + fresh)
    assert held <= round(fresh / 2)
    assert held <= max(SMALLEST_HOLDOUT, round((older + fresh) / 8))
    assert held >= min(SMALLEST_HOLDOUT, round(fresh / 2))


def evolved(root: Path, problem: str, turned: bool) -> tuple[Paths, Evaluation]:
    """A container after prepare, train and evaluate: 160 older rows, 160 fresh ones, in which the concept may have turned over."""
    older, fresh = table(problem), table(problem, seed=2).replace("row-", "new-")
    if turned:
        swap = {"yes": "no", "no": "yes"}
        lines = fresh.splitlines()
        fresh = "\n".join([lines[0], *(re.sub(",(yes|no),seen$", lambda found: f",{swap[found[1]]},seen", line) for line in lines[1:])])
    paths = Paths(root)
    data = contract(problem)
    with mock_aws():
        manifest = upload(older.encode(), data, rows=160)
        behind = upload_more(fresh.encode(), "collected/r1/labelled.csv", rows=160)
        whole = manifest.model_copy(update={"files": (*manifest.files, behind), "parents": (manifest.version,), "fresh": stretch(160)})
        assert prepare(paths, whole) == 0, paths.message.read_text()
    hand_over(paths, data)
    assert main(["train"], paths) == 0, paths.failure.read_text()
    pack(paths)
    enthrone(paths, trained(root / "champion", older, data))
    return paths, evaluated(paths, problem)


def evaluated(paths: Paths, problem: str, minimum: float | None = None) -> Evaluation:
    gate = GateRules(minimum=minimum).model_dump_json()
    assert main(["evaluate", "--metric", METRIC[problem], "--gate", gate], paths) == 0, paths.message.read_text()
    return Evaluation.model_validate_json((paths.processing_output(EVALUATION_CHANNEL) / EVALUATION).read_bytes())


def metrics_of(model: Paths, name: str, run: Paths) -> dict[Metric, float]:
    """What a binary model scores on a run's holdout."""
    predictor = PipelinePredictor.load(model.model, name)
    rows = read_table(run.processing_output(HOLDOUT_CHANNEL) / HOLDOUT_TABLE, "holdout", [*predictor.signature.features, "answer"])
    columns, truth = parse_table(predictor.signature.features, rows), parse_target(predictor.signature, rows["answer"])
    return measure(Problem.BINARY, truth, predictor.predict(columns))


def test_after_a_change_the_challenger_wins_and_goes_live_with_the_held_out_rows(tmp_path: Path) -> None:
    paths, report = evolved(tmp_path, "binary", turned=True)
    assert report.fresh
    assert report.rows == 40
    assert report.champion is not None
    assert report.gate.passed
    assert report.metrics[Metric.ACCURACY] > report.champion.metrics[Metric.ACCURACY] + 0.2
    assert set(report.champion.gain_errors) == {Metric.ROC_AUC, Metric.ACCURACY}
    assert "weights halve with every" in report.notes[0]
    assert "fitted again, in the same way, on the 40 held out rows too" in report.notes[1]
    record = TrainingRecord.read(paths.model)
    assert record.refit is not None
    assert (record.rows, record.refit.held_out) == (280, 40)
    seen, unseen = (metrics_of(paths, name, paths) for name in (MODEL_FILE, JUDGED_FILE))
    assert unseen == report.metrics
    assert seen[Metric.LOG_LOSS] < unseen[Metric.LOG_LOSS]
    statistics = Statistics.model_validate_json((paths.model / STATISTICS).read_bytes())
    assert statistics.dataset.item_count == 160


def test_a_champion_of_the_same_dataset_version_is_scored_as_it_was_before_it_learnt_the_held_out_rows(tmp_path: Path) -> None:
    paths, first = evolved(tmp_path, "binary", turned=True)
    enthrone(paths, paths)
    report = evaluated(paths, "binary")
    assert report.champion is not None
    assert report.champion.metrics == first.metrics
    assert report.gate.passed
    assert "scored as it was before it was fitted on the held out rows" in report.notes[0]


def test_a_champion_of_another_upload_is_scored_as_it_was_before_it_learnt_its_held_out_rows(tmp_path: Path) -> None:
    champion = trained(tmp_path / "champion", table("binary", rows=120), contract("binary"))
    paths = trained(tmp_path / "upload", table("binary"), contract("binary"))
    enthrone(paths, champion)
    report = evaluated(paths, "binary")
    assert report.champion is not None
    live, judged = (metrics_of(champion, name, paths) for name in (MODEL_FILE, JUDGED_FILE))
    assert report.champion.metrics == judged != live
    assert SEEN not in report.notes


def test_a_champion_that_learnt_every_row_may_know_a_later_holdout_and_the_report_says_so(tmp_path: Path) -> None:
    champion, _ = evolved(tmp_path / "champion", "binary", turned=False)
    paths = trained(tmp_path / "upload", table("binary"), contract("binary"))
    enthrone(paths, champion)
    report = evaluated(paths, "binary", minimum=0.9999)
    assert report.champion is not None
    assert report.notes[0] == SEEN
    outcome = Outcome.model_validate_json((paths.processing_output(EVALUATION_CHANNEL) / OUTCOME).read_bytes())
    assert outcome.gate is Verdict.FAILED
    assert outcome.reasons.endswith(SEEN)


@pytest.mark.parametrize("problem", ["multiclass", "regression"])
def test_without_a_change_a_challenger_of_any_problem_is_compared_on_the_fresh_rows(tmp_path: Path, problem: str) -> None:
    _, report = evolved(tmp_path, problem, turned=False)
    assert (report.fresh, report.rows) == (True, 40)
    assert report.champion is not None
    assert report.champion.metrics.keys() == report.metrics.keys()


@pytest.mark.parametrize(("fresh", "answers"), [(60, 860), (150, 150), (800, 200)], ids=["too few", "few", "enough"])
def test_the_baseline_is_of_the_fresh_rows_when_they_are_enough(tmp_path: Path, fresh: int, answers: int) -> None:
    found = divided(data("regression"), rows([str(number) for number in range(800)]), rows([str(number) for number in range(fresh)], 800))
    signature = Signature.of(data("regression"))
    learn, newest = Rows.parse(found.train, signature), Rows.parse(found.holdout, signature)
    settings = Hyperparameters(seed=1, folds=2, candidates=1, metric=Metric.RMSE)
    searched = search(propose(Problem.REGRESSION, 1, 1), signature, learn.frame, learn.target, Metric.RMSE, folds=2, seed=1)
    fit_twice(tmp_path, signature, searched, learn, newest, found.schema.fresh_rows or 0, settings)
    statistics = Statistics.model_validate_json((tmp_path / STATISTICS).read_bytes())
    size, said = (feature.numerical_statistics for feature in statistics.features)
    assert size is not None
    assert said is not None
    assert size.common.num_present == (fresh if fresh >= 100 else 800 + fresh)
    assert said.common.num_present == answers
    assert size.min == (800 if fresh >= 100 else 0)
