"""From a bad upload to a live endpoint, a failed training, a canary that dies, and the way back: one life of an app, in order.

The tests of this module build on each other, as the days of an endpoint do.
"""

import json
import os
import signal
import threading

import pytest

from cli.rest import wait_for_rest, what_moves
from contracts.errors import DataError
from tests.formats import as_json_lines, as_parquet
from tests.scenarios.loop import ROW, Loop, table

pytestmark = pytest.mark.timeout(280)


def test_before_the_first_model_the_api_says_so(loop: Loop) -> None:
    answer = loop.api().post(b'{"instances": []}')
    assert answer.status == 503
    assert b"no model is deployed" in answer.body


BAD = {
    "empty.csv": (b"", "empty"),
    "latin.csv": (("height,wind,moon,swims\n" + "1,2,caf\u00e9,yes\n" * 40).encode("latin-1"), "UTF-8"),
    "no_target.csv": (table(80).replace("swims", "sleeps").encode(), "swims"),
    "twice.csv": (table(80).replace("wind,", "height,", 1).encode(), "height"),
    "wrong_type.csv": (table(80).replace("\n", "\nhigh,1,full,yes\n", 1).encode(), "height"),
    "few_rows.csv": (table(10).encode(), "rows"),
    "torn.parquet": (as_parquet(table(80))[:-40], "not valid Parquet"),
    "codec.parquet": (as_parquet(table(80), compression="zstd"), "compressed with zstd"),
    "nested.jsonl": (as_json_lines(table(80)) + b'{"height": [1]}\n', "nested.*row 81"),
    "missing.csv": (("height,wind,moon,swims\n" + ",1,full,yes\n,2,new,no\n1,1,new,no\n" * 40).encode(), "height"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_upload_is_quarantined_with_its_reason(loop: Loop, name: str) -> None:
    content, word = BAD[name]
    with pytest.raises(DataError, match=word):
        loop.accepted(content, name)
    copies = loop.app.s3.list_objects_v2(Bucket=loop.app.data_bucket, Prefix="quarantine/tides/")["Contents"]
    assert any(found["Key"].endswith(name) for found in copies)
    assert loop.app.executions() == []


def test_the_next_good_upload_works(loop: Loop) -> None:
    manifest = loop.accepted(as_parquet(table(300)), "table.parquet")
    assert what_moves(loop.app)
    assert loop.decisions().count("dataset_refused") == len(BAD)
    version = loop.version(1, "Approved")
    assert version.dataset_version == manifest.version
    wait_for_rest(loop.app, lambda _: None, 60)
    loop.live(1)
    answer = loop.api().post(b'{"instances": [{"height": 3, "wind": 0, "moon": "full"}]}')
    assert answer.status == 200
    assert answer.document()["predictions"][0]["prediction"] == "yes"


@pytest.mark.parametrize(
    ("change", "word"),
    [({"height": "tall"}, "height"), ({"sun": 1}, "sun"), ({"moon": 3}, "moon"), ({"wind": ...}, "wind")],
)
def test_a_request_that_does_not_fit_names_the_feature(loop: Loop, change: dict[str, object], word: str) -> None:
    record = {name: value for name, value in (ROW | change).items() if value is not ...}
    answer = loop.api().post(json.dumps({"instances": [record]}).encode())
    assert 400 <= answer.status < 500
    assert word in answer.body.decode()


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff", b'{"instances": 3}', b"[[1]]"])
def test_nonsense_is_the_clients_mistake(loop: Loop, body: bytes) -> None:
    assert 400 <= loop.api().post(body).status < 500


def test_the_same_table_again_trains_nothing(loop: Loop) -> None:
    again = loop.accepted(as_parquet(table(300)), "again.parquet")
    assert len(loop.app.executions()) == 1
    assert again.version == loop.app.version(1).dataset_version


def test_a_failed_run_says_why_and_leaves_the_endpoint(loop: Loop) -> None:
    manifest = loop.accepted(table(300, seed=5, noise=float("inf")), "noise.csv")
    run = loop.ended(manifest.version)
    assert run.status == "Failed"
    assert "worse than the minimum of 0.75" in run.reason
    loop.until("its end to be recorded", lambda: "challenger_lost" in loop.decisions() or None)
    assert [version.number for version in loop.app.versions()] == [1]
    loop.live(1)


def test_a_model_server_that_dies_in_the_canary_brings_the_old_version_back(loop: Loop) -> None:
    traffic = loop.traffic()
    killed: list[int] = []
    stop = threading.Event()

    def kill_the_green_fleet() -> None:
        # Again and again, as a container that crashes on every request would.
        while not stop.wait(0.05):
            endpoint = loop.twin.part("sagemaker").endpoints.find("tides-dev")
            with endpoint.lock:
                green = endpoint.pending if len(endpoint.routes) == 2 else None
                instances = [each for group in green.instances.values() for each in group] if green else []
            for instance in instances:
                if instance.is_running:
                    os.kill(instance.process.pid, signal.SIGKILL)
                    killed.append(instance.process.pid)

    killer = threading.Thread(target=kill_the_green_fleet)
    killer.start()
    try:
        loop.accepted(table(400, seed=1), "second.csv")
        rejected = loop.version(2, "Rejected")
        loop.live(1)
    finally:
        stop.set()
        killer.join()
        traffic.stop()
    assert killed
    assert "failed in production" in rejected.why
    assert [one.failure for one in traffic.sent if one.failure] == []
    assert "model_quarantined" in loop.decisions()


def test_a_quarantined_version_is_never_deployed_again(loop: Loop) -> None:
    def deployments() -> int:
        started = [each for each in loop.app.decisions() if each.what == "deployment_started"]
        return sum(each.subject.endswith("/2") for each in started)

    assert deployments() == 1
    loop.approve(2)
    loop.version(2, "Rejected")
    loop.live(1)
    assert deployments() == 1


def test_the_only_version_rejected_keeps_serving_and_says_so(loop: Loop) -> None:
    loop.reject(1)
    loop.until("the hold to be recorded", lambda: "endpoint_held" in loop.decisions() or None)
    assert loop.api().post(json.dumps({"instances": [ROW]}).encode()).status == 200


def test_a_lost_approval_is_made_good_by_the_next_tick(loop: Loop) -> None:
    faults = loop.twin.part("events").faults
    faults.drop(lambda event: event["source"] in {"aws.sagemaker", "aws.cloudformation"})
    loop.accepted(as_json_lines(table(420, seed=2)), "third.jsonl")
    loop.version(3)
    loop.approve(3)
    faults.clear()
    loop.tick()
    loop.live(3)
    answer = loop.api().post(json.dumps({"instances": [ROW]}).encode())
    metadata = loop.app.version(3).metadata
    assert metadata is not None
    assert answer.document()["model"]["artifact_sha256"] == metadata.artifact_sha256
