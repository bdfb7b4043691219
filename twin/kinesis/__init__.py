"""Kinesis streams: moto's, on the twin's clock and in its metrics.

docs: https://docs.aws.amazon.com/streams/latest/dev/key-concepts.html, https://docs.aws.amazon.com/streams/latest/dev/monitoring-with-cloudwatch.html.

Modelled: a stream is active at once; sequence numbers are short, and count from 1 in every shard; the throughput of a shard is not limited;
records that are older than the stream keeps them are not read any more, but take memory. Refused by name: splitting and merging shards, and
changing their number, because moto copies records when it does.
"""

from typing import Any

from moto.kinesis.models import KinesisBackend, Record
from moto.kinesis.utils import decompose_shard_iterator

from twin import patches
from twin.cloud import Cloud
from twin.patches import Patch

__all__ = ["Streams", "install"]

_DIMENSION = "StreamName"


class Streams:
    """The installed part; nothing of it runs by itself. Who reads a stream for a function is twin.functions.mappings."""

    def stop(self) -> None:
        """Nothing to stop."""


def install(cloud: Cloud) -> Streams:
    """Apply the patches."""
    patches.apply(_arrival(cloud), _metrics(cloud), _retention(cloud), *_shards())
    return Streams()


def _arrival(cloud: Cloud) -> Patch:
    original = Record.__init__

    def init(self: Any, partition_key: str, data: str, sequence_number: int, explicit_hash_key: str) -> None:
        original(self, partition_key, data, sequence_number, explicit_hash_key)
        self.created_at_datetime = cloud.clock.now()
        self.created_at = self.created_at_datetime.timestamp()

    expects = "(self, partition_key: str, data: str, sequence_number: int, explicit_hash_key: str)"
    return Patch(Record, "__init__", init, expects, "records arrive on the twin's clock")


def _metrics(cloud: Cloud) -> Patch:
    def send(_: Any, stream_name: str, incoming_bytes: int, incoming_records: int) -> None:
        for name, value, unit in (("IncomingBytes", incoming_bytes, "Bytes"), ("IncomingRecords", incoming_records, "Count")):
            cloud.measure("AWS/Kinesis", name, {_DIMENSION: stream_name}, float(value), unit=unit)

    expects = "(self, stream_name: str, incoming_bytes: int, incoming_records: int) -> None"
    return Patch(KinesisBackend, "_send_stream_metrics", send, expects, "moto keeps metrics apart from the twin's")


def _retention(cloud: Cloud) -> Patch:
    original = KinesisBackend.get_records

    def get_records(self: Any, stream_arn: str | None, shard_iterator: str, limit: int | None) -> tuple[str, list[Any], int]:
        following, records, behind = original(self, stream_arn, shard_iterator, limit)
        oldest = cloud.clock.now().timestamp() - self.describe_stream(stream_arn, _stream_of(shard_iterator)).retention_period_hours * 3600
        return following, [record for record in records if record.created_at >= oldest], behind

    expects = "(self, stream_arn: str | None, shard_iterator: str, limit: int | None) -> tuple[str, list[moto.kinesis.models.Record], int]"
    return Patch(KinesisBackend, "get_records", get_records, expects, "moto keeps records for ever")


def _stream_of(shard_iterator: str) -> str:
    return str(decompose_shard_iterator(shard_iterator)[0])


def _shards() -> tuple[Patch, ...]:
    def refuse(self: Any, *_: Any, **__: Any) -> Any:
        raise NotImplementedError("a change of a stream's shards. Next: make another stream")

    targets = {
        "split_shard": "(self, stream_arn: str, stream_name: str, shard_to_split: str, new_starting_hash_key: str) -> None",
        "merge_shards": "(self, stream_arn: str, stream_name: str, shard_to_merge: str, adjacent_shard_to_merge: str) -> None",
        "update_shard_count": "(self, stream_arn: str, stream_name: str, target_shard_count: int) -> int",
    }
    why = "moto copies records into the new shards, where they would be read again"
    return tuple(Patch(KinesisBackend, name, refuse, expects, why) for name, expects in targets.items())
