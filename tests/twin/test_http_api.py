"""HTTP APIs: routes, IAM authorisation, payload format 2.0, through plain HTTP."""

import base64
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials
from hypothesis import given
from hypothesis import strategies as st

from tests.twin.functions.helpers import function, make_role, policy
from twin.cloud import ADMIN, Credentials
from twin.http_api.payload import BadAnswerError, answer
from twin.http_api.routes import choose
from twin.http_api.throttle import Bucket
from twin.iam.web_identity import LIFETIME, token
from twin.server import TwinServer

__all__ = ["function"]

ECHO = "import json\ndef handle(event, context):\n    return {'statusCode': 201, 'headers': {'X-Test': 'yes'}, 'body': json.dumps(event)}\n"


class Api:
    """An HTTP API in front of one function."""

    def __init__(self, twin: TwinServer) -> None:
        self.twin = twin
        self.client = twin.cloud.client("apigatewayv2")
        self.id: str = self.client.create_api(Name="api", ProtocolType="HTTP")["ApiId"]
        self.client.create_stage(ApiId=self.id, StageName="$default", AutoDeploy=True)

    def route(
        self, key: str, function_arn: str, authorization: str = "AWS_IAM", permit: bool = True, authorizer: str = "", **settings: Any
    ) -> None:
        settings = {"IntegrationType": "AWS_PROXY", "PayloadFormatVersion": "2.0"} | settings
        integration = self.client.create_integration(ApiId=self.id, IntegrationUri=function_arn, **settings)["IntegrationId"]
        more = {"AuthorizerId": authorizer} if authorizer else {}
        self.client.create_route(ApiId=self.id, RouteKey=key, Target=f"integrations/{integration}", AuthorizationType=authorization, **more)
        if permit:
            self.twin.cloud.client("lambda").add_permission(
                FunctionName=function_arn,
                StatementId=f"s{abs(hash(key))}",
                Action="lambda:InvokeFunction",
                Principal="apigateway.amazonaws.com",
                SourceArn=f"arn:aws:execute-api:us-east-1:123456789012:{self.id}/*/*{key.partition(' ')[2]}",
            )

    def call(
        self,
        path: str,
        method: str = "POST",
        body: bytes = b"{}",
        credentials: Credentials | None = ADMIN,
        kind: str = "application/json",
        **more: str,
    ) -> tuple[int, Any, dict[str, str]]:
        url = f"{self.twin.cloud.url}/execute-api/{self.id}{path}"
        headers = {"Content-Type": kind} | more
        if credentials is not None:
            signed = AWSRequest(method, url, data=body, headers=headers)
            keys = BotoCredentials(credentials.access_key, credentials.secret_key, credentials.session_token)
            SigV4Auth(keys, "execute-api", "us-east-1").add_auth(signed)
            headers = dict(signed.headers)
        try:
            with urllib.request.urlopen(urllib.request.Request(url, data=body, headers=headers, method=method)) as reply:  # noqa: S310 - the twin's own URL
                return reply.status, json.loads(reply.read()), {name.lower(): value for name, value in reply.headers.items()}
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read()), dict(error.headers)


@pytest.fixture
def api(twin: TwinServer) -> Api:
    return Api(twin)


def test_the_function_gets_payload_format_2_and_its_answer_comes_back(api: Api, function: Callable[..., str]) -> None:
    api.route("POST /items/{id}", function(ECHO))
    status, event, headers = api.call("/items/7?a=1&a=2&b=x%20y", body=b'{"n": 1}')
    assert status == 201
    assert headers["x-test"] == "yes"
    assert event["version"] == "2.0"
    assert event["routeKey"] == "POST /items/{id}"
    assert event["rawPath"] == "/items/7"
    assert event["pathParameters"] == {"id": "7"}
    assert event["queryStringParameters"] == {"a": "1,2", "b": "x y"}
    assert (event["body"], event["isBase64Encoded"]) == ('{"n": 1}', False)
    context = event["requestContext"]
    assert (context["stage"], context["apiId"], context["http"]["method"]) == ("$default", api.id, "POST")
    assert context["authorizer"]["iam"]["userArn"] == "arn:aws:iam::123456789012:root"
    assert abs(context["timeEpoch"] / 1000 - time.time()) < 60


def test_bytes_arrive_in_base64(api: Api, function: Callable[..., str]) -> None:
    api.route("POST /p", function(ECHO))
    _, event, _ = api.call("/p", body=b"\xff\x00", kind="application/octet-stream")
    assert (base64.b64decode(event["body"]), event["isBase64Encoded"]) == (b"\xff\x00", True)


def test_only_who_may_invoke_gets_in(api: Api, function: Callable[..., str], twin: TwinServer) -> None:
    api.route("POST /predict", function(ECHO))
    api.route("GET /open", function(ECHO, name="g"), authorization="NONE")
    forbidden = (403, {"message": "Forbidden"})
    assert api.call("/predict", credentials=None)[:2] == forbidden
    assert api.call("/open", "GET", credentials=None)[0] == 201
    role = make_role(twin, "caller", "lambda.amazonaws.com")
    session = twin.cloud.assume(role, "lambda.amazonaws.com", "s")
    assert api.call("/predict", credentials=session)[:2] == forbidden
    arn = f"arn:aws:execute-api:us-east-1:123456789012:{api.id}/$default/POST/predict"
    twin.cloud.client("iam").put_role_policy(RoleName="caller", PolicyName="p", PolicyDocument=policy(("execute-api:Invoke", arn)))
    assert api.call("/predict", credentials=session)[0] == 201
    assert api.call("/predict", credentials=Credentials(session.access_key, "wrong", session.session_token))[:2] == forbidden


ISSUER, AUDIENCE = "https://id.example.com/tenant", "tides"
UNAUTHORIZED = (401, {"message": "Unauthorized"})


def test_only_a_token_of_the_issuer_for_this_api_gets_in(api: Api, function: Callable[..., str], twin: TwinServer) -> None:
    settings = {"Issuer": ISSUER, "Audience": [AUDIENCE]}
    made = api.client.create_authorizer(
        ApiId=api.id, AuthorizerType="JWT", Name="a", IdentitySource=["$request.header.Authorization"], JwtConfiguration=settings
    )
    api.route("POST /predict", function(ECHO), authorization="JWT", authorizer=made["AuthorizerId"])
    good = {"iss": ISSUER, "aud": AUDIENCE, "sub": "me"}
    now = twin.cloud.clock.now()

    def call(text: str) -> tuple[int, Any, dict[str, str]]:
        return api.call("/predict", credentials=None, Authorization=text)

    status, event, _ = call(f"Bearer {token(good, now)}")
    assert status == 201
    assert event["requestContext"]["authorizer"]["jwt"]["claims"]["sub"] == "me"
    assert call(token({"iss": ISSUER, "client_id": AUDIENCE, "sub": "me"}, now))[0] == 201
    refused = {
        "issuer": token(good | {"iss": "https://other.example.com"}, now),
        "audience": token(good | {"aud": "other"}, now),
        "expired": token(good, now - LIFETIME - timedelta(seconds=1)),
        "yet": token(good | {"nbf": int(now.timestamp()) + 600}, now),
        "invalid token": token(good, now, key=b"another"),
    }
    for word, text in refused.items():
        status, body, headers = call(f"Bearer {text}")
        assert (status, body) == UNAUTHORIZED
        assert word in headers["www-authenticate"]
    assert api.call("/predict")[:2] == UNAUTHORIZED  # signed by AWS's account root, which is no token
    assert api.call("/predict", credentials=None)[:2] == UNAUTHORIZED


def test_a_stage_lets_in_no_more_than_its_burst_and_rate(api: Api, function: Callable[..., str]) -> None:
    api.route("POST /p", function(ECHO))
    limits = {"ThrottlingRateLimit": 0.01, "ThrottlingBurstLimit": 3}
    api.client.update_stage(ApiId=api.id, StageName="$default", DefaultRouteSettings=limits)
    assert [api.call("/p")[0] for _ in range(3)] == [201, 201, 201]
    assert api.call("/p")[:2] == (429, {"message": "Too Many Requests"})
    api.client.update_stage(
        ApiId=api.id, StageName="$default", DefaultRouteSettings={"ThrottlingRateLimit": 100, "ThrottlingBurstLimit": 3}
    )
    assert api.call("/p")[0] == 201


@given(st.lists(st.floats(0, 5), max_size=60), st.integers(1, 10), st.floats(0.1, 20))
def test_a_bucket_lets_in_its_burst_and_what_flows_in_and_no_more(pauses: list[float], burst: int, rate: float) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    moment, bucket, taken = start, Bucket(rate, burst, burst, start), 0
    for pause in pauses:
        moment += timedelta(seconds=pause)
        taken += bucket.take(moment)
        assert taken <= burst + rate * (moment - start).total_seconds() + 1e-6
    assert taken >= min(burst, len(pauses))


def test_errors_are_api_gateways(api: Api, function: Callable[..., str]) -> None:
    api.route("POST /unpermitted", function(ECHO), permit=False)
    api.route("POST /raises", function("def handle(e, c):\n    raise ValueError('x')\n", name="raises"))
    api.route("POST /slow", function("import time\ndef handle(e, c):\n    time.sleep(3)\n", name="slow"), TimeoutInMillis=200)
    api.route("POST /bad", function("def handle(e, c):\n    return {'statusCode': 'x'}\n", name="bad"))
    internal = (500, {"message": "Internal Server Error"})
    assert api.call("/unpermitted")[:2] == internal
    assert api.call("/raises")[:2] == internal
    assert api.call("/bad")[:2] == internal
    assert api.call("/slow")[:2] == (503, {"message": "Service Unavailable"})
    assert api.call("/nothing")[:2] == (404, {"message": "Not Found"})
    assert api.call("/raises", "GET")[:2] == (404, {"message": "Not Found"})


def test_many_clients_at_once(api: Api, function: Callable[..., str]) -> None:
    """At least 30 requests a second from 8 clients: far above it, so that a busy machine does not matter."""
    api.route("POST /p", function(ECHO))
    api.call("/p")
    started = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: api.call("/p")[0], range(160)))
    assert set(statuses) == {201}
    assert 160 / (time.monotonic() - started) > 30


@pytest.mark.parametrize(
    ("method", "path", "key", "parameters"),
    [
        ("GET", "/a/b", "GET /a/b", {}),
        ("POST", "/a/b", "ANY /a/{x}", {"x": "b"}),
        ("GET", "/a/c", "GET /a/{x}", {"x": "c"}),
        ("GET", "/a/c/d", "GET /a/{rest+}", {"rest": "c/d"}),
        ("GET", "/z", "$default", {}),
    ],
)
def test_the_most_specific_route_wins(method: str, path: str, key: str, parameters: dict[str, str]) -> None:
    keys = ["$default", "GET /a/{rest+}", "ANY /a/{x}", "GET /a/{x}", "GET /a/b"]
    for order in (keys, keys[::-1]):
        match = choose(order, method, path)
        assert match is not None
        assert (match.route_key, match.parameters) == (key, parameters)
    assert choose(["GET /a"], "GET", "/b") is None


def test_an_answer_without_a_status_is_the_body() -> None:
    assert (answer(b'{"a": 1}').status, answer(b'{"a": 1}').body) == (200, b'{"a": 1}')
    assert answer(b'"text"').body == b"text"
    assert answer(b'{"statusCode": 204}').body == b""
    assert answer(b'{"statusCode": 200, "body": "AAE=", "isBase64Encoded": true}').body == b"\x00\x01"
    for wrong in (b'{"statusCode": 99}', b'{"statusCode": 200, "body": {"a": 1}}', b'{"statusCode": 200, "headers": []}'):
        with pytest.raises(BadAnswerError):
            answer(wrong)
