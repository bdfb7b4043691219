"""The alarms of an auto rollback, read with the execution role as SageMaker does (it needs cloudwatch:DescribeAlarms on them)."""

from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from twin.cloud import Cloud, Credentials
from twin.sagemaker import api


def check_alarms(cloud: Cloud, credentials: Credentials, configuration: Mapping[str, Any]) -> None:
    """Stop at an alarm that does not exist, or that the role may not read. Raises ValidationException."""
    names = [alarm["AlarmName"] for alarm in configuration.get("Alarms") or ()]
    if not names:
        return
    try:
        found = {alarm["AlarmName"] for alarm in _read(cloud, credentials, names)}
    except ClientError as error:
        raise api.invalid(f"The auto rollback alarms could not be read with the model's execution role: {error}") from error
    missing = [name for name in names if name not in found]
    if missing:
        raise api.invalid(f"Could not find the auto rollback alarms {', '.join(missing)}.")


def alarms_in_alarm(cloud: Cloud, credentials: Credentials, names: Sequence[str]) -> frozenset[str]:
    """Those of the alarms whose state is ALARM; one that was deleted meanwhile counts too, for it guards nothing any more."""
    found = {alarm["AlarmName"]: alarm["StateValue"] for alarm in _read(cloud, credentials, names)}
    return frozenset(name for name in names if found.get(name, "ALARM") == "ALARM")


def _read(cloud: Cloud, credentials: Credentials, names: Sequence[str]) -> list[dict[str, Any]]:
    alarms: list[dict[str, Any]] = cloud.client("cloudwatch", credentials).describe_alarms(AlarmNames=list(names))["MetricAlarms"]
    return alarms
