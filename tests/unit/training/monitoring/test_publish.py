"""Metrics as CloudWatch takes them: botocore checks every call against the service's own model."""

import json
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

from tests.unit.training.monitoring import test_monitor
from training.monitoring import publish


def test_every_line_of_a_metrics_file_is_put_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    test_monitor.captures(tmp_path)
    test_monitor.run(tmp_path)
    lines = (tmp_path / "output" / "metrics" / "cloudwatch" / "metrics.jsonl").read_text()
    monkeypatch.setattr(publish, "PER_CALL", 10)
    client: Any = boto3.client("cloudwatch", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    sent: list[str] = []
    client.meta.events.register(
        "provide-client-params.cloudwatch.PutMetricData", lambda params, **_: sent.extend(m["MetricName"] for m in params["MetricData"])
    )
    with Stubber(client) as stub:
        for _ in range(-(-len(lines.splitlines()) // 10)):
            stub.add_response("put_metric_data", {}, {"Namespace": "Tidewheel/Monitoring", "MetricData": ANY})
        publish.put_metrics(lines, "Tidewheel/Monitoring", client)
        stub.assert_no_pending_responses()
    assert sent == [json.loads(line)["MetricName"] for line in lines.splitlines()]
    assert len(set(sent)) == len(sent)
