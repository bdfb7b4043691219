"""What goes on in a twin: whether something works, whether something waits, and what happens meanwhile.

It is looked at from inside, many times a second: calls of the API would cost more than what they look for.
"""

from collections import Counter
from datetime import datetime
from itertools import takewhile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twin.server import TwinServer

Signs = tuple[str, int, int]


class Activity:
    """Of one twin, which has started when it is asked."""

    def __init__(self, twin: "TwinServer") -> None:
        self._twin = twin

    def works(self) -> bool:
        """A function, a job, a run, a stack or the endpoint goes on, and will end without anybody's help."""
        part = self._twin.part
        return bool(part("functions").running) or part("sagemaker").is_busy or any(each.is_busy for each in part("cloudformation").stacks())

    def bakes(self) -> bool:
        """A version has taken over traffic and is watched for a while."""
        return bool(self._twin.part("sagemaker").endpoints.is_baking)

    def waits(self) -> bool:
        """An event waits for its next attempt, or for its turn."""
        return bool(self._twin.part("functions").waiting) or not self._twin.part("events").router.wait_idle(0.02)

    def waits_for_time(self) -> bool:
        """Whatever waits does so between two attempts, so that nothing but time is missing."""
        functions = self._twin.part("functions")
        return bool(0 < functions.waiting == functions.pausing and self._twin.part("events").router.wait_idle(0.001))

    def signs(self, since: datetime) -> Signs:
        """Changes with every event, with every failure, and with every decision that was not made before `since`.

        What is only tried again brings about the same decisions, and is no sign of life: a stream is asked for its records without end.
        """
        published, moment = self._twin.part("events").router.published, since.isoformat(timespec="milliseconds")
        latest = reversed(self._twin.part("iam").decisions.latest())
        made = sum(1 for _ in takewhile(lambda decision: decision.time >= moment, latest))
        return published[-1]["id"] if published else "", made, self.given_up().total()

    def given_up(self) -> Counter[str]:
        """What functions and rules have given up, in words: it is in the dead letters, if those could take it."""
        functions, events = self._twin.part("functions"), self._twin.part("events")
        failures = [f"{failure.function}: {failure.reason}" for failure in functions.failures]
        return Counter(failures + [f"{each.code}: {each.reason}" for each in events.router.undelivered])
