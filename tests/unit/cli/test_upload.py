"""Tables into the bucket: nothing twice, nothing mixed, nothing that has changed on the way."""

import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cli import upload
from cli.datasets import send
from cli.datasets.index import INDEX, Index
from contracts.config import Data
from contracts.errors import DataError
from contracts.folder import FOLDER_MARKER, Marker
from contracts.manifest import DataFile, Manifest
from tests.unit.cli.datasets.conftest import BUCKET, Counting, write

CONTRACT = Data.model_validate({"dataset": "tides", "target": "y", "problem": "regression", "features": {"x": "numeric"}})
FILES = {f"{number}.csv": b"x,y\n%d,1\n" % number for number in range(20)}


@pytest.fixture
def app(s3: Counting, tmp_path: Path) -> Any:
    """As much of an app as an upload needs."""
    project = SimpleNamespace(config=SimpleNamespace(data=CONTRACT), state=tmp_path / "state")
    return SimpleNamespace(s3=s3, data_bucket=BUCKET, project=project, manifests=list)


def sent(app: Any, path: Path) -> upload.Upload:
    with Index(app.project.state / INDEX) as index:
        return upload.send_table(app, index, upload.read_table(app, index, path, path.name))


def marked(app: Any, folder: str) -> dict[str, bytes]:
    """name -> content of what a folder's marker names."""
    body = app.s3._client.get_object(Bucket=BUCKET, Key=f"uploads/tides/{folder}/{FOLDER_MARKER}")["Body"].read()
    marker = Marker.read(body)
    assert marker is not None
    return {file.name: held(app, f"uploads/tides/{folder}/{file.name}", file.version_id) for file in marker.files}


def held(app: Any, key: str, version_id: str) -> bytes:
    content: bytes = app.s3._client.get_object(Bucket=BUCKET, Key=key, VersionId=version_id)["Body"].read()
    return content


def test_of_a_folder_that_is_pushed_again_only_what_is_new_is_sent(app: Any, tmp_path: Path) -> None:
    folder = write(tmp_path / "march", FILES)
    assert sent(app, folder).sent_bytes == sum(map(len, FILES.values()))
    (folder / "3.csv").write_bytes(b"x,y\n3,4\n")
    app.s3.calls.clear()
    again = sent(app, folder)
    assert (again.sent_bytes, app.s3.calls.count("put_object"), app.s3.calls.count("copy_object")) == (8, 2, 0)
    assert marked(app, "march") == FILES | {"3.csv": b"x,y\n3,4\n"}


def test_what_lies_in_another_folder_is_copied_there(app: Any, tmp_path: Path) -> None:
    sent(app, write(tmp_path / "march", FILES))
    files = FILES | {"twice.csv": FILES["1.csv"], "thrice.csv": b"new", "fourth.csv": b"new"}
    app.s3.calls.clear()
    assert sent(app, write(tmp_path / "april", files)).sent_bytes == 3
    assert (app.s3.calls.count("put_object"), app.s3.calls.count("copy_object")) == (2, 22)
    assert marked(app, "april") == files


def test_a_folder_whose_push_was_ended_goes_on(app: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(send, "THREADS", 2)
    folder = write(tmp_path / "march", FILES)
    app.s3.die_at = 8
    with pytest.raises(KeyboardInterrupt):
        sent(app, folder)
    app.s3.die_at = None
    app.s3.calls.clear()
    sent(app, folder)
    # What was under way then had no chance to be noted; and the marker.
    assert app.s3.calls.count("put_object") <= len(FILES) - 8 + 2 * send.THREADS + 1
    assert marked(app, "march") == FILES


def test_a_file_that_is_pushed_again_raises_its_event_by_a_copy(app: Any, tmp_path: Path) -> None:
    table = write(tmp_path / "here", {"t.csv": FILES["1.csv"]}) / "t.csv"
    first = sent(app, table)
    app.s3.calls.clear()
    again = sent(app, table)
    assert (again.sent_bytes, "put_object" in app.s3.calls) == (0, False)
    assert again.version_id != first.version_id
    assert held(app, "uploads/tides/t.csv", again.version_id) == FILES["1.csv"]


def test_what_a_version_names_is_not_sent_from_another_machine(app: Any, tmp_path: Path) -> None:
    folder = write(tmp_path / "march", FILES)
    sent(app, folder)
    app.project.state = tmp_path / "another"
    files = []
    for found in app.s3._client.list_object_versions(Bucket=BUCKET, Prefix="uploads/tides/march/")["Versions"]:
        sha256 = hashlib.sha256(held(app, found["Key"], found["VersionId"])).hexdigest()
        files.append(DataFile(bucket=BUCKET, key=found["Key"], version_id=found["VersionId"], size=8, sha256=sha256, rows=1))
    app.manifests = lambda: [(Manifest(dataset="tides", files=tuple(files), columns=(), contract=CONTRACT), None)]
    assert sent(app, folder).sent_bytes == 0


def test_two_who_push_a_large_file_under_one_name_do_not_mix(app: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(send, "WHOLE", 5 << 20)
    mine, complete = bytes(6 << 20), app.s3._client.complete_multipart_upload

    def and_then_another(**asked: Any) -> Any:
        reply = complete(**asked)
        app.s3._client.put_object(Bucket=BUCKET, Key=asked["Key"], Body=b"another's")
        return reply

    monkeypatch.setattr(app.s3._client, "complete_multipart_upload", and_then_another)
    sent(app, write(tmp_path / "march", {"large.csv": mine}))
    assert marked(app, "march") == {"large.csv": mine}


def test_a_file_that_changes_while_it_is_sent_is_no_upload(app: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, put = write(tmp_path / "march", {"t.csv": b"x,y\n1,2\n"}), app.s3._client.put_object

    def changing(**asked: Any) -> Any:
        (folder / "t.csv").write_bytes(b"x,y\n3,4,5\n")
        return put(**asked)

    monkeypatch.setattr(app.s3._client, "put_object", changing)
    with pytest.raises(DataError, match=r"t\.csv changed while it was pushed\. Next: push again"):
        sent(app, folder)


def test_a_version_is_there_already_only_under_the_same_contract(app: Any) -> None:
    file = DataFile(bucket=BUCKET, key="uploads/tides/t.csv", version_id="v", size=8, sha256="a" * 64, rows=1)
    other = CONTRACT.model_copy(update={"target": "z"})
    manifests = [Manifest(dataset="tides", files=(file,), columns=(), contract=contract) for contract in (other, CONTRACT)]
    app.manifests = lambda: [(each, None) for each in manifests]
    assert upload.accepted(app, ("a" * 64,)) == manifests[1]
    assert upload.accepted(app, ("b" * 64,)) is None
    manifests.pop()
    assert upload.accepted(app, ("a" * 64,)) is None


@pytest.mark.parametrize(("name", "why"), [("a" * 256, "at most 255"), ("=1+1", "formula")])
def test_a_folder_s_name_is_looked_at(app: Any, tmp_path: Path, name: str, why: str) -> None:
    folder = write(tmp_path / "march", FILES)
    with Index(app.project.state / INDEX) as index, pytest.raises(DataError, match=why):
        upload.read_table(app, index, folder, name)
