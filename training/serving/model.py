"""A verified, loaded and warm model: what the HTTP server knows of the model behind it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from contracts.errors import ArtifactError
from contracts.layout import ARTIFACT_VARIABLE
from contracts.runtime import RuntimeName
from contracts.signature import SIGNATURE, Signature
from training.artifact import RECORD, verify
from training.runtime import read_runtime
from training.serving.graph import GraphModel
from training.serving.media import JSON


class Model(Protocol):
    """One model. `answer` may be called from any number of threads at a time where `runtime` is "onnx", from one where it is "skops".

    `runtime` is "onnx" or "skops". `details` say which model it is, as /ping tells: artifact_sha256, dataset_version, runtime,
    and with skops `why_skops`. The first two stand in every JSON answer.
    """

    signature: Signature
    runtime: str
    details: Mapping[str, str]

    def answer(self, kind: str, accept: str, body: bytes) -> bytes:
        """The body of an answer in `accept` (media.GIVEN) to a request's body of type `kind` (media.TAKEN).

        Raises RequestError naming every row and feature that is wrong.
        """


def load(folder: Path, expected_sha256: str) -> Model:
    """The model in a folder, its files verified before any of them is read. Raises ArtifactError."""
    verify(folder, expected_sha256, ARTIFACT_VARIABLE)
    runtime = read_runtime(folder)
    details = {"artifact_sha256": expected_sha256, "dataset_version": _dataset_version(folder), "runtime": str(runtime.name)}
    if runtime.why:
        details["why_skops"] = runtime.why
    model = _pipeline(folder, details) if runtime.name is RuntimeName.SKOPS else GraphModel(folder, _signature(folder), details)
    # The first prediction imports and compiles what the others reuse; every feature may be missing.
    model.answer(JSON, JSON, json.dumps(dict.fromkeys(model.signature.features)).encode())
    return model


def _pipeline(folder: Path, details: Mapping[str, str]) -> Model:
    from training.serving.pipeline import PipelineModel  # noqa: PLC0415 - imports scikit-learn and pandas, which the others do without

    return PipelineModel(folder, details)


def _signature(folder: Path) -> Signature:
    try:
        return Signature.model_validate_json((folder / SIGNATURE).read_bytes())
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{SIGNATURE} cannot be read: {error}") from error


def _dataset_version(folder: Path) -> str:
    """Of training.json alone this, because to read all of it takes what trained the model."""
    try:
        return str(json.loads((folder / RECORD).read_bytes())["dataset_version"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"{RECORD} cannot be read: {error}") from error
