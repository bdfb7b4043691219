"""The twin's clock, on a monotonic source of the test's own."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.clock import Clock

START = datetime(2026, 1, 1, tzinfo=UTC)


class Source:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def test_time_runs_at_its_speed() -> None:
    source = Source()
    clock = Clock(60, START, source)
    source.seconds += 2
    assert clock.now() == START + timedelta(seconds=120)


@given(st.lists(st.floats(0, 1e6), max_size=5), st.floats(0, 1000), st.floats(0, 1000))
def test_time_is_what_ran_and_what_was_advanced(advances: list[float], speed: float, ran: float) -> None:
    source = Source()
    clock = Clock(speed, START, source)
    for seconds in advances:
        clock.advance(seconds)
    source.seconds += ran
    assert (clock.now() - START).total_seconds() == pytest.approx(sum(advances) + ran * speed, abs=1e-3)


def test_it_neither_goes_back_nor_runs_backwards() -> None:
    with pytest.raises(ValueError, match="speed is -1"):
        Clock(-1)
    with pytest.raises(ValueError, match="cannot go back"):
        Clock().advance(-1)


def test_waiting_ends_when_the_clock_is_moved() -> None:
    clock = Clock(0)
    done: list[bool] = []
    waiter = threading.Thread(target=lambda: done.append(clock.wait(3600)))
    waiter.start()
    clock.advance(3599)
    waiter.join(0.05)
    assert not done
    clock.advance(1)
    waiter.join(5)
    assert done == [True]


def test_waiting_ends_early_when_stopped() -> None:
    stop = threading.Event()
    stop.set()
    assert Clock(0).wait(3600, stop) is False


def test_a_moment_that_has_come_is_not_waited_for() -> None:
    clock = Clock(0, START)
    assert clock.wait_until(START) is True
