"""The slow road: a model that serves from its scikit-learn pipeline, because it has no ONNX, or one that did not pass.

This is the only module of the server that imports pandas and scikit-learn.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from contracts.evaluation import Problem
from training.frame import to_column
from training.payload import decode
from training.predictor import PipelinePredictor
from training.scoring import Predictions
from training.serving.answers import Answers, Said, repeated


class PipelineModel:
    """See Model in model.py."""

    runtime = "skops"

    def __init__(self, folder: Path, details: Mapping[str, str]) -> None:
        self._predictor = PipelinePredictor.load(folder)
        self.signature = self._predictor.signature
        self.details = details
        self._answers = Answers(self.signature, repeated(details))

    def answer(self, kind: str, accept: str, body: bytes) -> bytes:
        """See Model.answer."""
        rows = decode(self.signature, kind, body)
        features = self.signature.features
        said = self._predictor.predict({name: to_column(kind, [row[name] for row in rows]) for name, kind in features.items()})
        return self._answers.write(accept, as_said(self.signature.problem, said))


def as_said(problem: Problem, predictions: Predictions) -> Said:
    """Predictions in the form of Said."""
    if predictions.probabilities is None:
        return np.reshape(predictions.values, (-1, 1))
    return predictions.probabilities[:, 1:] if problem is Problem.BINARY else predictions.probabilities
