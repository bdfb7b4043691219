"""The metric store: what goes in comes out, aggregated per minute of twin time."""

import random
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from twin import metric_math
from twin.metrics import MetricStore, key_of, percentile
from twin.server import TwinServer

KEY = key_of("N", "M", {"b": "2", "a": "1"})
VALUES = st.lists(st.tuples(st.integers(0, 599), st.floats(-1e6, 1e6)), min_size=1, max_size=50)


@given(VALUES)
def test_every_value_is_counted_once_in_its_own_period(values: list[tuple[int, float]]) -> None:
    store = MetricStore(random.Random(1))
    for moment, value in values:
        store.add(KEY, moment, value, "Count")
    for period in (60, 300):
        expected: dict[int, list[float]] = {}
        for moment, value in values:
            expected.setdefault(moment // period * period, []).append(value)
        for name, of in (("SampleCount", len), ("Minimum", min), ("Maximum", max), ("Sum", sum)):
            points = dict(store.points(KEY, 0, 600, period, name))
            assert points == pytest.approx({at: of(each) for at, each in expected.items()}), (name, period)


def test_dimensions_have_no_order_and_other_series_stay_apart() -> None:
    store = MetricStore(random.Random(1))
    store.add(key_of("N", "M", {"a": "1", "b": "2"}), 0, 5, "None")
    store.add(key_of("N", "M", {"a": "1"}), 0, 7, "None")
    assert store.points(KEY, 0, 60, 60, "Sum") == [(0, 5)]


def test_percentiles_are_interpolated() -> None:
    assert percentile([4, 1, 3, 2], 50) == 2.5
    assert percentile([1, 2], 90) == pytest.approx(1.9)
    assert percentile([7], 99) == 7


def test_percentiles_of_many_values_come_from_a_bounded_sample() -> None:
    store = MetricStore(random.Random(1))
    for value in range(10_000):
        store.add(KEY, 0, value, "None")
    ((_, p90),) = store.points(KEY, 0, 60, 60, "p90")
    assert 8_500 < p90 < 9_500


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("100 * e / n", {60: 50.0}),
        ("FILL(e, 0) + 0", {0: 0.0, 60: 1.0}),
        ("SUM([e, n])", {60: 3.0}),
        ("MAX(METRICS())", {60: 2.0}),
        ("-(e - 3)", {60: 2.0}),
        ("n / (e - 1)", {}),
        ("n > 1", {0: 1.0, 60: 1.0}),
        ("IF(e == 2, 1, n)", {60: 2.0}),
        ("IF(n >= 2, e / n, 0)", {60: 0.5}),
        ("IF(n < 2, e, 7)", {0: 7.0, 60: 7.0}),
    ],
)
def test_metric_math(expression: str, expected: dict[int, float]) -> None:
    measured = {"e": {60: 1.0}, "n": {0: 2.0, 60: 2.0}}
    queries: list[dict[str, Any]] = [{"Id": name, "MetricStat": {"name": name}} for name in measured]
    queries.append({"Id": "x", "Expression": expression})
    assert metric_math.resolve(queries, lambda stat: measured[stat["name"]])["x"] == expected


@pytest.mark.parametrize(
    "expression", ["IF(1, e, 0)", "IF(e, 1)", "1 < e < 2", "e **", "unknown + 1", "SEARCH('x', 'Sum')", "e if e else e"]
)
def test_metric_math_refuses_what_it_does_not_know(expression: str) -> None:
    queries: list[dict[str, Any]] = [{"Id": "e", "MetricStat": {}}, {"Id": "x", "Expression": expression}]
    with pytest.raises(Exception, match="does not understand"):
        metric_math.resolve(queries, lambda _: {0: 1.0})


@pytest.mark.parametrize("speed", [0.0])
def test_measured_and_put_values_share_one_store(twin: TwinServer) -> None:
    cloud, cloudwatch = twin.cloud, twin.cloud.client("cloudwatch")
    now = cloud.clock.now().replace(second=0, microsecond=0)
    dimensions = [{"Name": "EndpointName", "Value": "e"}]
    cloud.measure("AWS/SageMaker", "Invocations", {"EndpointName": "e"}, 1, unit="Count", time=now)
    data = [
        {"MetricName": "Invocations", "Dimensions": dimensions, "Timestamp": now, "Value": 2, "Unit": "Count"},
        {"MetricName": "Invocations", "Dimensions": dimensions, "Timestamp": now, "Values": [5, 6], "Counts": [2, 1], "Unit": "Count"},
    ]
    cloudwatch.put_metric_data(Namespace="AWS/SageMaker", MetricData=data)
    window = {"StartTime": now, "EndTime": now + timedelta(minutes=1)}
    metric = {"Namespace": "AWS/SageMaker", "MetricName": "Invocations", "Dimensions": dimensions}
    points = cloudwatch.get_metric_statistics(**metric, **window, Period=60, Statistics=["Sum", "SampleCount", "Maximum"])["Datapoints"]
    assert [(p["Timestamp"], p["Sum"], p["SampleCount"], p["Maximum"], p["Unit"]) for p in points] == [(now, 19.0, 5.0, 6.0, "Count")]
    median = cloudwatch.get_metric_statistics(**metric, **window, Period=60, ExtendedStatistics=["p50"])["Datapoints"]
    assert median[0]["ExtendedStatistics"]["p50"] == 3.5
    queries = [
        {"Id": "m", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}, "ReturnData": False},
        {"Id": "x", "Expression": "m / 2"},
    ]
    (result,) = cloudwatch.get_metric_data(MetricDataQueries=queries, **window)["MetricDataResults"]
    assert (result["Id"], result["Timestamps"], result["Values"]) == ("x", [now], [9.5])
    assert cloudwatch.list_metrics(Namespace="AWS/SageMaker", Dimensions=[{"Name": "EndpointName"}])["Metrics"] == [metric]


def test_a_name_that_is_not_ascii_is_refused(twin: TwinServer) -> None:
    with pytest.raises(ClientError, match=r"MetricData\.member\.2\.MetricName contains non-ASCII"):
        twin.cloud.client("cloudwatch").put_metric_data(
            Namespace="N", MetricData=[{"MetricName": "size", "Value": 1}, {"MetricName": "größe", "Value": 1}]
        )


def test_a_period_below_a_minute_is_refused(twin: TwinServer) -> None:
    now = twin.cloud.clock.now()
    with pytest.raises(ClientError, match="multiple of 60 seconds"):
        twin.cloud.client("cloudwatch").get_metric_statistics(
            Namespace="N", MetricName="M", StartTime=now, EndTime=now, Period=10, Statistics=["Sum"]
        )
