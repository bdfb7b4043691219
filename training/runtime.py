"""runtime.json: what a model is served from. train writes it, evaluate has the last word, the model server obeys."""

from enum import StrEnum
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict

from contracts.errors import ArtifactError

RUNTIME = "runtime.json"
GRAPH_FILE = "model.onnx"


class RuntimeName(StrEnum):
    """`onnx`: model.onnx behind encoder.json. `skops`: the scikit-learn pipeline itself, a hundred times slower."""

    ONNX = "onnx"
    SKOPS = "skops"


class Runtime(BaseModel):
    """`why`: why not ONNX."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: RuntimeName
    why: str = ""

    def write(self, folder: Path) -> None:
        """Into the model's folder."""
        (folder / RUNTIME).write_text(self.model_dump_json(indent=2))

    @classmethod
    def read(cls, folder: Path) -> Self:
        """From the model's folder; a model without one is older than ONNX here. Raises ArtifactError."""
        try:
            return cls.model_validate_json((folder / RUNTIME).read_bytes())
        except FileNotFoundError:
            return cls(name=RuntimeName.SKOPS, why="it was trained before models were exported to ONNX")
        except ValueError as error:
            raise ArtifactError(f"{RUNTIME} cannot be read: {error}") from error
