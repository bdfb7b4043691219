"""The replay's table, sizes and scores; windows on a real twin are in tests/scenarios/test_replay.py."""

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.hours import full_hour
from cli.replay.command import warnings
from cli.replay.plan import Plan, make_plan, overridden
from cli.replay.table import ReplayTable, read_table, write_rows
from cli.replay.windows import baking_time
from cli.score import tally, together
from contracts.columns import ColumnKind
from contracts.config import Config, Data, parse_config
from contracts.errors import DataError
from contracts.evaluation import Metric, Problem
from contracts.serving import Rollout, RolloutType
from tests.unit.cli.conftest import Tide, Write

DATA = Data(dataset="t", target="y", problem=Problem.BINARY, positive="1", features={"x": ColumnKind.NUMERIC, "c": ColumnKind.CATEGORICAL})


def table_of(write_table: Write, rows: list[tuple[object, ...]], order_by: str | None = None, data: Data = DATA) -> ReplayTable:
    return read_table(write_table(("at", "x", "c", "y"), rows), data, order_by, Path("tidewheel.yaml"))


@pytest.mark.parametrize(
    ("cells", "ordered"),
    [
        (["10", "9", "-1"], ["-1", "9", "10"]),
        (["2026-02-01", "2026-01-31T23:00:00+02:00", "2026-01-31"], ["2026-01-31", "2026-01-31T23:00:00+02:00", "2026-02-01"]),
        (["10 b", "9 a", "10 a"], ["10 a", "10 b", "9 a"]),
    ],
    ids=["numbers", "times", "texts"],
)
def test_the_order_is_the_columns_own(write_table: Write, cells: list[str], ordered: list[str]) -> None:
    table = table_of(write_table, [(cell, 1, "a", 1) for cell in cells], "at")
    assert [table.place(number) for number in range(3)] == ordered
    assert table.as_text is (ordered[0] == "10 a")


def test_an_order_that_is_probably_not_meant_is_said(write_table: Write) -> None:
    said = {
        order: warnings(table_of(write_table, [("10/1", 2, "b", 1), ("9/1", 1, "a", 1)], order), DATA) for order in ("at", "x", "c", "y")
    }
    assert [len(said[order]) for order in ("at", "x", "c", "y")] == [1, 1, 2, 0]
    assert "texts" in said["at"][0]
    assert "column 'x' is the order and a feature too" in said["x"][0]


def test_equal_places_keep_the_files_order(write_table: Write) -> None:
    table = table_of(write_table, [(1, 3, "a", 1), (0, 2, "a", 1), (1, 1, "a", 1)], "at")
    assert [row.record["x"] for row in table.rows] == [2.0, 3.0, 1.0]


def test_without_a_column_the_contracts_time_orders(write_table: Write) -> None:
    rows: list[tuple[object, ...]] = [("2026-01-02", 2, "a", 1), ("2026-01-01", 1, "a", 1)]
    assert [row.record["x"] for row in table_of(write_table, rows).rows] == [2.0, 1.0]
    timed = DATA.model_copy(update={"time": "at"})
    assert [row.record["x"] for row in table_of(write_table, rows, data=timed).rows] == [1.0, 2.0]


def test_what_does_not_fit_is_said(write_table: Write) -> None:
    with pytest.raises(DataError, match="no column 'when' to order by"):
        table_of(write_table, [(1, 1, "a", 1)], "when")
    with pytest.raises(DataError, match="'at' is empty in 1 rows, the first is row 2"):
        table_of(write_table, [(1, 1, "a", 1), ("", 1, "a", 1)], "at")
    with pytest.raises(DataError, match=r"has no column x, c, which .*tide init"):
        read_table(write_table(("at", "y"), [(1, 1)]), DATA, None, Path("tidewheel.yaml"))


def test_a_wrong_cell_stays_text_and_a_missing_target_no_label(write_table: Write, tmp_path: Path) -> None:
    table = table_of(write_table, [(0, "1.5", "a", " 1 "), (1, "much", "", ""), (2, "", "b", 0)])
    assert [(row.record, row.fits, row.label) for row in table.rows] == [
        ({"x": 1.5, "c": "a"}, True, "1"),
        ({"x": "much", "c": None}, False, None),
        ({"x": None, "c": "b"}, True, "0"),
    ]
    assert write_rows(table, 2, tmp_path / "first.csv") == 1
    assert (tmp_path / "first.csv").read_text() == "at,x,c,y\n0,1.5,a, 1 \n"


@given(st.integers(300, 100_000), st.integers(10, 300), st.integers(1, 5000), st.integers(0, 5000))
def test_windows_hold_every_row_once_and_labels_come_in_time(rows: int, train: int, window: int, delay: int) -> None:
    plan = Plan(train, window, delay)
    windows = plan.windows(rows)
    assert [number for each in windows for number in each] == list(range(train, rows))
    # After so many further windows every label of a window is there.
    assert plan.delay_hours * window >= delay > (plan.delay_hours - 1) * window


def test_sizes_by_default() -> None:
    assert make_plan(10_000, None, None, None, True) == Plan(2000, 400, 400)
    assert make_plan(700, None, None, None, True) == Plan(200, 100, 100)
    assert make_plan(700, 300, 50, 0, False) == Plan(300, 50, 0, retrain=False)
    assert make_plan(700, 300, 5000, None, True) == Plan(300, 400, 400)


def test_a_plan_says_when_no_label_can_come() -> None:
    assert "labels at once; retraining off" in Plan(300, 100, 0, retrain=False).in_words(700)
    assert "4 windows of 100 rows; labels 399 rows late; retraining on" in Plan(300, 100, 399).in_words(700)
    assert "1 window of 400 rows; labels 400 rows late, so none comes before the end" in Plan(300, 400, 400).in_words(700)


@given(st.integers(201, 100_000))
def test_no_window_by_default_is_small(rows: int) -> None:
    plan = make_plan(rows, None, None, None, True)
    sizes = [len(window) for window in plan.windows(rows)]
    assert len(sizes) <= 20
    assert len(sizes) == 1 or min(sizes) >= 80


@pytest.mark.parametrize(("rows", "train"), [(200, None), (500, 500)])
def test_a_table_that_is_too_small_is_refused(rows: int, train: int | None) -> None:
    with pytest.raises(DataError, match="nothing is left to replay"):
        make_plan(rows, train, None, None, True)


def test_the_deployed_configuration_differs_only_where_it_must() -> None:
    raw = {"project": "p", "data": DATA.model_dump(mode="json"), "serving": {"rollout": {"step_percent": 50}}}
    config = parse_config(raw | {"approval": {"policy": "manual"}, "training": {"candidates": 2}, "monitoring": {"alarm": {"needed": 1}}})
    replayed = Config.model_validate(overridden(config, Plan(40, 10, 25, retrain=False), 40))
    assert (replayed.approval.policy, replayed.retraining.mode) == ("auto", "disabled")
    assert (replayed.monitoring.window_hours, replayed.monitoring.label_delay_hours, replayed.monitoring.alarm.needed) == (1, 3, 1)
    # A verdict asks for no more than a window holds, and for no more than usual.
    assert (replayed.monitoring.thresholds.minimum_rows, replayed.monitoring.thresholds.minimum_labels) == (20, 20)
    usual = Config.model_validate(overridden(config, Plan(900, 5000, 0), 900)).monitoring.thresholds
    assert usual == config.monitoring.thresholds
    assert (replayed.data.quality.minimum_rows, replayed.data.quality.maximum_missing) == (40, 1.0)
    assert replayed.training == config.training.model_copy(update={"metric": "accuracy"})
    assert (replayed.serving, replayed.prefix) == (config.serving, config.prefix)
    own = parse_config(raw | {"training": {"metric": "f1"}})
    assert Config.model_validate(overridden(own, Plan(900, 10, 0), 900)).training == own.training
    # As many retrainings for as many windows: 31 in 30 days of daily windows, 744 in 30 days of hourly ones.
    retraining = Config.model_validate(overridden(config, Plan(900, 10, 0), 900)).retraining
    assert retraining == config.retraining.model_copy(update={"monthly_cap": 31 * 24})


def test_scores() -> None:
    accuracy = tally(Metric.ACCURACY, [("a", "a"), ("a", "b"), ("b", "b"), ("b", "b")])
    assert accuracy.score == 0.75
    assert together(Metric.ACCURACY, [accuracy, tally(Metric.ACCURACY, [("a", "b")])]).score == pytest.approx(0.6)
    rmse = tally(Metric.RMSE, [(1.0, "4"), (2.0, "-2")])
    assert rmse.score == pytest.approx(math.sqrt((9 + 16) / 2))
    assert tally(Metric.ACCURACY, []).score is None


@pytest.mark.parametrize(
    ("right", "rows", "fell"),
    [(90, 100, False), (88, 100, False), (70, 100, True), (870, 1000, True), (880, 1000, False)],
    ids=["the same", "by chance", "clearly", "a little, on many", "within the tolerance"],
)
def test_a_fall_is_more_than_tolerated_and_more_than_chance(right: int, rows: int, fell: bool) -> None:
    assert tally(Metric.ACCURACY, [("a", "a" if number < right else "b") for number in range(rows)]).fell(0.9) is fell


def test_a_small_holdout_has_chance_of_its_own() -> None:
    found = tally(Metric.ACCURACY, [("a", "a" if number < 80 else "b") for number in range(100)])
    assert found.fell(0.9)
    assert found.fell(0.9, 1000)
    assert not found.fell(0.9, 40)


def test_an_error_that_grows_is_a_fall() -> None:
    pairs: list[tuple[str | float, str]] = [(1.0, "3"), (1.0, "-1")] * 50
    assert tally(Metric.RMSE, pairs).fell(1.5)
    assert not tally(Metric.RMSE, pairs).fell(2.5)


@given(st.floats(0, 400 * 86400))
def test_windows_begin_at_full_hours(seconds: float) -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    found = full_hour(moment)
    assert (found.minute, found.second, found.microsecond) == (0, 0, 0)
    assert timedelta(0) <= found - moment < timedelta(hours=1)


@pytest.mark.parametrize(
    ("rollout", "minutes"),
    [
        (Rollout(type=RolloutType.ALL_AT_ONCE, termination_wait_seconds=30), 1),
        (Rollout(type=RolloutType.CANARY, interval_seconds=300, termination_wait_seconds=120), 7),
        (Rollout(type=RolloutType.LINEAR, step_percent=25, interval_seconds=60, termination_wait_seconds=0), 3),
    ],
)
def test_baking_time_is_the_rollouts(rollout: Rollout, minutes: int) -> None:
    assert baking_time(rollout) == timedelta(minutes=minutes)


def test_wrong_arguments_are_said_before_anything_starts(tide: Tide, churn: Path) -> None:
    assert tide("init", "--data", str(churn), "--target", "Churn").exit_code == 0
    missing = tide("replay", "--data", "no.csv")
    assert "no.csv is not there" in str(missing.exception)
    assert "no column 'when' to order by" in str(tide("replay", "--data", str(churn), "--order-by", "when").exception)
    assert "nothing is left to replay" in str(tide("replay", "--data", str(churn)).exception)
    assert "there is no folder" in str(tide("replay", "--data", str(churn), "--json", "away/report.json").exception)
