"""Batches by a schedule: what the function that runs them remembers in S3 between two looks, and where tables and results lie.

data bucket         batch/input/<file>                           a table, as a person or a system puts it there
                    batch/output/<batch>/predictions.csv         its predictions, missing.csv, and last of all summary.json
artifacts bucket    batch/<batch>/package                        who predicts, all of its rounds
                    batch/<batch>/plan-<round>.json              what a round sends: written once, when all of it is there
                    batch/<batch>/rejected.csv                   rows that were not sent
                    batch/<batch>/ended                          when it ended, as whoever saw it first says

A batch is named by key and version of its object, so a table is predicted once, and a new version of it again. `package`, plans, `ended`
and the summary are written by the first who comes to them, and never again: two who do the same at once come to the same.
"""

import hashlib
from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict

from contracts.batch.names import batch_prefix, folder
from contracts.batch.parts import Part
from contracts.layout import BATCH

INPUT, OUTPUT = f"{BATCH}input/", f"{BATCH}output/"
SUMMARY, PREDICTIONS, MISSING = "summary.json", "predictions.csv", "missing.csv"


class Plan(BaseModel):
    """What a round sends, by whom it is predicted, and what was found out when the table was read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    package: str
    rejected: int
    parts: tuple[Part, ...]


class Summary(BaseModel):
    """What came of a table. `problem`: why nothing of it could be predicted."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str
    package: str | None = None
    rows: int = 0
    predicted: int = 0
    rejected: int = 0
    failed: int = 0
    jobs: tuple[str, ...] = ()
    problem: str = ""

    @property
    def ok(self) -> bool:
        """Does every row have its prediction?"""
        return not self.problem and self.predicted == self.rows

    @property
    def words(self) -> str:
        """For people."""
        return self.problem or f"{self.predicted} of {self.rows} rows predicted, {self.rejected} rejected, {self.failed} failed"


def scheduled_prefix(prefix: str) -> str:
    """What the names of scheduled batches begin with; those of people have digits there."""
    return f"{batch_prefix(prefix)}t"


def scheduled_name(prefix: str, key: str, version_id: str) -> str:
    """The batch of an object version."""
    return scheduled_prefix(prefix) + hashlib.sha256(f"{key}\n{version_id}".encode()).hexdigest()[:15]


def plan_key(batch: str, number: int) -> str:
    """The plan of a round."""
    return f"{folder(batch)}plan-{number}.json"


def rejected_key(batch: str) -> str:
    """Rows that were not sent."""
    return f"{folder(batch)}rejected.csv"


def package_key(batch: str) -> str:
    """Who predicts the batch."""
    return f"{folder(batch)}package"


def ended_key(batch: str) -> str:
    """When the batch ended."""
    return f"{folder(batch)}ended"


def result_key(batch: str, name: str) -> str:
    """A file of the result."""
    return f"{OUTPUT}{batch}/{name}"


def pieces_of(plans: Iterable[Plan]) -> dict[str, list[Part]]:
    """By the name of a part that was divided: what it was divided into."""
    found: dict[str, list[Part]] = {}
    for plan in plans:
        for piece in plan.parts:
            found.setdefault(piece.name.rpartition("-")[0], []).append(piece)
    return found
