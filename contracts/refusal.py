"""Why an upload was refused: reason.json, beside the copy of the upload in quarantine."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Finding(_Part):
    """One kind of mistake. `row` is the first row that has it, counted as people do in the format: a spreadsheet's row in CSV, where the
    header is row 1, a line of JSON Lines, a row of data in Parquet. `file` is named where there are several.
    """

    problem: str
    file: str | None = None
    column: str | None = None
    row: int | None = Field(default=None, ge=1)
    count: int = Field(default=1, ge=1, description="how many rows have it")

    def __str__(self) -> str:
        where = f"{self.file}: " if self.file is not None else ""
        where += f"column {self.column!r}: " if self.column is not None else ""
        rows = f" (row {self.row}" + (f", and {self.count - 1} more)" if self.count > 1 else ")") if self.row is not None else ""
        return f"{where}{self.problem}{rows}"


class Refusal(_Part):
    """reason.json."""

    bucket: str
    key: str
    version_id: str
    sha256: str
    size: int = Field(ge=0, description="bytes")
    time: datetime
    findings: tuple[Finding, ...] = Field(min_length=1)
