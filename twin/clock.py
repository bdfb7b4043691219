"""The twin's clock: real time, made faster by a factor, and moved on by hand.

Schedules, bake times, alarm periods and every timestamp that the twin writes come from here, so a 15-minute tick fires every 15 seconds at
speed 60, and a test can stand still at speed 0 and move the clock itself. Work that a processor really does (a training job, an invocation)
takes the time it takes.
"""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


class Clock:
    """Twin time, in UTC. `speed` is twin seconds per real second; 0 stands still until `advance` moves it."""

    def __init__(self, speed: float = 1.0, start: datetime | None = None, monotonic: Callable[[], float] = time.monotonic) -> None:
        if speed < 0:
            raise ValueError(f"the clock's speed is {speed}; it must be 0 (stand still) or more")
        self.speed = speed
        self._monotonic = monotonic
        self._start = start or datetime.now(UTC)
        self._origin = monotonic()
        self._advanced = 0.0
        self._moved = threading.Condition()

    def now(self) -> datetime:
        """The twin's time, timezone-aware, in UTC."""
        return self._start + timedelta(seconds=(self._monotonic() - self._origin) * self.speed + self._advanced)

    def advance(self, seconds: float) -> None:
        """Move the clock on by `seconds` of twin time, and wake everyone who waits for a moment that has now come."""
        if seconds < 0:
            raise ValueError(f"the clock cannot go back {-seconds} seconds")
        with self._moved:
            self._advanced += seconds
            self._moved.notify_all()

    def wait(self, seconds: float, stop: threading.Event | None = None) -> bool:
        """Wait `seconds` of twin time. True when they have passed, False when `stop` was set first."""
        return self.wait_until(self.now() + timedelta(seconds=seconds), stop)

    def wait_until(self, moment: datetime, stop: threading.Event | None = None) -> bool:
        """Wait for a moment of twin time. True when it has come, False when `stop` was set first."""
        while True:
            if stop is not None and stop.is_set():
                return False
            with self._moved:
                left = (moment - self.now()).total_seconds()
                if left <= 0:
                    return True
                # `stop` is not tied to the condition, so look at it a few times a second.
                self._moved.wait(min(left / self.speed if self.speed else 0.2, 0.2))
