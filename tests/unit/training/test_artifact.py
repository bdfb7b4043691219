"""Artifacts: what the digest covers, and what is never unpacked or loaded."""

import io
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import skops.io
from hypothesis import given
from hypothesis import strategies as st

from contracts.columns import ColumnKind
from contracts.errors import ArtifactError
from contracts.evaluation import Problem
from training.artifact import artifact_digest, unpack
from training.candidates import build, propose
from training.paths import Paths
from training.stored import load_pipeline, save_pipeline

folders = st.dictionaries(st.sampled_from(["a", "b", "c/d", "c/e"]), st.binary(max_size=20), min_size=1)


def fill(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


@given(one=folders, other=folders)
def test_the_digest_is_equal_exactly_when_names_and_contents_are(
    tmp_path_factory: pytest.TempPathFactory, one: dict[str, bytes], other: dict[str, bytes]
) -> None:
    first, second = (fill(tmp_path_factory.mktemp("artifact"), files) for files in (one, other))
    assert (artifact_digest(first) == artifact_digest(second)) == (one == other)


def test_the_digest_does_not_depend_on_times(tmp_path: Path) -> None:
    folder = fill(tmp_path, {"a": b"1"})
    before = artifact_digest(folder)
    os.utime(folder / "a", (0, 0))
    assert artifact_digest(folder) == before


def test_an_empty_folder_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="holds no model"):
        artifact_digest(tmp_path)


def test_an_archive_comes_back_as_it_was(tmp_path: Path) -> None:
    folder = fill(tmp_path / "model", {"a": b"1", "c/d": b"2"})
    with tarfile.open(tmp_path / "model.tar.gz", "w:gz") as tar:
        tar.add(folder, arcname=".")
    unpack(tmp_path / "model.tar.gz", tmp_path / "out")
    assert artifact_digest(tmp_path / "out") == artifact_digest(folder)


def test_an_archive_is_unpacked_by_a_python_without_filters_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with tarfile.open(tmp_path / "model.tar.gz", "w:gz") as tar:
        tar.addfile(member("a"), io.BytesIO())
    whole = tarfile.TarFile.extractall
    # As in Python 3.11.0 to 3.11.3, which Debian 12 has.
    monkeypatch.setattr(tarfile.TarFile, "extractall", lambda tar, path, members=None: whole(tar, path, members, filter="fully_trusted"))
    monkeypatch.delattr(tarfile, "data_filter")
    unpack(tmp_path / "model.tar.gz", tmp_path / "out")
    assert (tmp_path / "out" / "a").read_bytes() == b""


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


@pytest.mark.parametrize(
    "bad",
    [
        member("../evil"),
        member("/tmp/evil"),  # noqa: S108 - a path that must not be written
        member("a/../../evil"),
        member("link", tarfile.SYMTYPE, "/etc/passwd"),
        member("hard", tarfile.LNKTYPE, "a"),
        member("pipe", tarfile.FIFOTYPE),
        member("device", tarfile.CHRTYPE),
    ],
    ids=lambda info: info.name,
)
def test_nothing_of_an_archive_with_a_trick_in_it_is_unpacked(tmp_path: Path, bad: tarfile.TarInfo) -> None:
    with tarfile.open(tmp_path / "model.tar.gz", "w:gz") as tar:
        tar.addfile(member("a"), io.BytesIO())
        tar.addfile(bad, io.BytesIO())
    with pytest.raises(ArtifactError, match="not a plain file inside"):
        unpack(tmp_path / "model.tar.gz", tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_broken_archive_is_an_error_of_the_artifact(tmp_path: Path) -> None:
    (tmp_path / "model.tar.gz").write_bytes(b"\x1f\x8b not really")
    with pytest.raises(ArtifactError, match="cannot be unpacked"):
        unpack(tmp_path / "model.tar.gz", tmp_path / "out")


@pytest.mark.parametrize("problem", list(Problem))
@pytest.mark.parametrize("number", [0, 1], ids=["linear", "boosting"])
def test_every_kind_of_pipeline_is_written_alike_and_read_back(tmp_path: Path, problem: Problem, number: int) -> None:
    generator = np.random.default_rng(0)
    features = {"a": ColumnKind.NUMERIC, "b": ColumnKind.CATEGORICAL}
    rows = 60
    frame = pd.DataFrame({"a": generator.normal(size=rows), "b": np.array(["x", "y", ""], dtype=object)[generator.integers(3, size=rows)]})
    target = generator.integers(2, size=rows)
    candidate = propose(problem, 2, 0)[number]
    contents = []
    for name in ("one.skops", "two.skops"):
        pipeline = build(candidate, problem, features, 5).fit(frame, target)
        save_pipeline(pipeline, tmp_path / name)
        contents.append((tmp_path / name).read_bytes())
        assert load_pipeline(tmp_path / name).predict(frame).tolist() == pipeline.predict(frame).tolist()
    assert contents[0] == contents[1]


def test_a_pipeline_holds_neither_addresses_nor_times(model: Callable[[str], Paths], tmp_path: Path) -> None:
    path = model("binary").model / "model.skops"
    save_pipeline(load_pipeline(path), tmp_path / "again.skops")
    assert (tmp_path / "again.skops").read_bytes() == path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert all(len(Path(name).stem) < 5 for name in archive.namelist() if name != "schema.json")


class Foreign:
    """A type that no pipeline of ours holds."""


def test_a_pipeline_with_another_type_in_it_is_never_loaded(tmp_path: Path) -> None:
    path = tmp_path / "model.skops"
    skops.io.dump({"estimator": Foreign()}, path)
    with pytest.raises(ArtifactError, match=r"model.skops cannot be loaded.*Foreign"):
        load_pipeline(path)


def test_a_file_that_is_no_pipeline_is_never_loaded(tmp_path: Path) -> None:
    (tmp_path / "model.skops").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(ArtifactError, match="cannot be loaded"):
        load_pipeline(tmp_path / "model.skops")
