"""What `tide why` says of what a version is served from."""

from cli.why import _runtime
from contracts.evaluation import Evaluation, Gate, GateMode, Metric, Problem
from contracts.runtime import BEFORE_ONNX, RuntimeCheck, RuntimeName


def served_from(runtime: RuntimeCheck) -> str:
    report = Evaluation(
        problem=Problem.REGRESSION,
        metric=Metric.RMSE,
        metrics={Metric.RMSE: 1.0},
        baseline={Metric.RMSE: 2.0},
        gate=Gate(passed=True, mode=GateMode.ENABLED),
        dataset_version="1",
        rows=10,
        artifact_sha256="0" * 64,
        runtime=runtime,
    )
    ((name, text),) = _runtime(report)
    assert name == "served from"
    return text


def test_it_says_by_how_much_the_graph_differs() -> None:
    text = served_from(RuntimeCheck(name=RuntimeName.ONNX, largest_difference=2.2e-16, changed_decisions=0))
    assert text.startswith("onnx: no changed decision, and no number further than 2.2e-16 from scikit-learn's")


def test_it_says_why_there_is_no_graph() -> None:
    assert served_from(BEFORE_ONNX) == "skops: it was trained before models were exported to ONNX"
    assert _runtime(None) == []
