"""The demo's traffic client and report: every failure counts, and every request names its version."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from cli.account import twin_account
from cli.api import PredictionApi
from cli.demo.charts import PLAIN_BARS, bars_of, quality_over_time, shares_over_time
from cli.demo.report import Report, show_report
from cli.demo.story import why_none
from cli.demo.traffic import Row, Sent, Traffic, labels_of, latencies
from cli.ledger import in_order
from cli.observe import Version
from cli.output import Output, Phase
from contracts.errors import StateError
from contracts.evaluation import Metric
from contracts.ledger import Decision, Outcome, Retraining, What
from contracts.metadata import ModelMetadata

ONE, TWO = "1" * 64, "2" * 64
ROW = Row({"x": 1.0}, "yes")


def version(number: int, artifact: str) -> Version:
    metadata = ModelMetadata(
        dataset_version="d", run="r", git_commit="c", image="i", seed=1, libraries="", artifact_sha256=artifact, metric="roc_auc", score=0.9
    )
    return Version(
        number,
        f"arn:aws:sagemaker:::model-package/p/{number}",
        "Approved",
        "",
        datetime(2026, 1, 1, tzinfo=UTC),
        metadata,
        {"roc_auc": 0.9},
    )


@contextmanager
def api(replies: list[tuple[int, bytes]]) -> Iterator[tuple[PredictionApi, list[str]]]:
    """An API that gives these replies in turn, the last one for ever, and writes down who signed."""
    signed: list[str] = []
    left = list(replies)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            signed.append(self.headers["Authorization"])
            status, body = left.pop(0) if len(left) > 1 else left[0]
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_port}"
        yield PredictionApi(twin_account(url, "us-east-1"), f"{url}/predict"), signed
    finally:
        server.shutdown()
        server.server_close()


def good(artifact: str) -> bytes:
    return json.dumps({"predictions": [], "model": {"artifact_sha256": artifact}}).encode()


def test_traffic_counts_every_failure_and_is_signed() -> None:
    with api([(200, good(ONE)), (503, b"busy"), (200, b"not json"), (200, good(TWO))]) as (client, signed):
        traffic = Traffic(client, "rows", [ROW], rate=200.0)
        traffic.start()
        while len(traffic.sent) < 12:
            pass
        traffic.stop()
    sent = traffic.sent
    assert sum(bool(one.failure) for one in sent) == 2
    assert {one.artifact for one in sent} == {ONE, TWO, None}
    assert any(one.failure == "503 busy" for one in sent)
    assert all("/us-east-1/execute-api/aws4_request" in one for one in signed)


def test_labels_go_back_under_the_rows_ids_and_only_for_answers() -> None:
    one = Sent(0, 0.1, ONE, inference_id="a", labels=("yes",))
    many = Sent(0, 0.1, ONE, inference_id="b", labels=("yes", "no"))
    failed = Sent(0, 0.1, None, "503", inference_id="c", labels=("yes",))
    assert labels_of([one, failed, many]) == [
        {"inference_id": "a", "label": "yes"},
        {"inference_id": "b-1", "label": "yes"},
        {"inference_id": "b-2", "label": "no"},
    ]


def test_traffic_sends_what_it_is_told_to_from_then_on() -> None:
    with api([(200, good(ONE))]) as (client, _):
        traffic = Traffic(client, "old", [ROW], rate=200.0)
        traffic.start()
        while len(traffic.sent) < 4:
            pass
        traffic.switch("new", [Row({"x": 2.0}, "no"), Row({"x": 3.0}, "yes")])
        while sum(one.what == "new" for one in traffic.sent) < 4:
            pass
        traffic.stop()
    new = [one for one in traffic.sent if one.what == "new"]
    assert all(sorted(one.labels) == ["no", "yes"] for one in new)
    assert len({one.inference_id for one in traffic.sent}) == len(traffic.sent)


def test_a_server_that_is_gone_is_a_failure() -> None:
    with api([(200, good(ONE))]) as (client, _):
        pass
    traffic = Traffic(client, "rows", [ROW], rate=100.0)
    traffic.start()
    while not traffic.sent:
        pass
    traffic.stop()
    assert all(one.failure for one in traffic.sent)


def test_progress_calls_the_answers_by_their_version() -> None:
    with api([(200, good(ONE)), (200, good(TWO))]) as (client, _):
        traffic = Traffic(client, "rows", [ROW], rate=200.0)
        traffic.name(ONE, "version 1")
        traffic.start()
        while len(traffic.sent) < 8:
            pass
        traffic.stop()
    assert "version 1 " in traffic.in_words(60)
    assert "22222222 " in traffic.in_words(60)


def test_an_approval_comes_before_the_deployment_that_it_causes() -> None:
    second = datetime(2026, 11, 20, 12, 28, 52, tzinfo=UTC)
    started = Decision(time=second, what=What.DEPLOYMENT_STARTED, subject="v2", why="w", by="b")
    approved = Decision(time=second.replace(microsecond=536_000), what=What.MODEL_APPROVED, subject="v2", why="w", by="b")
    earlier = Decision(time=second.replace(second=51), what=What.DEPLOYMENT_FINISHED, subject="v1", why="w", by="b")
    assert in_order([started, approved, earlier]) == [earlier, approved, started]


def test_a_table_has_no_blanks_at_the_ends_of_its_lines(capsys: pytest.CaptureFixture[str]) -> None:
    Output().table(("version", "why"), [(1, "short"), (2, "a longer [reason]"), (3, None)])
    assert capsys.readouterr().out == "version  why\n1        short\n2        a longer [reason]\n3\n"


def test_stopping_before_the_start_and_twice_is_fine() -> None:
    with api([(200, good(ONE))]) as (client, _):
        traffic = Traffic(client, "rows", [ROW])
        traffic.stop()
        traffic.stop()
    assert traffic.sent == []


def test_shares_and_chart_show_the_canary() -> None:
    sent = [Sent(n * 0.1, 0.01, TWO if n >= 50 and n % 2 else ONE) for n in range(100)]
    shares = shares_over_time(sent, {ONE: "version 1", TWO: "version 2"}, 2)
    assert shares == {"version 1": [1.0, 0.5], "version 2": [0.0, 0.5]}
    assert {name: bars_of(row, PLAIN_BARS) for name, row in shares.items()} == {"version 1": "@=", "version 2": " ="}
    assert shares_over_time([], {}, 5) == {}


def test_quality_over_time_is_of_the_answers_alone() -> None:
    right, wrong = Sent(1, 0.1, ONE, labels=("a", "b"), said=("a", "b")), Sent(6, 0.1, ONE, labels=("a", "b"), said=("a", "a"))
    failed = Sent(9, 0.1, None, "503", labels=("a",))
    assert quality_over_time([right, wrong, failed], Metric.ACCURACY, 3) == [1.0, None, 0.5]
    assert quality_over_time([Sent(1, 0.1, ONE, labels=("3",), said=(1.0,))], Metric.RMSE, 1) == [2.0]
    assert quality_over_time([], Metric.ACCURACY, 3) == []
    assert bars_of([1.0, None, 0.5, 0.01, 7.0], PLAIN_BARS) == "@ =.@"
    assert bars_of([5.0, 10.0], PLAIN_BARS, 10.0) == "=@"


def test_latencies_are_of_answers() -> None:
    sent = [Sent(0.0, 0.01 * n, ONE) for n in range(1, 101)] + [Sent(0.0, 99.0, None, "gone")]
    assert latencies(sent) == {"p50": pytest.approx(505, abs=1), "p95": pytest.approx(950, abs=2)}


@pytest.mark.parametrize(
    ("reason", "sent", "ok"),
    [("", [Sent(0, 0.1, ONE)], True), ("broken", [Sent(0, 0.1, ONE)], False), ("", [Sent(0, 0.1, None, "503")], False), ("", [], False)],
)
def test_a_demo_is_ok_only_when_all_is(reason: str, sent: list[Sent], ok: bool) -> None:
    report = Report(phases=[Phase("train", 1.5)], versions=[version(1, ONE)], sent=sent, reason=reason)
    document = report.document()
    assert report.ok is document["ok"] is ok
    assert document["requests"] == len(sent)
    assert document["phases"] == [{"name": "train", "seconds": 1.5}]
    assert document["versions"][0]["version"] == 1
    assert document["versions"][0]["metrics"] == {"roc_auc": 0.9}
    json.dumps(document)


def test_a_loop_of_which_a_part_is_left_out_is_not_said_to_be_closed(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report(sent=[Sent(0, 0.1, ONE)])
    show_report(Output(), report)
    assert "the loop is closed: 0 phases" in capsys.readouterr().out
    assert report.document()["closed"] is True
    report.left_out = [("a new version", "the challenger lost"), ("a broken version that is thrown back", "there is no graph")]
    show_report(Output(), report)
    said = " ".join(capsys.readouterr().out.split())
    assert "the loop was not seen whole, without a new version and a broken version that is thrown back: 0 phases" in said
    assert "left out: a new version, because the challenger lost" in said
    assert [report.document()[key] for key in ("ok", "closed")] == [True, False]


@pytest.mark.parametrize("outcome", [Outcome.LOST, Outcome.TOO_FEW_LABELS, Outcome.FAILED])
def test_a_retraining_that_fails_fails_the_demo_and_one_that_decides_against_itself_does_not(outcome: Outcome) -> None:
    time = datetime(2026, 1, 1, tzinfo=UTC)
    ended = Retraining(
        name="r", asked=time, why="w", champion="c", parent="p", start=time, end=time, outcome=outcome, ended=time, explanation="so it is"
    )
    if outcome is Outcome.FAILED:
        with pytest.raises(StateError, match="the retraining failed: so it is"):
            why_none(ended, "")
    else:
        assert why_none(ended, "") == "so it is"
    assert (why_none(None, "a cooldown"), why_none(None, "")) == ("a cooldown", "nothing asked for it")
