"""The fast road: a request's bytes, columns of values, a matrix of doubles, an ONNX graph, the answer's bytes."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnxruntime

from contracts.errors import ArtifactError
from contracts.signature import Signature
from training.payload import decode
from training.runtime import ENCODER, GRAPH_FILE
from training.serving.answers import Answers, Said, repeated
from training.serving.encoder import Encoder, Encoding, Matrix, Values
from training.serving.requests import UNFIT, Reader

CHUNK = 4096  # rows; a larger request needs no larger matrix


class GraphModel:
    """See Model in model.py. Nothing in it changes after it was made, so any number of threads may ask at a time."""

    runtime = "onnx"

    def __init__(self, folder: Path, signature: Signature, details: Mapping[str, str]) -> None:
        self.signature = signature
        self.details = details
        self._read = Reader(signature)
        self._encoder = Encoder(_encoding(folder), signature.features)
        self._session = _session(folder / GRAPH_FILE)
        self._input = self._session.get_inputs()[0].name
        self._answers = Answers(signature, repeated(details))

    def answer(self, kind: str, accept: str, body: bytes) -> bytes:
        """See Model.answer."""
        try:
            said = self.predict(self._read.columns(kind, body))
        except UNFIT:
            rows = decode(self.signature, kind, body)  # says what is wrong
            said = self.predict([[row[name] for row in rows] for name in self.signature.features])
        return self._answers.write(accept, said)

    def predict(self, columns: Sequence[Values]) -> Said:
        """What the model says of rows, given as a column of values a feature. Raises one of UNFIT."""
        rows = len(columns[0])
        if rows <= CHUNK:
            return self._run(self._encoder.encode(columns))
        starts = range(0, rows, CHUNK)
        return np.concatenate([self._run(self._encoder.encode([column[start : start + CHUNK] for column in columns])) for start in starts])

    def _run(self, matrix: Matrix) -> Said:
        said: Said = self._session.run(None, {self._input: matrix})[0]
        return said


def _encoding(folder: Path) -> Encoding:
    try:
        return Encoding.model_validate_json((folder / ENCODER).read_bytes())
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{ENCODER} cannot be read: {error}") from error


def _session(path: Path) -> onnxruntime.InferenceSession:
    """One thread: predictions are small, and several workers share a machine. No arena: its memory is never given back."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ArtifactError(f"{path.name} cannot be loaded: {error}") from error
