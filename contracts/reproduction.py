"""What came of making a model again: reproduction.json, written by the verb `compare`, read by `tide reproduce`."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

REPRODUCTION = "reproduction.json"


class Grade(StrEnum):
    """How alike the two models are."""

    A = "A"  # the same bytes
    B = "B"  # the same predictions on every probe row
    DIFFERENT = "different"


class FileDifference(BaseModel):
    """A file of the model's folder whose SHA-256 is not the same; None: it is not there."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    registered: str | None
    again: str | None


class Reproduction(BaseModel):
    """A registered model beside the one that was made again.

    `largest_difference`: of a probability, or of a regression's value; None when the predictions could not be compared, and `why` says why.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    grade: Grade
    registered_sha256: str = Field(description="of the model's files, as the registry has it")
    again_sha256: str
    archive_is_the_same: bool = Field(description="whether model.tar.gz too has the same bytes")
    probe_rows: int = 0
    changed_predictions: int | None = None
    largest_difference: float | None = None
    files: tuple[FileDifference, ...] = ()
    libraries: dict[str, tuple[str | None, str | None]] = Field(default={}, description="name -> (then, now), where they differ")
    why: str = ""
