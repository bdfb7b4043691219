"""Answers of the model that are given again for a while (api.cache_seconds): in the function's memory, of one model version and input.

Which version is live is what the last answer of the endpoint said. So after a deployment an instance of the function that meets only known
requests may tell the old version's answer for at most `seconds`, and none after its first answer of the new one. Each instance of the
function remembers for itself. Answers that name no model are not kept.
"""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from lambdas.predict.outcomes import Answered, Outcome
from lambdas.predict.request import Request

MOST_ANSWERS = 1000
LONGEST_ANSWER = 64 * 1024
"""Bytes; so all of them take at most 64 MB."""
Ask = Callable[[Request], Outcome]


@dataclass(frozen=True)
class _Kept:
    body: bytes
    until: float


class Cache:
    """What the model answered, for `seconds` of `clock`; the one that was asked for the longest time ago is forgotten first."""

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        self._seconds = seconds
        self._clock = clock
        self._live = ""
        self._kept: OrderedDict[tuple[str, bytes], _Kept] = OrderedDict()

    def through(self, ask: Ask) -> Ask:
        """The same question, answered from memory where that is possible."""

        def known(request: Request) -> Outcome:
            digest = _digest(request)
            body = self._find(digest)
            if body is not None:
                return Answered(body)
            outcome = ask(request)
            if isinstance(outcome, Answered):
                self._keep(digest, outcome.body)
            return outcome

        return known

    def _find(self, digest: bytes) -> bytes | None:
        found = self._kept.get((self._live, digest))
        if found is None or self._clock() >= found.until:
            return None
        self._kept.move_to_end((self._live, digest))
        return found.body

    def _keep(self, digest: bytes, body: bytes) -> None:
        version = _version(body)
        if version is None:
            return
        self._live = version
        if len(body) > LONGEST_ANSWER:
            return
        self._kept[version, digest] = _Kept(body, self._clock() + self._seconds)
        self._kept.move_to_end((version, digest))
        while len(self._kept) > MOST_ANSWERS:
            self._kept.popitem(last=False)


def _digest(request: Request) -> bytes:
    return hashlib.sha256(b"%b\n%b" % (request.content_type.encode(), request.body)).digest()


def _version(body: bytes) -> str | None:
    try:
        return str(json.loads(body)["model"]["artifact_sha256"])
    except (ValueError, TypeError, KeyError):
        return None
