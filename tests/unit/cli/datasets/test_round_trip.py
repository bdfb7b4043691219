"""What goes in comes out, whatever happens in between."""

import os
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cli.datasets import check, send
from cli.datasets.difference import compare
from cli.datasets.index import Index
from cli.datasets.push import push_tree
from cli.datasets.scan import scan
from cli.datasets.store import Store, Version
from contracts.errors import DataError, StateError
from contracts.tree import Tree
from tests.unit.cli.datasets.conftest import BUCKET, Counting, Push, failure, now, out, read, write

TICK = 0.02  # seconds; the system's times of change come in steps
# Names that a file system takes: no slash, no NUL, nothing that cannot be seen, and no clash of a file with a folder.
_PART = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cf", "Cs"], exclude_characters="/"), min_size=1, max_size=12)
_PATH = st.lists(_PART.filter(lambda part: part not in {".", ".."} and len(part.encode()) < 60), min_size=1, max_size=3).map("/".join)


def _is_a_tree(files: Mapping[str, bytes]) -> bool:
    return not any(other != path and other.startswith(f"{path}/") for path in files for other in files)


TREES = st.dictionaries(_PATH, st.binary(max_size=200), min_size=1, max_size=6).filter(_is_a_tree)


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=st.lists(TREES, min_size=1, max_size=4), data=st.data())
def test_every_version_comes_out_as_it_went_in(store: Store, history: list[dict[str, bytes]], data: st.DataObject) -> None:
    """Into a folder of its own, and over any other version in one folder."""
    with TemporaryDirectory() as name, Index(Path(name) / "index") as index:
        versions = [
            push_tree(store, index, "images", write(Path(name) / str(number), files), lambda _: None, now).tree.version
            for number, files in enumerate(history)
        ]
        for number in data.draw(st.permutations(range(len(history)))):
            found = store.read(store.resolve("images", versions[number]))
            for folder in (Path(name) / f"out-{number}", Path(name) / "out"):
                out(store, index, found, folder)
                assert read(folder) == history[number]
            assert check.verify(store, found, lambda _: None) == {}


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=TREES, after=TREES)
def test_a_checkout_over_another_leaves_exactly_the_new_one(store: Store, before: dict[str, bytes], after: dict[str, bytes]) -> None:
    with TemporaryDirectory() as name, Index(Path(name) / "index") as index:
        folder = Path(name) / "out"
        a, b = (
            Version(tree, tree.version)
            for tree in (
                push_tree(store, index, "images", write(Path(name) / n, files), lambda _: None, now).tree
                for n, files in (("a", before), ("b", after))
            )
        )
        out(store, index, a, folder)
        out(store, index, b, folder)
        assert read(folder) == after
        found = compare(a, b)
        assert found.is_empty == (before == after)
        assert {*found.added, *found.changed, *(new for _, new in found.moved)} == {p for p in after if before.get(p) != after[p]}


def test_unchanged_and_moved_contents_are_not_sent_again(push: Push, s3: Counting) -> None:
    push({"a": b"1", "b": b"2", "c/d": b"3"})
    s3.calls.clear()
    again = push({"a": b"1", "b": b"2", "c/e": b"3", "f": b"4"}, machine="another")
    assert again.sent_files == 1
    assert s3.calls.count("put_object") == 2  # the file, and the manifest
    assert push({"a": b"1", "b": b"2", "c/e": b"3", "f": b"4"}).new is False


def test_what_an_older_version_names_is_not_sent_again_by_another_machine(push: Push, s3: Counting) -> None:
    push({"a": b"1" * 5_000})
    for number in range(3):
        push({"a": b"%d" % number})
    assert push({"a": b"1" * 5_000}, machine="another").sent_files == 0
    s3.calls.clear()
    push({"a": b"9"}, machine="another")
    assert (
        s3.calls.count("get_object") <= 5 + 1
    )  # which of the same second is newest, and that one; the others would take longer than to send


def test_going_back_is_a_version_of_its_own(push: Push, store: Store, s3: Counting) -> None:
    first = push({"a": b"1"}).tree
    second = push({"a": b"2"}).tree
    s3.calls.clear()
    third = push({"a": b"1"})
    assert third.new and third.sent_files == 0
    assert [second.parents, third.tree.parents] == [(first.version,), (second.version,)]
    assert third.tree.holds_the_same(first)
    assert len(store.versions("images")) == 3


FILES = {f"{number}.bin": bytes([number]) * 10 for number in range(12)}


@pytest.mark.parametrize("moment", range(13))
def test_a_push_that_ends_anywhere_is_invisible_and_goes_on(push: Push, store: Store, s3: Counting, moment: int) -> None:
    s3.die_at = moment
    with pytest.raises(KeyboardInterrupt):
        push(FILES)
    s3.die_at = None
    assert store.versions("images") == []
    arrived = sum(1 for _ in s3._client.list_objects_v2(Bucket=BUCKET, Prefix="trees/").get("Contents", []))
    done = push(FILES)
    assert len(done.tree.files) == 12
    assert done.sent_files <= 12 - arrived + send.THREADS  # what was under way then had no chance to be noted
    assert check.verify(store, store.read(store.resolve("images", "latest")), lambda _: None) == {}


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of more than 5 MB go in parts of 5 MB, the smallest that S3 takes."""
    monkeypatch.setattr(send, "WHOLE", 5 << 20)
    monkeypatch.setattr(send, "PART", 5 << 20)


@pytest.mark.usefixtures("small_parts")
def test_a_large_file_goes_on_where_it_ended(push: Push, store: Store, s3: Counting) -> None:
    content = bytes(range(256)) * (23 << 12)  # 23 MB, 5 parts
    s3.die_at = 3  # create, two parts
    with pytest.raises(KeyboardInterrupt):
        push({"large": content})
    s3.die_at = None
    uploads = s3._client.list_multipart_uploads(Bucket=BUCKET)["Uploads"]
    arrived = len(s3._client.list_parts(Bucket=BUCKET, Key="trees/images/large", UploadId=uploads[0]["UploadId"])["Parts"])
    s3.calls.clear()
    pushed = push({"large": content})
    assert arrived > 0
    assert s3.calls.count("upload_part") == 5 - arrived
    assert "create_multipart_upload" not in s3.calls
    assert check.verify(store, Version(pushed.tree, pushed.tree.version), lambda _: None) == {}


@pytest.mark.usefixtures("small_parts")
def test_parts_of_a_file_that_was_changed_meanwhile_are_not_believed(push: Push, store: Store, s3: Counting, tmp_path: Path) -> None:
    content = b"good" * (3 << 20)
    s3.die_at = 4
    with pytest.raises(KeyboardInterrupt):
        push({"large": content})
    s3.die_at = None
    path = tmp_path / "source0" / "large"
    path.write_bytes(b"evil" * (3 << 20))
    path.write_bytes(content)
    s3.calls.clear()
    pushed = push({"large": content})
    assert s3.calls.count("upload_part") == 3
    assert check.verify(store, Version(pushed.tree, pushed.tree.version), lambda _: None) == {}


@pytest.mark.usefixtures("small_parts")
def test_an_upload_that_s3_forgot_begins_anew(push: Push, s3: Counting) -> None:
    content = b"x" * (12 << 20)
    s3.die_at = 4
    with pytest.raises(KeyboardInterrupt):
        push({"large": content})
    s3.die_at = None
    for upload in s3._client.list_multipart_uploads(Bucket=BUCKET)["Uploads"]:
        s3._client.abort_multipart_upload(Bucket=BUCKET, Key=upload["Key"], UploadId=upload["UploadId"])
    assert push({"large": content}).new


@pytest.mark.usefixtures("small_parts")
def test_a_large_file_that_another_process_completes_meanwhile_is_sent(
    store: Store, s3: Counting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have the same memory, so they go on with the same upload."""
    source, real = write(tmp_path / "source", {"large": bytes(12 << 20)}), s3._client.upload_part
    first = threading.Lock()

    def act() -> Tree:
        with Index(tmp_path / "index") as index:
            return push_tree(store, index, "images", source, lambda _: None, now).tree

    def meanwhile(**asked: Any) -> Any:
        if first.acquire(blocking=False):
            act()
        try:
            return real(**asked)
        except KeyError:  # moto's word for it
            raise failure("NoSuchUpload", 404, "UploadPart") from None

    monkeypatch.setattr(s3._client, "upload_part", meanwhile)
    tree = act()
    assert check.verify(store, Version(tree, tree.version), lambda _: None) == {}
    assert len(s3._client.list_object_versions(Bucket=BUCKET, Prefix="trees/")["Versions"]) == 1


def test_two_writers_at_once_are_both_safe(store: Store, tmp_path: Path) -> None:
    trees: dict[int, Tree] = {}

    def act(number: int) -> None:
        files = {"shared": b"same", "own": b"%d" % (number % 3), f"file{number % 3}": b"x"}
        with Index(tmp_path / f"{number}.sqlite") as index:
            trees[number] = push_tree(store, index, "images", write(tmp_path / str(number), files), lambda _: None, now).tree

    threads = [threading.Thread(target=act, args=(number,)) for number in range(9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(trees) == 9
    assert {each.version for each in store.versions("images")} == {tree.version for tree in trees.values()}
    for tree in trees.values():
        assert check.verify(store, Version(tree, tree.version), lambda _: None) == {}
        found = store.read(store.resolve("images", tree.version))
        assert check.verify(store, found, lambda _: None) == {}


def test_damage_in_the_bucket_is_found(push: Push, store: Store, s3: Counting, tmp_path: Path) -> None:
    tree = push({"a": b"good", "b": b"good too", "c": b"gone", "d": b"fine"}).tree
    by_path = {file.path: file for file in tree.files}
    forged = s3._client.put_object(Bucket=BUCKET, Key=by_path["a"].key, Body=b"evil")["VersionId"]
    shorter = s3._client.put_object(Bucket=BUCKET, Key=by_path["b"].key, Body=b"good")["VersionId"]
    s3._client.delete_object(Bucket=BUCKET, Key=by_path["c"].key, VersionId=by_path["c"].version_id)
    files = [
        replace(by_path["a"], version_id=forged),
        replace(by_path["b"], version_id=shorter),
        by_path["c"],
        by_path["d"],
    ]
    damaged = Version(tree.model_copy(update={"files": tuple(files)}), tree.version)
    wrong = check.verify(store, damaged, lambda _: None)
    assert set(wrong) == {"a", "b", "c"}
    assert "SHA-256" in wrong["a"] and "4 bytes" in wrong["b"] and "gone" in wrong["c"]
    with Index(tmp_path / "index") as index, pytest.raises(DataError, match="SHA-256"):
        out(store, index, Version(tree.model_copy(update={"files": (files[0],)}), ""), tmp_path / "out")
    assert not (tmp_path / "out" / "a").exists()


def test_many_contents_are_looked_for_in_one_list(push: Push, s3: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.datasets.store.FEW", 5)
    s3.die_at = 12  # the twelve files, and not the manifest
    with pytest.raises(KeyboardInterrupt):
        push(FILES)
    s3.die_at = None
    s3._client.delete_object(Bucket=BUCKET, Key="trees/images/3.bin", VersionId=_version_of(s3, "trees/images/3.bin"))
    s3.calls.clear()
    assert push(FILES).sent_files == 1
    assert "head_object" not in s3.calls


def _version_of(s3: Counting, key: str) -> str:
    return str(s3._client.head_object(Bucket=BUCKET, Key=key)["VersionId"])


class Contested:
    """A client whose first conditional writes meet another's that has not ended."""

    def __init__(self, s3: Counting, times: int) -> None:
        self._s3, self._times = s3, times

    def put_object(self, **asked: Any) -> Any:
        if self._times:
            self._times -= 1
            raise failure("ConditionalRequestConflict", 409, "PutObject")
        return self._s3.put_object(**asked)


def test_a_manifest_that_another_is_writing_is_written_when_that_fails(push: Push, s3: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.datasets.store.PAUSE", 0)
    tree = push({"a": b"1"}).tree.model_copy(update={"dataset": "others"})
    assert Store(Contested(s3, 3), BUCKET).write(tree)
    assert not Store(Contested(s3, 3), BUCKET).write(tree)
    with pytest.raises(StateError, match="Next: push again"):
        Store(Contested(s3, 99), BUCKET).write(tree)


def test_a_changed_manifest_is_found(push: Push, store: Store, s3: Counting) -> None:
    tree = push({"a": b"1"}).tree
    other = push({"a": b"2"}).tree
    s3._client.put_object(Bucket=BUCKET, Key=f"datasets/images/{tree.version}/tree.json", Body=other.to_json())
    with pytest.raises(DataError, match="it was changed"):
        store.read(store.resolve("images", tree.version))


def test_what_cannot_be_pushed_is_said_at_once(tmp_path: Path) -> None:
    folder = write(tmp_path / "folder", {"fine": b"", "bad\nname": b"", "bad\x9bname": b"", "exe.\u202egnp": b""})
    (folder / "nowhere").symlink_to(folder / "missing")
    (folder / "loop").symlink_to(folder, target_is_directory=True)
    with pytest.raises(DataError) as found:
        scan(folder)
    text = str(found.value)
    assert all(word in text for word in ("control character", "direction of writing", "link to nothing", "link to a folder"))
    assert text.count("Next:") == 5
    with pytest.raises(DataError, match="holds no file"):
        scan(write(tmp_path / "empty", {}))
    with pytest.raises(DataError, match="is not there"):
        scan(tmp_path / "missing")


def test_a_file_that_changed_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Index(tmp_path / "index") as index:
        folder = write(tmp_path / "folder", {"a": b"1"})
        os.utime(folder / "a", (1e9, 1e9))
        (file,) = scan(folder)
        index.learn([(file, "0" * 64)])
        assert index.known([file]) == {}  # changed so lately that its time may be too coarse to tell
        monkeypatch.setattr("cli.datasets.index.SETTLED", 0)
        index.learn([(file, "0" * 64)])
        assert index.known([file]) == {file.place: "0" * 64}
        time.sleep(TICK)
        (folder / "a").write_bytes(b"2")
        os.utime(folder / "a", (1e9, 1e9))  # as tar and cp -p leave what they unpack over it
        assert index.known(scan(folder)) == {}


def test_what_was_checked_out_is_known_under_its_name(push: Push, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.datasets.index.SETTLED", 0)
    tree = push({"a": b"1", "b/c": b"2"}).tree
    with Index(tmp_path / "index") as index:
        out(store, index, Version(tree, tree.version), tmp_path / "out")
        assert {path.rpartition("/")[2] for path in index.known(scan(tmp_path / "out"))} == {"a", "c"}


def test_an_unknown_version_names_the_next_step(push: Push, store: Store) -> None:
    with pytest.raises(StateError, match=r"has no version\. Next: tide data push"):
        store.resolve("images", "latest")
    push({"a": b"1"})
    with pytest.raises(StateError, match=r"no version 0123456\. Next: tide data list"):
        store.resolve("images", "0123456")
