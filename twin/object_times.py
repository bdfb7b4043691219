"""When S3 says that an object was last modified: on the twin's clock, as its events are.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html, Last-Modified.
Modelled: no two objects are of the same millisecond, because moto orders an object's versions by their times, and this clock may stand
still.
"""

import threading
from datetime import UTC, datetime, timedelta

from moto.s3 import models

from twin import patches
from twin.cloud import Cloud

TICK = timedelta(milliseconds=1)


class ObjectTimes:
    """The installed part; nothing of it runs by itself."""

    def stop(self) -> None:
        """Nothing to stop."""


def install(cloud: Cloud) -> ObjectTimes:
    """Put S3's objects on the twin's clock."""
    lock, last = threading.Lock(), datetime.fromtimestamp(0, UTC).replace(tzinfo=None)  # moto's times name no zone

    def now() -> datetime:
        nonlocal last
        with lock:
            last = max(last + TICK, cloud.clock.now().replace(tzinfo=None))
            return last

    why = "objects are made on the twin's clock"
    patches.apply(patches.Patch(models, "utcnow", now, "() -> 'datetime.datetime'", why))
    return ObjectTimes()
