"""What is rest, and what still moves: looked for in the loop's own order."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from cli.observe import Endpoint, Execution, Version
from cli.release import endpoint_state
from cli.rest import what_moves
from contracts.ledger import Decision, Deployment, Hold, Retraining, What

NOW = datetime(2026, 11, 20, tzinfo=UTC)


def arn(number: int) -> str:
    return f"arn:aws:sagemaker:us-east-1:123456789012:model-package/p-dev/{number}"


RETRAINING = Retraining(name="r1", asked=NOW, why="drift", champion=arn(1), parent="d", start=NOW, end=NOW, run="run-2")
OPEN = Deployment(model_package_arn=arn(2), asked=NOW)


class Pages:
    """A paginator of one page, and the filters that it was asked with."""

    def __init__(self, page: dict[str, Any]) -> None:
        self._page = page
        self.asked: dict[str, Any] = {}

    def paginate(self, **request: Any) -> list[dict[str, Any]]:
        self.asked = request
        return [self._page]


@dataclass
class Loop:
    """An app as `cli.rest` sees it; at rest with version 1 live unless told otherwise."""

    prefix: str = "p-dev"
    jobs: tuple[str, ...] = ()
    retraining: Retraining | None = None
    runs: tuple[str, ...] = ("Succeeded",)
    datasets: tuple[str, ...] = ("d",)
    approvals: tuple[str, ...] = ("Approved",)
    left: tuple[int, ...] = ()
    deployment: Deployment | None = None
    hold: Hold | None = None
    stack: str = "UPDATE_COMPLETE"
    told: int = 1
    status: str = "InService"
    live: int = 1
    alarms: tuple[str, ...] = ()
    quarantined: tuple[int, ...] = ()
    asked: list[str] = field(default_factory=list)

    @property
    def sagemaker(self) -> "Loop":
        return self

    cloudformation = ledger = sagemaker

    def get_paginator(self, operation: str) -> Pages:
        self.asked.append(operation)
        if operation == "list_processing_jobs":
            return Pages({"ProcessingJobSummaries": [{"ProcessingJobName": name} for name in self.jobs]})
        approved = [
            {"ModelPackageVersion": n, "ModelPackageArn": arn(n)} for n, approval in enumerate(self.approvals, 1) if approval == "Approved"
        ]
        return Pages({"ModelPackageSummaryList": approved})

    def describe_stacks(self, StackName: str) -> dict[str, Any]:  # noqa: N803 - boto3's name
        parameter = {"ParameterKey": "ModelPackageArn", "ParameterValue": arn(self.told) if self.told else ""}
        return {"Stacks": [{"StackName": StackName, "StackStatus": self.stack, "Parameters": [parameter]}]}

    def endpoint(self) -> Endpoint | None:
        return Endpoint(self.status, arn(self.live), {arn(self.live): 1.0}, "") if self.live else None

    def open_deployment(self) -> Deployment | None:
        return self.deployment

    def open_retraining(self) -> Retraining | None:
        return self.retraining

    def quarantines(self) -> dict[str, None]:
        return dict.fromkeys(map(arn, self.quarantined))

    def held(self) -> Hold | None:
        return self.hold

    def firing(self, *_names: str) -> dict[str, str]:
        return dict.fromkeys(self.alarms, "reason")

    def executions(self) -> list[Execution]:
        return [Execution("arn", f"run-{n}", status, NOW, "d", "") for n, status in enumerate(self.runs, 1)]

    def manifests(self) -> list[tuple[Any, datetime]]:
        return [(type("Manifest", (), {"version": version}), NOW) for version in self.datasets]

    def versions(self) -> list[Version]:
        return [Version(n, arn(n), approval, "", NOW, None, {}) for n, approval in enumerate(self.approvals, 1)]

    def decisions(self) -> list[Decision]:
        return [Decision(time=NOW, what=What.MODEL_LEFT_TO_A_PERSON, subject=arn(n), why="w", by="b") for n in self.left]


REST = {
    "a live version": Loop(),
    "nothing yet": Loop(runs=(), datasets=(), approvals=(), told=0, live=0),
    "a version that was left to a person": Loop(approvals=("Approved", "PendingManualApproval"), left=(2,)),
    "every version rejected": Loop(approvals=("Rejected",)),
    "a quarantined version": Loop(approvals=("Approved", "Rejected"), quarantined=(2,)),
    "a quarantined version that is live for want of another": Loop(quarantined=(1,)),
    "a lower approved version": Loop(approvals=("Approved", "Approved"), told=2, live=2),
}
MOVES = {
    "monitoring": (Loop(jobs=("p-dev-monitor-1",)), "monitoring job p-dev-monitor-1 goes on"),
    "a retraining": (Loop(retraining=RETRAINING), "retraining r1 goes on with run run-2"),
    "a run": (Loop(runs=("Executing", "Succeeded")), "run run-1 goes on"),
    "a dataset version without a run": (Loop(datasets=("d", "new")), "dataset version new waits for its run"),
    "a version that waits": (Loop(approvals=("Approved", "PendingManualApproval")), "version 2 waits for approval"),
    "a stack": (Loop(stack="UPDATE_IN_PROGRESS"), "stack UPDATE_IN_PROGRESS"),
    "an endpoint": (Loop(status="RollingBack"), "endpoint RollingBack"),
    "an open deployment": (Loop(deployment=OPEN), "endpoint InService"),
    "a version that is wanted and not live": (Loop(approvals=("Approved", "Approved")), "endpoint InService"),
    "the instant after a quarantine": (Loop(approvals=("Approved", "Rejected"), told=2), "endpoint InService"),
    "an alarm that keeps a deployment waiting": (
        Loop(approvals=("Approved", "Approved"), alarms=("p-dev-5xx",)),
        "waits for p-dev-5xx to end",
    ),
    "a quarantined version that was approved again": (
        Loop(approvals=("Approved", "Approved"), told=2, live=2, quarantined=(1,)),
        "endpoint InService",
    ),
    "a hold": (Loop(approvals=("Approved", "Approved"), hold=Hold(why="no quota", time=NOW)), "held: no quota"),
}


@pytest.mark.parametrize("name", REST)
def test_rest(name: str) -> None:
    loop: Any = REST[name]
    assert what_moves(loop) == ""
    assert not endpoint_state(loop).moving


@pytest.mark.parametrize("name", MOVES)
def test_what_moves_is_named(name: str) -> None:
    loop: Any
    loop, said = MOVES[name]
    assert said in what_moves(loop)


def test_the_loop_is_looked_at_in_its_own_order() -> None:
    loop: Any = Loop(jobs=("p-dev-monitor-1",), retraining=RETRAINING, runs=("Executing",), stack="UPDATE_IN_PROGRESS")
    assert "monitoring job" in what_moves(loop)
    loop.jobs = ()
    assert "retraining" in what_moves(loop)
    loop.retraining = None
    assert "run run-1" in what_moves(loop)
    loop.runs = ("Succeeded",)
    assert "stack UPDATE_IN_PROGRESS" in what_moves(loop)
    assert loop.asked.index("list_processing_jobs") < loop.asked.index("list_model_packages")
