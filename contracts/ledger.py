"""The ledger: every decision, with its time, reason and evidence, and what the reconciler must remember between two looks.

One DynamoDB table, keys `pk` and `sk`. A decision's key is made of what caused it, so the same event handled twice is one decision.

    pk            sk                          item
    decision      <time>#<what>#<subject>     Decision
    deployment    open                        Deployment
    quarantine    <model package arn>         Quarantine
    hold          open                        Hold
    retraining    open                        Retraining, while it goes on: the lock
    retraining    <time asked>#<name>         Retraining, ended
    skip          open                        Skip
"""

import hashlib
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

DECISION = "decision"
DEPLOYMENT = "deployment"
QUARANTINE = "quarantine"
HOLD = "hold"
RETRAINING = "retraining"
SKIP = "skip"
OPEN = "open"

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html: a sort key has 1,024 bytes, an item 400 KB.
SORT_KEY_BYTES = 1024
LONGEST_WHY = 4000  # characters; a header may hold column names of any length, and a refusal quotes them


class What(StrEnum):
    """What was decided."""

    DATASET_ACCEPTED = "dataset_accepted"
    DATASET_REFUSED = "dataset_refused"
    TRAINING_STARTED = "training_started"
    TRAINING_FAILED = "training_failed"
    CHALLENGER_LOST = "challenger_lost"
    RETRAINING_STARTED = "retraining_started"
    RETRAINING_SKIPPED = "retraining_skipped"
    RETRAINING_STOPPED = "retraining_stopped"
    MODEL_APPROVED = "model_approved"
    MODEL_LEFT_TO_A_PERSON = "model_left_to_a_person"
    DEPLOYMENT_STARTED = "deployment_started"
    DEPLOYMENT_FINISHED = "deployment_finished"
    MODEL_QUARANTINED = "model_quarantined"
    ENDPOINT_HELD = "endpoint_held"
    BATCH_PREDICTED = "batch_predicted"
    BATCH_INCOMPLETE = "batch_incomplete"


def instant(time: datetime) -> str:
    """A time as text that sorts as the times do."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class _Item(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


Why = Annotated[str, AfterValidator(lambda text: text if len(text) <= LONGEST_WHY else text[: LONGEST_WHY - 4] + " ...")]


class Evidence(_Item):
    """A file that a decision rests on."""

    uri: str
    sha256: str | None = None


class Decision(_Item):
    """What was decided, about what, when, why, by whom, on which evidence."""

    time: datetime
    what: What
    subject: str
    why: Why
    by: str
    evidence: tuple[Evidence, ...] = ()

    @property
    def key(self) -> dict[str, str]:
        """Its key in the table; sorts by time."""
        return {"pk": DECISION, "sk": _within_a_sort_key(f"{instant(self.time)}#{self.what}#{self.subject}")}


def _within_a_sort_key(text: str) -> str:
    """The text itself, or its beginning and its digest when it is too long, as an S3 key of a thousand characters makes it."""
    content = text.encode()
    if len(content) <= SORT_KEY_BYTES:
        return text
    digest = f"#{hashlib.sha256(content).hexdigest()}"
    return content[: SORT_KEY_BYTES - len(digest)].decode(errors="ignore") + digest


class Deployment(_Item):
    """An update of the Endpoint stack that was asked for. `settled` is set once, by whoever first sees that it is live."""

    model_package_arn: str
    asked: datetime
    settled: datetime | None = None


class Quarantine(_Item):
    """A model package that failed in production, and is never deployed again."""

    model_package_arn: str
    why: str
    time: datetime


class Hold(_Item):
    """Why the reconciler does nothing until a person did something; kept so that each reason is recorded once."""

    why: str
    time: datetime


class Outcome(StrEnum):
    """How a retraining ended. `better`: its challenger was registered; `lost`: it did not pass the gate; `failed`: a job of it did."""

    BETTER = "better"
    LOST = "lost"
    FAILED = "failed"
    TOO_FEW_LABELS = "too_few_labels"


class Retraining(_Item):
    """One training that the loop started by itself: on the champion's own data and on the labelled traffic, start <= time < end.

    `alarms`: those that rang, the newest of them since `rings_since`; labels alone may have asked. `borrowed`: how many windows with labels
    it came before its time, which the next one waits longer. `run`, `execution` and `trained` (when its run was first seen to be started)
    come with its run, the last three with its end.
    """

    name: str
    asked: datetime
    why: Why
    champion: str
    parent: str
    start: datetime
    end: datetime
    alarms: tuple[str, ...] = ()
    rings_since: datetime | None = None
    borrowed: int = 0
    run: str | None = None
    execution: str | None = None
    trained: datetime | None = None
    outcome: Outcome | None = None
    ended: datetime | None = None
    explanation: Why = ""

    @property
    def key(self) -> dict[str, str]:
        """Its key when it has ended; sorts by the time at which it was asked for."""
        return {"pk": RETRAINING, "sk": f"{instant(self.asked)}#{self.name}"}


class Skip(_Item):
    """Why the loop did not train although something asked for it; kept so that each reason is recorded once."""

    why: Why
    time: datetime
