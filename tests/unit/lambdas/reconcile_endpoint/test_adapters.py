"""The reconciler's adapters where the account answers with something else than yes."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from contracts.ledger import Deployment
from lambdas.live import Endpoint, LiveEndpoint
from lambdas.reconcile_endpoint.adapters import AwsAccount, EndpointStack, Registry
from lambdas.reconcile_endpoint.logic import reconcile
from lambdas.reconcile_endpoint.states import Action, Deploy, Drop, Hold, Observed, Package, Quarantine, Settle, Stack, Wait

ARN = "arn:aws:sagemaker:us-east-1:123456789012:model-package/flowers-dev/2"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def _stubbed(service: str) -> tuple[Any, Stubber]:
    make: Any = boto3.client
    client = make(service, region_name="us-east-1", aws_access_key_id="testing", aws_secret_access_key="testing")
    return client, Stubber(client)


@pytest.fixture
def stack() -> Iterator[tuple[EndpointStack, Stubber]]:
    client, stubber = _stubbed("cloudformation")
    with stubber:
        yield EndpointStack(client, "flowers-dev-endpoint", "arn:aws:iam::123456789012:role/deployment"), stubber


def _says(stubber: Stubber, status: str, parameter: str) -> None:
    described = {
        "StackName": "flowers-dev-endpoint",
        "CreationTime": NOW,
        "StackStatus": status,
        "Parameters": [{"ParameterKey": "ModelPackageArn", "ParameterValue": parameter}],
    }
    stubber.add_response("describe_stacks", {"Stacks": [described]})


def test_an_update_is_asked_for_with_role_and_token(stack: tuple[EndpointStack, Stubber]) -> None:
    asked, stubber = stack
    _says(stubber, "UPDATE_COMPLETE", "")
    expected = {
        "StackName": "flowers-dev-endpoint",
        "UsePreviousTemplate": True,
        "Parameters": [
            {"ParameterKey": "ModelPackageArn", "ParameterValue": ARN},
            {"ParameterKey": "RollbackAlarms", "ParameterValue": "on"},
        ],
        "Capabilities": [],
        "RoleARN": "arn:aws:iam::123456789012:role/deployment",
        "ClientRequestToken": "version-2-cause",
    }
    stubber.add_response("update_stack", {"StackId": "id"}, expected)
    assert asked.serve(ARN, "version-2-cause")
    stubber.assert_no_pending_responses()


@pytest.mark.parametrize(("status", "parameter"), [("UPDATE_IN_PROGRESS", "arn:other"), ("UPDATE_COMPLETE", ARN)])
def test_a_stack_that_is_busy_or_done_takes_no_update(stack: tuple[EndpointStack, Stubber], status: str, parameter: str) -> None:
    asked, stubber = stack
    _says(stubber, "UPDATE_COMPLETE", "")
    stubber.add_client_error("update_stack", "ValidationError", "No updates are to be performed.", http_status_code=400)
    _says(stubber, status, parameter)
    assert not asked.serve(ARN, "token")


def test_a_real_mistake_is_raised(stack: tuple[EndpointStack, Stubber]) -> None:
    asked, stubber = stack
    _says(stubber, "UPDATE_COMPLETE", "")
    stubber.add_client_error("update_stack", "ValidationError", "Role is invalid or cannot be assumed", http_status_code=400)
    _says(stubber, "UPDATE_COMPLETE", "")
    with pytest.raises(ClientError, match="cannot be assumed"):
        asked.serve(ARN, "token")


def test_an_update_that_an_earlier_delivery_asked_for_counts_as_asked(stack: tuple[EndpointStack, Stubber]) -> None:
    asked, stubber = stack
    _says(stubber, "UPDATE_IN_PROGRESS", ARN)
    stubber.add_client_error("update_stack", "TokenAlreadyExistsException", http_status_code=400)
    assert asked.serve(ARN, "token")


def test_a_rolled_back_stack_says_what_failed_first_in_its_last_update(stack: tuple[EndpointStack, Stubber]) -> None:
    asked, stubber = stack
    newest_first = [
        ("arn:stack", "UPDATE_ROLLBACK_COMPLETE", None),
        ("scaling", "CREATE_FAILED", "Resource creation cancelled"),
        ("endpoint", "CREATE_FAILED", "limit is 0 Instances (Error Code: ResourceLimitExceeded)"),
        ("arn:stack", "UPDATE_IN_PROGRESS", "User Initiated"),
        ("endpoint", "CREATE_FAILED", "an older one"),
    ]
    events = [
        {
            "StackId": "arn:stack",
            "StackName": "s",
            "EventId": str(number),
            "Timestamp": NOW,
            "PhysicalResourceId": who,
            "ResourceStatus": status,
        }
        | ({"ResourceStatusReason": why} if why else {})
        for number, (who, status, why) in enumerate(newest_first)
    ]
    _says(stubber, "UPDATE_ROLLBACK_COMPLETE", "")
    stubber.add_response("describe_stack_events", {"StackEvents": events[:2], "NextToken": "more"})
    stubber.add_response("describe_stack_events", {"StackEvents": events[2:]})
    found = asked.read()
    assert found is not None
    assert found.reason == "limit is 0 Instances (Error Code: ResourceLimitExceeded)"


def test_a_failed_call_is_not_taken_for_a_missing_stack(stack: tuple[EndpointStack, Stubber]) -> None:
    asked, stubber = stack
    stubber.add_client_error("describe_stacks", "AccessDenied", http_status_code=403)
    with pytest.raises(ClientError):
        asked.read()


def test_every_page_of_the_registry_is_read() -> None:
    client, stubber = _stubbed("sagemaker")
    states = [("Completed", "Approved"), ("Completed", "Rejected"), ("Failed", "Approved")]
    pages = [
        {
            "ModelPackageArn": f"{ARN[:-1]}{number}",
            "ModelPackageVersion": number,
            "ModelPackageStatus": status,
            "ModelApprovalStatus": approval,
            "CreationTime": NOW,
        }
        for number, (status, approval) in enumerate(states, 1)
    ]
    for page, token in zip(pages, ("a", "b", ""), strict=True):
        stubber.add_response("list_model_packages", {"ModelPackageSummaryList": [page]} | ({"NextToken": token} if token else {}))
    with stubber:
        assert [(package.version, package.approved) for package in Registry(client, "flowers-dev").packages()] == [
            (1, True),
            (2, False),
            (3, False),
        ]


class _Ledger:
    """Nothing is open, held or quarantined; remembers the order of reading."""

    def __init__(self, order: list[str]) -> None:
        self._order = order

    def open_deployment(self) -> Deployment | None:
        self._order.append("ledger")
        return None

    def held(self) -> None:
        return None

    def quarantines(self) -> tuple[()]:
        return ()


class _Reader:
    """A stack, endpoint or registry that gives one state after the other."""

    def __init__(self, order: list[str], name: str, *states: Any) -> None:
        self._order, self._name, self._states = order, name, list(states)

    def read(self) -> Any:
        self._order.append(self._name)
        return self._states.pop(0)

    packages = read


def _observe(*stacks: Stack) -> tuple[Observed, list[str]]:
    order: list[str] = []
    endpoint: Any = _Reader(order, "endpoint", Endpoint("InService", "config", ARN))
    registry: Any = _Reader(order, "registry", (Package(ARN, 2, approved=True),))
    stack: Any = _Reader(order, "stack", *stacks)
    alarms: Any = _Reader(order, "alarms", ("flowers-dev-5xx",))
    ledger: Any = _Ledger(order)
    return AwsAccount(registry, stack, endpoint, alarms, ledger, NOW, "cause").observe(), order


def test_the_order_of_reading_makes_the_parts_fit_together() -> None:
    done = Stack("UPDATE_COMPLETE", "", ARN, NOW)
    seen, order = _observe(done, done)
    assert not seen.moved
    assert seen.alarms == ("flowers-dev-5xx",)
    assert order == ["ledger", "stack", "endpoint", "registry", "alarms", "stack"]


def test_a_stack_that_moves_while_it_is_looked_at_is_noticed() -> None:
    done = Stack("UPDATE_COMPLETE", "", ARN, NOW)
    seen, _ = _observe(done, replace(done, status="UPDATE_IN_PROGRESS"))
    assert seen.moved


def test_an_endpoint_of_a_model_without_a_package_serves_no_package() -> None:
    client, stubber = _stubbed("sagemaker")
    stubber.add_response(
        "describe_endpoint",
        {
            "EndpointName": "flowers-dev",
            "EndpointArn": "arn:aws:sagemaker:us-east-1:123456789012:endpoint/flowers-dev",
            "EndpointConfigName": "mine",
            "EndpointStatus": "InService",
            "CreationTime": NOW,
            "LastModifiedTime": NOW,
        },
    )
    stubber.add_client_error("describe_endpoint_config", "ValidationException", http_status_code=400)
    with stubber:
        assert LiveEndpoint(client, "flowers-dev").read() == Endpoint("InService", "mine", None, created=NOW)


class _Busy:
    """An account whose stack takes no update."""

    def observe(self) -> Observed:
        return Observed((Package(ARN, 2, approved=True),), Stack("UPDATE_COMPLETE", "", ""), None, None, {})

    def deploy(self, action: Deploy) -> bool:
        return False

    def _never(self, action: Settle | Drop | Quarantine | Hold) -> None:
        raise AssertionError(action)

    settle = drop = quarantine = hold = _never

    def release(self) -> None:
        raise AssertionError("nothing was held")


def test_a_refused_update_ends_in_waiting() -> None:
    done: tuple[Action, ...] = reconcile(_Busy())
    assert [type(action) for action in done] == [Deploy, Wait]
