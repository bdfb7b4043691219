"""The model server's application, spoken to as an ASGI server would: bad input is a 4xx, whatever it is."""

import asyncio
import csv
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.evaluation import Problem
from contracts.signature import Signature
from tests.unit.training.tables import FEATURES
from training.app import App, Message
from training.artifact import artifact_digest
from training.frame import Columns
from training.paths import Paths
from training.scoring import Predictions
from training.serve import load

RECORD = {"size": 1.5, "colour": "red", "used": True, "sold at": "2024-01-02T03:00"}


def ask(app: App, method: str, path: str, body: bytes = b"", *, pieces: int = 1, **headers: str) -> tuple[int, str, bytes]:
    """One request; (status, content type, body)."""
    size = max(1, -(-len(body) // pieces))
    chunks = [body[start : start + size] for start in range(0, len(body), size)] or [b""]
    incoming: list[Message] = [
        {"type": "http.request", "body": chunk, "more_body": number < len(chunks) - 1} for number, chunk in enumerate(chunks)
    ]
    sent: list[Message] = []

    async def receive() -> Message:
        return incoming.pop(0) if incoming else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope: dict[str, Any] = {"type": "http", "method": method, "path": path, "headers": named}
    asyncio.run(app(scope, receive, send))
    return sent[0]["status"], dict(sent[0]["headers"])[b"content-type"].decode(), sent[1]["body"]


@pytest.fixture
def app(model: Callable[[str], Paths]) -> App:
    folder = model("binary").model
    return load(folder, artifact_digest(folder))


def test_ping_says_which_model_is_loaded(app: App, model: Callable[[str], Paths]) -> None:
    status, _, body = ask(app, "GET", "/ping")
    said = json.loads(body)
    assert (status, said["status"], len(said["artifact_sha256"]), len(said["dataset_version"])) == (200, "ok", 64, 16)


@pytest.mark.parametrize("problem", ["binary", "multiclass", "regression"])
def test_all_formats_agree(model: Callable[[str], Paths], problem: str) -> None:
    folder = model(problem).model
    app = load(folder, artifact_digest(folder))
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
        ("POST", "/invocations", {"content_type": "text/csv"}, 400),
    ],
)
def test_refusals_have_their_status_and_say_why(app: App, method: str, path: str, headers: dict[str, str], status: int) -> None:
    found, kind, body = ask(app, method, path, b"", pieces=1, **headers)
    error = json.loads(body)["error"]
    assert (found, kind) == (status, "application/json")
    assert set(error) == {"type", "message", "problems"}
    assert error["message"]


def test_a_body_that_is_too_large_is_refused_while_it_comes_in() -> None:
    app = App(Broken(), {}, maximum_body=10)
    assert ask(app, "POST", "/invocations", b"x" * 11, pieces=3, content_type="text/csv")[0] == 413
    assert ask(app, "POST", "/invocations", b"1,2", pieces=3, content_type="text/csv")[0] == 400


class Broken:
    """A predictor that fails."""

    signature = Signature(problem=Problem.REGRESSION, target="answer", features=FEATURES)

    def predict(self, columns: Columns) -> Predictions:
        raise ZeroDivisionError("a secret of the house")


def test_our_own_fault_is_a_500_that_tells_the_log_and_not_the_client(caplog: pytest.LogCaptureFixture) -> None:
    status, _, body = ask(App(Broken(), {}), "POST", "/invocations", json.dumps(RECORD).encode(), content_type="application/json")
    assert status == 500
    assert b"secret" not in body
    assert "a secret of the house" in caplog.text


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
@given(body=bodies, kind=st.sampled_from(["application/json", "application/jsonlines", "text/csv"]), pieces=st.integers(1, 3))
def test_no_body_is_ever_our_fault(app: App, body: bytes, kind: str, pieces: int) -> None:
    status, _, answer = ask(app, "POST", "/invocations", body, pieces=pieces, content_type=kind)
    assert status in {200, 400}, answer
    if status == 200:
        assert all(0 <= row["probability"] <= 1 for row in json.loads(answer)["predictions"])
    else:
        assert json.loads(answer)["error"]["problems"]
