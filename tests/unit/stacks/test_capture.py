"""monitoring.capture_percent: how much, or nothing at all."""

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3

from contracts.config import Monitoring
from stacks.constructs.capture import data_capture


def test_a_share_of_the_traffic_is_captured_or_nothing_at_all() -> None:
    stack = cdk.Stack(cdk.App(), "Stack")
    bucket, key = s3.Bucket.from_bucket_name(stack, "Artifacts", "artifacts"), kms.Key(stack, "Key")
    captured = data_capture(Monitoring(capture_percent=10), bucket, key)
    assert captured is not None
    assert (captured.initial_sampling_percentage, captured.destination_s3_uri) == (10, "s3://artifacts/capture")
    assert data_capture(Monitoring(capture_percent=0), bucket, key) is None
