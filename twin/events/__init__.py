"""EventBridge: events to the targets of the rules they match, and what fires by time.

    router.py       buses, rules, delivery with retries and dead letters; targets.py: delivery to one target
    pattern.py      event patterns (pure); transform.py: what a target gets (pure)
    schedules.py    rules with a schedule, and Scheduler; expressions.py: when they fire (pure)
    faults.py       drop, duplicate, delay and reorder, for tests
    topics.py       messages of SNS topics to queues
    patches.py      moto's records, wired to the router

Refused: targets other than Lambda, SQS, SNS and SageMaker pipelines. Archives and replays store nothing.
"""

from twin import patches as moto_patches
from twin.cloud import Cloud
from twin.events import topics
from twin.events.patches import patches
from twin.events.router import Router
from twin.events.schedules import Ticker

__all__ = ["Events", "install"]


class Events:
    """The installed part: `router` (what was published and could not be delivered) and `faults` for tests."""

    def __init__(self, cloud: Cloud) -> None:
        self.router = Router(cloud)
        self.faults = self.router.faults
        self.ticker = Ticker(cloud, self.router)

    def stop(self) -> None:
        """Fire and deliver nothing more."""
        self.router.stop()
        self.ticker.stop()


def install(cloud: Cloud) -> Events:
    """Open the `publish` door."""
    events = Events(cloud)
    moto_patches.apply(*patches(events.router), topics.patch(cloud))
    cloud.publish = events.router.publish
    events.ticker.start()
    return events
