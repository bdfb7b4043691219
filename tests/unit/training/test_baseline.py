"""The baseline: its numbers add up, and the described table satisfies its own constraints."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.baseline import PROBABILITY, InferredType
from contracts.columns import ColumnKind
from contracts.monitoring import DriftVerdict, Thresholds
from training.baseline import BINS, constrain, describe
from training.monitoring.judge import judge_feature
from training.monitoring.summary import NumberSummary, summary_of

numbers = st.lists(st.floats(-1e9, 1e9) | st.just(math.nan), min_size=1, max_size=200)


@given(numbers)
def test_a_numeric_histogram_counts_every_present_cell_once_between_adjacent_edges(values: list[float]) -> None:
    column = np.array(values)
    statistics = describe({"x": ColumnKind.NUMERIC}, {"x": column})
    found = statistics.features[0].numerical_statistics
    assert found is not None
    present = column[~np.isnan(column)]
    assert (found.common.num_present, found.common.num_missing) == (len(present), len(column) - len(present))
    buckets = found.distribution.kll.buckets
    assert len(buckets) <= BINS
    assert sum(bucket.count for bucket in buckets) == len(present)
    assert all(left.upper_bound == right.lower_bound for left, right in itertools.pairwise(buckets))
    if len(present):
        assert (buckets[0].lower_bound, buckets[-1].upper_bound) == (found.min, found.max)
        assert found.min <= found.mean <= found.max or math.isclose(found.mean, found.min, rel_tol=1e-9, abs_tol=1e-9)
    constraint = constrain(statistics).features[0]
    assert constraint.completeness == len(present) / len(column)
    assert constraint.num_constraints is not None
    assert constraint.num_constraints.is_non_negative == (found.min >= 0)


@given(st.lists(st.sampled_from(["", "a", "b", "c"]), min_size=1, max_size=50))
def test_categories_are_counted_most_frequent_first(values: list[str]) -> None:
    statistics = describe({"x": ColumnKind.CATEGORICAL}, {"x": np.array(values, dtype=object)})
    found = statistics.features[0].string_statistics
    assert found is not None
    counts = [(bucket.value, bucket.count) for bucket in found.distribution.categorical.buckets]
    assert dict(counts) == {text: values.count(text) for text in set(values) - {""}}
    assert [count for _, count in counts] == sorted((count for _, count in counts), reverse=True)
    constraint = constrain(statistics).features[0]
    assert constraint.string_constraints is not None
    assert constraint.string_constraints.domains == tuple(sorted(set(values) - {""}))


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        (ColumnKind.NUMERIC, [1.0, 2.0], InferredType.INTEGRAL),
        (ColumnKind.NUMERIC, [1.0, 2.5], InferredType.FRACTIONAL),
        (ColumnKind.NUMERIC, [math.nan], InferredType.FRACTIONAL),
        (ColumnKind.BOOLEAN, [0.0, 1.0, math.nan], InferredType.INTEGRAL),
        (ColumnKind.CATEGORICAL, ["1", "2"], InferredType.STRING),
    ],
)
def test_types_are_model_monitors(kind: ColumnKind, values: list[object], expected: InferredType) -> None:
    column = np.array(values, dtype=object if kind is ColumnKind.CATEGORICAL else float)
    assert describe({"x": kind}, {"x": column}).features[0].inferred_type is expected


def test_a_column_of_very_many_categories_has_no_closed_domain() -> None:
    statistics = describe({"x": ColumnKind.CATEGORICAL}, {"x": np.array([str(n) for n in range(101)], dtype=object)})
    assert constrain(statistics).features[0].string_constraints is None


def test_a_long_tail_does_not_swallow_the_bins() -> None:
    column = np.concatenate([np.arange(1000.0), [1e12]])
    found = describe({"x": ColumnKind.NUMERIC}, {"x": column}).features[0].numerical_statistics
    assert found is not None
    assert max(bucket.count for bucket in found.distribution.kll.buckets) < 100


@pytest.mark.parametrize("seed", range(3))
def test_two_models_that_agree_about_a_rare_class_do_not_drift(seed: int) -> None:
    """Their probabilities differ by half, and both are next to nothing; one that finds the class in a tenth of the rows drifts."""
    generator = np.random.default_rng(seed)
    before, now = generator.uniform(0, 0.01, 2000), generator.uniform(0, 0.015, 2000)
    (feature,) = describe({PROBABILITY: ColumnKind.NUMERIC}, {PROBABILITY: before}).features
    assert feature.numerical_statistics is not None
    assert sum(bucket.count for bucket in feature.numerical_statistics.distribution.kll.buckets) == 2000

    def verdict(values: np.ndarray) -> DriftVerdict:
        summary = summary_of(feature)
        assert isinstance(summary, NumberSummary)
        summary.add(values)
        return judge_feature(feature, summary, ColumnKind.NUMERIC, Thresholds(), 5).verdict

    assert verdict(now) is DriftVerdict.NO_DRIFT
    assert verdict(np.append(now[200:], generator.uniform(0.6, 1, 200))) is DriftVerdict.DRIFT
    assert verdict(np.array([0.0, 1.0] * 1000)) is DriftVerdict.DRIFT
