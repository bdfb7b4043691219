"""A dataset version: an immutable manifest over S3 object versions.

The version is a digest of what the data is (bytes, rows, schema, parents), not of where it lies, so the same table uploaded twice is the
same version. The manifest says where: key and VersionId of every file. What was counted of the data (`statistics`) and how it is to be read
(`format`) follow from the bytes and the schema, so they are no part of the version, and manifests of before they were written keep theirs.
"""

import hashlib
import json
from datetime import datetime
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from contracts.columns import ColumnKind
from contracts.config import Data
from contracts.statistics import Statistics
from contracts.tables.formats import Format

VERSION_LENGTH = 16


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DataFile(_Part):
    """One file of a version, at one object version."""

    bucket: str
    key: str
    version_id: str
    size: int = Field(ge=0, description="bytes")
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    rows: int = Field(ge=0)
    format: Format = Format.CSV


class ColumnSummary(_Part):
    """One column over all files. `role` is feature, target, id, time or ignored; ignored columns have no kind.

    `statistics` have the columns that the data contract reads: features, target and time.
    """

    name: str
    role: str
    kind: ColumnKind | None = None
    missing: int = Field(ge=0)
    statistics: Statistics | None = None


class FreshHour(_Part):
    """How many of the fresh rows are of an hour."""

    start: datetime
    rows: int = Field(gt=0)


class Fresh(_Part):
    """The last rows of a version: live traffic with its labels, by time of the request, start <= time < end; `end` is just after the last.

    The champion that was live then has not seen them, so what is held out of them is a fair field for it and its challenger.
    """

    rows: int = Field(gt=0)
    start: datetime
    end: datetime
    hours: tuple[FreshHour, ...] = ()

    def hour_of(self, row: int) -> datetime:
        """The start of the hour of a fresh row, counted from 0; `start` when the hours are not known."""
        last = 0
        for hour in self.hours:
            last += hour.rows
            if row < last:
                return hour.start
        return self.start


class Manifest(_Part):
    """manifest.json. `contract` is the data contract that the table was checked against, and all that the jobs need to know of it.

    `parents`: the versions whose files it holds too. `fresh`: when the loop made it of live traffic; its rows are the last file's.
    """

    dataset: str
    files: tuple[DataFile, ...] = Field(min_length=1)
    columns: tuple[ColumnSummary, ...]
    contract: Data
    parents: tuple[str, ...] = ()
    fresh: Fresh | None = None

    @property
    def rows(self) -> int:
        """Rows of all files."""
        return sum(file.rows for file in self.files)

    @property
    def version(self) -> str:
        """The first 16 hexadecimal digits of the SHA-256 of what the data is."""
        content = self.model_dump(mode="json", exclude={"contract": {"table"}, "columns": {"__all__": {"statistics"}}})
        if self.fresh is None:
            del content["fresh"]
        if not self.contract.privacy.columns:
            del content["contract"]["privacy"]
        content["files"] = [[file.sha256, file.rows] for file in self.files]
        canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(canonical.encode()).hexdigest()[:VERSION_LENGTH]

    def to_json(self) -> str:
        """The file's text."""
        return self.model_dump_json(indent=2)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """The manifest that `to_json` wrote. Raises pydantic.ValidationError."""
        return cls.model_validate_json(text)
