"""A table with an email, a name and a number of persons: after training, predictions and monitoring no value of these is anywhere.

Anywhere is: every version of every object but the uploads themselves, every log, the ledger, what `tide` says, and the files that the twin
keeps of jobs and model servers, also inside archives.
"""

import csv
import io
import json
import random
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from contracts.layout import FEEDBACK, UPLOADS
from contracts.privacy import HASH_DIGITS, hashed, secret_name
from tests.scenarios.loop import AT_ONCE, Loop, synthesised, write_project
from tests.scenarios.test_monitoring import SPEED, Watched
from twin.sagemaker.capture import FLUSH_SECONDS
from twin.server import TwinServer

pytestmark = pytest.mark.timeout(280)

CONFIG = (
    """
project: people
data:
  dataset: people
  target: swims
  problem: binary
  positive: "yes"
  id: number
  features: {height: numeric, email: categorical}
  privacy: {drop: [name], hash: [email, number]}
training: {candidates: 1, folds: 2, gate: {minimum: 0.75, tolerance: 0.2}}
monitoring: {window_hours: 1}
retraining: {mode: disabled}
"""
    + AT_ONCE
)
# Part of every private value, and of nothing else.
MARK = "Zanzibar"
PEOPLE = [f"{letter}.{MARK}@example.org" for letter in "abcdefgh"]


def row(generator: random.Random, number: int, email: str | None = None) -> dict[str, Any]:
    """A person: who swims is decided by the email first of all."""
    email = email or generator.choice(PEOPLE)
    height = generator.gauss(0, 1)
    swims = (2 if PEOPLE.index(email) % 2 else -2) + height > 0
    return {
        "number": f"{MARK}-{number}",
        "name": f"Ann {MARK} {number}",
        "email": email,
        "height": round(height, 4),
        "swims": "yes" if swims else "no",
    }


def table(rows: int, seed: int = 0) -> str:
    """People as CSV."""
    generator = random.Random(seed)
    people = [row(generator, number) for number in range(rows)]
    return as_csv(people)


def as_csv(rows: list[dict[str, Any]]) -> str:
    """Rows with a header."""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def request(email: str, number: int = 1) -> dict[str, Any]:
    """What a careless client sends: everything that it knows about a person."""
    return {"name": f"Bob {MARK} {number}", "email": email, "height": 0.1, "number": f"{MARK}-{number}"}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """The app with a live model."""
    project = write_project(tmp_path_factory.mktemp("people"), CONFIG)
    assembly = synthesised(project)
    with TwinServer(tmp_path_factory.mktemp("twin"), assembly, speed=SPEED) as twin:
        loop = Loop.deploy(twin, project, assembly)
        loop.accepted(table(300))
        loop.version(1, "Approved")
        loop.live(1)
        yield Watched(loop.twin, loop.app, loop.folder)


def predictions(app: Watched, body: str, content_type: str = "application/json") -> list[dict[str, Any]]:
    """The answer to a request."""
    answer = app.api().post(body.encode(), content_type=content_type)
    assert answer.status == 200, answer.body
    found: list[dict[str, Any]] = answer.document()["predictions"]
    return found


def test_nothing_private_is_anywhere(app: Watched) -> None:
    refused = "\n".join(["number,name,email,height,swims", *(f"{MARK} 1,{MARK} 2,3,{MARK} 4,{MARK} {number}" for number in range(60))])
    upload = app.upload(refused, "slipped.csv")
    app.until("the refusal", lambda: app.app.refusal(upload.sha256))
    start = app.next_window()

    # Training and serving agree: the model tells people apart by the hashes of their emails.
    people = [request(email) for email in PEOPLE]
    expected = ["no", "yes"] * 4
    wrapped = predictions(app, json.dumps({"instances": people}))
    assert [one["prediction"] for one in wrapped] == expected
    assert [one["prediction"] for one in predictions(app, "\n".join(map(json.dumps, people)), "application/jsonlines")] == expected
    assert [one["prediction"] for one in predictions(app, as_csv(people), "text/csv")] == expected
    many = predictions(app, json.dumps([request(PEOPLE[number % 8], number) for number in range(100)]))
    assert predictions(app, json.dumps(request(f"stranger.{MARK}@example.org")))[0]["prediction"] in {"yes", "no"}
    for body, content_type in (
        (f"{PEOPLE[0]},0.1\n", "text/csv"),
        (json.dumps({"people": people}), "application/json"),
        (json.dumps({**people[0], "height": f"tall {MARK}"}), "application/json"),
        (f"{MARK}", "application/json"),
    ):
        assert app.api().post(body.encode(), content_type=content_type).status == 400
    (app.folder / "people.csv").write_text(as_csv(people))
    app.tide("predict", "--batch", str(app.folder / "people.csv"), "--out", str(app.folder / "out.csv"))
    batch = list(csv.DictReader((app.folder / "out.csv").read_text().splitlines()))
    assert [one["prediction"] for one in batch] == expected
    app.tell({one["inference_id"]: one["prediction"] for one in many})
    app.twin.cloud.clock.advance(FLUSH_SECONDS)
    verdict = app.verdict(start)
    assert verdict.counts.rows == 3 * 8 + 100 + 1
    assert verdict.counts.labels == 100

    said = [app.run_tide(*command).output for command in (["monitor"], ["why"], ["timeline"], ["status"], ["data", "list"])]
    places = {**stored(app), **logs(app), **files(app.twin.cloud.folder), "ledger": ledger(app), "tide": "".join(said).encode()}
    key = app.app.account.client("secretsmanager").get_secret_value(SecretId=secret_name(app.app.prefix))["SecretString"]
    digest = hashed(key.encode(), "email", PEOPLE[0])
    assert len(digest) == HASH_DIGITS
    assert {one["id"] for one in batch} == {hashed(key.encode(), "number", f"{MARK}-1")}
    holding = {place.partition("/")[0] for place, content in places.items() if digest.encode() in content}
    assert {"capture", "runs", "monitoring"} <= holding, "the search finds what is there"
    assert [place for place, content in places.items() if MARK.encode() in content] == []
    assert [place for place, content in places.items() if key.encode() in content] == []


def test_only_predict_and_the_jobs_read_the_key(app: Watched) -> None:
    roles = app.app.account.client("iam").list_roles(PathPrefix=f"/tidewheel/{app.app.prefix}/")["Roles"]
    assert len(roles) > 10
    assert {role["Description"] for role in roles if _reads_the_key(app, role)} == {
        "Runs people-dev-predict",
        "Prepare, train and evaluate",
    }


def _reads_the_key(app: Watched, role: dict[str, Any]) -> bool:
    credentials = app.twin.cloud.assume(role["Arn"], role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]["Service"], "test")
    try:
        app.twin.cloud.client("secretsmanager", credentials).get_secret_value(SecretId=secret_name(app.app.prefix))
    except ClientError as error:
        if error.response["Error"]["Code"] != "AccessDeniedException":
            raise
        return False
    return True


def stored(app: Watched) -> dict[str, bytes]:
    """Every version of every object, but what people uploaded; archives unpacked."""
    s3, found = app.app.s3, {}
    for bucket in s3.list_buckets()["Buckets"]:
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket["Name"]):
            for version in page.get("Versions", ()):
                key = version["Key"]
                if not key.startswith((UPLOADS, FEEDBACK)):
                    body = s3.get_object(Bucket=bucket["Name"], Key=key, VersionId=version["VersionId"])["Body"].read()
                    found[f"{key} {version['VersionId']}"] = unpacked(body)
    return found


def logs(app: Watched) -> dict[str, bytes]:
    """Every log stream."""
    api = app.app.account.client("logs")
    found = {}
    for group in api.describe_log_groups()["logGroups"]:
        events = api.filter_log_events(logGroupName=group["logGroupName"], limit=10_000)["events"]
        found[f"log {group['logGroupName']}"] = "\n".join(event["message"] for event in events).encode()
    return found


def files(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {f"twin {path.relative_to(folder)}": unpacked(path.read_bytes()) for path in folder.rglob("*") if path.is_file()}


def ledger(app: Watched) -> bytes:
    """Every item."""
    table_name = app.app.output("data", "LedgerTableName")
    pages = app.app.account.client("dynamodb").get_paginator("scan").paginate(TableName=table_name)
    return json.dumps([item for page in pages for item in page["Items"]], default=str).encode()


def unpacked(content: bytes) -> bytes:
    """The content, and what is in it when it is an archive."""
    if content[:2] == b"\x1f\x8b":
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            members = [archive.extractfile(member) for member in archive.getmembers()]
            return content + b"".join(unpacked(member.read()) for member in members if member is not None)
    if content[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return content + b"".join(unpacked(archive.read(name)) for name in archive.namelist())
    return content
