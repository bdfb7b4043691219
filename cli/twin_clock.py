"""The twin's clock, moved on by hand: what would be an hour of waiting is a request."""

import json
from datetime import datetime

import urllib3

from cli.account import Account
from contracts.errors import StateError


class TwinClock:
    """The clock of the account's twin. It never goes back."""

    def __init__(self, account: Account) -> None:
        if account.endpoint is None:
            raise StateError(f"{account.name} has no clock that can be moved. Next: tide up, which starts a twin")
        self._account = account
        self._url = f"{account.endpoint}/_twin/clock"

    def now(self) -> datetime:
        """The twin's time."""
        return self._account.now()

    def advance(self, seconds: float) -> datetime:
        """Move on by seconds of the twin's time; the time afterwards. Raises StateError when the twin does not do it."""
        body = json.dumps({"advance": seconds}).encode()
        reply = urllib3.request("POST", self._url, body=body, timeout=5, retries=False)
        if reply.status != 200:
            raise StateError(f"the twin did not move its clock: {reply.status} {reply.data[:200].decode(errors='replace')}")
        return datetime.fromisoformat(reply.json()["time"])

    def advance_to(self, moment: datetime) -> datetime:
        """Move on to a moment, or stay when it has passed; the time afterwards."""
        return self.advance(max(0.0, (moment - self.now()).total_seconds()))
