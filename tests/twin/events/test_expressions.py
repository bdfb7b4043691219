"""When schedules fire."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.events.expressions import ExpressionError, fires

START = datetime(2026, 11, 20, 10, 7, tzinfo=UTC)  # a Friday


def times(expression: str, hours: float, zone: str = "UTC") -> list[str]:
    return [f"{moment:%m-%d %H:%M}" for moment in fires(expression, zone, START, START, START + timedelta(hours=hours))]


@pytest.mark.parametrize(
    ("expression", "hours", "zone", "expected"),
    [
        ("rate(15 minutes)", 0.5, "UTC", ["11-20 10:22", "11-20 10:37"]),
        ("rate(1 hour)", 2, "UTC", ["11-20 11:07", "11-20 12:07"]),
        ("cron(0 12 * * ? *)", 24, "UTC", ["11-20 12:00"]),
        ("cron(0 12 * * ? *)", 24, "America/New_York", ["11-20 17:00"]),
        ("cron(0/30 10-11 ? * MON-FRI *)", 3, "UTC", ["11-20 10:30", "11-20 11:00", "11-20 11:30"]),
        ("cron(0 9 ? * 2 *)", 24 * 7, "UTC", ["11-23 09:00"]),
        ("cron(0 9 ? * 1 *)", 24 * 7, "UTC", ["11-22 09:00"]),
        ("cron(0 9 ? * 6L *)", 24 * 14, "UTC", ["11-27 09:00"]),
        ("cron(0 9 L * ? *)", 24 * 14, "UTC", ["11-30 09:00"]),
        ("cron(0 0 1 1 ? 2027)", 24 * 60, "UTC", ["01-01 00:00"]),
        ("at(2026-11-20T11:00:00)", 2, "UTC", ["11-20 11:00"]),
        ("at(2026-11-20T11:00:00)", 2, "Europe/Berlin", []),
    ],
)
def test_fires(expression: str, hours: float, zone: str, expected: list[str]) -> None:
    assert times(expression, hours, zone) == expected


@pytest.mark.parametrize(
    "expression",
    ["rate(0 minutes)", "rate(5)", "cron(0 12 * * *)", "cron(0 12 * * * *)", "cron(0 12 15W * ? *)", "cron(0 25 * * ? *)", "every day"],
)
def test_a_wrong_expression_is_refused(expression: str) -> None:
    with pytest.raises(ExpressionError):
        times(expression, 1)


@given(st.lists(st.integers(1, 5000), min_size=1, max_size=8), st.sampled_from(["rate(7 minutes)", "cron(0/20 * * * ? *)"]))
def test_nothing_is_lost_or_doubled_however_the_clock_is_read(steps: list[int], expression: str) -> None:
    end = START + timedelta(seconds=sum(steps))
    whole = list(fires(expression, "UTC", START, START, end))
    parts, last = [], START
    for step in steps:
        parts += list(fires(expression, "UTC", START, last, last + timedelta(seconds=step)))
        last += timedelta(seconds=step)
    assert parts == whole
