"""A stage's throttling: a token bucket of `burst` tokens, filled at `rate` a second of the twin's time, one token a request.

docs: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-throttling.html. Modelled: exact, where AWS throttles on a best
effort basis; every request that finds a route takes a token, whoever sent it. Limits of the account hold where a stage has none.
"""

import threading
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

# https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html: of an account, in a region.
ACCOUNT_RATE, ACCOUNT_BURST = 10_000.0, 5_000


@dataclass
class Bucket:
    """One bucket. `tokens` were in it at `since`."""

    rate: float
    burst: int
    tokens: float
    since: datetime

    def take(self, now: datetime) -> bool:
        """One token, if there is one; a clock that goes back fills nothing."""
        passed = max(0.0, (now - self.since).total_seconds())
        self.tokens = min(float(self.burst), self.tokens + passed * self.rate)
        self.since = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


class Throttle:
    """A bucket a stage, made anew when its settings change."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._buckets: dict[Hashable, Bucket] = {}
        self._lock = threading.Lock()

    def lets_in(self, stage: Hashable, settings: Mapping[str, Any]) -> bool:
        """May one more request in? `settings` are the stage's default route settings."""
        rate = float(settings.get("throttlingRateLimit", ACCOUNT_RATE))
        burst = int(settings.get("throttlingBurstLimit", ACCOUNT_BURST))
        now = self._now()
        with self._lock:
            bucket = self._buckets.get(stage)
            if bucket is None or (bucket.rate, bucket.burst) != (rate, burst):
                bucket = self._buckets[stage] = Bucket(rate, burst, float(burst), now)
            return bucket.take(now)
