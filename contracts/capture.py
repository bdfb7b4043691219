"""What a SageMaker endpoint captures of its traffic: JSON lines, one for each request that the sampling chose.

Format: https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-data-capture-endpoint.html. A payload is text (CSV or JSON) when its
content type is one that the endpoint's CaptureContentTypeHeader names, else base64. `inferenceId` is there when the caller sent one. Times
are in whole seconds, in UTC. Fields that the project does not read are ignored.
"""

import base64
from datetime import UTC, datetime
from enum import StrEnum
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, field_validator
from pydantic.alias_generators import to_camel


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, alias_generator=to_camel, populate_by_name=True)


class Encoding(StrEnum):
    """How `data` holds a payload: as its text, or as base64 of its bytes."""

    CSV = "CSV"
    JSON = "JSON"
    BASE64 = "BASE64"


class Payload(_Part):
    """A request's or an answer's body."""

    observed_content_type: str
    mode: Literal["INPUT", "OUTPUT"]
    data: str
    encoding: Encoding

    @classmethod
    def of(cls, mode: Literal["INPUT", "OUTPUT"], content_type: str, body: bytes, encoding: Encoding) -> Self:
        """A body in the given encoding; in base64 too when it is not the UTF-8 text that the encoding says."""
        if encoding is not Encoding.BASE64:
            try:
                return cls(observed_content_type=content_type, mode=mode, data=body.decode(), encoding=encoding)
            except UnicodeDecodeError:
                pass
        text = base64.b64encode(body).decode()
        return cls(observed_content_type=content_type, mode=mode, data=text, encoding=Encoding.BASE64)

    @property
    def body(self) -> bytes:
        """The payload as it was on the wire. Raises ValueError (binascii.Error) for base64 that is none."""
        return base64.b64decode(self.data, validate=True) if self.encoding is Encoding.BASE64 else self.data.encode()


class CaptureData(_Part):
    """Both sides of an invocation, or the one that the endpoint captures."""

    endpoint_input: Payload | None = None
    endpoint_output: Payload | None = None


class EventMetadata(_Part):
    """`event_id` is made by SageMaker, one for each invocation; `inference_id` comes from the caller."""

    event_id: str
    inference_id: str | None = None
    inference_time: datetime
    custom_attributes: tuple[str, ...] | None = None

    @field_validator("inference_time")
    @classmethod
    def _in_whole_seconds(cls, value: datetime) -> datetime:
        return (value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)).replace(microsecond=0)


class CaptureRecord(_Part):
    """One line of a capture file."""

    capture_data: CaptureData
    event_metadata: EventMetadata
    event_version: str = "0"

    def to_line(self) -> str:
        """As a line, without its end."""
        return self.model_dump_json(by_alias=True, exclude_none=True)

    @classmethod
    def from_line(cls, line: str | bytes) -> Self:
        """From a line. Raises pydantic.ValidationError."""
        return cls.model_validate_json(line)
