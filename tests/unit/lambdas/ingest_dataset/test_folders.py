"""A folder is one dataset version when its marker says so: empty, or with the files that it names; twice, late, and replaced."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from contracts.folder import FOLDER_MARKER, MOST_FILES, MarkedFile, Marker, folder_digest, folder_problems
from contracts.layout import LARGEST_UPLOAD_BYTES
from contracts.ledger import What
from contracts.manifest import Manifest
from contracts.refusal import Refusal
from lambdas.ingest_dataset import handler
from lambdas.ingest_dataset.adapters import DataBucket, Listed
from tests.formats import as_json_lines
from tests.unit.lambdas.account import decisions
from tests.unit.lambdas.ingest_dataset.test_logic import GOOD, text

Client = Callable[[str], Any]
FOLDER = "uploads/flowers/march/"
PARTS = {"part-1.csv": text(*GOOD[:10]), "part-2.jsonl": as_json_lines(text(*GOOD[10:]).decode())}


class Uploads:
    """The data bucket, as whoever uploads sees it; and what the function makes of each upload's event."""

    def __init__(self, account: Client, event: Callable[..., dict[str, Any]], context: Any) -> None:
        self.s3, self._event, self._context = account("s3"), event, context
        self.versions: dict[str, str] = {}

    def put(self, name: str, content: bytes) -> dict[str, Any]:
        """The event of an upload into the folder."""
        version = self.s3.put_object(Bucket="data-bucket", Key=FOLDER + name, Body=content)["VersionId"]
        self.versions[name] = version
        return self._event("upload_created", key=FOLDER + name, version_id=version) | {"time": "2026-01-05T08:30:00Z"}

    def marker(self, *names: str) -> bytes:
        """One that names files as they were uploaded last."""
        return Marker(files=tuple(MarkedFile(name=name, version_id=self.versions[name]) for name in names)).model_dump_json().encode()

    def happen(self, event: dict[str, Any]) -> Any:
        return handler.handle(event, self._context)["decision"]

    def all(self, marker: bytes = b"") -> Any:
        """Every part, and the marker; the decision about it."""
        for name, content in PARTS.items():
            assert self.happen(self.put(name, content)) is None
        return self.happen(self.put(FOLDER_MARKER, marker))

    def manifests(self) -> list[Manifest]:
        keys = [found["Key"] for found in self.s3.list_objects_v2(Bucket="data-bucket", Prefix="datasets/").get("Contents", [])]
        return [Manifest.from_json(self.s3.get_object(Bucket="data-bucket", Key=key)["Body"].read()) for key in keys]


@pytest.fixture
def uploads(account: Client, event: Callable[..., dict[str, Any]], context: Any) -> Uploads:
    return Uploads(account, event, context)


def test_a_marked_folder_is_one_version_of_its_files(uploads: Uploads) -> None:
    assert uploads.all() == What.DATASET_ACCEPTED
    (manifest,) = uploads.manifests()
    assert [(file.key, file.rows, file.version_id) for file in manifest.files] == [
        (FOLDER + name, 10, uploads.versions[name]) for name in PARTS
    ]
    assert "20 rows of the 2 files of uploads/flowers/march/ keep the data contract" in decisions()[0].why


def test_without_a_marker_nothing_is_decided(uploads: Uploads) -> None:
    for name, content in PARTS.items():
        assert uploads.happen(uploads.put(name, content)) is None
    assert decisions() == []
    assert uploads.manifests() == []


def test_the_marker_twice_is_one_version_and_a_replaced_file_makes_another(uploads: Uploads) -> None:
    uploads.all()
    assert uploads.all() == What.DATASET_ACCEPTED
    assert len(uploads.manifests()) == 1
    uploads.put("part-1.csv", text(*GOOD[:9]))
    assert len(uploads.manifests()) == 1  # until somebody says that the folder is complete again
    uploads.happen(uploads.put(FOLDER_MARKER, b""))
    assert sorted(manifest.rows for manifest in uploads.manifests()) == [19, 20]


def test_what_spark_leaves_beside_the_data_is_no_data(uploads: Uploads) -> None:
    uploads.put("_committed_1", b"{}")
    uploads.put(".part-1.csv.crc", b"crc")
    assert uploads.all(b'{"name": "org.apache.hadoop.fs.s3a.commit.files.SuccessData/1"}') == What.DATASET_ACCEPTED


def test_a_marker_that_names_files_means_exactly_those(uploads: Uploads) -> None:
    for name, content in PARTS.items():
        uploads.put(name, content)
    marker = uploads.marker(*PARTS)
    uploads.put("part-1.csv", b"somebody else's")
    uploads.put("part-9.csv", b"of another day")
    assert uploads.happen(uploads.put(FOLDER_MARKER, marker)) == What.DATASET_ACCEPTED
    assert [file.key for file in uploads.manifests()[0].files] == [FOLDER + name for name in PARTS]


@pytest.fixture
def marker_of_last_year(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything else in a folder is newer than its marker."""
    listed = DataBucket.list

    def older(self: Any, prefix: str) -> list[Listed]:
        found = listed(self, prefix)
        return [replace(each, changed=each.changed - timedelta(days=365)) if each.name == FOLDER_MARKER else each for each in found]

    monkeypatch.setattr(DataBucket, "list", older)


@pytest.mark.usefixtures("marker_of_last_year")
def test_a_file_that_comes_after_the_marker_is_said_to_be_in_no_version(uploads: Uploads) -> None:
    uploads.all()
    late = uploads.put("part-3.csv", text(*GOOD))
    assert uploads.happen(late) == What.DATASET_REFUSED
    (decision,) = [each for each in decisions() if each.what is What.DATASET_REFUSED]
    assert decision.subject == FOLDER + "part-3.csv"
    assert "came after _SUCCESS, so no version holds it yet. Next: write _SUCCESS again" in decision.why


@pytest.mark.usefixtures("marker_of_last_year")
def test_what_comes_after_a_marker_that_names_its_files_waits_for_the_next_one(uploads: Uploads) -> None:
    """A folder is pushed again: its files, whose events may come at any time, and then their marker."""
    for name, content in PARTS.items():
        uploads.put(name, content)
    uploads.happen(uploads.put(FOLDER_MARKER, uploads.marker(*PARTS)))
    later = [uploads.put("part-1.csv", text(*GOOD[:9])), uploads.put("part-3.csv", text(*GOOD))]
    assert [uploads.happen(event) for event in later] == [None, None]
    marked = uploads.put(FOLDER_MARKER, uploads.marker(*PARTS, "part-3.csv"))
    assert [uploads.happen(event) for event in (*later, marked, *later)] == [None, None, What.DATASET_ACCEPTED, None, None]
    assert {decision.what for decision in decisions()} == {What.DATASET_ACCEPTED}


def test_a_bad_folder_s_reason_is_in_quarantine_and_its_files_stay_where_they_are(uploads: Uploads) -> None:
    uploads.put("part-0.csv", text(*GOOD, "21,tall,red,no,,rose"))
    assert uploads.all() == What.DATASET_REFUSED
    contents = PARTS | {"part-0.csv": text(*GOOD, "21,tall,red,no,,rose")}
    digest = folder_digest((name, hashlib.sha256(content).hexdigest()) for name, content in contents.items())
    (key,) = [found["Key"] for found in uploads.s3.list_objects_v2(Bucket="data-bucket", Prefix="quarantine/")["Contents"]]
    assert key == f"quarantine/flowers/{digest[:16]}/reason.json"
    refusal = Refusal.model_validate_json(uploads.s3.get_object(Bucket="data-bucket", Key=key)["Body"].read())
    assert (refusal.key, refusal.sha256) == (FOLDER + FOLDER_MARKER, digest)
    assert [str(finding) for finding in refusal.findings] == ["part-0.csv: column 'petal': 'tall' is not a number (row 22)"]


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"readme.txt": b"hello"}, "'readme.txt' is no table"),
        ({"year=2026/part.csv": b""}, "has folders in it, such as 'year=2026', and what their names say is not read"),
        ({"=1+1.csv": b""}, "begins like a spreadsheet's formula"),
    ],
)
def test_a_folder_with_something_else_in_it_is_refused_unread(uploads: Uploads, more: dict[str, bytes], why: str) -> None:
    for name, content in more.items():
        uploads.put(name, content)
    assert uploads.all() == What.DATASET_REFUSED
    assert why in decisions()[0].why
    assert uploads.manifests() == []


def test_an_empty_folder_and_one_that_is_too_large_are_refused(uploads: Uploads) -> None:
    assert uploads.happen(uploads.put(FOLDER_MARKER, b"")) == What.DATASET_REFUSED
    assert "the folder has no files. Next: write them first" in decisions()[0].why
    assert "at most 1000 can be read" in folder_problems((f"{number}.csv", 1) for number in range(MOST_FILES + 1))[0]
    assert f"at most {LARGEST_UPLOAD_BYTES} can be read" in folder_problems([("a.csv", LARGEST_UPLOAD_BYTES), ("b.csv", 1)])[0]


def test_a_file_that_the_marker_names_and_that_is_gone_ends_in_a_refusal(uploads: Uploads) -> None:
    uploads.put("part-1.csv", PARTS["part-1.csv"])
    marker = uploads.marker("part-1.csv")
    uploads.s3.delete_object(Bucket="data-bucket", Key=FOLDER + "part-1.csv", VersionId=uploads.versions["part-1.csv"])
    assert uploads.happen(uploads.put(FOLDER_MARKER, marker)) == What.DATASET_REFUSED
    assert "part-1.csv is not there any more" in decisions()[0].why
