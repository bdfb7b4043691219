"""Metrics to CloudWatch, for a job that no MonitoringSchedule runs: there nobody else publishes the file."""

import json
from typing import Any

from training.monitoring.fetch import make_client

PER_CALL = (
    500  # PutMetricData takes 1,000, in 1 MB: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html
)


def put_metrics(lines: str, namespace: str, client: Any = None) -> None:
    """Put every line of a metrics file. The same window again puts the same values at the same times. Raises botocore's ClientError."""
    if client is None:
        client = make_client("cloudwatch")
    metrics = [json.loads(line) for line in lines.splitlines()]
    for start in range(0, len(metrics), PER_CALL):
        client.put_metric_data(Namespace=namespace, MetricData=metrics[start : start + PER_CALL])
