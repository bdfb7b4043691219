"""The demo's hours: the twin's clock is moved to where a window begins and ends, and monitoring's verdict on it is read."""

from collections.abc import Callable
from datetime import timedelta

from cli.hours import HOUR, full_hour, verdict_on
from cli.observe import App
from cli.twin_clock import TwinClock
from contracts.monitoring import MonitoringVerdict

RETRAINING_DELAY = timedelta(minutes=20, seconds=5)


class Hours:
    """One hour after the other. `start` is when the present one began."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._clock = TwinClock(app.account)
        self.start = full_hour(self._clock.now())

    def begin(self) -> None:
        """Move to the next full hour."""
        self.start = full_hour(self._clock.now())
        self._clock.advance_to(self.start)

    def end(self) -> bool:
        """Move to the end of the present hour: what is sent now belongs to the next one. False when a slow machine was there already."""
        self.start += HOUR
        in_time = self._clock.now() < self.start
        self._clock.advance_to(self.start)
        return in_time

    def verdict(self, requests: int, show: Callable[[str], None]) -> MonitoringVerdict:
        """What monitoring says about the hour that has ended, in which at least so many requests were answered."""
        return verdict_on(self._app, self._clock, self.start, requests, show)

    def retraining_is_due(self) -> None:
        """Move to where the schedule looks whether to retrain, if no alarm made it look before."""
        self._clock.advance_to(self.start + RETRAINING_DELAY)
