"""What the functions behind the HTTP API share: how they read a request's body, what they reply, and how an error is worded.

Events and replies have payload format 2.0: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html.
"""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

JSON = "application/json"
KILOBYTE = 1024


@dataclass(frozen=True)
class Reply:
    """What the API answers; `body` is JSON text."""

    status: int
    body: str
    headers: Mapping[str, str]

    def render(self) -> dict[str, Any]:
        """As an HTTP API takes it."""
        return {"statusCode": self.status, "headers": dict(self.headers), "body": self.body}


def refuse(status: int, kind: str, message: str, problems: Sequence[str] = ()) -> Reply:
    """An error as the model server words them."""
    error = {"type": kind, "message": message} | ({"problems": list(problems)} if problems else {})
    return Reply(status, json.dumps({"error": error}), {"content-type": JSON})


def headers_of(event: Mapping[str, Any]) -> dict[str, str]:
    """The request's headers, their names in lower case."""
    return {name.lower(): value for name, value in (event.get("headers") or {}).items()}


def read_body(event: Mapping[str, Any], next_step: str, maximum_kilobytes: int) -> bytes | Reply:
    """The request's body, or the reply that says what is wrong with it; `next_step` is for who sent none."""
    text = event.get("body") or ""
    try:
        body = base64.b64decode(text, validate=True) if event.get("isBase64Encoded") else text.encode()
    except (binascii.Error, ValueError):
        return refuse(400, "BadRequest", "the body is not what its encoding says")
    if not body.strip():
        return refuse(400, "BadRequest", f"the body is empty. Next: {next_step}")
    if len(body) > maximum_kilobytes * KILOBYTE:
        too_long = f"the body has {len(body)} bytes, more than {maximum_kilobytes} KB. Next: send fewer rows at once"
        return refuse(413, "PayloadTooLarge", too_long)
    return body
