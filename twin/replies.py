"""Error replies in the protocol of the AWS service that was called, so that every AWS client raises its ordinary exception.

The protocol is read from the request: a form is AWS query (XML), S3 is REST-XML, the rest is JSON, with the code in body and header
(docs: https://smithy.io/2.0/aws/protocols/index.html). CBOR is answered in JSON too: boto3 does not use it where it has a choice.
"""

import json
from collections.abc import Iterable
from typing import Any
from uuid import uuid4
from xml.sax.saxutils import escape

NOT_EMULATED = "NotEmulatedByTheTwin"
"""The error code of everything that AWS has and the twin has not. Its status is 501, which no SDK retries."""

_REASONS = {400: "Bad Request", 403: "Forbidden", 404: "Not Found", 409: "Conflict", 500: "Internal Server Error", 501: "Not Implemented"}


def signed_service(environ: dict[str, Any]) -> str:
    """The service that the request was signed for (`lambda`, `s3`, ...); empty for an unsigned request."""
    authorization = str(environ.get("HTTP_AUTHORIZATION", ""))
    scope = authorization.partition("Credential=")[2].partition(",")[0].split("/")
    return scope[3].lower() if len(scope) == 5 else ""


def error_body(environ: dict[str, Any], code: str, message: str) -> tuple[str, bytes]:
    """(content type, body) of an error, in the protocol of the request."""
    request_id = str(uuid4())
    content_type = str(environ.get("CONTENT_TYPE", ""))
    if content_type.startswith("application/x-www-form-urlencoded"):
        body = (
            f"<ErrorResponse><Error><Type>Sender</Type><Code>{escape(code)}</Code><Message>{escape(message)}</Message></Error>"
            f"<RequestId>{request_id}</RequestId></ErrorResponse>"
        )
        return "text/xml", body.encode()
    if signed_service(environ) == "s3":
        body = f"<Error><Code>{escape(code)}</Code><Message>{escape(message)}</Message><RequestId>{request_id}</RequestId></Error>"
        return "application/xml", b'<?xml version="1.0" encoding="UTF-8"?>' + body.encode()
    return "application/json", json.dumps({"__type": code, "message": message}).encode()


def error_reply(environ: dict[str, Any], start_response: Any, status: int, code: str, message: str) -> Iterable[bytes]:
    """Answer a WSGI request with an error. `status` is the HTTP status of the AWS error."""
    content_type, body = error_body(environ, code, message)
    headers = [
        ("Content-Type", content_type),
        ("Content-Length", str(len(body))),
        ("x-amzn-ErrorType", code),
        ("x-amzn-RequestId", str(uuid4())),
    ]
    start_response(f"{status} {_REASONS.get(status, 'Error')}", headers)
    return [] if environ.get("REQUEST_METHOD") == "HEAD" else [body]
