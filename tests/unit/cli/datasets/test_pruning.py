"""What a prune takes, and what it leaves."""

from datetime import UTC, datetime, timedelta

import pytest

from cli.datasets import check, pruning
from cli.datasets.store import Store
from tests.unit.cli.datasets.conftest import BUCKET, Counting, Push

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
    assert objects(s3) == pruning.places(version.tree for version in staying.values())


def test_what_is_young_stays(push: Push, store: Store, s3: Counting) -> None:
    for files in HISTORY:
        push(files)
    s3._client.put_object(Bucket=BUCKET, Key="trees/images/never-named", Body=b"sent by a push that never ended")
    before = objects(s3)
    chosen = pruning.plan(store, "images", frozenset(), 1, datetime.now(UTC))
    assert chosen.versions == () and chosen.objects == ()
    pruning.carry_out(store, pruning.plan(store, "images", frozenset(), 4, LATER))
    assert {key for key, _ in before - objects(s3)} == {"trees/images/never-named"}
