"""Payload format 2.0: the event that a function gets, and what its answer means. Pure.

docs: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

_TEXT = ("text/", "application/json", "application/xml", "application/javascript", "application/x-www-form-urlencoded")


class BadAnswerError(Exception):
    """The function's answer has no meaning for API Gateway: the caller gets a 500."""


@dataclass(frozen=True)
class HttpRequest:
    """A request as it came: header names in lower case, the path below the API."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    source_ip: str
    protocol: str


@dataclass(frozen=True)
class HttpAnswer:
    """Status, headers and body for the caller."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def event(
    request: HttpRequest, context: Mapping[str, Any], now: datetime, parameters: Mapping[str, str], variables: Mapping[str, str]
) -> dict[str, Any]:
    """The function's event. `context` holds apiId, accountId, routeKey, stage, requestId, domainName and, if signed, authorizer."""
    headers = {name: value for name, value in request.headers.items() if name != "cookie"}
    content: dict[str, Any] = {
        "version": "2.0",
        "routeKey": context["routeKey"],
        "rawPath": request.path,
        "rawQueryString": request.query,
        "headers": headers,
        "requestContext": {
            **context,
            "domainPrefix": context["apiId"],
            "http": {
                "method": request.method,
                "path": request.path,
                "protocol": request.protocol,
                "sourceIp": request.source_ip,
                "userAgent": headers.get("user-agent", ""),
            },
            "time": now.strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "timeEpoch": int(now.timestamp() * 1000),
        },
        "isBase64Encoded": False,
    }
    if cookies := request.headers.get("cookie"):
        content["cookies"] = [cookie.strip() for cookie in cookies.split(";")]
    if request.query:
        content["queryStringParameters"] = _joined(request.query)
    if parameters:
        content["pathParameters"] = dict(parameters)
    if variables:
        content["stageVariables"] = dict(variables)
    if request.body:
        content |= _body(request)
    return content


def _joined(query: str) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


def _body(request: HttpRequest) -> dict[str, Any]:
    kind = request.headers.get("content-type", "").lower()
    if kind.startswith(_TEXT) or "+json" in kind or "+xml" in kind:
        try:
            return {"body": request.body.decode()}
        except UnicodeDecodeError:
            pass  # not the text that its type says: passed on as bytes
    return {"body": base64.b64encode(request.body).decode(), "isBase64Encoded": True}


def answer(payload: bytes) -> HttpAnswer:
    """What a function's answer means. Raises BadAnswerError."""
    result = json.loads(payload)
    if not isinstance(result, dict) or "statusCode" not in result:
        text = result if isinstance(result, str) else json.dumps(result)
        return HttpAnswer(200, (("content-type", "application/json"),), text.encode())
    body = result.get("body") or ""
    try:
        status = int(result["statusCode"])
        content = base64.b64decode(body) if result.get("isBase64Encoded") else str(body).encode() if isinstance(body, str) else None
    except (TypeError, ValueError) as error:
        raise BadAnswerError(f"the function's statusCode or body is not valid: {error}") from error
    headers = {} if result.get("headers") is None else result["headers"]
    if content is None or not isinstance(headers, dict) or not 100 <= status <= 599:
        raise BadAnswerError("the function's body must be a text, its headers an object, and its statusCode between 100 and 599")
    named = [(str(name).lower(), str(value)) for name, value in headers.items()]
    if not any(name == "content-type" for name, _ in named):
        named.append(("content-type", "text/plain;charset=UTF-8"))
    named += [("set-cookie", str(cookie)) for cookie in result.get("cookies") or []]
    return HttpAnswer(status, tuple(named), content)
