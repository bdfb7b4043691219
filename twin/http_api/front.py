"""The WSGI application in front of the account's HTTP APIs.

Errors are API Gateway's: 401 without a good token, 403 Forbidden, 404 Not Found, 413, 429 above the stage's limits, 500 when the function
fails or may not be invoked, 503 when it is too slow or throttled
(docs: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-troubleshooting-lambda.html).
"""

import json
import logging
import time
import uuid
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from http import HTTPStatus
from typing import Any

from moto.apigatewayv2.models import apigatewayv2_backends

from twin.cloud import Cloud
from twin.functions.limits import SYNCHRONOUS_BYTES
from twin.functions.pool import ThrottledError
from twin.http_api.payload import BadAnswerError, HttpAnswer, HttpRequest, answer, event
from twin.http_api.routes import Match, choose
from twin.http_api.throttle import Throttle
from twin.http_api.tokens import UnauthorizedError, claims_for, in_event
from twin.iam import installed
from twin.iam.actions import Need
from twin.iam.authenticate import AuthenticationError, caller_of, signature_of
from twin.iam.calls import buffer_body
from twin.iam.errors import AccessDenied
from twin.iam.identity import Caller

log = logging.getLogger("twin.http_api")

PRINCIPAL = "apigateway.amazonaws.com"
STAGE = "$default"
LARGEST_BODY = 10 * 1024 * 1024
LONGEST = 30.0


class _Refusal(Exception):  # noqa: N818 - it carries an answer, it is no mistake
    def __init__(self, status: int, message: str, *headers: tuple[str, str]) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers


class HttpApi:
    """Answers /execute-api/<api id>/<path>."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._pool = ThreadPoolExecutor(32, thread_name_prefix="http-api")
        self._throttle = Throttle(cloud.clock.now)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request."""
        started = time.monotonic()
        request_id = str(uuid.uuid4())
        api_id, _, below = str(environ["PATH_INFO"]).removeprefix("/execute-api/").partition("/")
        try:
            reply = self._answer(api_id, f"/{below}", environ, request_id)
        except _Refusal as refusal:
            body = json.dumps({"message": str(refusal)}).encode()
            reply = HttpAnswer(refusal.status, (("content-type", "application/json"), *refusal.headers), body)
        self._measure(api_id, reply.status, (time.monotonic() - started) * 1000)
        headers = [*reply.headers, ("apigw-requestid", request_id), ("content-length", str(len(reply.body)))]
        start_response(f"{reply.status} {_phrase(reply.status)}", headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [reply.body]

    def _answer(self, api_id: str, path: str, environ: dict[str, Any], request_id: str) -> HttpAnswer:
        api = apigatewayv2_backends[self._cloud.account][self._cloud.region].apis.get(api_id)
        if api is None:
            raise _Refusal(404, "Not Found")
        stage, path = _stage(api, path)
        method = environ["REQUEST_METHOD"]
        routes = {route.route_key: route for route in list(api.routes.values())}
        match = choose(routes, method, path)
        if match is None:
            raise _Refusal(404, "Not Found")
        base = f"arn:aws:execute-api:{self._cloud.region}:{self._cloud.account}:{api_id}/{stage.name}"
        self._limit(api_id, stage)
        authorizer = self._authorise(api, routes[match.route_key], environ, f"{base}/{method}{path}")
        body = buffer_body(environ)
        if len(body) > LARGEST_BODY:
            raise _Refusal(413, "Request Entity Too Large")
        integration = api.integrations.get(str(routes[match.route_key].target).removeprefix("integrations/"))
        content = self._event(api_id, stage, match, _request(environ, path, body), request_id, authorizer)
        if len(content) > SYNCHRONOUS_BYTES:  # a function takes less than an API does
            raise _Refusal(413, "Request Entity Too Large")
        source = (
            f"{base}/{match.path}"
            if match.path == "$default"
            else f"{base}/{match.route_key.partition(' ')[0].replace('ANY', method)}{match.path}"
        )
        return self._invoke(integration, content, source)

    def _limit(self, api_id: str, stage: Any) -> None:
        if stage.route_settings:
            log.error("the twin knows the throttling of a stage, and not that of single routes (%s)", api_id)
            raise _Refusal(501, "The twin does not know the settings of single routes.")
        if not self._throttle.lets_in((api_id, stage.name), stage.default_route_settings or {}):
            raise _Refusal(429, "Too Many Requests")

    def _authorise(self, api: Any, route: Any, environ: dict[str, Any], resource: str) -> dict[str, Any] | None:
        """What the function is told of the caller (requestContext.authorizer); None on an open route."""
        match route.authorization_type:
            case None | "" | "NONE":
                return None
            case "AWS_IAM":
                return _signer(self._signed(environ, resource))
            case "JWT":
                return self._token(api.authorizers.get(route.authorizer_id), route.authorization_scopes or (), environ)
        log.error("the twin does not know the authorization %s of route %s", route.authorization_type, route.route_key)
        raise _Refusal(501, f"The twin does not know the authorization {route.authorization_type}.")

    def _signed(self, environ: dict[str, Any], resource: str) -> Caller:
        iam = installed(self._cloud)
        try:
            signature = signature_of(environ)
            if signature is None or signature.service != "execute-api":
                log.warning("%s: no signature for execute-api", resource)
                raise _Refusal(403, "Forbidden")
            caller = caller_of(environ, signature, iam.directory)
            iam.authoriser.require(caller, Need("execute-api:Invoke", resource), "execute-api:Invoke")
        except (AuthenticationError, AccessDenied) as error:
            log.warning("%s: %s", resource, error)
            raise _Refusal(403, "Forbidden") from error
        return caller

    def _token(self, authorizer: Any, scopes: Sequence[str], environ: dict[str, Any]) -> dict[str, Any]:
        settings = getattr(authorizer, "jwt_config", None) or {}
        given = str(environ.get("HTTP_AUTHORIZATION", ""))
        try:
            claims = claims_for(given, settings["issuer"], settings["audience"], scopes, self._cloud.clock.now())
        except KeyError as error:
            log.error("a route's JWT authorizer is missing, or has no issuer or audience")  # noqa: TRY400 - the message says it all
            raise _Refusal(500, "Internal Server Error") from error
        except UnauthorizedError as error:
            why = f' scope="{" ".join(scopes)}" error="invalid_token" error_description="{error}"' if str(error) else ""
            raise _Refusal(401, "Unauthorized", ("www-authenticate", f"Bearer{why}")) from error
        return in_event(claims, scopes)

    def _event(self, api_id: str, stage: Any, match: Match, request: HttpRequest, request_id: str, authorizer: Any) -> bytes:
        context: dict[str, Any] = {
            "accountId": self._cloud.account,
            "apiId": api_id,
            "domainName": f"{api_id}.execute-api.{self._cloud.region}.amazonaws.com",
            "requestId": request_id,
            "routeKey": match.route_key,
            "stage": stage.name,
        }
        if authorizer is not None:
            context["authorizer"] = authorizer
        return json.dumps(event(request, context, self._cloud.clock.now(), match.parameters, stage.stage_variables or {})).encode()

    def _invoke(self, integration: Any, content: bytes, source_arn: str) -> HttpAnswer:
        if integration is None or integration.integration_type != "AWS_PROXY" or integration.payload_format_version != "2.0":
            log.error("the twin knows Lambda proxy integrations with payload format 2.0 only (%s)", source_arn)
            raise _Refusal(501, "The twin knows Lambda proxy integrations with payload format 2.0 only.")
        function_arn = str(integration.integration_uri).rpartition("/functions/")[2].removesuffix("/invocations")
        limit = min((integration.timeout_in_millis or 30000) / 1000, LONGEST)
        future = self._pool.submit(self._cloud.invoke, function_arn, content, PRINCIPAL, source_arn)
        try:
            payload, error = future.result(limit)
            if error is None:
                return answer(payload)
            log.error("%s failed: %s", function_arn, payload.decode()[:500])
        except FutureTimeoutError as slow:
            raise _Refusal(503, "Service Unavailable") from slow
        except ThrottledError as throttled:
            raise _Refusal(503, "Service Unavailable") from throttled
        except (AccessDenied, KeyError, BadAnswerError) as broken:
            log.error("%s: %s", function_arn, broken)  # noqa: TRY400 - the message says it all
            raise _Refusal(500, "Internal Server Error") from broken
        raise _Refusal(500, "Internal Server Error")

    def _measure(self, api_id: str, status: int, milliseconds: float) -> None:
        dimensions = {"ApiId": api_id}
        for name, value, unit in (
            ("Count", 1.0, "Count"),
            ("4xx", float(400 <= status < 500), "Count"),
            ("5xx", float(status >= 500), "Count"),
            ("Latency", milliseconds, "Milliseconds"),
        ):
            self._cloud.measure("AWS/ApiGateway", name, dimensions, value, unit=unit)


def _signer(caller: Caller) -> dict[str, Any]:
    identity = {"accountId": caller.account, "callerId": caller.user_id, "userArn": caller.arn, "userId": caller.user_id}
    return {"iam": identity | {"accessKey": None, "cognitoIdentity": None, "principalOrgId": None}}


def _stage(api: Any, path: str) -> tuple[Any, str]:
    """(stage, path below it): a stage that the path names, else $default."""
    first, _, rest = path.removeprefix("/").partition("/")
    stage = api.stages.get(first)
    if stage is not None:
        return stage, f"/{rest}"
    if STAGE not in api.stages:
        raise _Refusal(404, "Not Found")
    return api.stages[STAGE], path


def _request(environ: dict[str, Any], path: str, body: bytes) -> HttpRequest:
    headers = {name[5:].lower().replace("_", "-"): str(value) for name, value in environ.items() if name.startswith("HTTP_")}
    headers |= {name.lower().replace("_", "-"): environ[name] for name in ("CONTENT_TYPE", "CONTENT_LENGTH") if environ.get(name)}
    return HttpRequest(
        method=environ["REQUEST_METHOD"],
        path=path,
        query=str(environ.get("QUERY_STRING", "")),
        headers=headers,
        body=body,
        source_ip=str(environ.get("REMOTE_ADDR", "127.0.0.1")),
        protocol=str(environ.get("SERVER_PROTOCOL", "HTTP/1.1")),
    )


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "Unknown"
