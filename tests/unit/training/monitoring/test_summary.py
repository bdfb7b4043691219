"""Summaries: bounded, and the same however a column is cut."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.columns import ColumnKind
from training.baseline import describe
from training.monitoring import summary as summaries
from training.monitoring.summary import FirstNames, NumberSummary

texts = st.lists(st.sampled_from("abcdefghijklmnop"), max_size=60)
numbers = st.lists(st.floats(-1e6, 1e6) | st.just(float("nan")), min_size=1, max_size=60)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts, st.integers(0, 60), st.integers(0, 60))
def test_the_first_names_are_complete_in_whatever_parts_they_come(
    monkeypatch: pytest.MonkeyPatch, names: list[str], one: int, two: int
) -> None:
    monkeypatch.setattr(summaries, "KEPT", 5)
    cuts = sorted((one, two))
    parts = []
    for part in (names[cuts[1] :], names[: cuts[0]], names[cuts[0] : cuts[1]]):
        found = FirstNames()
        for name in part:
            found.add({name: 1})
        parts.append(found)
    merged = parts[0]
    merged.merge(parts[1])
    merged.merge(parts[2])
    counts = Counter(names)
    assert merged == FirstNames({name: counts[name] for name in sorted(counts)[:5]}, len(names))


@given(numbers, numbers)
def test_the_described_column_fills_its_own_bins_and_every_other_cell_counts_once(column: list[float], other: list[float]) -> None:
    feature = describe({"x": ColumnKind.NUMERIC}, {"x": np.array(column)}).features[0]
    baseline = feature.numerical_statistics
    assert baseline is not None
    own, window = NumberSummary.of(baseline), NumberSummary.of(baseline)
    own.add(np.array(column))
    buckets = [bucket.count for bucket in baseline.distribution.kll.buckets]
    if buckets:
        assert own.bins.tolist() == [0, *buckets, 0]
        assert own.outside == 0
    window.add(np.array(other))
    assert window.present + window.missing == len(other)
    present = [value for value in other if not np.isnan(value)]
    if buckets:
        assert window.outside == sum(1 for value in present if not baseline.min <= value <= baseline.max)
