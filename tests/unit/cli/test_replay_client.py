"""The replay's client: how rows go out as requests, and what the first model alone is asked."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.account import twin_account
from cli.api import PredictionApi
from cli.observe import App, Version
from cli.replay import client as sending
from cli.replay import first as alone
from cli.replay.client import Client, answered_rows, batches
from cli.replay.first import first_answers
from cli.replay.table import Row
from contracts.config import parse_config
from contracts.errors import StateError
from contracts.privacy import Privacy, hashed
from tests.unit.cli.conftest import Write
from tests.unit.cli.test_replay import DATA, table_of


class Model(BaseHTTPRequestHandler):
    """Predicts 1, refuses texts in x as the model server does, and takes every label."""

    labels: list[dict[str, Any]]
    sizes: list[int]
    rows: list[dict[str, Any]]

    def do_POST(self) -> None:
        document = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/feedback":
            self.labels.extend(document["labels"])
            self._reply(202, {"count": len(document["labels"])})
            return
        rows = document["instances"]
        self.sizes.append(len(rows))
        self.rows.extend(rows)
        if any(isinstance(row["x"], str) for row in rows):
            self._reply(400, {"error": {"message": "x is not a number"}})
        else:
            self._reply(200, {"predictions": [{"prediction": "1"} for _ in rows], "model": {"artifact_sha256": "f" * 64}})

    def _reply(self, status: int, document: dict[str, Any]) -> None:
        self.send_response(status)
        body = json.dumps(document).encode()
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@contextmanager
def model() -> Iterator[tuple[str, type[Model]]]:
    handler = type("OneModel", (Model,), {"labels": [], "sizes": [], "rows": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", handler
    finally:
        server.shutdown()
        server.server_close()


@given(st.integers(0, 300), st.integers(0, 1200), st.integers(1, 20), st.integers(1, 20))
def test_requests_hold_every_row_once(first: int, rows: int, features: int, parts: int) -> None:
    numbers = range(first, first + rows)
    every = [Row([], {str(place): 0 for place in range(features)}, fits=True, label=None)] * numbers.stop
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sending, "MOST_CELLS", 1000)
        found = list(batches(every, numbers, parts, 5120))
    assert [number for part in found for number in part] == list(numbers)
    assert all(len(part) == 1 or len(part) * features <= 1000 for part in found)
    assert all(len(part) <= -(-rows // parts) for part in found)


def test_no_request_is_larger_than_the_api_takes_but_for_a_row_that_is(write_table: Write) -> None:
    rows: list[tuple[object, ...]] = [(0, 1, "ü" * (900 if number == 7 else 200), 1) for number in range(20)]
    table = table_of(write_table, rows)
    found = list(batches(table.rows, range(20), 1, 4))
    assert [number for part in found for number in part] == list(range(20))
    bodies = {part: json.dumps({"instances": [table.rows[number].record for number in part]}) for part in found}
    # As text in a function's event.
    assert [len(part) for part, body in bodies.items() if len(json.dumps(body)) > 4096] == [1]
    assert [len(part) for part in found] == [2, 2, 2, 1, 1, *[2] * 6]


@contextmanager
def served(url: str) -> Iterator[str]:
    """In the place of a version's own server."""
    yield url


def test_the_first_model_is_asked_what_predict_would_have_asked(
    write_table: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    data = DATA.model_copy(update={"privacy": Privacy(hash=("c",))})
    table = table_of(write_table, [(0, 1, "ann@example.org", 1), (1, 2, "", 1)], data=data)
    version = Version(1, "arn", "Approved", "", datetime(2026, 1, 1, tzinfo=UTC), None, {})

    class Store:
        def get_secret_value(self, SecretId: str) -> dict[str, str]:  # noqa: N803 - the API's name
            assert SecretId == "p-dev-hash-key"
            return {"SecretString": "key"}

    config = parse_config({"project": "p", "data": data.model_dump(mode="json")})
    account = SimpleNamespace(client=lambda _: Store())
    app = cast("App", SimpleNamespace(account=account, prefix="p-dev", project=SimpleNamespace(config=config)))
    with model() as (url, seen):
        monkeypatch.setattr(alone, "_served", lambda *_: served(url))
        assert first_answers(app, version, table.rows, [0, 1], tmp_path) == {0: "1", 1: "1"}
    assert seen.rows == [{"x": 1.0, "c": hashed(b"key", "c", "ann@example.org")}, {"x": 2.0, "c": None}]
    monkeypatch.setattr(alone, "_served", lambda *_: served("http://127.0.0.1:9"))
    with pytest.raises(StateError, match="version 1 gives no answer"):
        first_answers(app, version, table.rows, [0, 1], tmp_path)


def test_a_row_that_does_not_fit_costs_no_other_its_answer(write_table: Write) -> None:
    rows: list[tuple[object, ...]] = [(0, 1, "a", 1), (1, "much", "a", 1), (2, 2, "a", ""), (3, 3, "a", 0)]
    table = table_of(write_table, rows)
    with model() as (url, seen):
        account = twin_account(url, "us-east-1")
        client = Client(PredictionApi(account, f"{url}/predict"), PredictionApi(account, f"{url}/feedback"), table.rows)
        client.predict(range(4))
        client.label(-1)
        client.label(3)
        client.label(3)
        client.label(4)
    assert sorted(client.answers) == [0, 2, 3]
    assert client.failures == []
    assert client.refused == ['row 2: 400 {"error": {"message": "x is not a number"}}']
    assert seen.sizes == [3, 1]
    # Once each, in order, under the ids of the answers; a row without a label has none.
    assert seen.labels == [{"inference_id": "replay-1-1", "label": "1"}, {"inference_id": "replay-1-3", "label": "0"}]
    assert (client.requests, client.answered_requests, client.labels_sent) == (4, 1, 2)


def test_an_api_that_is_gone_is_a_failure(write_table: Write) -> None:
    table = table_of(write_table, [(0, 1, "a", 1)])
    account = twin_account("http://127.0.0.1:9", "us-east-1")
    api = PredictionApi(account, "http://127.0.0.1:9/predict")
    client = Client(api, api, table.rows)
    client.predict(range(1))
    assert (len(client.failures), client.answers) == (1, {})


def test_a_replay_of_which_every_row_is_refused_is_over(write_table: Write) -> None:
    table = table_of(write_table, [(0, "much", "a", 1), (1, 2, "a", 1)])
    with model() as (url, _):
        api = PredictionApi(twin_account(url, "us-east-1"), f"{url}/predict")
        client = Client(api, api, table.rows)
        client.predict(range(1))
        with pytest.raises(StateError, match="the prediction API answers no request: row 1: 400"):
            answered_rows(client, range(1))
        client.predict(range(1, 2))
    assert [answered_rows(client, rows) for rows in (range(1), range(1, 2))] == [0, 1]
