"""Kinesis streams.

docs: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-kinesis-stream.html
"""

from collections.abc import Mapping
from typing import Any

from twin.cloudformation.resources.base import Call, Created, Handler, HandlerError, changed, gone, tag_map

_GONE = "ResourceNotFoundException"
_DAY = 24  # hours that a stream keeps records when nothing else is said


class Stream(Handler):
    """Ref is the stream's name."""

    type = "AWS::Kinesis::Stream"
    properties = frozenset({"Name", "RetentionPeriodHours", "ShardCount", "StreamEncryption", "StreamModeDetails", "Tags"})
    replacement = frozenset({"Name"})
    attributes = frozenset({"Arn"})
    name_property = "Name"

    def create(self, call: Call) -> Created:
        kinesis, name, given = call.client("kinesis"), call.name("Name", 128), call.properties
        if "ShardCount" not in given and (given.get("StreamModeDetails") or {}).get("StreamMode") != "ON_DEMAND":
            raise HandlerError("ShardCount is required for a stream whose mode is not ON_DEMAND")
        kinesis.create_stream(StreamName=name, **call.request("kinesis", "CreateStream", *self._later))
        call.begun(name)
        self._settle(call, name, {})
        return Created(name, self._known(call, name))

    def update(self, call: Call, physical_id: str, before: Mapping[str, Any]) -> Mapping[str, Any]:
        if changed(call, before, "StreamModeDetails"):
            raise HandlerError("the twin does not change a stream's mode")
        if changed(call, before, "ShardCount"):
            call.client("kinesis").update_shard_count(
                StreamName=physical_id, TargetShardCount=int(call.properties["ShardCount"]), ScalingType="UNIFORM_SCALING"
            )
        self._settle(call, physical_id, before)
        return self._known(call, physical_id)

    def delete(self, call: Call, physical_id: str) -> None:
        with gone(_GONE):
            call.client("kinesis").delete_stream(StreamName=physical_id)

    _later = ("Name", "RetentionPeriodHours", "StreamEncryption", "Tags")

    def _settle(self, call: Call, name: str, before: Mapping[str, Any]) -> None:
        """Retention, encryption and tags, from what they were before."""
        kinesis, given = call.client("kinesis"), call.properties
        was, hours = (int(each.get("RetentionPeriodHours", _DAY)) for each in (before, given))
        if hours > was:
            kinesis.increase_stream_retention_period(StreamName=name, RetentionPeriodHours=hours)
        elif hours < was:
            kinesis.decrease_stream_retention_period(StreamName=name, RetentionPeriodHours=hours)
        if changed(call, before, "StreamEncryption"):
            if given.get("StreamEncryption"):
                kinesis.start_stream_encryption(StreamName=name, **given["StreamEncryption"])
            else:
                kinesis.stop_stream_encryption(StreamName=name, **before["StreamEncryption"])
        tags, old = tag_map(given.get("Tags")), tag_map(before.get("Tags"))
        if removed := sorted(old.keys() - tags.keys()):
            kinesis.remove_tags_from_stream(StreamName=name, TagKeys=removed)
        if tags and tags != old:
            kinesis.add_tags_to_stream(StreamName=name, Tags=tags)

    def _known(self, call: Call, name: str) -> Mapping[str, Any]:
        return {"Arn": call.client("kinesis").describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]["StreamARN"]}


HANDLERS: tuple[Handler, ...] = (Stream(),)
