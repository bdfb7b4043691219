"""Schedule expressions: rate(...), cron(...) and at(...), and the moments at which they fire. Pure.

docs: https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html. In AWS's cron, Sunday is 1, the sixth field is the year,
and one of the two day fields is "?". The W of "nearest weekday" is refused.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from croniter import CroniterBadDateError, croniter

_RATE = re.compile(r"^rate\((\d+) (minute|hour|day)s?\)$")
_CRON = re.compile(r"^cron\(([^()]+)\)$")
_AT = re.compile(r"^at\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\)$")
_SECONDS = {"minute": 60, "hour": 3600, "day": 86400}
_DAYS = {name: number for number, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"))}


class ExpressionError(Exception):
    """The expression is not one that EventBridge takes, or one that the twin does not know."""


def fires(expression: str, zone: str, start: datetime, after: datetime, until: datetime) -> Iterator[datetime]:
    """The moments in (after, until] at which a schedule made at `start` fires, in order, in UTC. Raises ExpressionError."""
    if rate := _RATE.match(expression):
        return _rate(int(rate[1]) * _SECONDS[rate[2]], start, after, until)
    if at := _AT.match(expression):
        moment = datetime.fromisoformat(at[1]).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
        return iter([moment] if after < moment <= until else [])
    if cron := _CRON.match(expression):
        return _cron(translate(cron[1]), zone, after, until)
    raise ExpressionError(f"{expression} is none of rate(5 minutes), cron(0 12 * * ? *), at(2026-01-31T12:00:00)")


def _rate(seconds: int, start: datetime, after: datetime, until: datetime) -> Iterator[datetime]:
    if seconds == 0:
        raise ExpressionError("a rate is at least 1")
    step = timedelta(seconds=seconds)
    moment = start + step * max(1, (after - start) // step + 1)
    while moment <= until:
        yield moment
        moment += step


def _cron(fields: str, zone: str, after: datetime, until: datetime) -> Iterator[datetime]:
    times = croniter(fields, after.astimezone(ZoneInfo(zone)), ret_type=datetime)
    while True:
        try:
            moment = times.get_next().astimezone(UTC)
        except CroniterBadDateError:
            return  # the year field leaves no moment to come
        if moment > until:
            return
        yield moment


def translate(fields: str) -> str:
    """AWS's six fields as croniter's seven (minute hour day month weekday second year)."""
    parts = fields.upper().split()
    if len(parts) != 6:
        raise ExpressionError(f"cron({fields}) has {len(parts)} fields; it needs minute, hour, day, month, weekday and year")
    minute, hour, day, month, weekday, year = parts
    if "W" in day:
        raise ExpressionError(f"the twin does not know the W of cron({fields})")
    if (day == "?") == (weekday == "?"):
        raise ExpressionError(f"cron({fields}): exactly one of day and weekday must be ?")
    translated = f"{minute} {hour} {day.replace('?', '*')} {month} {_weekday(weekday)} 0 {year}"
    if not croniter.is_valid(translated):
        raise ExpressionError(f"cron({fields}) is not valid")
    return translated


def _weekday(field: str) -> str:
    """Sunday is 1 on AWS and 0 for croniter; "6L" is the month's last Friday, "L5" for croniter."""
    if field in {"?", "*"}:
        return "*"
    shifted = re.sub(r"[A-Z]{3}|(?<![#/])\d", lambda match: str(_DAYS[match[0]] if match[0] in _DAYS else int(match[0]) - 1), field)
    return re.sub(r"(\d)L", r"L\1", "6" if shifted == "L" else shifted)
