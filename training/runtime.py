"""runtime.json, model.onnx and encoder.json in a model's folder."""

from pathlib import Path

from contracts.errors import ArtifactError
from contracts.runtime import BEFORE_ONNX, Runtime, RuntimeName

RUNTIME = "runtime.json"
GRAPH_FILE = "model.onnx"
ENCODER = "encoder.json"


def write_runtime(runtime: Runtime, folder: Path) -> None:
    """Into the model's folder; one that is not ONNX has no files of it there."""
    (folder / RUNTIME).write_text(runtime.model_dump_json(indent=2))
    if runtime.name is RuntimeName.SKOPS:
        for name in (GRAPH_FILE, ENCODER):
            (folder / name).unlink(missing_ok=True)


def read_runtime(folder: Path) -> Runtime:
    """From the model's folder; a model without one is older than ONNX here. Raises ArtifactError."""
    try:
        return Runtime.model_validate_json((folder / RUNTIME).read_bytes())
    except FileNotFoundError:
        return BEFORE_ONNX
    except ValueError as error:
        raise ArtifactError(f"{RUNTIME} cannot be read: {error}") from error
