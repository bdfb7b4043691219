"""What is asked of a model beside the server: one small interface, and scikit-learn behind it."""

from pathlib import Path
from typing import Any, Protocol, Self

from contracts.errors import ArtifactError
from contracts.signature import SIGNATURE, Signature
from training.artifact import MODEL_FILE
from training.frame import Columns, to_frame
from training.scoring import Predictions, predict
from training.stored import load_pipeline


class Predictor(Protocol):
    """A model. `predict` takes one array a feature, as training/frame.py makes them, and may be called from one thread at a time."""

    @property
    def signature(self) -> Signature:
        """What it takes and gives."""

    def predict(self, columns: Columns) -> Predictions:
        """One prediction a row."""


class PipelinePredictor:
    """A scikit-learn Pipeline."""

    def __init__(self, pipeline: Any, signature: Signature) -> None:
        self._pipeline = pipeline
        self._signature = signature

    @classmethod
    def load(cls, folder: Path, name: str = MODEL_FILE) -> Self:
        """A pipeline from a model's folder, whose digest the caller has checked. Raises ArtifactError."""
        try:
            signature = Signature.model_validate_json((folder / SIGNATURE).read_bytes())
        except (OSError, ValueError) as error:
            raise ArtifactError(f"{SIGNATURE} cannot be read: {error}") from error
        return cls(load_pipeline(folder / name), signature)

    @property
    def signature(self) -> Signature:
        """What it takes and gives."""
        return self._signature

    def predict(self, columns: Columns) -> Predictions:
        """One prediction a row."""
        return predict(self._pipeline, self._signature.problem, to_frame(self._signature.features, columns))
