"""The approval policy: what happens to a model package that waits for approval."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from contracts.config import ApprovalPolicy
from contracts.evaluation import Evaluation
from contracts.metadata import ModelMetadata

PENDING = "PendingManualApproval"


@dataclass(frozen=True)
class Judgement:
    """Approved by policy, or left to a person; `why` says on what grounds."""

    approved: bool
    why: str


def waits(package: Mapping[str, Any], group: str) -> bool:
    """True for a complete package of the project's group that nobody has judged yet. Everything else is not this function's business."""
    return (
        package.get("ModelPackageGroupName") == group
        and package.get("ModelPackageStatus") == "Completed"
        and package.get("ModelApprovalStatus") == PENDING
    )


def judge(policy: ApprovalPolicy, package: Mapping[str, Any], evaluation: bytes | None) -> Judgement:
    """What the policy says. `evaluation` is the content of evaluation.json, None when there is none."""
    if policy is ApprovalPolicy.MANUAL:
        return _leave("approval.policy is manual. Next: tide approve VERSION, or approve it in SageMaker Studio")
    try:
        metadata = ModelMetadata.from_properties(package.get("CustomerMetadataProperties", {}))
    except ValidationError as error:
        fields = ", ".join(str(item["loc"][0]) for item in error.errors())
        return _leave(f"its metadata is not what this project's pipeline writes: {fields}")
    if evaluation is None:
        return _leave("it has no evaluation.json to judge it by")
    try:
        report = Evaluation.model_validate_json(evaluation)
    except ValidationError as error:
        return _leave(f"its evaluation.json cannot be read: {error.errors()[0]['msg']}")
    return _judge(metadata, report)


def _judge(metadata: ModelMetadata, report: Evaluation) -> Judgement:
    if report.artifact_sha256 != metadata.artifact_sha256:
        return _leave(f"evaluation.json is about artifact {report.artifact_sha256[:12]}, the package holds {metadata.artifact_sha256[:12]}")
    if not report.gate.passed:
        return _leave(f"it did not pass its gate: {'; '.join(report.gate.reasons) or 'no reason given'}")
    noted = f"; the gate only reports ({report.gate.mode}): {'; '.join(report.gate.reasons)}" if report.gate.reasons else ""
    rival = (
        f", champion {report.champion.metrics[report.metric]:.4f}" if report.champion and report.metric in report.champion.metrics else ""
    )
    return Judgement(True, f"passed its gate with {report.metric} {report.score:.4f}{rival} on {report.rows} holdout rows{noted}")


def _leave(why: str) -> Judgement:
    return Judgement(False, why)
