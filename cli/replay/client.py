"""The client of a replay: rows in, predictions out, labels back, each row under an inference id of its own.

Rows go many at a time. A row with a cell that is not of its column's kind goes alone, so that its refusal costs no other row its answer.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import urllib3

from cli.api import Answer, PredictionApi
from cli.replay.table import Row
from contracts.errors import StateError
from contracts.inference import row_ids

MOST_ROWS = 500
MOST_CELLS = 50_000
"""Of a request, so that a wide table stays within what the API takes."""
FRAME = 64
"""Bytes of a request around its records, and more."""
MOST_LABELS = 5_000


@dataclass(frozen=True)
class Answered:
    """A row's prediction, the artifact that made it, and the inference id under which its label is sent."""

    prediction: str | float
    artifact: str
    inference_id: str


@dataclass
class Client:
    """Sends rows and labels, and remembers what came of them. Labels go out in the order of the rows, each once."""

    api: PredictionApi
    labels_api: PredictionApi
    rows: Sequence[Row]
    answers: dict[int, Answered] = field(default_factory=dict)
    requests: int = 0
    answered_requests: int = 0
    failures: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    """Rows whose cells are not of their columns' kinds, in the API's own words."""
    labelled: int = 0
    labels_sent: int = 0

    def predict(self, numbers: range) -> None:
        """Send rows as one request, those that do not fit alone."""
        fitting = [number for number in numbers if self.rows[number].fits]
        if fitting:
            self._ask(fitting, self.failures)
        for number in numbers:
            if not self.rows[number].fits:
                self._ask([number], self.refused)

    def label(self, end: int) -> None:
        """Send the labels of every row before `end` whose label was not sent yet. A row without answer or label has none to send."""
        first, self.labelled = self.labelled, max(end, self.labelled)
        known = [
            {"inference_id": answered.inference_id, "label": label}
            for number in range(first, self.labelled)
            if (answered := self.answers.get(number)) is not None and (label := self.rows[number].label) is not None
        ]
        for start in range(0, len(known), MOST_LABELS):
            part = known[start : start + MOST_LABELS]
            answer = self._send(self.labels_api, {"labels": part}, None, f"{len(part)} labels", self.failures)
            if answer is not None:
                self.labels_sent += len(part)

    def _ask(self, numbers: list[int], failures: list[str]) -> None:
        identity = f"replay-{numbers[0] + 1}"
        what = f"row {numbers[0] + 1}" if len(numbers) == 1 else f"rows {numbers[0] + 1} to {numbers[-1] + 1}"
        answer = self._send(self.api, {"instances": [self.rows[number].record for number in numbers]}, identity, what, failures)
        if answer is None:
            return
        self.answered_requests += 1
        reply = answer.document()
        artifact = str(reply["model"]["artifact_sha256"])
        for number, found, name in zip(numbers, reply["predictions"], row_ids(identity, len(numbers)), strict=True):
            self.answers[number] = Answered(found["prediction"], artifact, name)

    def _send(self, api: PredictionApi, document: dict[str, Any], identity: str | None, what: str, failures: list[str]) -> Answer | None:
        """The answer, or None when there is none or it is no 2xx: then it is added to `failures`, or to the client's own for a 5xx."""
        self.requests += 1
        try:
            answer = api.post(json.dumps(document).encode(), inference_id=identity)
        except urllib3.exceptions.HTTPError as error:
            self.failures.append(f"{what}: no answer: {error!r}")
            return None
        if not 200 <= answer.status < 300:
            (failures if answer.status < 500 else self.failures).append(
                f"{what}: {answer.status} {answer.body[:300].decode(errors='replace')}"
            )
            return None
        return answer


def batches(rows: Sequence[Row], numbers: range, parts: int, kilobytes: int) -> Iterator[range]:
    """The requests of a window: about `parts` of the same size, or more, so that none is larger than the API takes; a row is not cut.

    What counts is a body as JSON text, its quotes escaped: so a function's event holds it, which has a limit of its own (contracts/api.py).
    """
    features = len(rows[numbers.start].record) if numbers else 1
    most = max(1, min(MOST_ROWS, MOST_CELLS // features, -(-len(numbers) // parts)))
    first, size = numbers.start, FRAME
    for number in numbers:
        length = len(json.dumps(json.dumps(rows[number].record)))
        if number > first and (number - first == most or size + length > 1024 * kilobytes):
            yield range(first, number)
            first, size = number, FRAME
        size += length
    if numbers:
        yield range(first, numbers.stop)


def answered_rows(client: Client, numbers: Iterable[int]) -> int:
    """How many of these rows got a prediction. Raises StateError when none did: then nothing works, and the last failure says why.

    A window whose rows are all refused is such a failure while no row was ever answered.
    """
    count = sum(number in client.answers for number in numbers)
    failures = client.failures or ([] if client.answers else client.refused)
    if not count and failures:
        raise StateError(f"the prediction API answers no request: {failures[-1]}")
    return count
