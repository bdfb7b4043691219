"""The slow road: a model that serves from its scikit-learn pipeline, because it has no ONNX, or one that did not pass.

This is the only module of the server that imports pandas and scikit-learn.
"""

from collections.abc import Mapping

from training.frame import to_column
from training.payload import Rows, decode, encode
from training.predictor import Predictor
from training.scoring import Predictions


class PipelineModel:
    """See Model in model.py."""

    runtime = "skops"

    def __init__(self, predictor: Predictor, details: Mapping[str, str]) -> None:
        self._predictor = predictor
        self.signature = predictor.signature
        self.details = details

    def warm_up(self) -> None:
        """The first prediction imports and compiles what the others reuse; every feature may be missing."""
        self._predict([dict.fromkeys(self.signature.features)])

    def answer(self, kind: str, accept: str, body: bytes) -> bytes:
        """See Model.answer."""
        return encode(self.signature, accept, self._predict(decode(self.signature, kind, body)), dict(self.details))

    def _predict(self, rows: Rows) -> Predictions:
        features = self.signature.features
        return self._predictor.predict({name: to_column(kind, [row[name] for row in rows]) for name, kind in features.items()})
