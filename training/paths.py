"""Where a job finds its input and puts its output: SageMaker's folders below one root."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Self

from contracts import layout


@dataclass(frozen=True)
class Paths:
    """The folders of one container. `root` stands for /opt/ml."""

    root: Path

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Self:
        """The root that the environment names."""
        return cls(Path(environment.get(layout.ROOT_VARIABLE, str(layout.ML_ROOT))))

    def _at(self, path: PurePosixPath) -> Path:
        return self.root / path.relative_to(layout.ML_ROOT)

    def at(self, path: str) -> Path:
        """A path that somebody outside names: below /opt/ml it is a path below the root, as the container sees it."""
        given = PurePosixPath(path)
        return self._at(given) if given.is_relative_to(layout.ML_ROOT) else Path(given)

    def processing_input(self, channel: str) -> Path:
        """A processing job's input channel."""
        return self._at(layout.PROCESSING_INPUT) / channel

    def processing_output(self, channel: str) -> Path:
        """A processing job's output channel; the folder exists afterwards."""
        folder = self._at(layout.PROCESSING_OUTPUT) / channel
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def training_input(self, channel: str) -> Path:
        """A training job's input channel."""
        return self.root / "input" / "data" / channel

    @property
    def hyperparameters(self) -> Path:
        """A training job's settings: a JSON object whose values are strings."""
        return self.root / "input" / "config" / "hyperparameters.json"

    @property
    def model(self) -> Path:
        """The model's folder: train fills it, serve reads it."""
        return self._at(layout.MODEL_FOLDER)

    @property
    def cloudwatch(self) -> Path:
        """Where a monitoring job leaves metrics; Model Monitor publishes every line of the files in it."""
        return self.root / "output" / "metrics" / "cloudwatch"

    @property
    def failure(self) -> Path:
        """Why a training job failed."""
        return self.root / "output" / "failure"

    @property
    def message(self) -> Path:
        """Why a processing job or the model server failed."""
        return self.root / "output" / "message"
