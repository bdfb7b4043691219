"""Alarms: the decision as a table from AWS's own guide and as properties; and alarms that are really evaluated and act."""

import json
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from tests.twin.functions.helpers import queue_policy
from twin.alarm_rules import Rule, decide
from twin.server import TwinServer

POINTS = {"X": 1.0, "0": 0.0, "-": None}


def rule(missing: str, periods: int = 3, needed: int = 3) -> Rule:
    return Rule("GreaterThanThreshold", 0.5, 60, periods, needed, missing)


# CloudWatch user guide, "Configuring how CloudWatch alarms treat missing data": the table for 3 out of 3, and part of that for 2 out of 3.
@pytest.mark.parametrize(
    ("points", "needed", "missing", "ignore", "breaching", "not_breaching"),
    [
        ("0-X-X", 3, "OK", "OK", "OK", "OK"),
        ("0000-", 3, "OK", "OK", "OK", "OK"),
        ("-----", 3, "INSUFFICIENT_DATA", "kept", "ALARM", "OK"),
        ("0XX-X", 3, "ALARM", "ALARM", "ALARM", "ALARM"),
        ("--X--", 3, "ALARM", "kept", "ALARM", "OK"),
        ("0XX--", 2, "ALARM", "ALARM", "ALARM", "ALARM"),
        ("0-X--", 3, "OK", "kept", "OK", "OK"),
        ("----X", 3, "OK", "kept", "ALARM", "OK"),
    ],
)
def test_missing_data_is_treated_as_the_guide_says(
    points: str, needed: int, missing: str, ignore: str, breaching: str, not_breaching: str
) -> None:
    values = [POINTS[point] for point in points]
    for treatment, expected in (("missing", missing), ("breaching", breaching), ("notBreaching", not_breaching), ("ignore", ignore)):
        assert decide(rule(treatment, needed=needed), values, "kept").state == expected, treatment


@given(st.lists(st.sampled_from([0.0, 1.0]), min_size=5, max_size=5), st.integers(1, 3))
def test_without_gaps_the_last_points_decide(points: list[float], needed: int) -> None:
    for treatment in ("missing", "ignore", "breaching", "notBreaching"):
        state = decide(rule(treatment, needed=needed), points, "OK").state
        assert (state == "ALARM") == (sum(points[-3:]) >= needed)


@given(st.lists(st.sampled_from([0.0, 1.0, None]), min_size=5, max_size=5), st.integers(1, 3))
def test_breaching_never_alarms_less_than_not_breaching(points: list[float | None], needed: int) -> None:
    if decide(rule("notBreaching", needed=needed), points, "OK").state == "ALARM":
        assert decide(rule("breaching", needed=needed), points, "OK").state == "ALARM"


def alarm(**changes: Any) -> dict[str, Any]:
    base = {
        "AlarmName": "errors",
        "Namespace": "N",
        "MetricName": "E",
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 2,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
    }
    return base | changes


class Events(list[tuple[str, dict[str, Any], list[str]]]):
    """Stands in for the bus."""

    def __call__(self, source: str, detail_type: str, detail: Any, resources: Any = ()) -> None:
        self.append((detail_type, dict(detail), list(resources)))


def state(twin: TwinServer, name: str = "errors") -> str:
    (found,) = twin.cloud.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
    return str(found["StateValue"])


@pytest.mark.parametrize("speed", [0.0])
def test_an_alarm_rises_falls_tells_and_acts(twin: TwinServer) -> None:
    cloud, alarms = twin.cloud, twin.part("alarms")
    cloud.publish = events = Events()
    cloudwatch, sns, sqs = (cloud.client(name) for name in ("cloudwatch", "sns", "sqs"))
    topic = sns.create_topic(Name="t")["TopicArn"]
    queue = sqs.create_queue(QueueName="q")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": queue_policy(arn, topic)})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    cloudwatch.put_metric_alarm(**alarm(AlarmActions=[topic]))
    assert state(twin) == "INSUFFICIENT_DATA"
    alarms.evaluate()
    assert state(twin) == "OK"
    for _ in range(3):
        cloud.measure("N", "E", {}, 1)
    cloud.clock.advance(60)
    alarms.evaluate()
    assert state(twin) == "ALARM"
    detail_type, detail, resources = events[-1]
    assert detail_type == "CloudWatch Alarm State Change"
    assert (detail["state"]["value"], detail["previousState"]["value"]) == ("ALARM", "OK")
    assert resources == [cloudwatch.describe_alarms()["MetricAlarms"][0]["AlarmArn"]]
    message = json.loads(json.loads(sqs.receive_message(QueueUrl=queue)["Messages"][0]["Body"])["Message"])
    assert (message["AlarmName"], message["NewStateValue"]) == ("errors", "ALARM")
    cloud.clock.advance(600)
    alarms.evaluate()
    assert state(twin) == "OK"
    items = cloudwatch.describe_alarm_history(AlarmName="errors", HistoryItemType="StateUpdate")["AlarmHistoryItems"]
    assert [item["HistorySummary"] for item in items] == [
        "Alarm updated from ALARM to OK",
        "Alarm updated from OK to ALARM",
        "Alarm updated from INSUFFICIENT_DATA to OK",
    ]


@pytest.mark.parametrize("speed", [0.0])
def test_the_running_minute_does_not_count_yet(twin: TwinServer) -> None:
    cloud = twin.cloud
    cloud.publish = Events()
    cloud.client("cloudwatch").put_metric_alarm(**alarm())
    cloud.clock.advance(60 - cloud.clock.now().timestamp() % 60)
    cloud.measure("N", "E", {}, 9)
    twin.part("alarms").evaluate()
    assert state(twin) == "OK"
    cloud.clock.advance(60)
    twin.part("alarms").evaluate()
    assert state(twin) == "ALARM"


@pytest.mark.parametrize("speed", [0.0])
def test_metric_math_and_percentile_alarms(twin: TwinServer) -> None:
    cloud = twin.cloud
    cloud.publish = Events()
    stat = {"Metric": {"Namespace": "N", "MetricName": "E"}, "Period": 60, "Stat": "Sum"}
    metrics = [
        {"Id": "e", "MetricStat": stat, "ReturnData": False},
        {"Id": "n", "MetricStat": stat | {"Metric": {"Namespace": "N", "MetricName": "I"}}, "ReturnData": False},
        {"Id": "rate", "Expression": "100 * e / n"},
    ]
    rate = {key: value for key, value in alarm(AlarmName="rate").items() if key not in {"Namespace", "MetricName", "Statistic", "Period"}}
    slow = {key: value for key, value in alarm(AlarmName="slow", MetricName="L", Threshold=90).items() if key != "Statistic"}
    cloudwatch = cloud.client("cloudwatch")
    cloudwatch.put_metric_alarm(**rate, Metrics=metrics)
    cloudwatch.put_metric_alarm(**slow, ExtendedStatistic="p90")
    for name, value in (("E", 1), ("I", 10), *(("L", 10.0 * number) for number in range(1, 11))):
        cloud.measure("N", name, {}, value)
    cloud.clock.advance(60)
    twin.part("alarms").evaluate()
    assert (state(twin, "rate"), state(twin, "slow")) == ("ALARM", "ALARM")


@pytest.mark.parametrize("speed", [0.0])
def test_set_alarm_state_has_the_same_consequences(twin: TwinServer) -> None:
    twin.cloud.publish = events = Events()
    cloudwatch = twin.cloud.client("cloudwatch")
    cloudwatch.put_metric_alarm(**alarm())
    cloudwatch.set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="a test")
    assert events[-1][1]["state"]["reason"] == "a test"
    cloudwatch.delete_alarms(AlarmNames=["errors"])
    with pytest.raises(ClientError, match="does not exist"):
        cloudwatch.set_alarm_state(AlarmName="errors", StateValue="OK", StateReason="gone")


@pytest.mark.parametrize("speed", [600.0])
def test_alarms_are_evaluated_by_themselves(twin: TwinServer) -> None:
    twin.cloud.publish = Events()
    twin.cloud.client("cloudwatch").put_metric_alarm(**alarm())
    twin.cloud.measure("N", "E", {}, 9)
    assert any(twin.cloud.clock.wait(10) and state(twin) == "ALARM" for _ in range(60))


def test_what_cannot_be_evaluated_is_refused(twin: TwinServer) -> None:
    cloudwatch = twin.cloud.client("cloudwatch")
    for changes, named in (
        ({"AlarmActions": ["arn:aws:lambda:us-east-1:123456789012:function:f"]}, "only SNS"),
        ({"Period": 30}, "multiple of 60"),
        ({"ComparisonOperator": "LessThanLowerThreshold"}, "LessThanLowerThreshold"),
        ({"DatapointsToAlarm": 2}, "DatapointsToAlarm"),
        ({"Statistic": None, "ExtendedStatistic": "tm90"}, "tm90"),
    ):
        request = {key: value for key, value in alarm(**changes).items() if value is not None}
        with pytest.raises(ClientError, match=named):
            cloudwatch.put_metric_alarm(**request)


def test_the_store_keeps_what_was_put(twin: TwinServer) -> None:
    cloudwatch = twin.cloud.client("cloudwatch")
    cloudwatch.put_metric_alarm(**alarm(AlarmDescription="why", Dimensions=[{"Name": "a", "Value": "b"}]))
    (found,) = cloudwatch.describe_alarms(AlarmNamePrefix="err")["MetricAlarms"]
    assert {key: found[key] for key in alarm()} == alarm()
    assert found["AlarmConfigurationUpdatedTimestamp"] - twin.cloud.clock.now() < timedelta(seconds=5)
