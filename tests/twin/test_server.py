"""The twin's port: what answers, what refuses, and what is left when it ends."""

import json
import logging
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import psutil
import pytest
from botocore.exceptions import ClientError

from twin import patches
from twin.application import Moto
from twin.home import TwinError, read_note
from twin.server import TwinServer


def get(url: str, body: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
    request = urllib.request.Request(url, data=None if body is None else json.dumps(body).encode())  # noqa: S310 - loopback only
    try:
        with urllib.request.urlopen(request) as reply:  # noqa: S310 - loopback only
            return reply.status, json.loads(reply.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def test_health_names_the_parts_and_the_time(twin: TwinServer) -> None:
    status, health = get(f"{twin.cloud.url}/_twin/health")
    assert status == 200
    assert health["status"] == "ok"
    assert "cloudformation" in health["parts"]


@pytest.mark.parametrize("speed", [0.0])
def test_the_clock_is_moved_over_http(twin: TwinServer) -> None:
    before = twin.cloud.clock.now()
    assert get(f"{twin.cloud.url}/_twin/clock", {"advance": 3600})[0] == 200
    assert (twin.cloud.clock.now() - before).total_seconds() == 3600
    assert get(f"{twin.cloud.url}/_twin/clock")[1]["speed"] == 0.0


@pytest.mark.parametrize("body", [{"advance": -1}, {"advance": "soon"}, {"back": 1}, {}])
def test_a_wrong_clock_request_says_what_is_right(twin: TwinServer, body: dict[str, Any]) -> None:
    status, reply = get(f"{twin.cloud.url}/_twin/clock", body)
    assert status == 400
    assert "advance" in reply["message"]


@pytest.mark.parametrize("path", ["/moto-api/reset", "/moto-api/data.json", "/latest/meta-data/iam", "/_twin/secrets"])
def test_what_is_no_part_of_the_account_is_closed(twin: TwinServer, path: str) -> None:
    assert get(twin.cloud.url + path)[0] == 404


def test_the_account_is_bootstrapped(twin: TwinServer) -> None:
    version = twin.cloud.client("ssm").get_parameter(Name="/cdk-bootstrap/hnb659fds/version")["Parameter"]["Value"]
    assert version == "26"
    versioning = twin.cloud.client("s3").get_bucket_versioning(Bucket="cdk-hnb659fds-assets-123456789012-us-east-1")
    assert versioning["Status"] == "Enabled"


@pytest.mark.parametrize(
    ("service", "operation", "arguments", "named"),
    [
        ("sagemaker", "create_hub", {"HubName": "hub", "HubDescription": "d"}, "sagemaker CreateHub"),
        ("apigatewayv2", "list_portals", {}, "apigateway GET /v2/portals"),
    ],
)
def test_what_is_not_emulated_is_refused_once_and_by_name(
    twin: TwinServer, service: str, operation: str, arguments: dict[str, Any], named: str
) -> None:
    client = twin.cloud.client(service, retries=3)
    attempts: list[Any] = []
    client.meta.events.register("before-send.*.*", lambda **_: attempts.append(1))
    with pytest.raises(ClientError, match=named) as caught:
        getattr(client, operation)(**arguments)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501
    assert len(attempts) == 1


def broken_reply(error: Exception, headers: dict[str, str]) -> tuple[str, bytes]:
    """What moto's door answers when the application behind it raises."""

    def application(*_: Any) -> Any:
        raise error

    moto = Moto()
    moto._dispatcher.get_application = lambda environ: application
    status: list[str] = []
    body = moto({"REQUEST_METHOD": "POST", "PATH_INFO": "/", **headers}, lambda line, _: status.append(line))
    return status[0], b"".join(body)


def test_what_breaks_inside_is_an_aws_error_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    signed = {"HTTP_AUTHORIZATION": "AWS4-HMAC-SHA256 Credential=K/20260101/us-east-1/sqs/aws4_request, SignedHeaders=x"}
    with caplog.at_level(logging.ERROR, "twin.server"):
        status, body = broken_reply(ZeroDivisionError("odd"), signed | {"HTTP_X_AMZ_TARGET": "AmazonSQS.SendMessage"})
    assert status.startswith("500")
    assert json.loads(body)["__type"] == "InternalFailure"
    assert "sqs SendMessage broke" in caplog.text
    assert "ZeroDivisionError" in caplog.text


def test_a_form_is_answered_in_xml() -> None:
    headers = {"CONTENT_TYPE": "application/x-www-form-urlencoded; charset=utf-8"}
    status, body = broken_reply(NotImplementedError("CreateThing <x>"), headers)
    assert status.startswith("501")
    assert b"<Code>NotEmulatedByTheTwin</Code>" in body
    assert b"CreateThing &lt;x&gt;" in body


def test_one_server_after_another_starts_clean(tmp_path: Path) -> None:
    with TwinServer(tmp_path / "twin") as first:
        first.cloud.client("sqs").create_queue(QueueName="old")
    assert patches.applied() == []
    with TwinServer(tmp_path / "twin") as second:
        assert "QueueUrls" not in second.cloud.client("sqs").list_queues()


def test_a_folder_has_one_twin(twin: TwinServer) -> None:
    with pytest.raises(TwinError, match=f"another twin lives in .* at {twin.cloud.url}"):
        TwinServer(twin.cloud.folder).start()
    assert get(f"{twin.cloud.url}/_twin/health")[0] == 200


def test_a_taken_port_is_refused(twin: TwinServer, tmp_path: Path) -> None:
    with pytest.raises(TwinError, match=f"port {twin.cloud.port} of 127.0.0.1 is taken"):
        TwinServer(tmp_path / "other", port=twin.cloud.port).start()


def test_dynamodb_is_atomic_under_threads(twin: TwinServer) -> None:
    client = twin.cloud.client("dynamodb")
    client.create_table(
        TableName="t",
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )

    def add(_: int) -> None:
        client.update_item(
            TableName="t", Key={"k": {"S": "n"}}, UpdateExpression="ADD n :one", ExpressionAttributeValues={":one": {"N": "1"}}
        )

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(200)))
    assert client.get_item(TableName="t", Key={"k": {"S": "n"}})["Item"]["n"]["N"] == "200"


# The twin as a process of its own


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    return [sys.executable, "-m", "twin", "--dir", str(tmp_path / "twin"), "--speed", "60"]


@pytest.fixture
def process(command: list[str], tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    child = subprocess.Popen(command)
    yield child
    child.kill()
    child.wait()


def note_of(folder: Path) -> dict[str, Any]:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        note = read_note(folder)
        if note is not None:
            return note
        time.sleep(0.02)
    raise AssertionError(f"no twin.json in {folder}; its log: {(folder / 'twin.log').read_text()}")


def test_the_process_says_where_it_answers_and_cleans_up(process: subprocess.Popen[bytes], tmp_path: Path) -> None:
    folder = tmp_path / "twin"
    note = note_of(folder)
    assert (note["pid"], note["account"], note["region"], note["speed"]) == (process.pid, "123456789012", "us-east-1", 60.0)
    assert abs(psutil.Process(process.pid).create_time() - note["started"]) < 0.01
    assert get(f"{note['url']}/_twin/health")[0] == 200
    client = boto3.client("s3", endpoint_url=note["url"], region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="y")
    with pytest.raises(ClientError):
        client.list_buckets()
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    assert not (folder / "twin.json").exists()


def test_a_killed_twin_does_not_stand_in_the_way(process: subprocess.Popen[bytes], command: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "twin"
    note_of(folder)
    orphan = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    record = {"pid": orphan.pid, "started": psutil.Process(orphan.pid).create_time()}
    (folder / "processes" / f"{orphan.pid}.json").write_text(json.dumps(record))
    process.kill()
    process.wait()
    assert (folder / "twin.json").exists()
    with TwinServer(folder):
        note = read_note(folder)
        assert note is not None
        assert note["pid"] == os.getpid()
        assert orphan.wait(5) == -signal.SIGKILL
    assert not (folder / "twin.json").exists()


def test_a_second_process_in_the_folder_says_so(twin: TwinServer) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "twin", "--dir", str(twin.cloud.folder)], capture_output=True, text=True, check=False, timeout=60
    )
    assert run.returncode == 1
    assert "another twin lives in" in run.stderr
    assert "Traceback" not in run.stderr
