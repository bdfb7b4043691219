"""Verdicts: no verdict without data, no alarm without a change, an alarm with one; quality against the holdout."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.baseline import PREDICTION, PROBABILITY
from contracts.columns import ColumnKind
from contracts.evaluation import Metric
from contracts.monitoring import DriftVerdict, QualityVerdict, Thresholds
from tests.unit.training.monitoring import traffic
from training.baseline import describe
from training.monitoring.judge import judge_feature, judge_features, judge_quality, judge_window
from training.monitoring.quality import ClassQuality
from training.monitoring.summary import NumberSummary, Summary, TextSummary, summary_of

LIMITS = Thresholds()


def summaries(rows: int, seed: int, shift: float = 0.0) -> dict[str, Summary]:
    """A window of the small model's features."""
    table = traffic.rows(rows, seed, shift)
    columns = {feature.name: summary_of(feature) for feature in traffic.STATISTICS.features}
    for name in ("age", "income", "member"):
        column = columns[name]
        assert isinstance(column, NumberSummary)
        column.add(np.array([row[name] for row in table], dtype=float))
    city = columns["city"]
    assert isinstance(city, TextSummary)
    for row in table:
        city.add({row["city"]: 1})
    return columns


def verdicts(columns: dict[str, Summary], rows: int) -> tuple[DriftVerdict, dict[str, DriftVerdict]]:
    """(the window's verdict, each column's)."""
    found = judge_features(traffic.STATISTICS, columns, traffic.KINDS, LIMITS)
    return judge_window(found, rows, LIMITS), {verdict.name: verdict.verdict for verdict in found}


@given(rows=st.integers(0, LIMITS.minimum_rows - 1), shift=st.floats(0, 50))
@settings(deadline=None, max_examples=20)
def test_too_few_rows_never_say_anything(rows: int, shift: float) -> None:
    window, columns = verdicts(summaries(rows, 3, shift), rows)
    assert window is DriftVerdict.NOT_ENOUGH_DATA
    assert set(columns.values()) == {DriftVerdict.NOT_ENOUGH_DATA, DriftVerdict.NOT_COMPARED}


def test_undrifted_windows_of_any_size_raise_no_alarm() -> None:
    alarms = [verdicts(summaries(rows, seed), rows)[0] is DriftVerdict.DRIFT for seed in range(10) for rows in (100, 400, 2000)]
    assert sum(alarms) <= 1


@pytest.mark.parametrize(("rows", "shift"), [(100, 1.0), (400, 0.6), (5000, 0.35)])
def test_a_moderate_shift_is_found_in_the_column_that_moved(rows: int, shift: float) -> None:
    window, columns = verdicts(summaries(rows, 8, shift), rows)
    assert window is DriftVerdict.DRIFT
    assert [name for name, verdict in columns.items() if verdict is DriftVerdict.DRIFT] == ["income"]


def test_a_change_too_small_to_matter_is_no_drift_however_many_rows_show_it() -> None:
    generator = np.random.default_rng(5)
    feature = describe({"x": ColumnKind.NUMERIC}, {"x": generator.normal(0, 1, 100_000)}).features[0]
    window = summary_of(feature)
    assert isinstance(window, NumberSummary)
    window.add(generator.normal(0.06, 1, 100_000))
    found = judge_feature(feature, window, ColumnKind.NUMERIC, LIMITS, 1)
    assert found.chance is not None
    assert found.chance < 1e-9
    assert found.verdict is DriftVerdict.NO_DRIFT


def test_a_boolean_that_turns_over_drifts_and_a_date_is_not_compared() -> None:
    columns = summaries(500, 4)
    member, since = columns["member"], columns["since"]
    assert isinstance(member, NumberSummary)
    assert isinstance(since, NumberSummary)
    member.bins = np.zeros_like(member.bins)
    member.add(np.ones(500))
    since.add(np.full(500, 2e9))
    found = verdicts(columns, 500)[1]
    assert (found["member"], found["since"]) == (DriftVerdict.DRIFT, DriftVerdict.NOT_COMPARED)


@pytest.mark.parametrize("name", ["income", "city", "member", "since"])
def test_a_feature_that_is_no_longer_filled_drifts_whatever_its_kind(name: str) -> None:
    columns = summaries(200, 4)
    feature = next(each for each in traffic.STATISTICS.features if each.name == name)
    columns[name] = summary_of(feature)
    columns[name].missing = 200
    window, found = verdicts(columns, 200)
    assert (window, found[name]) == (DriftVerdict.DRIFT, DriftVerdict.DRIFT)


def test_holes_as_many_as_chance_makes_are_no_drift_in_a_small_window() -> None:
    for seed in range(10):
        generator = np.random.default_rng(seed)
        before, now = generator.normal(size=2000), generator.normal(size=120)
        before[generator.random(2000) < 0.1] = now[generator.random(120) < 0.1] = np.nan
        feature = describe({"x": ColumnKind.NUMERIC}, {"x": before}).features[0]
        window = summary_of(feature)
        assert isinstance(window, NumberSummary)
        window.add(now)
        assert judge_feature(feature, window, ColumnKind.NUMERIC, LIMITS, 10).verdict is DriftVerdict.NO_DRIFT


def test_a_part_that_answers_leave_out_is_no_hole() -> None:
    columns = summaries(200, 4)
    columns[PROBABILITY].missing = 200
    assert verdicts(columns, 200)[1][PROBABILITY] is DriftVerdict.NOT_ENOUGH_DATA


def test_categories_that_are_all_rare_are_not_compared_but_may_no_longer_be_there() -> None:
    texts = np.array([f"street {number // 4}" for number in range(2000)], dtype=object)
    feature = describe({"street": ColumnKind.CATEGORICAL}, {"street": texts}).features[0]
    other, gone = summary_of(feature), summary_of(feature)
    assert isinstance(other, TextSummary)
    assert isinstance(gone, TextSummary)
    other.add({f"avenue {number}": 1 for number in range(500)})
    gone.add({None: 500})
    found = [judge_feature(feature, summary, ColumnKind.CATEGORICAL, LIMITS, 10) for summary in (other, gone)]
    assert [(verdict.verdict, verdict.distance) for verdict in found] == [(DriftVerdict.NOT_COMPARED, None), (DriftVerdict.DRIFT, 1.0)]


def test_new_values_of_a_column_with_very_many_are_no_drift_and_another_mix_of_them_is() -> None:
    generator = np.random.default_rng(6)
    zipf = generator.zipf(1.3, 6000).clip(max=10**9)
    texts = np.array([f"customer {number}" for number in zipf], dtype=object)
    statistics = describe({"customer": ColumnKind.CATEGORICAL}, {"customer": texts[:3000]})
    feature = statistics.features[0]
    same, other = summary_of(feature), summary_of(feature)
    assert isinstance(same, TextSummary)
    assert isinstance(other, TextSummary)
    same.add(Counter(texts[3000:]))
    assert same.unknown.total > 300
    other.add(Counter(texts[3000:4500].tolist() + [f"stranger {number}" for number in range(1500)]))
    found = [judge_feature(feature, summary, ColumnKind.CATEGORICAL, LIMITS, 10).verdict for summary in (same, other)]
    assert found == [DriftVerdict.NO_DRIFT, DriftVerdict.DRIFT]


def test_drift_of_the_answers_alone_is_drift_and_a_share_of_features_can_be_asked_for() -> None:
    columns = summaries(500, 4, shift=2.0)
    one = judge_features(traffic.STATISTICS, columns, traffic.KINDS, LIMITS)
    strict = Thresholds(drifted_share=0.5)
    assert judge_window(one, 500, strict) is DriftVerdict.NO_DRIFT
    answers, chances = columns[PREDICTION], columns[PROBABILITY]
    assert isinstance(answers, TextSummary)
    assert isinstance(chances, NumberSummary)
    answers.add({"yes": 500})
    assert judge_window(judge_features(traffic.STATISTICS, columns, traffic.KINDS, strict), 500, strict) is DriftVerdict.DRIFT


def test_the_furthest_comes_first() -> None:
    found = judge_features(traffic.STATISTICS, summaries(500, 4, shift=2.0), traffic.KINDS, LIMITS)
    assert found[0].name == "income"
    assert [verdict.distance or 0 for verdict in found[1:]] == sorted((verdict.distance or 0 for verdict in found[1:]), reverse=True)


def quality(right: int, wrong: int) -> ClassQuality:
    """Of so many labelled predictions, half of them positive."""
    found = ClassQuality(2, binary=True)
    for good, count in ((True, right), (False, wrong)):
        truth = (np.arange(count) % 2).astype(np.float64)
        found.add(truth, truth if good else 1 - truth, np.full((count, 2), np.nan))
    return found


@pytest.mark.parametrize(
    ("right", "wrong", "expected"),
    [
        (99, 0, QualityVerdict.NOT_ENOUGH_DATA),
        (30, 60, QualityVerdict.NOT_ENOUGH_DATA),
        (900, 100, QualityVerdict.HELD),
        (88, 12, QualityVerdict.HELD),  # 2 % below, and chance explains it
        (87, 13, QualityVerdict.HELD),  # 3.3 % below, and chance explains it
        (8_500, 1_500, QualityVerdict.FELL),
        (60, 60, QualityVerdict.FELL),
    ],
)
def test_quality_falls_by_more_than_the_tolerance_and_more_than_chance(right: int, wrong: int, expected: QualityVerdict) -> None:
    assert judge_quality(quality(right, wrong), traffic.EVALUATION, LIMITS).verdict is expected


def test_without_a_holdout_quality_is_reported_and_not_judged() -> None:
    report = judge_quality(quality(500, 500), None, LIMITS)
    assert report.verdict is QualityVerdict.NOT_ENOUGH_DATA
    assert {metric.metric for metric in report.metrics} >= {Metric.ACCURACY, Metric.PRECISION, Metric.RECALL, Metric.F1}
