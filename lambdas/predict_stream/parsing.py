"""A record of Lambda's Kinesis event (https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html) as the logic knows it."""

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from lambdas.predict_stream.logic import Record


def as_record(item: Mapping[str, Any]) -> Record:
    """The event's id is `<shard>:<sequence number>`."""
    kinesis = item["kinesis"]
    return Record(
        shard=str(item["eventID"]).partition(":")[0],
        sequence_number=kinesis["sequenceNumber"],
        partition_key=kinesis["partitionKey"],
        arrived=datetime.fromtimestamp(kinesis["approximateArrivalTimestamp"], UTC),
        data=base64.b64decode(kinesis["data"]),
    )
