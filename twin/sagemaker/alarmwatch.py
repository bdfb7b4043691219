"""The alarms of an auto rollback, read with the execution role as SageMaker does (it needs cloudwatch:DescribeAlarms on them).

Source: developer guide, deployment-guardrails-configuration. Modelled: an alarm that can no longer be read, or was deleted, counts as in
ALARM, because it guards nothing any more.
"""

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from twin.cloud import Cloud, Credentials
from twin.sagemaker import api


class AlarmWatch:
    """The alarms that a DeploymentConfig names."""

    def __init__(self, cloud: Cloud, credentials: Credentials, deployment: Mapping[str, Any]) -> None:
        """Raises ValidationException for an alarm that does not exist or that the role may not read."""
        configured = (deployment.get("AutoRollbackConfiguration") or {}).get("Alarms") or ()
        self._names = [alarm["AlarmName"] for alarm in configured]
        self._client = cloud.client("cloudwatch", credentials) if self._names else None
        try:
            missing = sorted(set(self._names) - self._states().keys())
        except ClientError as error:
            raise api.invalid(f"The auto rollback alarms could not be read with the model's execution role: {error}") from error
        if missing:
            raise api.invalid(f"Could not find the auto rollback alarms {', '.join(missing)}.")

    def in_alarm(self) -> frozenset[str]:
        """Those of the alarms that ask for a rollback now."""
        try:
            states = self._states()
        except ClientError:
            return frozenset(self._names)
        return frozenset(name for name in self._names if states.get(name, "ALARM") == "ALARM")

    def _states(self) -> dict[str, str]:
        if self._client is None:
            return {}
        found = self._client.describe_alarms(AlarmNames=self._names)["MetricAlarms"]
        return {alarm["AlarmName"]: alarm["StateValue"] for alarm in found}
