"""Waits that end: each has a time limit, and says what it waited for when it is over."""

import time
from collections.abc import Callable
from typing import TypeVar

from contracts.errors import StateError

Result = TypeVar("Result")


class WaitTimeoutError(StateError):
    """Something did not happen in time. The message says what, how long, and what was seen last."""


def wait_for(
    what: str,
    look: Callable[[], Result | None],
    limit: float,
    *,
    interval: float = 0.3,
    seen: Callable[[], str] = lambda: "",
    next_step: str = "tide status",
) -> Result:
    """Look every `interval` seconds until `look` gives something, for at most `limit` seconds. Raises WaitTimeoutError."""
    deadline = time.monotonic() + limit
    while True:
        result = look()
        if result is not None:
            return result
        if time.monotonic() >= deadline:
            last = seen()
            raise WaitTimeoutError(f"waited {limit:.0f} s for {what}{f'; last seen: {last}' if last else ''}. Next: {next_step}")
        time.sleep(interval)
