"""Whether a model's ONNX graph answers as its scikit-learn pipeline does, on the rows that it is judged by.

The rows take the server's own road (serving/graph.py) from values to answers, so what is compared is what will be served.
"""

from pathlib import Path

import numpy as np

from contracts.columns import parse
from contracts.evaluation import Problem
from contracts.runtime import TOLERANCE, Runtime, RuntimeCheck, RuntimeName
from contracts.signature import Signature
from training.judging import Holdout, answers_of
from training.predictor import PipelinePredictor
from training.runtime import read_runtime, write_runtime
from training.serving.answers import Said, classes_of
from training.serving.pipeline import as_said


def settle(folder: Path, holdout: Holdout) -> RuntimeCheck:
    """Check a model and, when it must not be served from ONNX, write that into its folder."""
    found = check(folder, holdout)
    if found.name is RuntimeName.SKOPS:
        write_runtime(Runtime(name=found.name, why=found.why), folder)
    return found


def check(folder: Path, holdout: Holdout) -> RuntimeCheck:
    """Compare; `name` is skops with the reason when the graph must not be served. Raises ArtifactError, DataError."""
    runtime = read_runtime(folder)
    if runtime.name is RuntimeName.SKOPS:
        return RuntimeCheck(name=runtime.name, why=runtime.why)
    pipeline = PipelinePredictor.load(folder)
    signature = pipeline.signature
    expected = as_said(signature.problem, answers_of(pipeline, signature, holdout))
    try:
        found = _ask(folder, signature, holdout)
    except Exception as error:  # noqa: BLE001 - whatever keeps the graph from answering is a reason to serve the pipeline, and is told
        return RuntimeCheck(name=RuntimeName.SKOPS, why=f"its ONNX graph does not answer: {type(error).__name__}: {error}")
    return compare(signature.problem, expected, found)


def _ask(folder: Path, signature: Signature, holdout: Holdout) -> Said:
    from training.serving.graph import GraphModel  # noqa: PLC0415 - imports ONNX Runtime, which not every evaluation needs

    columns = [[parse(kind, cell) for cell in holdout.table[name]] for name, kind in signature.features.items()]
    return GraphModel(folder, signature, {}).predict(columns)


def compare(problem: Problem, expected: Said, found: Said) -> RuntimeCheck:
    """ONNX when no decision changes and no number differs by more than TOLERANCE."""
    unit = np.maximum(1.0, np.abs(expected))
    difference = float((np.abs(found - expected) / unit).max(initial=0.0))
    changed = 0 if problem is Problem.REGRESSION else int(np.sum(classes_of(problem, expected) != classes_of(problem, found)))
    if changed == 0 and difference <= TOLERANCE:
        return RuntimeCheck(name=RuntimeName.ONNX, largest_difference=difference, changed_decisions=0)
    why = f"its ONNX graph answers otherwise on the holdout: {changed} changed decisions, largest difference {difference:.3g}"
    finite = difference if np.isfinite(difference) else None
    return RuntimeCheck(name=RuntimeName.SKOPS, why=why, largest_difference=finite, changed_decisions=changed)
