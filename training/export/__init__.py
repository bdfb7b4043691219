"""What a fitted pipeline is served from: its features as numbers (encoder.json), its estimator as ONNX (model.onnx)."""

from pathlib import Path

from sklearn.pipeline import Pipeline

from contracts.runtime import Runtime, RuntimeName
from contracts.signature import Signature
from training.runtime import ENCODER, GRAPH_FILE, write_runtime


def export(pipeline: Pipeline, signature: Signature, folder: Path) -> Runtime:
    """Write encoder.json, model.onnx and runtime.json into a model's folder. A pipeline that has no export is served as it is."""
    from training.export.encoding import encoding_of, scaling_of  # noqa: PLC0415 - as the next line
    from training.export.graph import NotExportableError, graph_of  # noqa: PLC0415 - onnx is a fifth of a second that only train needs

    encode, estimator = pipeline["encode"], pipeline["estimate"]
    encoding = encoding_of(encode, signature.features)
    try:
        graph = graph_of(estimator, signature.problem, encoding.width, scaling_of(encode, encoding.width))
    except NotExportableError as error:
        runtime = Runtime(name=RuntimeName.SKOPS, why=str(error))
    else:
        (folder / ENCODER).write_text(encoding.model_dump_json(indent=2))
        (folder / GRAPH_FILE).write_bytes(graph)
        runtime = Runtime(name=RuntimeName.ONNX)
    write_runtime(runtime, folder)
    return runtime
