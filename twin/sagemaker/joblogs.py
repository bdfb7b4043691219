"""A job's or model server's output, in CloudWatch Logs, under its own role: without logs permissions it is only in the state folder."""

from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from twin.cloud import Cloud, Credentials

BATCH = 1000
LINE_LIMIT = 200_000


def send(cloud: Cloud, credentials: Credentials, group: str, stream: str, path: Path) -> str:
    """Write the file's lines into a new log stream; what went wrong, or nothing."""
    logs = cloud.client("logs", credentials)
    lines = path.read_text(errors="replace").splitlines() if path.exists() else []
    stamp = int(cloud.clock.now().timestamp() * 1000)
    try:
        _create(logs.create_log_group, logGroupName=group)
        _create(logs.create_log_stream, logGroupName=group, logStreamName=stream)
        for first in range(0, len(lines), BATCH):
            events = [{"timestamp": stamp, "message": line[:LINE_LIMIT]} for line in lines[first : first + BATCH] if line]
            if events:
                logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)
    except ClientError as error:
        return f"the log was not sent to {group}: {error}"
    return ""


def _create(operation: Any, **names: str) -> None:
    try:
        operation(**names)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceAlreadyExistsException":
            raise
