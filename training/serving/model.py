"""A verified, loaded and warm model: what the HTTP server knows of the model behind it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from contracts.layout import ARTIFACT_VARIABLE
from contracts.signature import Signature
from training.artifact import verify
from training.predictor import PipelinePredictor
from training.record import TrainingRecord


class Model(Protocol):
    """One model. `answer` may be called from one thread at a time.

    `runtime` is "onnx" or "skops". `details` say which model it is, as /ping tells and every JSON answer repeats: artifact_sha256,
    dataset_version, runtime, and with skops `why_skops`, where there is a reason.
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
    from training.serving.pipeline import PipelineModel  # noqa: PLC0415 - imports scikit-learn and pandas

    verify(folder, expected_sha256, ARTIFACT_VARIABLE)
    details = {"artifact_sha256": expected_sha256, "dataset_version": TrainingRecord.read(folder).dataset_version, "runtime": "skops"}
    model = PipelineModel(PipelinePredictor.load(folder), details)
    model.warm_up()
    return model
