"""The same table in every format is the same rows to train on, on the same side; what is broken since ends the run with words."""

import csv
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws

from contracts.columns import parse
from contracts.layout import HOLDOUT_CHANNEL, TRAIN_CHANNEL
from contracts.manifest import Manifest
from contracts.tables.formats import Format
from tests.formats import as_gzip, as_json_lines, as_parquet
from tests.unit.training.tables import contract, prepare, table, upload, upload_more
from training.paths import Paths
from training.target import target_kind

CONTENT: dict[Format, Callable[[str], bytes]] = {
    Format.CSV: str.encode,
    Format.CSV_GZIP: lambda text: as_gzip(text.encode()),
    Format.JSON_LINES: as_json_lines,
    Format.JSON_LINES_GZIP: lambda text: as_gzip(as_json_lines(text)),
    Format.PARQUET: as_parquet,
}


@pytest.fixture(autouse=True)
def aws() -> Iterator[None]:
    with mock_aws():
        yield


def in_format(manifest: Manifest, format: Format) -> Manifest:  # noqa: A002 - what it is called
    return manifest.model_copy(update={"files": tuple(file.model_copy(update={"format": format}) for file in manifest.files)})


def sides(folder: Path, manifest: Manifest) -> list[list[list[Any]]]:
    """The rows of both sides, as values."""
    paths = Paths(folder)
    assert prepare(paths, manifest) == 0, paths.message.read_text()
    data = manifest.contract
    kinds = dict(data.features) | {data.target: target_kind(data.problem)}
    found = []
    for channel in (TRAIN_CHANNEL, HOLDOUT_CHANNEL):
        rows = csv.DictReader(io.StringIO((paths.processing_output(channel) / f"{channel}.csv").read_text()))
        found.append([[row[data.id] if data.id else "", *(parse(kind, row[name]) for name, kind in kinds.items())] for row in rows])
    return found


@pytest.mark.parametrize("problem", ["binary", "regression"])
def test_every_format_is_the_same_rows_on_the_same_side(tmp_path: Path, problem: str) -> None:
    text, data = table(problem), contract(problem)
    known = upload(text.encode(), data)
    wanted = sides(tmp_path / "known", known)
    assert all(wanted)
    for format, content in CONTENT.items():  # noqa: A001
        file = upload_more(content(text), f"uploads/demo/table.{format}", rows=160).model_copy(update={"format": format})
        assert sides(tmp_path / format, known.model_copy(update={"files": (file,)})) == wanted, format


def test_files_in_several_formats_are_one_table_in_their_order(tmp_path: Path) -> None:
    text, data = table("binary"), contract("binary")
    known = upload(text.encode(), data)
    header, *lines = text.splitlines()
    parts = ["\n".join([header, *lines[start : start + 60]]) + "\n" for start in range(0, len(lines), 60)]
    files = tuple(
        upload_more(CONTENT[format](part), f"uploads/demo/march/{number}.{format}", rows=60).model_copy(update={"format": format})
        for number, (part, format) in enumerate(zip(parts, (Format.PARQUET, Format.CSV, Format.JSON_LINES), strict=True))  # noqa: A001
    )
    assert sides(tmp_path / "parts", known.model_copy(update={"files": files})) == sides(tmp_path / "whole", known)


@pytest.mark.parametrize("format", [each for each in Format if each is not Format.CSV])
def test_a_file_that_is_not_what_the_manifest_says_ends_the_run(tmp_path: Path, format: Format) -> None:  # noqa: A002
    manifest = in_format(upload(b"no table\n", contract("binary")), format)
    paths = Paths(tmp_path)
    assert prepare(paths, manifest) == 1
    assert "uploads/demo/table.csv" in paths.message.read_text()
    assert "not valid" in paths.message.read_text()
