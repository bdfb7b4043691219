"""Data as versions under what happens to processes: kill -9 at any moment, two at once, and a bucket that somebody damaged."""

import json
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.datasets import check
from cli.datasets.index import Index
from cli.datasets.push import push_tree
from cli.datasets.scan import UNFINISHED
from cli.datasets.send import THREADS
from cli.datasets.store import Version
from contracts.layout import tree_manifest_key
from tests.unit.cli.datasets.conftest import now, out, read, write
from tests.unit.cli.datasets.service import BUCKET, Person, client, service

KILLS = 3
SMALL = {f"{number % 7}/{number}.bin": random.Random(number).randbytes(2_000) for number in range(150)}
LARGE = {"large.bin": random.Random(0).randbytes(33 << 20)}  # three parts


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with service(tmp_path_factory.mktemp("server")) as found:
        yield found


@pytest.fixture
def person(url: str, tmp_path: Path) -> Person:
    return Person.at(tmp_path / "here", url)


def test_a_push_and_a_checkout_that_are_killed_anywhere_go_on(person: Person, tmp_path: Path) -> None:
    source, folder = write(tmp_path / "source", SMALL | LARGE), tmp_path / "out"
    chance = random.Random(1)
    started = time.monotonic()
    person.tide("push", str(source), "--name", "rehearsal")
    whole = time.monotonic() - started
    s3 = client("s3", person.url)
    # What was sent goes on: so each attempt has less to do, and the moments reach from the start to the end of what is left.
    killed = [person.kill(chance.uniform(0.4, 1) * whole, "push", str(source), "--name", "images") for _ in range(KILLS)]
    assert any(killed)
    if not person.store.versions("images"):
        arrived = len({found["Key"] for found in _sent(s3)})
        done = person.tide("push", str(source), "--name", "images")
        missing = len(SMALL | LARGE) - arrived
        assert missing <= done["sent_files"] <= missing + THREADS
    assert len(_sent(s3)) <= len(SMALL | LARGE) + KILLS * THREADS
    (listed,) = person.store.versions("images")
    assert check.verify(person.store, person.store.read(listed), lambda _: None) == {}

    for _ in range(KILLS):
        person.kill(chance.uniform(0.4, 1) * whole, "pull", "--name", "images", "--to", str(folder))
        seen = {path: content for path, content in read(folder).items() if not path.startswith(UNFINISHED)} if folder.exists() else {}
        assert seen.items() <= (SMALL | LARGE).items()
    before = len(seen)
    assert person.tide("pull", "--name", "images", "--to", str(folder))["kept_files"] == before
    assert read(folder) == SMALL | LARGE


def _sent(s3: Any) -> list[Any]:
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=BUCKET, Prefix="trees/images/")
    return [found for page in pages for found in page.get("Versions", [])]


def test_nothing_of_a_push_that_was_killed_is_seen(person: Person, tmp_path: Path) -> None:
    source = write(tmp_path / "source", SMALL | LARGE)  # the large one takes longer than a kill
    process = person.start("push", str(source), "--name", "seen")
    s3 = client("s3", person.url)
    while "Contents" not in s3.list_objects_v2(Bucket=BUCKET, Prefix="trees/seen/"):
        assert process.poll() is None
    process.kill()
    process.communicate()
    assert person.store.versions("seen") == []
    _, said = person.fail("show", "--name", "seen")
    assert "dataset seen has no version. Next: tide data push" in said


def test_two_who_push_at_once_lose_nothing(url: str, tmp_path: Path) -> None:
    people = [Person.at(tmp_path / name, url) for name in ("ann", "bob")]
    store = people[0].store
    same = {"a.txt": b"a", "b/c.txt": b"c"}
    trees = [same | {"shared.txt": b"%d" % number, f"own{number}.txt": b"own"} for number in range(2)]
    for turn, wanted in enumerate([[same, same], trees]):
        sources = [write(tmp_path / f"{turn}-{number}", files) for number, files in enumerate(wanted)]
        processes = [each.start("push", str(source), "--name", "pair") for each, source in zip(people, sources, strict=True)]
        told = [each.tell(process) for each, process in zip(people, processes, strict=True)]
        assert (told[0]["version"] == told[1]["version"]) == (turn == 0)
        for number, answer in enumerate(told):
            folder = tmp_path / f"out-{turn}-{number}"
            with Index(tmp_path / "index") as index:
                out(store, index, store.read(store.resolve("pair", answer["version"])), folder)
            assert read(folder) == wanted[number]
    assert len(store.versions("pair")) == 3
    for listed in store.versions("pair"):
        assert check.verify(store, store.read(listed), lambda _: None) == {}


def test_whatever_was_damaged_in_the_bucket_is_named(person: Person, tmp_path: Path) -> None:
    files = {"fine.txt": b"fine", "gone.txt": b"gone", "forged.txt": b"forged", "short.txt": b"too short"}
    with Index(tmp_path / "index") as index:
        pushed = push_tree(person.store, index, "damaged", write(tmp_path / "source", files), lambda _: None, now).tree
    s3, version, tree = client("s3", person.url), pushed.version, pushed.model_dump(mode="json")
    by_path = {each["path"]: each for each in tree["files"]}
    # Other bytes under the same keys are other object versions: what the manifest names stays as it is.
    other = {path: s3.put_object(Bucket=BUCKET, Key=by_path[path]["key"], Body=files[path][:4])["VersionId"] for path in files}
    assert check.verify(person.store, Version(pushed, version), lambda _: None) == {}

    s3.delete_object(Bucket=BUCKET, Key=by_path["gone.txt"]["key"], VersionId=by_path["gone.txt"]["version_id"])
    for path, size in (("forged.txt", 4), ("short.txt", 9)):
        by_path[path] |= {"version_id": other[path], "size": size}
    key = tree_manifest_key("damaged", version)
    s3.put_object(Bucket=BUCKET, Key=key, Body=json.dumps(tree))  # the version is of paths and contents alone: it stays
    found, _ = person.fail("verify", version, "--name", "damaged")
    assert found is not None
    assert found["damaged"].keys() == {"gone.txt", "forged.txt", "short.txt"}
    assert "is gone" in found["damaged"]["gone.txt"]
    assert "SHA-256" in found["damaged"]["forged.txt"]
    assert "has 4 bytes, and the manifest says 9" in found["damaged"]["short.txt"]
    _, said = person.fail("checkout", version, "--name", "damaged", "--to", str(tmp_path / "out"))
    assert "Next: tide data verify" in said
    assert not read(tmp_path / "out").keys() & {"gone.txt", "forged.txt", "short.txt"}

    by_path["fine.txt"]["sha256"] = "0" * 64
    s3.put_object(Bucket=BUCKET, Key=key, Body=json.dumps(tree))
    _, said = person.fail("verify", version, "--name", "damaged")
    assert "it was changed. Next: restore its first object version" in said
