"""What the model server answers, without the network: bad input is a 4xx, whatever it is."""

import asyncio
import csv
import json
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import cast

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.environment import ServerEnvironment
from tests.unit.training.tables import FEATURES
from training.artifact import artifact_digest
from training.paths import Paths
from training.serving.app import App
from training.serving.messages import Answer, Request
from training.serving.metrics import Metrics, size
from training.serving.model import Model, load

RECORD = {"size": 1.5, "colour": "red", "used": True, "sold at": "2024-01-02T03:00"}


def build(model: object, **limits: int) -> App:
    """The application of a model, or of what stands for one."""
    return App(cast(Model, model), ServerEnvironment.model_validate(limits), Metrics(bytearray(size(1)), 1, 0))


def stand_in(answer: Callable[[str, str, bytes], bytes], runtime: str = "onnx", **details: str) -> object:
    return SimpleNamespace(answer=answer, runtime=runtime, details={"runtime": runtime} | details)


async def eventually(app: App, request: Request) -> Answer:
    answer = app.answer(request)
    return answer if isinstance(answer, Answer) else await answer


def ask(app: App, method: str, path: str, body: bytes = b"", /, **headers: str) -> tuple[int, str, bytes]:
    """One request; (status, content type, body)."""
    named = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    answer = asyncio.run(eventually(app, Request(method, path, named, body, "1.1", keep=True)))
    return answer.status, answer.kind, answer.body


@pytest.fixture
def app(model: Callable[[str], Paths]) -> App:
    folder = model("binary").model
    return build(load(folder, artifact_digest(folder)))


def test_ping_says_which_model_is_loaded(app: App, model: Callable[[str], Paths]) -> None:
    status, _, body = ask(app, "GET", "/ping")
    said = json.loads(body)
    assert (status, said["status"], len(said["artifact_sha256"]), len(said["dataset_version"])) == (200, "ok", 64, 16)


@pytest.mark.parametrize("problem", ["binary", "multiclass", "regression"])
def test_all_formats_agree(model: Callable[[str], Paths], problem: str) -> None:
    folder = model(problem).model
    app = build(load(folder, artifact_digest(folder)))
    record = json.dumps(RECORD).encode()
    status, kind, body = ask(app, "POST", "/invocations", record, content_type="application/json")
    assert (status, kind) == (200, "application/json")
    prediction = json.loads(body)["predictions"][0]
    assert json.loads(body)["model"]["artifact_sha256"] == artifact_digest(folder)
    _, kind, lines = ask(app, "POST", "/invocations", record, content_type="application/jsonlines", accept="application/jsonlines")
    assert (kind, json.loads(lines)) == ("application/jsonlines", prediction)
    row = b"1.5,red,true,2024-01-02T03:00"
    _, kind, table = ask(app, "POST", "/invocations", row, content_type="text/csv", accept="text/csv")
    assert kind == "text/csv"
    assert next(csv.reader([table.decode()]))[0] == str(prediction["prediction"])


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/", {}, 404),
        ("POST", "/ping", {}, 405),
        ("GET", "/invocations", {}, 405),
        ("POST", "/invocations", {}, 415),
        ("POST", "/invocations", {"content_type": "image/png"}, 415),
        ("POST", "/invocations", {"content_type": "text/csv", "accept": "image/png"}, 406),
        ("POST", "/invocations", {"content_type": "text/csv", "content_encoding": "gzip"}, 415),
        ("POST", "/invocations", {"content_type": "text/csv"}, 400),
    ],
)
def test_refusals_have_their_status_and_say_why(app: App, method: str, path: str, headers: dict[str, str], status: int) -> None:
    found, kind, body = ask(app, method, path, **headers)
    error = json.loads(body)["error"]
    assert (found, kind) == (status, "application/json")
    assert set(error) == {"type", "message", "problems"}
    assert error["message"]


def broken(_kind: str, _accept: str, _body: bytes) -> bytes:
    raise ZeroDivisionError("a secret of the house")


def test_our_own_fault_is_a_500_that_tells_the_log_and_not_the_client(caplog: pytest.LogCaptureFixture) -> None:
    app = build(stand_in(broken))
    status, _, body = ask(app, "POST", "/invocations", json.dumps(RECORD).encode(), content_type="application/json")
    assert status == 500
    assert b"secret" not in body
    assert "a secret of the house" in caplog.text


def test_a_wrong_method_is_told_the_right_one(app: App) -> None:
    answer = asyncio.run(eventually(app, Request("PUT", "/ping", {}, b"", "1.1", keep=True)))
    assert (answer.status, answer.headers) == (405, b"allow: GET, HEAD\r\n")


@pytest.mark.parametrize(("runtime", "statuses"), [("onnx", [200, 200, 200, 503]), ("skops", [200, 200, 503, 503])])
def test_large_bodies_go_to_one_thread_one_after_the_other_and_too_many_are_turned_away(runtime: str, statuses: list[int]) -> None:
    gate = threading.Event()
    threads = []

    def answer(_kind: str, _accept: str, body: bytes) -> bytes:
        threads.append(threading.current_thread().name)
        if len(body) > 3:
            gate.wait(10)
        return body

    async def run() -> list[int]:
        app = build(stand_in(answer, runtime), tidewheel_inline_bytes=3, tidewheel_waiting_requests=2)
        headers = {b"content-type": b"text/csv"}
        requests = [Request("POST", "/invocations", headers, body, "1.1", keep=True) for body in (b"long", b"1", b"longer", b"longest")]
        asked = [asyncio.create_task(eventually(app, request)) for request in requests]
        ping = await eventually(app, Request("GET", "/ping", {}, b"", "1.1", keep=True))
        assert ping.status == 200
        await asyncio.sleep(0)
        assert app.under_way == 2
        gate.set()
        answers = await asyncio.gather(*asked)
        assert app.under_way == 0
        return [each.status for each in answers]

    assert asyncio.run(run()) == statuses
    loop = threading.current_thread().name
    assert threads.count(loop) == (1 if runtime == "onnx" else 0)
    assert len(set(threads) - {loop}) == 1


@pytest.mark.parametrize(("accept", "answer", "rows"), [
    ("application/json", {"predictions": [{"prediction": 'a,{"prediction":', "probabilities": {"prediction": 1}}] * 3, "model": {}}, 3),
    ("text/csv", "1\n2\n", 2),
])  # fmt: skip
def test_rows_are_counted(accept: str, answer: object, rows: int) -> None:
    body = answer.encode() if isinstance(answer, str) else orjson.dumps(answer)
    app = build(stand_in(lambda *_: body))
    ask(app, "POST", "/invocations", b"1", content_type="text/csv", accept=accept)
    assert f"\ntidewheel_rows_total {rows}.0\n".encode() in ask(app, "GET", "/metrics")[2]


def test_metrics_name_the_model() -> None:
    app = build(stand_in(broken, artifact_sha256="0f", runtime="onnx"))
    status, kind, body = ask(app, "GET", "/metrics")
    assert (status, kind) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert b'tidewheel_model_info{artifact_sha256="0f",runtime="onnx"} 1\n' in body


texts = st.text() | st.sampled_from(["2024-01-01", "0001-01-01T00:00+23:00", "1e999", "-nan"])
values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
fitting = st.fixed_dictionaries(
    {
        "size": st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(),
        "colour": st.none() | st.text(),
        "used": st.none() | st.booleans() | st.sampled_from([0, 1, "yes"]),
        "sold at": st.none() | st.datetimes().map(lambda moment: moment.isoformat()) | st.dates().map(str),
    }
)
odd = st.fixed_dictionaries(dict.fromkeys(FEATURES, values)) | st.dictionaries(st.sampled_from([*FEATURES, "other"]), values)
records = fitting | odd
documents = st.lists(records, max_size=3) | st.builds(lambda rows: {"instances": rows}, st.lists(records, max_size=3)) | values
tables = st.lists(st.lists(st.text(max_size=6) | st.sampled_from(["1", "red", "yes", "2024-01-01"]), min_size=4, max_size=4), max_size=3)
bodies = (
    st.binary(max_size=60)
    | documents.map(lambda document: json.dumps(document).encode())
    | tables.map(lambda rows: "\n".join(",".join(row) for row in rows).encode(errors="replace"))
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(rows=st.lists(fitting, min_size=1, max_size=4))
def test_every_request_that_fits_is_answered(app: App, rows: list[dict[str, object]]) -> None:
    status, _, answer = ask(app, "POST", "/invocations", json.dumps(rows).encode(), content_type="application/json")
    assert status == 200, answer
    predictions = json.loads(answer)["predictions"]
    assert len(predictions) == len(rows)
    assert all(0 <= row["probability"] <= 1 for row in predictions)


@settings(max_examples=250, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(body=bodies, kind=st.sampled_from(["application/json", "application/jsonlines", "text/csv"]))
def test_no_body_is_ever_our_fault(app: App, body: bytes, kind: str) -> None:
    status, _, answer = ask(app, "POST", "/invocations", body, content_type=kind)
    assert status in {200, 400}, answer
    if status == 200:
        assert all(0 <= row["probability"] <= 1 for row in json.loads(answer)["predictions"])
    else:
        assert json.loads(answer)["error"]["problems"]
