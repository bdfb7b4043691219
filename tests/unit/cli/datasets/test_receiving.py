"""What is in the bucket comes into a folder, whatever happens meanwhile."""

import os
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ResponseStreamingError

from cli.datasets import fetch, receive
from cli.datasets.index import Index
from cli.datasets.scan import UNFINISHED, scan
from cli.datasets.store import Store, Version
from cli.datasets.streams import Streams
from contracts.errors import StateError
from tests.unit.cli.datasets.conftest import BUCKET, Counting, Push, out, read, write


def test_what_was_changed_by_hand_is_not_lost(push: Push, store: Store, tmp_path: Path) -> None:
    first, second = (Version(tree, tree.version) for tree in (push({"a": b"1", "b": b"1"}).tree, push({"a": b"2"}).tree))
    folder = tmp_path / "out"
    with Index(tmp_path / "index") as index:
        out(store, index, first, folder)
        (folder / "mine").write_bytes(b"new")
        (folder / "a").write_bytes(b"changed")
        with pytest.raises(StateError, match="changes that no version has: a"):
            out(store, index, second, folder)
        assert read(folder) == {"a": b"changed", "b": b"1", "mine": b"new"}
        out(store, index, second, folder, force=True)
        assert read(folder) == {"a": b"2", "mine": b"new"}


def test_a_folder_in_the_way_is_not_removed(push: Push, store: Store, tmp_path: Path) -> None:
    version = store.read(store.resolve("images", push({"a": b"1", "b/c": b"2"}).tree.version))
    for path in ("a/mine", "b"):
        folder = write(tmp_path / f"out {path[0]}", {path: b"mine"})
        with Index(tmp_path / "index") as index, pytest.raises(StateError, match="Next: move it away"):
            out(store, index, version, folder)
        assert (folder / path).read_bytes() == b"mine"


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of more than 1,000 bytes come in pieces of 1,000."""
    monkeypatch.setattr(receive, "PIECE", 1000)


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("moment", [0, 1, 4, 9])
def test_a_large_file_arrives_in_pieces_and_goes_on_where_it_ended(
    push: Push, store: Store, s3: Counting, tmp_path: Path, moment: int
) -> None:
    content = os.urandom(9_500)
    version = store.read(store.resolve("images", push({"large": content, "empty": b""}).tree.version))
    with Index(tmp_path / "index") as index:
        s3.calls.clear()
        s3.die_at = moment
        with pytest.raises(KeyboardInterrupt):
            out(store, index, version, tmp_path / "out")
        assert not (tmp_path / "out" / "large").exists()
        known = len(index.pieces(tmp_path / "out" / UNFINISHED / version.tree.files[1].sha256))
        s3.die_at = None
        s3.calls.clear()
        out(store, index, version, tmp_path / "out")
    assert read(tmp_path / "out") == {"large": content, "empty": b""}
    assert known <= moment <= known + receive.STREAMS
    assert s3.calls.count("get_object") == 10 - known


class Breaking:
    """A client whose streams break after some bytes."""

    def __init__(self, s3: Counting, after: int) -> None:
        self._s3, self._after = s3, after

    def get_object(self, **asked: Any) -> dict[str, Any]:
        reply: dict[str, Any] = self._s3.get_object(**asked)
        return {"Body": self._broken(reply["Body"])}

    def _broken(self, body: Any) -> Any:
        first, after = True, self._after

        class Body:
            def read(self, _size: int) -> bytes:
                nonlocal first
                if first:
                    first = False
                    return bytes(body.read(after))
                if body.read(1):
                    raise ResponseStreamingError(error="reset")
                return b""

        return Body()


def test_a_stream_that_breaks_goes_on_where_it_broke(push: Push, s3: Counting) -> None:
    content = os.urandom(3_000)
    (file,) = push({"a": content}).tree.files
    arrived = bytearray()
    Streams(Breaking(s3, 1_000), BUCKET).read(file, 0, file.size, lambda position, block: arrived.extend(block))
    assert bytes(arrived) == content
    with pytest.raises(ResponseStreamingError):
        Streams(Breaking(s3, 500), BUCKET).read(file, 0, file.size, lambda position, block: None)


@pytest.mark.parametrize("last", [0, 2])
def test_checkouts_that_ended_may_be_followed_by_any_version(push: Push, store: Store, s3: Counting, tmp_path: Path, last: int) -> None:
    histories = [{f"{number}": b"%d %d" % (number, turn) for number in range(80)} for turn in range(3)]
    versions = [store.read(store.resolve("images", push(files).tree.version)) for files in histories]
    with Index(tmp_path / "index") as index:
        out(store, index, versions[0], tmp_path / "out")
        for turn, moment in ((1, 60), (2, 40)):
            s3.calls.clear()
            s3.die_at = moment
            with pytest.raises(KeyboardInterrupt):
                out(store, index, versions[turn], tmp_path / "out")
            s3.die_at = None
        left = {content[-1:] for path, content in read(tmp_path / "out").items() if not path.startswith(UNFINISHED)}
        assert left == {b"0", b"1", b"2"}
        out(store, index, versions[last], tmp_path / "out")
        assert index.checkouts(tmp_path / "out") == {("images", versions[last].version)}
    assert read(tmp_path / "out") == histories[last]


def test_a_folder_that_holds_only_folders_is_checked_out_into(push: Push, store: Store, tmp_path: Path) -> None:
    """As it is made, and as it is when the files of a checkout were deleted."""
    files = {"a/b/c": b"1", "d/e": b"2"}
    version, folder = store.read(store.resolve("images", push(files).tree.version)), tmp_path / "out"
    (folder / "a" / "empty").mkdir(parents=True)
    with Index(tmp_path / "index") as index:
        for _ in range(2):
            assert out(store, index, version, folder).fetched == 2
            assert read(folder) == files
            for path in files:
                (folder / path).unlink()


def test_what_a_checkout_left_unfinished_is_no_part_of_a_push(push: Push, tmp_path: Path) -> None:
    folder = write(tmp_path / "folder", {"a": b"1", f"{UNFINISHED}/b": b"2"})
    assert [file.path for file in scan(folder)] == ["a"]


def test_what_a_checkout_compares_is_what_the_one_before_it_left(
    push: Push, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (Version(tree, tree.version) for tree in (push({"a": b"1"}).tree, push({"a": b"2"}).tree))
    folder, alone = tmp_path / "out", fetch._alone
    with Index(tmp_path / "index") as index:
        out(store, index, first, folder)

        def another_first(folder: Path) -> AbstractContextManager[None]:
            monkeypatch.setattr(fetch, "_alone", alone)
            out(store, index, second, folder)
            return alone(folder)

        monkeypatch.setattr(fetch, "_alone", another_first)
        out(store, index, first, folder)
    assert read(folder) == {"a": b"1"}


def test_one_checkout_at_a_time_works_in_a_folder(push: Push, store: Store, tmp_path: Path) -> None:
    version = store.read(store.resolve("images", push({"a": b"1"}).tree.version))
    (tmp_path / "out").mkdir()
    with Index(tmp_path / "index") as index:
        with fetch._alone(tmp_path / "out"), pytest.raises(StateError, match="another checkout is at work"):
            out(store, index, version, tmp_path / "out")
        out(store, index, version, tmp_path / "out")
    assert read(tmp_path / "out") == {"a": b"1"}
