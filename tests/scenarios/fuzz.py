"""Requests that nobody would think of, signed: by schemathesis, as the API's description has them and as it has not; raw by Hypothesis."""

import json
from typing import Any

import psutil
import requests
import schemathesis
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from requests.auth import AuthBase
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.scenarios.loop import Loop

LONGEST_SECONDS = 10.0
FEW = 4
# Not whether it takes what the description allows and nothing else: a datetime is text of which no schema can say what it must be, and a
# boolean may be written as text too (contracts/openapi). Who may ask at all is the matter of test_attacks.py.
CONFORMS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
NAMES = st.sampled_from(["instances", "height", "wind", "moon", "labels", "label", "inference_id", "x"])
VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
BODIES = st.one_of(
    st.binary(max_size=200),
    st.recursive(VALUES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=12).map(
        lambda value: json.dumps(value).encode()  # with NaN and Infinity, which are no JSON
    ),
    st.lists(st.lists(NAMES | VALUES.map(str), min_size=1, max_size=4).map(",".join), max_size=4).map(
        lambda lines: "\n".join(lines).encode(errors="replace")
    ),
    st.sampled_from([b"[" * 5000, b'{"a":' * 5000, b"1" * 400, b"1e999", b'{"height": 1e400}', b"\xff\xfe", b"a,b\n" * 999]),
)
KINDS = st.sampled_from(["application/json", "application/jsonlines", "text/csv", "text/csv; charset=utf-8", "text/plain", ""])


class Signed(AuthBase):
    """Signature Version 4 for execute-api."""

    def __init__(self, loop: Loop) -> None:
        self._credentials = loop.app.account.session.get_credentials().get_frozen_credentials()
        self._region = loop.app.account.region

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        content_type = {"Content-Type": value} if (value := request.headers.get("Content-Type")) else {}
        body = request.body.encode() if isinstance(request.body, str) else request.body
        signed = AWSRequest(request.method, request.url, data=body, headers=content_type)
        SigV4Auth(self._credentials, "execute-api", self._region).add_auth(signed)
        request.headers.update(dict(signed.headers.items()))
        return request


def bounded(examples: int) -> settings:
    """The same examples in every run, and no limit for one of them: the request has its own."""
    checks = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture]
    return settings(max_examples=examples, deadline=None, derandomize=True, phases=[Phase.generate], suppress_health_check=checks)


def by_description(document: dict[str, Any], loop: Loop, examples: int) -> int:
    """Ask every operation of a document, by what it takes and by what it does not; raises with what did not conform.

    `examples`: of an operation that takes a body; of the others FEW are enough. Gives the number of requests.
    """
    schema, session, count = schemathesis.openapi.from_dict(document), requests.Session(), 0
    session.auth, url = Signed(loop), document["servers"][0]["url"]
    for path, method in ((path, method) for path, methods in document["paths"].items() for method in methods):
        operation = schema[path][method.upper()]
        cases = st.one_of([operation.as_strategy(generation_mode=mode) for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)])

        @bounded(examples if method == "post" else FEW)
        @given(case=cases)
        def conforms(case: schemathesis.Case[Any]) -> None:
            nonlocal count
            count += 1
            response = case.call(base_url=url, session=session, timeout=LONGEST_SECONDS)
            case.validate_response(response, checks=CONFORMS)

        conforms()
    return count


def by_chance(loop: Loop, url: str, examples: int) -> None:
    """Bodies of any kind. Raises when one is answered with 5xx, or not at all."""
    session = requests.Session()
    session.auth = Signed(loop)

    @bounded(examples)
    @given(BODIES, KINDS)
    def answered(body: bytes, kind: str) -> None:
        response = session.post(url, data=body, headers={"Content-Type": kind} if kind else {}, timeout=LONGEST_SECONDS)
        assert response.status_code in {200, 400, 413, 415, 422}, (response.status_code, response.text, body, kind)

    answered()


def memory(loop: Loop) -> dict[int, float]:
    """Megabytes of each process of the model servers and of predict."""
    endpoint = loop.twin.part("sagemaker").endpoints.find(loop.app.prefix)
    instances = [each for listed in endpoint.current.instances.values() for each in listed]
    processes = [each.process.pid for each in instances] + loop.twin.part("functions").pool(f"{loop.app.prefix}-predict").processes
    return {process: psutil.Process(process).memory_info().rss / 2**20 for process in processes}


def grown(loop: Loop, before: dict[int, float]) -> float:
    """The most megabytes by which a process grew; one that is new, as under load, has not grown."""
    after = memory(loop)
    return max(after[process] - megabytes for process, megabytes in before.items() if process in after)
