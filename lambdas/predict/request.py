"""A prediction request: what is sent to the endpoint, and what it must look like when it comes from the API.

A caller may choose the request's id, in the header x-inference-id; else it is made of the API's request id. Who names its user, in the
header x-tidewheel-user, is told the user's bucket (contracts/sticky.py).
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contracts.inference import LONGEST_REQUEST_ID, is_inference_id
from contracts.sticky import LONGEST_USER
from lambdas.api import JSON, Reply, headers_of, read_body, refuse

CONTENT_TYPES = (JSON, "application/jsonlines", "text/csv")
LONGEST_CONTENT_TYPE = 1024  # as InvokeEndpoint takes it
INFERENCE_HEADER = "x-inference-id"
USER_HEADER = "x-tidewheel-user"


@dataclass(frozen=True)
class Request:
    """What is sent to the endpoint, and who it is for, who is not sent.

    `inference_id` joins a prediction with what is captured of it, and with its label later.
    """

    body: bytes
    content_type: str
    inference_id: str
    user: str = ""


def parse(event: Mapping[str, Any], maximum_kilobytes: int) -> Request | Reply:
    """The request in an HTTP API event (payload format 2.0), or the reply that says what is wrong with it."""
    headers = headers_of(event)
    content_type = headers.get("content-type", "").strip()
    if content_type.split(";")[0].strip().lower() not in CONTENT_TYPES:
        return refuse(415, "UnsupportedMediaType", f"content-type {content_type[:100]!r} is not one of {', '.join(CONTENT_TYPES)}")
    if len(content_type) > LONGEST_CONTENT_TYPE or not (content_type.isascii() and content_type.isprintable()):
        return refuse(415, "UnsupportedMediaType", f"content-type must be at most {LONGEST_CONTENT_TYPE} printable ASCII characters")
    chosen = headers.get(INFERENCE_HEADER, "").strip()
    if chosen and not is_inference_id(chosen, LONGEST_REQUEST_ID):
        return refuse(400, "BadRequest", f"{INFERENCE_HEADER} must be at most {LONGEST_REQUEST_ID} letters, digits or ._:-")
    user = headers.get(USER_HEADER, "").strip()
    if len(user) > LONGEST_USER:
        return refuse(400, "BadRequest", f"{USER_HEADER} must be at most {LONGEST_USER} characters")
    body = read_body(event, 'send the features, for instance as {"instances": [{...}]}', maximum_kilobytes)
    return body if isinstance(body, Reply) else Request(body, content_type, identity_of(event), user)


def identity_of(event: Mapping[str, Any]) -> str:
    """The request's id: the caller's, when it is one, else of the API's request id."""
    chosen = headers_of(event).get(INFERENCE_HEADER, "").strip()
    return chosen if is_inference_id(chosen, LONGEST_REQUEST_ID) else inference_id(event["requestContext"]["requestId"])


def inference_id(request_id: str) -> str:
    """A UUID from the API's request id: within InferenceId's 64 characters, and the same for the same request."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"request:{request_id}"))
