"""Event source mappings: what makes a function read a Kinesis stream. moto keeps the records, twin.functions.poller reads the shards.

docs: https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html,
https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-create.html (what the function's role must be allowed: it is tried out here).

Modelled: a mapping is enabled at once. Refused by name: sources other than Kinesis streams, consumers with enhanced fan-out, filters,
tumbling windows, several batches of a shard at a time, and reading from a point in time.
"""

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError
from moto.awslambda.exceptions import InvalidParameterValueException
from moto.awslambda.models import EventSourceMapping, LambdaBackend
from moto.core.exceptions import JsonRESTError

from twin.cloud import Cloud
from twin.functions.poller import Poller, newest
from twin.functions.service import Functions
from twin.iam.errors import AccessDenied
from twin.patches import Patch

_SETTINGS = frozenset(
    {
        "BatchSize",
        "BisectBatchOnFunctionError",
        "DestinationConfig",
        "Enabled",
        "EventSourceArn",
        "FunctionName",
        "FunctionResponseTypes",
        "MaximumBatchingWindowInSeconds",
        "MaximumRecordAgeInSeconds",
        "MaximumRetryAttempts",
        "ParallelizationFactor",
        "StartingPosition",
        "Tags",
    }
)


class Mappings:
    """The pollers of every mapping."""

    def __init__(self, cloud: Cloud, functions: Functions) -> None:
        self._cloud = cloud
        self._functions = functions
        self._pollers: dict[str, list[Poller]] = {}

    def start(self, mapping: Any) -> None:
        """Read a mapping's stream from now on. Raises InvalidParameterValueException when the function's role may not."""
        stream = mapping.event_source_arn.rpartition("/")[2]
        positions = self._try_out(stream, self._functions.find(mapping.function_arn), mapping.starting_position)
        self._pollers[mapping.uuid] = [
            Poller(self._cloud, self._functions, mapping, shard, position) for shard, position in positions.items()
        ]
        for poller in self._pollers[mapping.uuid]:
            poller.start()

    def end(self, identity: str) -> None:
        """Read for a mapping no more."""
        for poller in self._pollers.pop(identity, ()):
            poller.stop()

    def stop(self) -> None:
        """Read for none any more."""
        for identity in list(self._pollers):
            self.end(identity)

    def _try_out(self, stream: str, function: Any, start: str) -> dict[str, int]:
        """Shard -> the sequence number after which to read, looked up under the function's role with all that reading takes."""
        try:
            credentials = self._cloud.assume(function.role, "lambda.amazonaws.com", function.function_name)
            kinesis = self._cloud.client("kinesis", credentials)
            kinesis.describe_stream(StreamName=stream)
            kinesis.describe_stream_summary(StreamName=stream)
            shards = kinesis.list_shards(StreamName=stream)["Shards"]
            ids = [shard["ShardId"] for shard in shards if "EndingSequenceNumber" not in shard["SequenceNumberRange"]]
            for shard in ids:
                iterator = kinesis.get_shard_iterator(StreamName=stream, ShardId=shard, ShardIteratorType="LATEST")["ShardIterator"]
                kinesis.get_records(ShardIterator=iterator, Limit=1)
        except (ClientError, AccessDenied) as error:
            raise InvalidParameterValueException(
                f"Cannot access stream {stream}. Please ensure the role can perform the GetRecords, GetShardIterator, DescribeStream and "
                f"ListShards Actions on your stream in IAM: {error}"
            ) from error
        return {shard: newest(self._cloud, stream, shard) if start == "LATEST" else 0 for shard in ids}


def patches(mappings: Mappings) -> tuple[Patch, ...]:
    """moto's operations, with pollers behind them."""
    return _create(mappings), _list(), _update(), _delete(mappings), _configuration()


def _create(mappings: Mappings) -> Patch:
    def create_event_source_mapping(self: Any, spec: dict[str, Any]) -> Any:
        _refuse(spec)
        function = self.get_function(spec["FunctionName"])
        source = spec["EventSourceArn"]
        for other in self._event_source_mappings.values():
            if (other.event_source_arn, other.function_arn) == (source, function.function_arn):
                raise JsonRESTError(
                    "ResourceConflictException", f"The event source arn ({source}) and function are already mapped: {other.uuid}"
                )
        where = {"RegionName": self.region_name, "AccountId": self.account_id, "FunctionArn": function.function_arn}
        mapping = EventSourceMapping(spec | where)
        mapping.twin_result = "No records processed"
        mappings.start(mapping)
        self._event_source_mappings[mapping.uuid] = mapping
        return mapping

    expects = "(self, spec: 'dict[str, Any]') -> 'EventSourceMapping'"
    return Patch(
        LambdaBackend, "create_event_source_mapping", create_event_source_mapping, expects, "moto delivers inside the sender's call"
    )


def _list() -> Patch:
    def list_event_source_mappings(self: Any, event_source_arn: str | None, function_name: str | None) -> list[Any]:
        arn = self.get_function(function_name).function_arn if function_name else None
        found = self._event_source_mappings.values()
        return [each for each in found if arn in (None, each.function_arn) and event_source_arn in (None, "", each.event_source_arn)]

    expects = "(self, event_source_arn: 'str', function_name: 'str') -> 'Iterable[EventSourceMapping]'"
    why = "moto finds no function by its name when it was mapped by its ARN"
    return Patch(LambdaBackend, "list_event_source_mappings", list_event_source_mappings, expects, why)


def _update() -> Patch:
    original = LambdaBackend.update_event_source_mapping

    def update_event_source_mapping(self: Any, identity: str, spec: dict[str, Any]) -> Any:
        _refuse(spec)
        return original(self, identity, spec)

    expects = "(self, uuid: 'str', spec: 'dict[str, Any]') -> 'EventSourceMapping | None'"
    return Patch(
        LambdaBackend,
        "update_event_source_mapping",
        update_event_source_mapping,
        expects,
        "the twin takes no settings that it does not keep",
    )


def _delete(mappings: Mappings) -> Patch:
    original = LambdaBackend.delete_event_source_mapping

    def delete_event_source_mapping(self: Any, identity: str) -> Any:
        mappings.end(identity)
        return original(self, identity)

    expects = "(self, uuid: 'str') -> 'EventSourceMapping | None'"
    return Patch(LambdaBackend, "delete_event_source_mapping", delete_event_source_mapping, expects, "the stream is read no more")


def _configuration() -> Patch:
    original = EventSourceMapping.get_configuration

    def get_configuration(self: Any) -> dict[str, Any]:
        return {**original(self), "LastProcessingResult": self.twin_result}

    expects = "(self) -> 'dict[str, Any]'"
    return Patch(EventSourceMapping, "get_configuration", get_configuration, expects, "what came of the last batch")


def _refuse(spec: Mapping[str, Any]) -> None:
    """Raises NotImplementedError for what the twin cannot do."""
    source = str(spec.get("EventSourceArn") or "arn:aws:kinesis:::stream/")
    if source.split(":")[2] != "kinesis" or "/consumer/" in source:
        raise NotImplementedError(f"event source mappings of {source}")
    if spec.get("StartingPosition") == "AT_TIMESTAMP" or int(spec.get("ParallelizationFactor") or 1) > 1:
        raise NotImplementedError("event source mappings from a point in time, or with a ParallelizationFactor above 1")
    if unknown := sorted(name for name, value in spec.items() if value is not None and name not in _SETTINGS):
        raise NotImplementedError(f"event source mappings with {', '.join(unknown)}")
