"""Data capture: requests and answers of an endpoint as JSON lines on S3, written with the model's execution role.

Sources: API_DataCaptureConfig (a payload is base64 unless the request's content type is listed); developer guide,
model-monitor-data-capture-endpoint (the line's format, the key `<destination>/<endpoint>/<variant>/yyyy/mm/dd/hh/<file>.jsonl`).
Modelled: records are written FLUSH_RECORDS at a time, or when the oldest is FLUSH_SECONDS of twin time old, and when the fleet retires
(AWS documents no delay); a content type is a listed one only to the letter, so one with a charset is not; only
requests that the container answered with 2xx are captured; records that could not be written are lost, which twin.log says, and no
invocation fails for it; what is not written yet when the twin stops is lost with its account.
Refused by name: destinations that are not s3://.
"""

import logging
import random
import threading
import uuid
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from contracts.capture import CaptureData, CaptureRecord, Encoding, EventMetadata, Payload
from contracts.layout import capture_prefix
from twin.cloud import Credentials
from twin.sagemaker import api
from twin.sagemaker.context import Context
from twin.sagemaker.storage import TransferError, split

log = logging.getLogger(__name__)

FLUSH_RECORDS = 500
FLUSH_SECONDS = 60
LOOK_EVERY = 0.1
_CONFIG = ("EnableCapture", "InitialSamplingPercentage", "DestinationS3Uri", "KmsKeyId", "CaptureOptions", "CaptureContentTypeHeader")
_SIDES = {"Input": {"INPUT"}, "Output": {"OUTPUT"}, "InputAndOutput": {"INPUT", "OUTPUT"}}


def check(config: Mapping[str, Any]) -> None:
    """Refuse an endpoint configuration whose DataCaptureConfig could not be followed. Raises ValidationException."""
    settings = config.get("DataCaptureConfig")
    if settings is None:
        return
    api.refuse_unknown(settings, _CONFIG, "DataCaptureConfig")
    try:
        split(settings["DestinationS3Uri"])
    except TransferError as error:
        raise api.invalid(f"DataCaptureConfig.DestinationS3Uri: {error}") from error


def summary(config: Mapping[str, Any]) -> api.Reply | None:
    """DataCaptureConfig as DescribeEndpoint shows it, or None when the configuration has none."""
    settings = config.get("DataCaptureConfig")
    if settings is None:
        return None
    enabled = settings.get("EnableCapture", True)
    return {
        "EnableCapture": enabled,
        "CaptureStatus": "Started" if enabled else "Stopped",
        "CurrentSamplingPercentage": settings["InitialSamplingPercentage"],
        "DestinationS3Uri": settings["DestinationS3Uri"],
        "KmsKeyId": settings.get("KmsKeyId", ""),
    }


@dataclass(frozen=True)
class Exchange:
    """A request and its answer."""

    content_type: str
    body: bytes
    answer_type: str
    answer: bytes
    inference_id: str | None = None
    custom_attributes: str | None = None


class Capture:
    """What one fleet captures. `take` only remembers; a thread of its own writes."""

    def __init__(self, context: Context, endpoint: str, config: Mapping[str, Any], credentials: Mapping[str, Credentials]) -> None:
        settings = config.get("DataCaptureConfig") or {"EnableCapture": False, "CaptureOptions": []}
        header = settings.get("CaptureContentTypeHeader") or {}
        self._context = context
        self._endpoint = endpoint
        self._credentials = credentials
        self._destination = settings.get("DestinationS3Uri", "")
        self._key = settings.get("KmsKeyId")
        self._percent = settings["InitialSamplingPercentage"] if settings.get("EnableCapture", True) else 0
        self._sides = {side for option in settings["CaptureOptions"] for side in _SIDES[option["CaptureMode"]]}
        self._encodings = dict.fromkeys(header.get("CsvContentTypes") or (), Encoding.CSV)
        self._encodings |= dict.fromkeys(header.get("JsonContentTypes") or (), Encoding.JSON)
        self._chance = random.Random(f"{endpoint}/{config['EndpointConfigName']}/capture")  # noqa: S311 - samples traffic, keeps no secret
        self._taken: list[tuple[datetime, str, str]] = []
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to write what is taken."""
        if self._percent:
            self._thread = threading.Thread(target=self._write_when_due, name=f"capture-{self._endpoint}", daemon=True)
            self._thread.start()

    def take(self, variant: str, exchange: Exchange) -> None:
        """Remember a request, if it is one of the sample."""
        if not self._percent:
            return
        with self._lock:
            chosen = self._chance.random() * 100 < self._percent
        if chosen:
            now = self._context.cloud.clock.now()
            line = self.record(exchange, now).to_line()
            with self._lock:
                self._taken.append((now, variant, line))

    def close(self, *, write: bool) -> None:
        """End the thread; `write`: what is still remembered is written."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        if write:
            self._write()

    def record(self, exchange: Exchange, now: datetime) -> CaptureRecord:
        """A request at a moment, as it is written."""
        given = Payload.of("INPUT", exchange.content_type, exchange.body, self._encoding(exchange.content_type))
        answered = Payload.of("OUTPUT", exchange.answer_type, exchange.answer, self._encoding(exchange.answer_type))
        data = CaptureData(
            endpoint_input=given if "INPUT" in self._sides else None, endpoint_output=answered if "OUTPUT" in self._sides else None
        )
        metadata = EventMetadata(
            event_id=str(uuid.uuid4()),
            inference_id=exchange.inference_id,
            inference_time=now,
            custom_attributes=(exchange.custom_attributes,) if exchange.custom_attributes else None,
        )
        return CaptureRecord(capture_data=data, event_metadata=metadata)

    def _encoding(self, content_type: str) -> Encoding:
        return self._encodings.get(content_type, Encoding.BASE64)

    def _write_when_due(self) -> None:
        while not self._stop.wait(LOOK_EVERY):
            oldest_allowed = self._context.cloud.clock.now() - timedelta(seconds=FLUSH_SECONDS)
            with self._lock:
                due = len(self._taken) >= FLUSH_RECORDS or (bool(self._taken) and self._taken[0][0] <= oldest_allowed)
            if due:
                self._write()

    def _write(self) -> None:
        with self._lock:
            taken, self._taken = self._taken, []
        files: dict[tuple[str, str], list[tuple[datetime, str]]] = defaultdict(list)
        for moment, variant, line in taken:
            files[variant, capture_prefix(self._endpoint, variant, moment)].append((moment, line))
        for (variant, folder), records in files.items():
            self._put(variant, folder, records)

    def _put(self, variant: str, folder: str, records: list[tuple[datetime, str]]) -> None:
        first = records[0][0]
        bucket, prefix = split(self._destination)
        name = f"{first:%M-%S}-{first.microsecond // 1000:03d}-{uuid.uuid4()}.jsonl"
        key = f"{prefix.rstrip('/')}/{folder}{name}".lstrip("/")
        encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self._key} if self._key else {}
        body = "".join(f"{line}\n" for _, line in records).encode()
        try:
            s3 = self._context.cloud.client("s3", self._credentials[variant])
            s3.put_object(Bucket=bucket, Key=key, Body=body, **encryption)
        except (ClientError, BotoCoreError) as error:
            log.warning(
                "endpoint %s: %d captured records were not written to s3://%s/%s: %s", self._endpoint, len(records), bucket, key, error
            )
