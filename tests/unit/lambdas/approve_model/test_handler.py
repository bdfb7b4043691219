"""approve_model: what the policy approves, what it leaves to a person and why, and what is none of its business."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from contracts.config import ApprovalPolicy, Config
from contracts.evaluation import Evaluation, Gate, GateMode, Metric, Problem
from contracts.ledger import What
from lambdas import runtime
from lambdas.approve_model import handler
from lambdas.approve_model.logic import waits
from tests.unit.lambdas.account import METADATA, SHA256, decisions, make_client, register

Client = Callable[[str], Any]
Event = Callable[..., dict[str, Any]]
URI = "s3://artifacts-bucket/runs/r/evaluation/evaluation.json"
GOOD = Evaluation(
    problem=Problem.BINARY,
    metric=Metric.ROC_AUC,
    metrics={Metric.ROC_AUC: 0.95},
    baseline={Metric.ROC_AUC: 0.5},
    gate=Gate(passed=True, mode=GateMode.ENABLED),
    dataset_version="v",
    rows=100,
    artifact_sha256=SHA256,
)
FAILED = Gate(passed=False, mode=GateMode.ENABLED, reasons=("roc_auc is low",))


def _put(report: Evaluation | bytes) -> None:
    body = report if isinstance(report, bytes) else report.model_dump_json().encode()
    make_client("s3").put_object(Bucket="artifacts-bucket", Key="runs/r/evaluation/evaluation.json", Body=body)


def _status(arn: str) -> str:
    status: str = make_client("sagemaker").describe_model_package(ModelPackageName=arn)["ModelApprovalStatus"]
    return status


def test_a_model_that_passed_its_gate_is_approved_once(account: Client, event: Event, context: Any) -> None:
    _put(GOOD)
    arn = register("PendingManualApproval", evaluation_uri=URI)
    change = event("model_package_pending", ModelPackageArn=arn)
    assert handler.handle(change, context) == {"decisions": {arn: What.MODEL_APPROVED}}
    assert handler.handle(change, context) == {"decisions": {arn: None}}
    package = make_client("sagemaker").describe_model_package(ModelPackageName=arn)
    assert package["ModelApprovalStatus"] == "Approved"
    assert package["ApprovalDescription"] == "approved by policy: passed its gate with roc_auc 0.9500 on 100 holdout rows"
    (decision,) = decisions()
    assert (decision.what, decision.subject, decision.evidence[0].uri) == (What.MODEL_APPROVED, arn, URI)


def test_a_tick_judges_every_package_of_the_last_day_that_waits(account: Client, event: Event, context: Any) -> None:
    _put(GOOD)
    waiting, doubtful, judged = (
        register("PendingManualApproval", evaluation_uri=URI),
        register("PendingManualApproval"),
        register("Rejected"),
    )
    created = make_client("sagemaker").describe_model_package(ModelPackageName=doubtful)["CreationTime"]
    late = event("tick") | {"time": (created + timedelta(hours=25)).isoformat()}
    assert handler.handle(late, context) == {"decisions": {}}
    tick = event("tick") | {"time": (created + timedelta(hours=23)).isoformat()}
    assert handler.handle(tick, context) == {"decisions": {waiting: What.MODEL_APPROVED, doubtful: What.MODEL_LEFT_TO_A_PERSON}}
    assert handler.handle(tick, context) == {"decisions": {doubtful: What.MODEL_LEFT_TO_A_PERSON}}
    assert (_status(waiting), _status(judged)) == ("Approved", "Rejected")
    assert len(decisions()) == 2


@pytest.mark.parametrize(
    ("report", "metadata", "reason"),
    [
        (GOOD.model_copy(update={"gate": FAILED}), METADATA, "did not pass its gate: roc_auc is low"),
        (GOOD.model_copy(update={"artifact_sha256": "cd" * 32}), METADATA, "evaluation.json is about artifact cdcdcdcdcdcd"),
        (b"{}", METADATA, "evaluation.json cannot be read"),
        (None, METADATA, "no evaluation.json"),
        (GOOD, {"Made": "by hand"}, "metadata is not what this project's pipeline writes: DatasetVersion, Run"),
    ],
)
def test_a_doubtful_model_is_left_to_a_person(
    account: Client, event: Event, context: Any, report: Evaluation | bytes | None, metadata: dict[str, str], reason: str
) -> None:
    if report is not None:
        _put(report)
    arn = register("PendingManualApproval", metadata, URI)
    for _ in range(2):
        assert handler.handle(event("model_package_pending", ModelPackageArn=arn), context) == {
            "decisions": {arn: What.MODEL_LEFT_TO_A_PERSON}
        }
    assert _status(arn) == "PendingManualApproval"
    (decision,) = decisions()
    assert reason in decision.why


def test_the_manual_policy_leaves_every_model_to_a_person(account: Client, event: Event, context: Any, config: Config) -> None:
    manual = config.model_copy(update={"approval": config.approval.model_copy(update={"policy": ApprovalPolicy.MANUAL})})
    (runtime.ROOT / "project.json").write_text(manual.model_dump_json())
    _put(GOOD)
    arn = register("PendingManualApproval", evaluation_uri=URI)
    assert handler.handle(event("model_package_pending", ModelPackageArn=arn), context) == {"decisions": {arn: What.MODEL_LEFT_TO_A_PERSON}}
    assert "Next: tide approve" in decisions()[0].why


@pytest.mark.parametrize("approval", ["Approved", "Rejected"])
def test_what_somebody_judged_already_stays_as_it_is(account: Client, event: Event, context: Any, approval: str) -> None:
    _put(GOOD)
    arn = register(approval, evaluation_uri=URI)
    assert handler.handle(event("model_package_pending", ModelPackageArn=arn), context) == {"decisions": {arn: None}}
    assert _status(arn) == approval
    assert decisions() == []


def test_a_package_of_another_group_is_none_of_its_business() -> None:
    package = {"ModelPackageGroupName": "flowers-dev", "ModelPackageStatus": "Completed", "ModelApprovalStatus": "PendingManualApproval"}
    assert waits(package, "flowers-dev")
    assert not waits(package, "flowers-prod")
    assert not waits(package | {"ModelPackageStatus": "InProgress"}, "flowers-dev")
