"""Which window an event means, and what the job of a window is called and told."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from botocore.session import get_session
from botocore.validate import validate_parameters
from hypothesis import given
from hypothesis import strategies as st

from contracts.config import Config, parse_config
from contracts.environment import StartMonitoringEnvironment
from contracts.errors import StateError
from contracts.events import Event, MonitoringWindow
from lambdas.start_monitoring.logic import WINDOWS_BACK, Task, earlier_tasks, job_request, last_window, task_of

HOURS = st.sampled_from([1, 2, 3, 4, 6, 8, 12, 24])
ZONES = st.integers(-12 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.datetimes(datetime(2020, 1, 2), datetime(2040, 1, 1), timezones=ZONES)  # noqa: DTZ001 - bounds, which the strategy gives a zone
END = datetime(2026, 11, 20, 10, tzinfo=UTC)
VARIABLES = StartMonitoringEnvironment(
    data_bucket="data-bucket",
    artifacts_bucket="artifacts-bucket",
    endpoint_name="flowers-dev",
    image_uri="123456789012.dkr.ecr.us-east-1.amazonaws.com/image:1",
    job_role_arn="arn:aws:iam::123456789012:role/monitor",
    key_arn="arn:aws:kms:us-east-1:123456789012:key/1",
)


def _event(detail: dict[str, Any], moment: datetime = END, identifier: str = "1") -> Event[MonitoringWindow]:
    envelope = {"id": identifier, "source": "tidewheel", "detail-type": "Tidewheel Tick", "time": moment, "region": "r", "account": "a"}
    return Event[MonitoringWindow].model_validate(envelope | {"detail": detail})


def _config(**monitoring: Any) -> Config:
    data = {"dataset": "flowers", "target": "kind", "problem": "binary", "positive": "rose", "features": {"petal": "numeric"}}
    return parse_config({"project": "flowers", "data": data, "monitoring": monitoring})


@given(MOMENTS, HOURS)
def test_the_last_window_has_just_ended(moment: datetime, hours: int) -> None:
    start, end = last_window(moment, hours)
    assert end - start == timedelta(hours=hours)
    assert end <= moment < end + timedelta(hours=hours)
    assert (end.utcoffset(), end.minute, end.second, end.microsecond, end.hour % hours) == (timedelta(0), 0, 0, 0, 0)


@given(MOMENTS, HOURS)
def test_windows_follow_each_other_without_a_gap(moment: datetime, hours: int) -> None:
    start, end = last_window(moment, hours)
    assert last_window(end - timedelta(microseconds=1), hours)[1] == start
    assert last_window(end + timedelta(hours=hours), hours) == (end, end + timedelta(hours=hours))


@given(st.lists(MOMENTS, min_size=2, max_size=2), HOURS, st.uuids().map(str))
def test_a_window_has_one_job_and_a_person_always_another(moments: list[datetime], hours: int, asker: str) -> None:
    one, two = (task_of(_event({}, moment), hours) for moment in moments)
    prefix = "p" * 33
    assert (one.job_name(prefix) == two.job_name(prefix)) == (one == two)
    assert (one.output_prefix(prefix) == two.output_prefix(prefix)) == (one == two)
    by_hand = task_of(_event({"start": one.start, "end": one.end}, moments[0], asker), hours)
    assert (by_hand.start, by_hand.end) == (one.start, one.end)
    assert by_hand.job_name(prefix) != one.job_name(prefix)
    assert by_hand.output_prefix(prefix) == f"monitoring/by-hand/{by_hand.job_name(prefix)}/"
    assert len(by_hand.job_name(prefix)) <= 63


@given(MOMENTS, HOURS)
def test_a_tick_looks_at_the_windows_before_it_again_and_a_person_at_one(moment: datetime, hours: int) -> None:
    task = task_of(_event({}, moment), hours)
    earlier = earlier_tasks(task)
    assert [each.end for each in (task, *earlier)][1:] == [each.start for each in (task, *earlier)][:-1]
    assert len({each.job_name("p") for each in (task, *earlier)}) == WINDOWS_BACK + 1
    assert earlier[1].job_name("p") == f"p-monitor-{earlier[1].end:%Y%m%d%H%M}-2"
    assert earlier[1].output_prefix("p") == replace(earlier[1], late=0).output_prefix("p")
    assert earlier_tasks(replace(task, cause="event-1")) == ()


@pytest.mark.parametrize(
    ("detail", "message"),
    [
        ({"start": "2026-11-20T10:00:00Z"}, "a start and an end"),
        ({"end": "2026-11-20T10:00:00Z"}, "a start and an end"),
        ({"start": "2026-11-20T09:00:00", "end": "2026-11-20T10:00:00Z"}, "time zone"),
        ({"start": "2026-11-20T10:00:00Z", "end": "2026-11-20T10:00:00Z"}, "is empty"),
    ],
)
def test_half_a_window_or_none_is_refused(detail: dict[str, str], message: str) -> None:
    with pytest.raises(StateError, match=message):
        task_of(_event(detail), 1)


def test_the_job_is_what_sagemaker_takes() -> None:
    request = job_request(Task(END - timedelta(hours=6), END), "flowers-1", _config(label_delay_hours=30), VARIABLES)
    shape = get_session().get_service_model("sagemaker").operation_model("CreateProcessingJob").input_shape
    assert shape is not None
    validate_parameters(request, shape)
    assert request["ProcessingJobName"] == "flowers-dev-monitor-202611201000"
    assert request["ProcessingInputs"][0]["S3Input"]["S3Uri"] == "s3://artifacts-bucket/runs/flowers-1/evaluation"
    assert request["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"] == "s3://artifacts-bucket/monitoring/2026/11/20/10"
    environment = request["Environment"]
    assert (environment["start_time"], environment["end_time"]) == ("2026-11-20T04:00:00Z", "2026-11-20T10:00:00Z")
    assert (environment["quality_start_time"], environment["quality_end_time"]) == ("2026-11-18T22:00:00Z", "2026-11-19T04:00:00Z")
    assert environment["dataset_source"] == "s3://artifacts-bucket/capture/flowers-dev/AllTraffic"
    assert environment["publish_cloudwatch_metrics"] == "Enabled"
    assert all(len(value) <= 256 for value in environment.values())


def test_in_a_vpc_the_job_runs_in_its_subnets() -> None:
    task, where = Task(END - timedelta(hours=6), END), {"subnets": "subnet-1 subnet-2", "security_group": "sg-1"}
    request = job_request(task, "flowers-1", _config(), VARIABLES.model_copy(update=where))
    assert request["NetworkConfig"]["VpcConfig"] == {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1", "subnet-2"]}
    assert request["NetworkConfig"]["EnableInterContainerTrafficEncryption"] is True
    assert "NetworkConfig" not in job_request(task, "flowers-1", _config(), VARIABLES)


def test_what_a_person_asks_for_moves_no_alarm() -> None:
    request = job_request(Task(END - timedelta(hours=1), END, "event-1"), "r", _config(), VARIABLES)
    assert request["Environment"]["publish_cloudwatch_metrics"] == "Disabled"
    assert "/monitoring/by-hand/" in request["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"]


def test_thresholds_of_ones_own_are_passed_on_and_disks_of_their_own_have_no_key() -> None:
    config = _config(thresholds={"distance": 0.2}, instance_type="ml.m5d.large")
    request = job_request(Task(END - timedelta(hours=1), END), "r", config, VARIABLES)
    assert request["Environment"]["thresholds"] == '{"distance":0.2}'
    assert "VolumeKmsKeyId" not in request["ProcessingResources"]["ClusterConfig"]
    assert "VolumeKmsKeyId" in job_request(Task(END, END), "r", _config(), VARIABLES)["ProcessingResources"]["ClusterConfig"]
