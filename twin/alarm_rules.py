"""What state an alarm has, from its latest datapoints: a pure decision.

Source: CloudWatch user guide, alarm-evaluation ("Evaluating an alarm", "Configuring how alarms treat missing data"). The evaluation range
holds two periods more than EvaluationPeriods, as in the guide's tables. If at least EvaluationPeriods real datapoints are in it, the most
recent ones decide and missing ones are ignored. Otherwise as many missing datapoints as are needed are filled as TreatMissingData says;
`missing` and `ignore` fill nothing. `ignore` then keeps the state; `missing` gives ALARM when the oldest real datapoint is old enough and
every real one since it breaches (the guide's premature alarm), and INSUFFICIENT_DATA when there is none.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from moto.cloudwatch.exceptions import CloudWatchException

EXTRA_PERIODS = 2
_COMPARE: dict[str, tuple[Callable[[float, float], bool], str]] = {
    "GreaterThanThreshold": (operator.gt, "greater than"),
    "GreaterThanOrEqualToThreshold": (operator.ge, "greater than or equal to"),
    "LessThanThreshold": (operator.lt, "less than"),
    "LessThanOrEqualToThreshold": (operator.le, "less than or equal to"),
}
_TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")


@dataclass(frozen=True)
class Rule:
    """An alarm's condition: at least `needed` of `periods` datapoints (of `period` seconds each) compare true to the threshold."""

    comparison: str
    threshold: float
    period: int
    periods: int
    needed: int
    missing: str

    @classmethod
    def of(cls, alarm: Mapping[str, Any]) -> "Rule":
        """The condition of a PutMetricAlarm request. Raises ValidationError."""
        comparison, missing = alarm.get("ComparisonOperator"), alarm.get("TreatMissingData") or "missing"
        if comparison not in _COMPARE:
            raise CloudWatchException(
                "ValidationError", f"The twin's alarms do not compare with {comparison}, only with {', '.join(_COMPARE)}."
            )
        if missing not in _TREATMENTS:
            raise CloudWatchException("ValidationError", f"TreatMissingData {missing} is not one of {', '.join(_TREATMENTS)}.")
        if alarm.get("Threshold") is None:
            raise CloudWatchException("ValidationError", "An alarm needs a Threshold.")
        periods = int(alarm["EvaluationPeriods"])
        needed = int(alarm.get("DatapointsToAlarm") or periods)
        if not 1 <= needed <= periods:
            raise CloudWatchException("ValidationError", f"DatapointsToAlarm ({needed}) must be 1 to EvaluationPeriods ({periods}).")
        stats = [query["MetricStat"] for query in alarm.get("Metrics") or () if "MetricStat" in query]
        period = int(alarm.get("Period") or (stats[0]["Period"] if stats else 60))
        return cls(comparison, float(alarm["Threshold"]), period, periods, needed, missing)

    @property
    def range(self) -> int:
        """How many periods are looked at."""
        return self.periods + EXTRA_PERIODS

    def breaches(self, value: float) -> bool:
        """Whether a datapoint counts towards ALARM."""
        return _COMPARE[self.comparison][0](value, self.threshold)


@dataclass(frozen=True)
class Decision:
    """The state, why, and the datapoints behind it (oldest first)."""

    state: str
    reason: str
    recent: tuple[float, ...]


def decide(rule: Rule, points: Sequence[float | None], before: str) -> Decision:
    """The alarm's state from its evaluation range (`rule.range` points, oldest first, None where nothing was measured)."""
    real = [point for point in points if point is not None][-rule.periods :]
    breaching = sum(rule.breaches(point) for point in real)
    lacking = rule.periods - len(real)
    if rule.missing == "breaching":
        breaching += lacking
    if breaching >= rule.needed or (lacking and rule.missing == "missing" and _all_since_breach(rule, points)):
        return _because(rule, "ALARM", breaching, real, lacking)
    if not real and rule.missing == "missing":
        return _because(rule, "INSUFFICIENT_DATA", 0, real, lacking)
    if lacking and rule.missing == "ignore":
        return Decision(before, "Datapoints are missing, and TreatMissingData is ignore.", tuple(real))
    return _because(rule, "OK", breaching, real, lacking)


def _all_since_breach(rule: Rule, points: Sequence[float | None]) -> bool:
    """The guide's premature alarm: the oldest real datapoint is old enough, and every real one since breaches."""
    first = next((number for number, point in enumerate(points) if point is not None), None)
    return first is not None and len(points) - first >= rule.needed and all(rule.breaches(point) for point in points if point is not None)


def _because(rule: Rule, state: str, breaching: int, real: Sequence[float], lacking: int) -> Decision:
    values = ", ".join(f"{point:g}" for point in real) or "none"
    treated = f"; {lacking} missing treated as [{rule.missing}]" if lacking else ""
    word = _COMPARE[rule.comparison][1]
    reason = (
        f"Threshold Crossed: {breaching} out of the last {rule.periods} datapoints [{values}] were {word} the threshold "
        f"({rule.threshold:g}) (minimum {rule.needed} for the ALARM state{treated})."
    )
    return Decision(state, reason, tuple(real))
