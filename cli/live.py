"""What was live from when to when, read off the ledger's decisions."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cli.observe import version_number
from contracts.ledger import Decision, What


@dataclass(frozen=True)
class Period:
    """A model package answered all requests from `start` to `end`; `end` is None as long as it does."""

    arn: str
    start: datetime
    end: datetime | None = None

    @property
    def version(self) -> int | None:
        """The package's version."""
        return version_number(self.arn)

    def document(self) -> dict[str, Any]:
        """For machines."""
        end = self.end.isoformat() if self.end else None
        return {"version": self.version, "arn": self.arn, "start": self.start.isoformat(), "end": end}


def live_periods(decisions: Iterable[Decision]) -> list[Period]:
    """The periods in their order. A package that is found live again, with nothing in between, has one period."""
    periods: list[Period] = []
    for decision in decisions:
        if decision.what is not What.DEPLOYMENT_FINISHED or (periods and periods[-1].arn == decision.subject):
            continue
        if periods:
            periods[-1] = Period(periods[-1].arn, periods[-1].start, decision.time)
        periods.append(Period(decision.subject, decision.time))
    return periods


def length_in_words(seconds: float) -> str:
    """90 -> 2 min; the largest unit of which there are at least two."""
    for unit, size in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= (2 * size if unit != "min" else size):
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
