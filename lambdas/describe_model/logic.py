"""What is live, in the words of contracts/live_model.py. Pure."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from contracts import layout
from contracts.evaluation import Evaluation
from contracts.live_model import LiveModel
from contracts.metadata import ModelMetadata
from contracts.signature import SIGNATURE, Signature
from lambdas.live import Endpoint

Report = bytes | str
"""A report's content, or in words why it could not be read."""
FOREIGN = "what is live was not deployed from a model package of the registry"
DELETED = "what is live was deployed from {}, which is not in the registry any more"


def signature_uri(evaluation_uri: str) -> str:
    """Where the signature is: evaluate writes it beside its report."""
    return evaluation_uri.removesuffix(layout.EVALUATION) + SIGNATURE


def describe(
    name: str, endpoint: Endpoint, package: Mapping[str, Any] | None, evaluation: Report | None, signature: Report | None
) -> LiveModel:
    """The live model; what cannot be read of it is a note. `package`: DescribeModelPackage; a report is None where it names none."""
    notes: list[str] = []
    if package is None:
        notes.append(DELETED.format(endpoint.package_arn) if endpoint.package_arn else FOREIGN)
    known = package or {}
    metadata = _metadata(known, notes) if package else None
    report = _parsed(Evaluation, evaluation, layout.EVALUATION, notes) if package else None
    found = _parsed(Signature, signature, SIGNATURE, notes) if package else None
    return LiveModel(
        name=name,
        version=known.get("ModelPackageVersion"),
        status=endpoint.status,
        approval=known.get("ModelApprovalStatus"),
        since=endpoint.since,
        dataset_version=metadata.dataset_version if metadata else None,
        artifact_sha256=metadata.artifact_sha256 if metadata else None,
        runtime=report.runtime if report else None,
        metric=report.metric if report else None,
        metrics=report.metrics if report else {},
        holdout_rows=report.rows if report else None,
        signature=found,
        notes=tuple(notes),
    )


def _metadata(package: Mapping[str, Any], notes: list[str]) -> ModelMetadata | None:
    try:
        return ModelMetadata.from_properties(package.get("CustomerMetadataProperties", {}))
    except ValidationError as error:
        missing = ", ".join(str(item["loc"][0]) for item in error.errors())
        notes.append(f"its metadata is not what this project's pipeline writes: {missing}")
        return None


def _parsed(model: Any, content: Report | None, name: str, notes: list[str]) -> Any:
    if content is None:
        notes.append(f"it names no {name}")
    elif isinstance(content, str):
        notes.append(f"its {name} cannot be read: {content}")
    else:
        try:
            return model.model_validate_json(content)
        except ValidationError as error:
            notes.append(f"its {name} cannot be read: {error.errors()[0]['msg']}")
    return None
