"""A request as AWS service, operation and parameters. Bodies of S3 objects are left unread."""

import gzip
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import Request, determine_request_protocol
from moto.core.routing import get_service_router
from moto.core.utils import get_service_model

_BY_SIGNING_NAME = {"monitoring": "cloudwatch", "states": "stepfunctions", "tagging": "resourcegroupstaggingapi", "email": "ses"}
"""Services whose botocore name is not the one that requests are signed for."""


class UnmappedCallError(Exception):
    """The request is of no operation that the twin can tell."""


@dataclass(frozen=True)
class Call:
    """One API call. `service` is botocore's name; for S3 `parameters` are path, query and the headers that IAM looks at."""

    service: str
    operation: str
    parameters: dict[str, Any]
    method: str
    path: str
    keys: tuple[str, ...] = field(default=())
    """The object keys of a DeleteObjects."""
    versions: tuple[str, ...] = field(default=())
    """Those of them that it names with a version."""

    @property
    def name(self) -> str:
        """service:Operation, for people."""
        return f"{self.service}:{self.operation}"


def decode(environ: dict[str, Any], signing_name: str) -> Call:
    """The call of a request, read once and kept with it. Raises UnmappedCallError."""
    if "twin.call" not in environ:
        environ["twin.call"] = _decode(environ, signing_name)
    call: Call = environ["twin.call"]
    return call


def _decode(environ: dict[str, Any], signing_name: str) -> Call:
    service = _service(environ, signing_name)
    if service != "s3":
        buffer_body(environ)
    try:
        request = Request(_plain(environ))
        operation, in_path = get_service_router(service).match(request)
        if service == "s3":
            return _s3(environ, request, operation.name, in_path)
        model = get_service_model(service)
        parser = PROTOCOL_PARSERS[determine_request_protocol(model, request.content_type)](model.operation_model(operation.name))
        parts = {
            "method": request.method,
            "values": request.values,
            "headers": request.headers,
            "body": request.get_data(),
            "url_path": request.path,
            "url_params": in_path,
        }
        return Call(service, operation.name, parser.parse(parts), request.method, request.path)
    except Exception as error:
        raise UnmappedCallError(f"the twin cannot map {request.method} {request.path} of {service} to an operation: {error!r}") from error
    finally:
        rewind(environ)


def buffer_body(environ: dict[str, Any]) -> bytes:
    """The request's body, kept so that it can be read again."""
    kept = environ.get("twin.body")
    if kept is None:
        stream = environ["wsgi.input"]
        length = environ.get("CONTENT_LENGTH")
        kept = stream.read(int(length)) if length else stream.read() if environ.get("wsgi.input_terminated") else b""
        environ["twin.body"] = kept
        environ["wsgi.input"] = io.BytesIO(kept)
    body: bytes = kept
    return body


def _plain(environ: dict[str, Any]) -> dict[str, Any]:
    """The request as it was before the SDK compressed its body, as it does for large PutMetricData; moto reads what was sent by itself."""
    if environ.get("HTTP_CONTENT_ENCODING") != "gzip" or "twin.body" not in environ:
        return environ
    body = gzip.decompress(environ["twin.body"])
    sent = {name: value for name, value in environ.items() if name != "HTTP_CONTENT_ENCODING"}
    return sent | {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}


def rewind(environ: dict[str, Any]) -> None:
    """Let the next reader find a buffered body from its start."""
    if "twin.body" in environ:
        environ["wsgi.input"] = io.BytesIO(environ["twin.body"])


def _service(environ: dict[str, Any], signing_name: str) -> str:
    path = str(environ.get("PATH_INFO", ""))
    match signing_name:
        case "sagemaker" if path.startswith("/endpoints/") and "invocations" in path:
            return "sagemaker-runtime"
        case "sagemaker" if path == "/BatchPutMetrics":
            return "sagemaker-metrics"
        case "apigateway" if path.startswith("/v2/"):
            return "apigatewayv2"
        case "dynamodb" if str(environ.get("HTTP_X_AMZ_TARGET", "")).startswith("DynamoDBStreams"):
            return "dynamodbstreams"
        case _:
            return _BY_SIGNING_NAME.get(signing_name, signing_name)


def _s3(environ: dict[str, Any], request: Any, operation: str, in_path: dict[str, Any]) -> Call:
    bucket, _, key = unquote(request.path).lstrip("/").partition("/")
    parameters: dict[str, Any] = {name: value for name, value in request.args.items() if not name.startswith("X-Amz-")}
    parameters |= {name.lower(): value for name, value in request.headers.items() if name.lower().startswith("x-amz-")}
    parameters |= {name: value for name, value in (("Bucket", bucket), ("Key", key)) if value}
    named = list(_deleted(environ)) if operation == "DeleteObjects" else []
    keys, versions = tuple(key for key, _ in named), tuple(key for key, version in named if version)
    return Call("s3", operation, parameters | in_path, request.method, request.path, keys, versions)


def _deleted(environ: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """(key, version or "") of every object that a DeleteObjects names."""
    root = ElementTree.fromstring(buffer_body(environ))  # noqa: S314 - from a client of the laptop's own account
    for element in root.iter():
        if element.tag.rpartition("}")[2] == "Object":
            parts = {part.tag.rpartition("}")[2]: part.text or "" for part in element}
            yield parts.get("Key", ""), parts.get("VersionId", "")
