"""Definitions are replaced, schedules are moved to the new ones, and all of it goes again.

The API here keeps what it is told; tests/twin/sagemaker/test_monitoring.py has the real one.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from twin.cloudformation.errors import ValidationError
from twin.cloudformation.resources import Account, Call, handler_of

MADE = datetime(2026, 1, 5, tzinfo=UTC)
PREFIX = "arn:aws:sagemaker:us-east-1:123456789012"


@dataclass
class Api:
    """SageMaker: every call is written down; Describe answers with times."""

    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        def call(**request: Any) -> dict[str, Any]:
            self.calls.append((name, request))
            if name.startswith("delete"):
                raise ClientError({"Error": {"Code": "ResourceNotFound", "Message": "it is gone"}}, name)
            arns = {
                "JobDefinitionArn": f"{PREFIX}:data-quality-job-definition/d",
                "MonitoringScheduleArn": f"{PREFIX}:monitoring-schedule/s",
            }
            return arns | {"CreationTime": MADE, "LastModifiedTime": MADE}

        return call


class Scripted(Account):
    """An account whose only service is the scripted SageMaker."""

    def client(self, service: str) -> Any:
        return self._clients[service]


def call(api: Api, properties: Mapping[str, Any]) -> Call:
    account = Scripted(None, None, threading.Event(), {"sagemaker": api})  # type: ignore[arg-type]  # nothing else is used
    return Call(account, "stack", "id", "Thing", properties, lambda: "stack-Thing-ABC")


DEFINITION = {
    "JobDefinitionName": "d",
    "DataQualityAppSpecification": {"ImageUri": "i", "Environment": {"a": "b"}},
    "DataQualityJobInput": {"EndpointInput": {"EndpointName": "e", "LocalPath": "/opt/ml/x"}},
    "DataQualityJobOutputConfig": {"MonitoringOutputs": [{"S3Output": {"LocalPath": "/opt/ml/y", "S3Uri": "s3://b/k"}}]},
    "JobResources": {"ClusterConfig": {"InstanceCount": "1", "InstanceType": "ml.m5.large", "VolumeSizeInGB": "30"}},
    "RoleArn": "r",
}
SCHEDULE = {
    "MonitoringScheduleName": "s",
    "MonitoringScheduleConfig": {"MonitoringJobDefinitionName": "d", "MonitoringType": "DataQuality"},
}


@pytest.mark.parametrize("kind", ["DataQuality", "ModelQuality"])
def test_a_definition_is_made_with_everything_and_replaced_by_anything(kind: str) -> None:
    handler, api = handler_of(f"AWS::SageMaker::{kind}JobDefinition"), Api()
    assert handler.replacement == handler.properties
    properties = {key.replace("DataQuality", kind): value for key, value in DEFINITION.items()}
    made = handler.create(call(api, properties))
    assert made.attributes == {"CreationTime": "2026-01-05T00:00:00+00:00", "JobDefinitionArn": made.physical_id}
    operation, request = api.calls[0]
    assert operation == f"create_{'data' if kind == 'DataQuality' else 'model'}_quality_job_definition"
    assert request.keys() == properties.keys() | {"Tags"}
    assert {"Key": "aws:cloudformation:stack-name", "Value": "stack"} in request["Tags"]
    assert request["JobResources"]["ClusterConfig"]["VolumeSizeInGB"] == 30
    handler.delete(call(api, properties), made.physical_id)
    assert api.calls[-1][1] == {"JobDefinitionName": "d"}
    with pytest.raises(ValidationError, match="Colour"):
        handler.create(call(api, properties | {"JobResources": {"Colour": "red"}}))


def test_a_schedule_is_moved_in_place() -> None:
    handler, api = handler_of("AWS::SageMaker::MonitoringSchedule"), Api()
    made = handler.create(call(api, SCHEDULE))
    assert api.calls[0] == ("create_monitoring_schedule", SCHEDULE)
    moved = SCHEDULE | {"MonitoringScheduleConfig": {"MonitoringJobDefinitionName": "d2", "MonitoringType": "DataQuality"}}
    handler.update(call(api, moved), made.physical_id, SCHEDULE)
    assert ("update_monitoring_schedule", moved) in api.calls
    assert handler.replacement == {"MonitoringScheduleName"}
    handler.delete(call(api, moved), made.physical_id)
    assert api.calls[-1] == ("delete_monitoring_schedule", {"MonitoringScheduleName": "s"})


def test_new_tags_move_no_schedule() -> None:
    handler, api = handler_of("AWS::SageMaker::MonitoringSchedule"), Api()
    handler.update(call(api, SCHEDULE | {"Tags": [{"Key": "a", "Value": "b"}]}), f"{PREFIX}:monitoring-schedule/s", SCHEDULE)
    assert [name for name, _ in api.calls] == ["add_tags", "describe_monitoring_schedule"]
