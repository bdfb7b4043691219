"""Metrics to CloudWatch, by the endpoint alone: the same under both monitoring backends, so that the same alarms watch them.

Model Monitor publishes the file of a schedule's job itself, too, into a namespace of its own whose name AWS's pages write in three ways.
"""

import json
from typing import Any

from contracts.monitoring import ENDPOINT_DIMENSION
from training.monitoring.fetch import make_client

PER_CALL = (
    500  # PutMetricData takes 1,000, in 1 MB: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html
)


def put_metrics(lines: str, namespace: str, client: Any = None) -> None:
    """Put every line of a metrics file. The same window again puts the same values at the same times. Raises botocore's ClientError."""
    if client is None:
        client = make_client("cloudwatch")
    metrics = [_by_endpoint(json.loads(line)) for line in lines.splitlines()]
    for start in range(0, len(metrics), PER_CALL):
        client.put_metric_data(Namespace=namespace, MetricData=metrics[start : start + PER_CALL])


def _by_endpoint(metric: dict[str, Any]) -> dict[str, Any]:
    return metric | {"Dimensions": [each for each in metric["Dimensions"] if each["Name"] == ENDPOINT_DIMENSION]}
