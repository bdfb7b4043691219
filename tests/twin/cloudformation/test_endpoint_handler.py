"""AWS::SageMaker::Endpoint waits for SageMaker, and sees its status and no more.

The API here is scripted; tests/twin/sagemaker has the real one.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError

from twin.cloudformation.resources import Account, Call, HandlerError, handler_of
from twin.cloudformation.resources import sagemaker as module

ARN = "arn:aws:sagemaker:us-east-1:123456789012:endpoint/demo"
ENDPOINT = handler_of("AWS::SageMaker::Endpoint")


@dataclass
class Api:
    """SageMaker, answering DescribeEndpoint with one scripted status after the other; after the last the endpoint is gone."""

    statuses: list[str]
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def describe_endpoint(self, **_: Any) -> dict[str, Any]:
        if not self.statuses:
            raise ClientError({"Error": {"Code": "ValidationException", "Message": "Could not find endpoint"}}, "DescribeEndpoint")
        return {"EndpointStatus": self.statuses.pop(0), "FailureReason": "the ping failed"}

    def __getattr__(self, name: str) -> Any:
        def call(**request: Any) -> dict[str, Any]:
            self.calls.append((name, request))
            return {"EndpointArn": ARN}

        return call


class Scripted(Account):
    """An account whose only services are the scripted SageMaker, and KMS for its keys."""

    def client(self, service: str) -> Any:
        return self._clients[service]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_SECONDS", 0)


def call(api: Api, properties: Mapping[str, Any], stopping: threading.Event | None = None) -> Call:
    account = Scripted(None, None, stopping or threading.Event(), {"sagemaker": api, "kms": api})  # type: ignore[arg-type]  # nothing else is used
    return Call(account, "stack", "id", "Endpoint", properties, lambda: "stack-Endpoint-ABC")


POLICY = {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": "0"}}}
PROPERTIES = {"EndpointName": "demo", "EndpointConfigName": "one"}


def test_a_new_endpoint_is_made_when_it_is_in_service() -> None:
    api = Api(["Creating", "Creating", "InService"])
    created = ENDPOINT.create(call(api, PROPERTIES))
    assert (created.physical_id, created.attributes["EndpointName"]) == (ARN, "demo")
    assert api.statuses == []


def test_an_endpoint_that_fails_is_a_failure_with_its_reason() -> None:
    with pytest.raises(HandlerError, match="Endpoint demo is Failed: the ping failed"):
        ENDPOINT.create(call(Api(["Creating", "Failed"]), PROPERTIES))


def test_an_update_sends_the_whole_deployment_and_waits_it_out() -> None:
    api = Api(["Updating", "InService"])
    after = PROPERTIES | {"EndpointConfigName": "two", "DeploymentConfig": POLICY, "RetainAllVariantProperties": "true"}
    ENDPOINT.update(call(api, after), ARN, PROPERTIES)
    (name, request), (reads_tags, _) = api.calls
    assert (name, reads_tags) == ("update_endpoint", "list_tags")
    assert (request["EndpointConfigName"], request["RetainAllVariantProperties"]) == ("two", True)
    assert request["DeploymentConfig"]["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]["WaitIntervalInSeconds"] == 0


def test_a_blue_green_rollback_looks_like_success() -> None:
    api = Api(["Updating", "RollingBack", "InService"])
    ENDPOINT.update(call(api, PROPERTIES | {"EndpointConfigName": "two"}), ARN, PROPERTIES)
    assert api.statuses == []


def test_new_tags_are_no_deployment() -> None:
    api = Api([])
    ENDPOINT.update(call(api, PROPERTIES | {"Tags": [{"Key": "a", "Value": "b"}]}), ARN, PROPERTIES)
    assert [name for name, _ in api.calls] == ["list_tags", "add_tags"]


def test_deleting_waits_until_it_is_gone() -> None:
    api = Api(["Deleting", "Deleting"])
    ENDPOINT.delete(call(api, PROPERTIES), ARN)
    assert api.statuses == []


def test_a_stopping_twin_is_not_waited_for() -> None:
    stopping = threading.Event()
    stopping.set()
    with pytest.raises(HandlerError, match="the twin is stopping"):
        ENDPOINT.create(call(Api(["Creating"] * 9), PROPERTIES, stopping))


class Described(Api):
    """SageMaker, with an answer for models and configurations."""

    def __getattr__(self, name: str) -> Any:
        def call(**request: Any) -> dict[str, Any]:
            self.calls.append((name, request))
            return {"ModelArn": "arn:m/model", "EndpointConfigArn": "arn:c/config"}

        return call


@pytest.mark.parametrize(
    ("kind", "calls"),
    [
        ("Model", ["create_model", "describe_model", "list_tags"]),
        ("EndpointConfig", ["describe_key", "create_endpoint_config", "describe_endpoint_config", "list_tags"]),
    ],
)
def test_what_is_made_is_tagged_with_its_stack_and_read(kind: str, calls: list[str]) -> None:
    api = Described([])
    properties: dict[str, Any] = {"Tags": [{"Key": "team", "Value": "sea"}]}
    properties |= {"ProductionVariants": [], "KmsKeyId": "key"} if kind == "EndpointConfig" else {}
    handler_of(f"AWS::SageMaker::{kind}").create(call(api, properties))
    assert [name for name, _ in api.calls] == calls
    (tags,) = (request["Tags"] for name, request in api.calls if name.startswith("create_"))
    keys = [tag["Key"] for tag in tags]
    assert keys == ["team", "aws:cloudformation:logical-id", "aws:cloudformation:stack-id", "aws:cloudformation:stack-name"]
