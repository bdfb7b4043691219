"""A client that never stops: a few threads send rows through the prediction API, at a steady rate, and write down every answer.

What they send may change while they send. A request fails when the answer is not 200 or does not come at all; nothing is retried here, so
what is counted is what a client sees. Each request has an inference id of its own, under which its rows' labels are sent back.
"""

import json
import statistics
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import urllib3

from cli.api import PredictionApi
from cli.score import Pair
from contracts.inference import row_ids

THREADS = 4
REQUESTS_PER_SECOND = 20.0
ROWS_PER_REQUEST = 5


@dataclass(frozen=True)
class Row:
    """A row to be predicted, and what is true of it."""

    record: dict[str, Any]
    label: str


@dataclass(frozen=True)
class Sent:
    """One request: seconds since the start, seconds until the answer, the artifact that answered, and why it failed ("" if it did not).

    `what` names what was sent; `said` are the predictions, `labels` the truth, one a row.
    """

    at: float
    seconds: float
    artifact: str | None
    failure: str = ""
    what: str = ""
    inference_id: str = ""
    labels: tuple[str, ...] = ()
    said: tuple[str | float, ...] = ()

    @property
    def pairs(self) -> list[Pair]:
        """(prediction, label) of every row; none when it failed."""
        return list(zip(self.said, self.labels, strict=False))


class Traffic:
    """Sends from `start` to `stop`: `rows`, over and over, until `switch` names others. `what` is what people call them."""

    def __init__(self, api: PredictionApi, what: str, rows: Sequence[Row], rate: float = REQUESTS_PER_SECOND) -> None:
        self._api = api
        self._pause = THREADS / rate
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._client = uuid.uuid4().hex[:8]
        self._turn = 0
        self._sent: list[Sent] = []
        self._started = 0.0
        self._names: dict[str, str] = {}
        self.switch(what, rows)
        self._threads = [
            threading.Thread(target=self._send, args=(number,), name=f"traffic-{number}", daemon=True) for number in range(THREADS)
        ]

    def switch(self, what: str, rows: Sequence[Row]) -> None:
        """Send other rows from now on, the first one first."""
        with self._lock:
            self._what, self._rows, self._place = what, rows, 0

    def start(self) -> None:
        """Begin."""
        self._started = time.monotonic()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End, after the answers that are still under way. Safe to call twice, and before `start`."""
        self._stop.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()

    @property
    def sent(self) -> list[Sent]:
        """Every request so far, oldest first."""
        return sorted(self._sent, key=lambda sent: sent.at)

    def now(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started

    def name(self, artifact: str, name: str) -> None:
        """What people call an artifact."""
        self._names[artifact] = name

    def in_words(self, last: float = 2.0) -> str:
        """How it goes, for a progress line: requests so far, failures, and who answered in the last seconds."""
        sent = self._sent[:]
        answered = [one.artifact or "failed" for one in sent[-100:] if one.at > self.now() - last]
        recent = Counter(self._names.get(artifact, artifact[:8]) for artifact in answered)
        shares = ", ".join(f"{name} {count / recent.total():.0%}" for name, count in sorted(recent.items()))
        return f"{len(sent)} requests, {sum(bool(one.failure) for one in sent)} failed; {shares}"

    def _send(self, number: int) -> None:
        # Each thread has its own place in the second, so that requests do not come in bursts.
        due = self._started + number * self._pause / THREADS
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            self._sent.append(self._request(*self._next()))
            due = max(due + self._pause, time.monotonic() - self._pause)

    def _next(self) -> tuple[str, str, list[Row]]:
        """What to send, its inference id and its rows."""
        with self._lock:
            self._turn += 1
            rows = [self._rows[(self._place + offset) % len(self._rows)] for offset in range(min(ROWS_PER_REQUEST, len(self._rows)))]
            self._place += len(rows)
            return self._what, f"demo-{self._client}-{self._turn}", rows

    def _request(self, what: str, inference_id: str, rows: Sequence[Row]) -> Sent:
        at = self.now()
        artifact, failure, said = None, "", ()
        try:
            body = json.dumps({"instances": [row.record for row in rows]}).encode()
            answer = self._api.post(body, inference_id=inference_id)
            if answer.status == 200:
                reply = answer.document()
                artifact = str(reply["model"]["artifact_sha256"])
                said = tuple(found["prediction"] for found in reply["predictions"])
            else:
                failure = f"{answer.status} {answer.body[:200].decode(errors='replace')}"
        except (urllib3.exceptions.HTTPError, ValueError, KeyError, TypeError) as error:
            failure = repr(error)
        return Sent(at, self.now() - at, artifact, failure, what, inference_id, tuple(row.label for row in rows), said)


def labels_of(sent: Iterable[Sent]) -> list[dict[str, str]]:
    """The labels of answered requests, as POST /feedback takes them."""
    return [
        {"inference_id": name, "label": label}
        for one in sent
        if not one.failure
        for name, label in zip(row_ids(one.inference_id, len(one.labels)), one.labels, strict=True)
    ]


def latencies(sent: Sequence[Sent]) -> dict[str, float]:
    """p50 and p95 in milliseconds; empty when too little was sent."""
    seconds = [one.seconds for one in sent if not one.failure]
    if len(seconds) < 2:
        return {}
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    return {"p50": round(cuts[49] * 1000, 1), "p95": round(cuts[94] * 1000, 1)}
