"""reconcile_endpoint against an account: the way to a live version, the way back, and the same again when repeated."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from contracts.ledger import What
from lambdas.reconcile_endpoint import handler
from tests.unit.lambdas.account import GROUP, decisions, make_client, register, serve

Client = Callable[[str], Any]
Event = Callable[..., dict[str, Any]]
TEMPLATE = {
    "Parameters": {
        "ModelPackageArn": {"Type": "String", "Default": ""},
        "RollbackAlarms": {"Type": "String", "Default": "on"},
        "Other": {"Type": "String", "Default": "kept"},
    },
    "Resources": {
        "Shown": {
            "Type": "AWS::SSM::Parameter",
            "Properties": {"Name": "shown", "Type": "String", "Value": {"Fn::Sub": "${Other}:${ModelPackageArn}:${RollbackAlarms}"}},
        }
    },
}


@pytest.fixture
def stack(account: Client) -> Client:
    account("cloudformation").create_stack(
        StackName=f"{GROUP}-endpoint",
        TemplateBody=json.dumps(TEMPLATE),
        Parameters=[{"ParameterKey": "Other", "ParameterValue": "mine"}],
    )
    return account


def _parameters() -> dict[str, str]:
    found = make_client("cloudformation").describe_stacks(StackName=f"{GROUP}-endpoint")["Stacks"][0]["Parameters"]
    return {item["ParameterKey"]: item["ParameterValue"] for item in found}


def _status(arn: str) -> tuple[str, str]:
    package = make_client("sagemaker").describe_model_package(ModelPackageName=arn)
    return package["ModelApprovalStatus"], package.get("ApprovalDescription", "")


def test_an_approved_version_is_deployed_and_settled(stack: Client, event: Event, context: Any) -> None:
    arn = register("Approved")
    assert handler.handle(event("model_package_pending"), context) == {"actions": ["Deploy"]}
    assert _parameters() == {"ModelPackageArn": arn, "RollbackAlarms": "on", "Other": "mine"}
    serve(arn)
    assert handler.handle(event("endpoint_stack_updated"), context) == {"actions": ["Settle", "Nothing"]}
    assert handler.handle(event("tick"), context) == {"actions": ["Nothing"]}
    assert [(d.what, d.subject) for d in decisions()] == [(What.DEPLOYMENT_STARTED, arn), (What.DEPLOYMENT_FINISHED, arn)]


def test_a_version_that_was_thrown_back_is_quarantined_and_the_old_one_returns(stack: Client, event: Event, context: Any) -> None:
    old = register("Approved")
    handler.handle(event("model_package_pending"), context)
    serve(old)
    handler.handle(event("endpoint_stack_updated"), context)
    new = register("Approved")
    assert handler.handle(event("tick"), context) == {"actions": ["Deploy"]}
    condemned = datetime(2026, 1, 5, 10, tzinfo=UTC)
    assert handler.handle(event("tick") | {"time": condemned.isoformat()}, context) == {"actions": ["Quarantine", "Deploy"]}
    status, why = _status(new)
    assert status == "Rejected"
    assert "version 2 failed in production" in why
    assert _parameters()["ModelPackageArn"] == old
    assert handler.handle(event("tick"), context) == {"actions": ["Settle", "Nothing"]}
    make_client("sagemaker").update_model_package(ModelPackageArn=new, ModelApprovalStatus="Approved")
    assert handler.handle(event("tick"), context) == {"actions": ["Quarantine", "Nothing"]}
    assert _status(new)[0] == "Rejected"
    assert [d.subject for d in decisions() if d.what is What.MODEL_QUARANTINED] == [new]
    at_once = [(d.what, d.subject) for d in decisions() if d.time.replace(microsecond=0) == condemned]
    assert at_once == [(What.MODEL_QUARANTINED, new), (What.DEPLOYMENT_STARTED, old)]


def test_an_alarm_keeps_a_new_version_waiting_and_a_rejected_one_from_staying(stack: Client, event: Event, context: Any) -> None:
    old, live = register("Approved"), register("Approved")
    handler.handle(event("model_package_pending"), context)
    serve(live)
    handler.handle(event("endpoint_stack_updated"), context)
    cloudwatch = make_client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName=f"{GROUP}-5xx",
        Namespace="n",
        MetricName="m",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
    )
    cloudwatch.set_alarm_state(AlarmName=f"{GROUP}-5xx", StateValue="ALARM", StateReason="errors")
    new = register("Approved")
    assert handler.handle(event("tick"), context) == {"actions": ["Wait"]}
    assert _parameters()["ModelPackageArn"] == live
    for arn in (live, new):
        make_client("sagemaker").update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Rejected")
    assert handler.handle(event("tick"), context) == {"actions": ["Deploy"]}
    assert (_parameters()["ModelPackageArn"], _parameters()["RollbackAlarms"]) == (old, "off")
    serve(old)
    handler.handle(event("endpoint_stack_updated"), context)
    cloudwatch.set_alarm_state(AlarmName=f"{GROUP}-5xx", StateValue="OK", StateReason="quiet")
    newest = register("Approved")
    later = {"id": "another", "time": "2026-01-06T10:00:00Z"}
    assert handler.handle(event("tick") | later, context) == {"actions": ["Deploy"]}
    assert (_parameters()["ModelPackageArn"], _parameters()["RollbackAlarms"]) == (newest, "on")


def test_a_rejected_last_version_holds_the_endpoint_and_says_so_once(stack: Client, event: Event, context: Any) -> None:
    arn = register("Approved")
    handler.handle(event("model_package_pending"), context)
    serve(arn)
    handler.handle(event("endpoint_stack_updated"), context)
    make_client("sagemaker").update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Rejected")
    for name in ("tick", "endpoint_stack_updated", "model_package_pending"):
        assert handler.handle(event(name), context) == {"actions": ["Hold"]}
    held = [d.why for d in decisions() if d.what is What.ENDPOINT_HELD]
    assert held == ["no version is approved; the endpoint keeps serving version 1. Next: approve a version (tide approve VERSION)"]


def test_without_a_stack_it_holds(account: Client, event: Event, context: Any) -> None:
    register("Approved")
    assert handler.handle(event("tick"), context) == {"actions": ["Hold"]}
    assert "does not exist" in decisions()[0].why
