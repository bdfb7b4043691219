"""moto's EventBridge keeps buses, rules and targets; these patches hand every event to the router."""

import json
from datetime import UTC, datetime
from itertools import count
from typing import Any

from moto.events import models
from moto.events.exceptions import InvalidEventPatternException, ValidationException
from moto.events.responses import EventsHandler
from moto.s3 import notifications
from moto.s3.models import s3_backends

from twin.events.pattern import PatternError, matches, validate
from twin.events.router import Router
from twin.patches import Patch

_REASONS = {"Put": "PutObject", "Post": "POST Object", "Copy": "CopyObject", "CompleteMultipartUpload": "CompleteMultipartUpload"}


def patches(router: Router) -> tuple[Patch, ...]:
    """The patches, around moto's own methods as they are now."""
    return (_send(router), _put_events(router), _parse(), _test_pattern(), _s3(router))


def _send(router: Router) -> Patch:
    def send_to_targets(self: Any, original_event: Any, transform_input: bool = True) -> None:  # noqa: ARG001 - moto's signature
        router.send(self, original_event)

    expects = "(self, original_event: 'EventMessageType', transform_input: 'bool' = True) -> 'None'"
    return Patch(models.Rule, "send_to_targets", send_to_targets, expects, "moto reaches few targets, and fails the caller for the others")


def _put_events(router: Router) -> Patch:
    def put_events(self: Any, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if len(events) > 10:
            raise ValidationException(
                "1 validation error detected: Value '[PutEventsRequestEntry]' at 'entries' failed to satisfy constraint: "
                "Member must have length less than or equal to 10"
            )
        return [_put(self, router, event) for event in events]

    expects = "(self, events: 'list[dict[str, Any]]') -> 'list[dict[str, Any]]'"
    return Patch(
        models.EventsBackend, "put_events", put_events, expects, "moto gives every rule the event inside the call, disabled ones too"
    )


def _put(backend: Any, router: Router, entry: dict[str, Any]) -> dict[str, Any]:
    """One entry's answer (https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsResultEntry.html)."""
    for name in ("Source", "DetailType", "Detail"):
        if not entry.get(name):
            return _error("InvalidArgument", f"Parameter {name} is not valid. Reason: {name} is a required argument.")
    if entry["Source"].startswith("aws."):
        return _error("NotAuthorizedForSourceException", "Not authorized for the source.")
    try:
        detail = json.loads(entry["Detail"])
    except ValueError:
        return _error("MalformedDetail", "Detail is malformed.")
    if not isinstance(detail, dict):
        return _error("MalformedDetail", "Detail is malformed.")
    bus = backend._normalize_event_bus_arn(entry.get("EventBusName"))
    backend.describe_event_bus(bus)
    stamp = entry.get("Time")
    time = None if stamp is None else datetime.fromtimestamp(float(stamp), UTC)
    event = router.envelope(entry["Source"], entry["DetailType"], detail, entry.get("Resources") or [], time)
    router.put(bus, event)
    return {"EventId": event["id"]}


def _error(code: str, message: str) -> dict[str, Any]:
    return {"ErrorCode": code, "ErrorMessage": message}


def _parse() -> Patch:
    original = models.EventPatternParser.parse

    def parse(self: Any) -> dict[str, Any]:
        pattern: dict[str, Any] = original(self)
        try:
            if pattern:
                validate(pattern)
        except (PatternError, ValueError, TypeError) as error:
            raise InvalidEventPatternException(reason=str(error)) from error
        return pattern

    return Patch(models.EventPatternParser, "parse", parse, "(self) -> 'dict[str, Any]'", "moto takes filters that do not exist")


def _test_pattern() -> Patch:
    def test_event_pattern(self: Any) -> str:
        try:
            pattern = json.loads(self._get_param("EventPattern"))
            validate(pattern)
        except (PatternError, ValueError, TypeError) as error:
            raise InvalidEventPatternException(reason=str(error)) from error
        return json.dumps({"Result": matches(pattern, json.loads(self._get_param("Event")))})

    return Patch(EventsHandler, "test_event_pattern", test_event_pattern, "(self) -> None", "moto answers with nothing")


def _s3(router: Router) -> Patch:
    numbers = count(1)

    def send(account_id: str, bucket: Any, event_name: Any, key: Any) -> None:  # noqa: ARG001 - moto's signature
        if event_name == notifications.S3NotificationEvent.OBJECT_TAGGING_PUT_EVENT and not _tags(bucket, key):
            return  # moto "tags" every new object with nothing; AWS sends this for PutObjectTagging only
        detail = s3_detail(bucket, str(event_name.value), key, next(numbers), router.account)
        router.publish("aws.s3", notifications._detail_type(event_name), detail, [bucket.arn])

    expects = "(account_id: str, bucket: 'FakeBucket', event_name: str, key: Any) -> None"
    return Patch(notifications, "_send_event_bridge_message", send, expects, "moto sends one constant id, and not AWS's detail")


def _tags(bucket: Any, key: Any) -> dict[str, str]:
    found: dict[str, str] = s3_backends[bucket.account_id][bucket.partition].tagger.get_tag_dict_for_resource(key.arn)
    return found


def s3_detail(bucket: Any, event_name: str, key: Any, number: int, account: str) -> dict[str, Any]:
    """The detail of an S3 event (https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html). The key is not URL-encoded."""
    kind = event_name.rsplit(":", 1)[1]
    content: dict[str, Any] = {"key": key.name}
    if "ObjectCreated" in event_name:
        content |= {"size": key.size, "etag": key.etag.replace('"', "")}
    if bucket.is_versioned and key.version_id:
        content["version-id"] = key.version_id
    content["sequencer"] = f"{number:018X}"
    detail: dict[str, Any] = {
        "version": "0",
        "bucket": {"name": bucket.name},
        "object": content,
        "request-id": f"{number:016X}",
        "requester": account,
        "source-ip-address": "127.0.0.1",
        "reason": _REASONS.get(kind, "DeleteObject" if "ObjectRemoved" in event_name else kind),
    }
    if "ObjectRemoved" in event_name:
        detail["deletion-type"] = "Delete Marker Created" if kind == "DeleteMarkerCreated" else "Permanently Deleted"
    return detail
