"""Requests that SageMaker's own model takes, and names that fit."""

import re
from datetime import datetime, timedelta, timezone

import botocore.session
from botocore.validate import ParamValidator

from contracts.batch import names

ROLE, KEY = "arn:aws:iam::123456789012:role/r", "arn:aws:kms:us-east-1:123456789012:key/k"
PACKAGE = "arn:aws:sagemaker:us-east-1:123456789012:model-package/p/1"
BATCH = names.batch_name("a" * 24 + "-" + "b" * 8, datetime(2026, 11, 20, 1, 2, 3, tzinfo=timezone(timedelta(hours=2))), "12ab")


def check(operation: str, request: dict[str, object]) -> None:
    shape = botocore.session.get_session().get_service_model("sagemaker").operation_model(operation).input_shape
    assert shape is not None
    assert not ParamValidator().validate(request, shape).has_errors()


def test_the_longest_name_fits() -> None:
    assert "20261119230203" in BATCH
    assert re.fullmatch("[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}", names.job_name(BATCH, 3))


def test_requests_are_sagemakers() -> None:
    request = names.job_request(BATCH, 0, bucket="bucket", key_arn=KEY, instance_type="ml.m5.large")
    check("CreateTransformJob", request)
    assert request["MaxConcurrentTransforms"] * request["MaxPayloadInMB"] <= 100
    assert all(len(text) <= 63 for text in request["DataProcessing"].values())
    assert request["TransformResources"]["VolumeKmsKeyId"] == KEY
    check("CreateModel", names.model_request(BATCH, PACKAGE, ROLE))


def test_local_disks_take_no_key_and_a_vpc_isolates() -> None:
    request = names.job_request(BATCH, 0, bucket="bucket", key_arn=KEY, instance_type="ml.g5.xlarge")
    assert "VolumeKmsKeyId" not in request["TransformResources"]
    placed = names.model_request(BATCH, PACKAGE, ROLE, "subnet-1 subnet-2", "sg-1")
    check("CreateModel", placed)
    assert placed["EnableNetworkIsolation"] is True
    assert placed["VpcConfig"] == {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1", "subnet-2"]}
