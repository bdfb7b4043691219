"""Every error that a user can meet, one small tree. The message says what is wrong, where, and the next step.

TidewheelError
├── ConfigError          tidewheel.yaml does not describe a project
├── DataError            a table, or a row of it, is not what the project's data contract says
├── RequestError         a prediction request does not fit the model's signature
├── ArtifactError        a model artifact is not the one that was registered
└── StateError           something in the account is missing, or is not in a state that allows this
"""

from collections.abc import Sequence


class TidewheelError(Exception):
    """Base of every error that is meant for a user."""


class ConfigError(TidewheelError):
    """tidewheel.yaml does not describe a project. `problems` lists every mistake as `path: what is wrong`."""

    def __init__(self, problems: Sequence[str], source: str = "tidewheel.yaml") -> None:
        self.problems = tuple(problems)
        count = f"{len(self.problems)} mistake{'s' if len(self.problems) != 1 else ''}"
        super().__init__("\n".join([f"{source} has {count}:", *(f"  {problem}" for problem in self.problems)]))


class DataError(TidewheelError):
    """A table is not what the data contract says. `reasons` lists every finding."""

    def __init__(self, reasons: Sequence[str]) -> None:
        self.reasons = tuple(reasons)
        super().__init__("; ".join(self.reasons))


class RequestError(TidewheelError):
    """A prediction request does not fit the model's signature. `problems` lists `row and feature: what is wrong`."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(self.problems))


class ArtifactError(TidewheelError):
    """A model artifact is not the one that was registered, or holds something that must not be loaded."""


class StateError(TidewheelError):
    """Something in the account is missing, or is not in a state that allows this."""
