"""How a training run follows from its cause: names, parameters and the check of the manifest."""

import hashlib
from dataclasses import dataclass

from pydantic import ValidationError

from contracts.errors import DataError
from contracts.layout import parse_manifest_key, run_prefix
from contracts.manifest import Manifest
from contracts.pipeline import RunParameters

S3_SOURCE = "aws.s3"


@dataclass(frozen=True)
class Cause:
    """What asks for a run: an event about a manifest. S3's own event means "the version is new", any other source asks for one more run."""

    event_id: str
    source: str
    bucket: str
    key: str


def run_name(dataset: str, version: str, cause: Cause) -> str:
    """The run's name. A new dataset version is trained once, however often S3 says so; each other cause has a run of its own."""
    name = f"{dataset}-{version}"
    return name if cause.source == S3_SOURCE else f"{name}-{hashlib.sha256(cause.event_id.encode()).hexdigest()[:8]}"


def request_token(run: str) -> str:
    """StartPipelineExecution's ClientRequestToken (32 to 128 characters): one run is one execution."""
    return hashlib.sha256(run.encode()).hexdigest()


def check_manifest(content: bytes, cause: Cause, dataset: str) -> Manifest:
    """The manifest that the event is about. Raises DataError when it is not what its key says, or not this project's."""
    named_dataset, version = _names(cause.key)
    try:
        manifest = Manifest.from_json(content)
    except ValidationError as error:
        raise DataError([f"{cause.key} is not a manifest: {error.errors()[0]['msg']}. Next: upload the table again"]) from None
    problems = []
    if manifest.dataset != named_dataset or named_dataset != dataset:
        problems.append(f"{cause.key} is a manifest of dataset {manifest.dataset!r}; this project trains on {dataset!r}")
    if manifest.version != version:
        problems.append(
            f"{cause.key} holds version {manifest.version}, so it was changed after it was written. Next: upload the table again"
        )
    if problems:
        raise DataError(problems)
    return manifest


def _names(key: str) -> tuple[str, str]:
    try:
        return parse_manifest_key(key)
    except ValueError as error:
        raise DataError([str(error)]) from None


def parameters(run: str, cause: Cause, version: str, artifacts_bucket: str, git_commit: str) -> RunParameters:
    """The pipeline's parameters for a run."""
    return RunParameters(
        run=run,
        run_uri=f"s3://{artifacts_bucket}/{run_prefix(run)}".rstrip("/"),
        manifest_uri=f"s3://{cause.bucket}/{cause.key}",
        dataset_version=version,
        git_commit=git_commit,
    )
