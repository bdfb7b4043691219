"""What calls need beside their own action, and where a log group's permission is asked for."""

import pytest
from botocore.exceptions import ClientError

from tests.twin.functions.helpers import make_role, policy
from twin.cloud import Credentials
from twin.iam import AccessDenied, behalf
from twin.server import TwinServer

BASE = "us-east-1:123456789012"
PACKAGE = f"arn:aws:sagemaker:{BASE}:model-package/g/1"


def session(twin: TwinServer, *statements: tuple[str | list[str], str | list[str]]) -> Credentials:
    role = make_role(twin, "r", "lambda.amazonaws.com", document=policy(*statements))
    return twin.cloud.assume(role, "lambda.amazonaws.com", "s")


def test_a_model_of_a_package_takes_the_right_to_read_it(twin: TwinServer) -> None:
    client = twin.cloud.client("sagemaker", session(twin, ("sagemaker:CreateModel", "*")))
    with pytest.raises(ClientError, match=f"sagemaker:DescribeModelPackage on resource: {PACKAGE}"):
        client.create_model(ModelName="m", Containers=[{"ModelPackageName": PACKAGE}])


def test_a_log_group_is_made_by_its_arn_with_an_end(twin: TwinServer) -> None:
    arn = f"arn:aws:logs:{BASE}:log-group"
    logs = twin.cloud.client("logs", session(twin, ("logs:CreateLogGroup", [f"{arn}:mine:*", f"{arn}:bare"])))
    logs.create_log_group(logGroupName="mine")
    with pytest.raises(ClientError, match="logs:CreateLogGroup"):
        logs.create_log_group(logGroupName="bare")


def test_what_is_asked_in_the_name_of_a_role_is_decided_and_written_down(twin: TwinServer) -> None:
    credentials = session(twin, ("ecr:BatchGetImage", "arn:aws:ecr:*:*:repository/mine"))
    for name, allowed in (("mine", True), ("other", False)):
        arn = f"arn:aws:ecr:{BASE}:repository/{name}"
        if allowed:
            behalf.require(twin.cloud, credentials, "pull", "ecr:BatchGetImage", arn)
        else:
            with pytest.raises(AccessDenied, match="ecr:BatchGetImage"):
                behalf.require(twin.cloud, credentials, "pull", "ecr:BatchGetImage", arn)
    decided = {(each.resource.rpartition("/")[2], each.allowed) for each in twin.part("iam").decisions.latest() if each.operation == "pull"}
    assert decided == {("mine", True), ("other", False)}
