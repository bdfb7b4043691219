"""What a prune takes, and what it leaves."""

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cli.datasets import check, pruning
from cli.datasets.index import Index
from cli.datasets.push import Pushed, push_tree
from cli.datasets.store import Store, places_of
from contracts.config import Data
from contracts.errors import StateError
from contracts.layout import manifest_key
from contracts.manifest import DataFile, Manifest
from tests.unit.cli.datasets.conftest import BUCKET, Counting, Push, write

# Contents come, move, go and come again, so versions share object versions.
HISTORY = [
    {"a": b"1", "b": b"2"},
    {"a": b"1", "c": b"2", "d": b"3"},
    {"a": b"4", "d": b"3"},
    {"a": b"1", "e": b"5"},
]
LATER = datetime.now(UTC) + timedelta(days=2)


def objects(s3: Counting) -> set[tuple[str, str]]:
    found = s3._client.list_object_versions(Bucket=BUCKET, Prefix="trees/images/").get("Versions", [])
    return {(each["Key"], each["VersionId"]) for each in found}


@pytest.mark.parametrize(("keep", "named"), [(1, None), (1, 0), (2, 1), (3, None), (4, None)])
def test_what_stays_is_whole_and_nothing_else_is_left(push: Push, store: Store, s3: Counting, keep: int, named: int | None) -> None:
    versions = [push(files).tree.version for files in HISTORY]
    in_use = frozenset() if named is None else frozenset({versions[named]})
    wanted = in_use | {each.version for each in store.versions("images")[:keep]}
    pruning.carry_out(store, pruning.plan(store, "images", in_use, keep, LATER))
    staying = {each.version: store.read(each) for each in store.versions("images")}
    assert staying.keys() == wanted
    for version in staying.values():
        assert check.verify(store, version, lambda _: None) == {}
    assert objects(s3) == places_of(version.tree for version in staying.values())


def test_what_is_young_stays(push: Push, store: Store, s3: Counting) -> None:
    for files in HISTORY:
        push(files)
    s3._client.put_object(Bucket=BUCKET, Key="trees/images/never-named", Body=b"sent by a push that never ended")
    before = objects(s3)
    chosen = pruning.plan(store, "images", frozenset(), 1, datetime.now(UTC))
    assert chosen.is_empty
    pruning.carry_out(store, pruning.plan(store, "images", frozenset(), 4, LATER))
    assert {key for key, _ in before - objects(s3)} == {"trees/images/never-named"}


def whole(store: Store) -> int:
    """How many versions can be seen, each of which has all its files."""
    versions = store.versions("images")
    assert all(check.verify(store, store.read(each), lambda _: None) == {} for each in versions)
    return len(versions)


def old_content_again(push: Push, store: Store) -> pruning.Plan:
    """A prune is about to take a content that this machine remembers to have sent."""
    push({"a": b"old"})
    push({"a": b"new"})
    return pruning.plan(store, "images", frozenset(), 1, LATER)


def test_what_was_pushed_again_since_the_plan_stays(push: Push, store: Store) -> None:
    chosen = old_content_again(push, store)
    assert push({"a": b"old"}).sent_files == 0
    pruning.carry_out(store, chosen)
    assert whole(store) == 2


def test_a_push_sends_again_what_was_pruned_meanwhile(push: Push, store: Store, s3: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen, put = old_content_again(push, store), s3._client.put_object

    def after_a_prune(**asked: Any) -> Any:
        monkeypatch.setattr(s3._client, "put_object", put)
        pruning.carry_out(store, chosen)
        return put(**asked)

    monkeypatch.setattr(s3._client, "put_object", after_a_prune)
    assert push({"a": b"old"}).sent_files == 1
    assert whole(store) == 2


@pytest.mark.parametrize(("took", "whole_up_to"), [(timedelta(days=2), 16 << 20), (timedelta(0), 0)])
def test_what_a_prune_takes_for_abandoned_is_sent_again_before_the_version_is_seen(
    store: Store, s3: Counting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, took: timedelta, whole_up_to: int
) -> None:
    """Of a push that takes days, and of a large file whose upload was begun days ago."""
    monkeypatch.setattr("cli.datasets.push.WHOLE", whole_up_to)
    clock, taken = [datetime.now(UTC)], set[tuple[str, str]]()

    def prune_once(said: str) -> None:
        if said.startswith("sent") and not taken:
            clock[0] += took
            taken.update(objects(s3))
            pruning.carry_out(store, pruning.plan(store, "images", frozenset(), 1, LATER))

    with Index(tmp_path / "index") as index:
        push_tree(store, index, "images", write(tmp_path / "source", HISTORY[0]), prune_once, lambda: clock[0])
    assert taken
    assert whole(store) == 1
    assert len(s3._client.list_object_versions(Bucket=BUCKET, Prefix="datasets/")["Versions"]) == 1


def test_a_push_between_the_look_and_the_deletion_is_not_seen(
    push: Push, store: Store, s3: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen, delete = old_content_again(push, store), s3._client.delete_objects
    pushed: list[Pushed] = []

    def before_the_objects(**asked: Any) -> Any:
        if asked["Delete"]["Objects"][0]["Key"].startswith("trees/"):
            pushed.append(push({"a": b"old"}))
        return delete(**asked)

    monkeypatch.setattr(s3._client, "delete_objects", before_the_objects)
    with pytest.raises(StateError, match=r"was pushed meanwhile.*Next: push it again"):
        pruning.carry_out(store, chosen)
    assert [each.sent_files for each in pushed] == [0]
    assert whole(store) == 1
    assert push({"a": b"old"}).sent_files == 1
    assert whole(store) == 2


@pytest.mark.parametrize("moment", range(4))
def test_a_prune_that_ends_anywhere_shows_no_broken_version_and_is_finished(push: Push, store: Store, s3: Counting, moment: int) -> None:
    for files in HISTORY:
        push(files)
    chosen = pruning.plan(store, "images", frozenset(), 1, LATER)
    s3.calls.clear()
    s3.die_at = moment
    with pytest.raises(KeyboardInterrupt):
        pruning.carry_out(store, chosen)
    s3.die_at = None
    assert whole(store) in {1, 4}
    pruning.carry_out(store, pruning.plan(store, "images", frozenset(), 1, LATER))
    assert whole(store) == 1
    assert objects(s3) == places_of(store.read(each).tree for each in store.versions("images"))
    assert not s3._client.list_object_versions(Bucket=BUCKET, Prefix="datasets/").get("DeleteMarkers")


def test_a_prune_of_a_table_is_finished_too(store: Store, s3: Counting) -> None:
    """Of uploads only those go that a version has named: the others may be about to become one."""
    contract = Data.model_validate({"dataset": "images", "target": "y", "problem": "regression", "features": {"x": "numeric"}})
    s3._client.put_object(Bucket=BUCKET, Key="uploads/images/new.csv", Body=b"not read yet")
    for content in (b"1", b"2"):
        where = {"bucket": BUCKET, "key": "uploads/images/t.csv", "size": 1, "rows": 1, "sha256": hashlib.sha256(content).hexdigest()}
        where["version_id"] = s3._client.put_object(Bucket=BUCKET, Key=where["key"], Body=content)["VersionId"]
        manifest = Manifest(dataset="images", files=(DataFile.model_validate(where),), columns=(), contract=contract)
        s3._client.put_object(Bucket=BUCKET, Key=manifest_key("images", manifest.version), Body=manifest.to_json())
    chosen = pruning.plan(store, "images", frozenset(), 1, LATER)
    s3.die_at = len(s3.calls) + 1
    with pytest.raises(KeyboardInterrupt):
        pruning.carry_out(store, chosen)
    s3.die_at = None
    pruning.carry_out(store, pruning.plan(store, "images", frozenset(), 1, LATER))
    assert whole(store) == 1
    left = s3._client.list_object_versions(Bucket=BUCKET, Prefix="uploads/")["Versions"]
    assert sorted(each["Key"] for each in left) == ["uploads/images/new.csv", "uploads/images/t.csv"]
