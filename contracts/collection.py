"""collection.json: what the collect job made of captured requests and their labels."""

from datetime import datetime
from typing import Self

from pydantic import BaseModel, ConfigDict, Field


class Collection(BaseModel):
    """The outcome of one collection, start <= time of the request < end. No `manifest_key`: `why` says why."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    start: datetime
    end: datetime
    rows: int = Field(ge=0, description="labelled rows")
    unlabelled: int = Field(ge=0, description="rows whose label has not come")
    unreadable: int = Field(ge=0, description="captured lines or requests, and labels, that cannot be read")
    dataset_version: str | None = None
    manifest_key: str | None = None
    why: str = ""

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """The file that the job wrote. Raises pydantic.ValidationError."""
        return cls.model_validate_json(text)
