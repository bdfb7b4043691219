"""The ledger: every decision, with its time, reason and evidence, and what the reconciler must remember between two looks.

One DynamoDB table, keys `pk` and `sk`. A decision's key is made of what caused it, so the same event handled twice is one decision.

    pk            sk                          item
    decision      <time>#<what>#<subject>     Decision
    deployment    open                        Deployment
    quarantine    <model package arn>         Quarantine
    hold          open                        Hold
"""

from datetime import UTC, datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

DECISION = "decision"
DEPLOYMENT = "deployment"
QUARANTINE = "quarantine"
HOLD = "hold"
OPEN = "open"


class What(StrEnum):
    """What was decided."""

    DATASET_ACCEPTED = "dataset_accepted"
    DATASET_REFUSED = "dataset_refused"
    TRAINING_STARTED = "training_started"
    MODEL_APPROVED = "model_approved"
    MODEL_LEFT_TO_A_PERSON = "model_left_to_a_person"
    DEPLOYMENT_STARTED = "deployment_started"
    DEPLOYMENT_FINISHED = "deployment_finished"
    MODEL_QUARANTINED = "model_quarantined"
    ENDPOINT_HELD = "endpoint_held"


class _Item(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Evidence(_Item):
    """A file that a decision rests on."""

    uri: str
    sha256: str | None = None


class Decision(_Item):
    """What was decided, about what, when, why, by whom, on which evidence."""

    time: datetime
    what: What
    subject: str
    why: str
    by: str
    evidence: tuple[Evidence, ...] = ()

    @property
    def key(self) -> dict[str, str]:
        """Its key in the table; sorts by time."""
        moment = self.time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return {"pk": DECISION, "sk": f"{moment}#{self.what}#{self.subject}"}


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
