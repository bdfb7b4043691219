"""What a model is served from, and how the holdout showed that it may be."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

TOLERANCE = 1e-9
"""By how much an answer may differ from scikit-learn's: a probability as it is, a regression's value relative to itself, or to 1.

Both are sums of doubles in nearly the same order, so they differ in the last of their 16 digits.
"""


class RuntimeName(StrEnum):
    """`onnx`: an ONNX graph behind look-ups. `skops`: the scikit-learn pipeline itself, a hundred times slower."""

    ONNX = "onnx"
    SKOPS = "skops"


class Runtime(BaseModel):
    """runtime.json in the model's folder: train writes it, evaluate has the last word, the model server obeys. `why`: why not ONNX."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: RuntimeName
    why: str = ""


class RuntimeCheck(Runtime):
    """A runtime beside the scikit-learn pipeline on the holdout. None: there was nothing to compare, it is the pipeline itself."""

    largest_difference: float | None = Field(default=None, description="of a probability, or of a value relative to itself, or to 1")
    changed_decisions: int | None = Field(default=None, description="rows for which another class was predicted")

    @property
    def difference(self) -> str:
        """The largest difference as the registry takes it: text, never empty."""
        return "none" if self.largest_difference is None else f"{self.largest_difference:.3g}"


BEFORE_ONNX = RuntimeCheck(name=RuntimeName.SKOPS, why="it was trained before models were exported to ONNX")
"""Of models and reports that say nothing about it."""
