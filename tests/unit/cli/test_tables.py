"""CSV tables: samples and prediction records."""

from pathlib import Path

import pytest

from cli.demo.samples import TABLES, snake_case, write_sample_table
from cli.tables import open_table, read_records, sha256_of, write_sample
from contracts.columns import ColumnKind
from contracts.errors import DataError
from tests.unit.cli.conftest import Write


def test_a_sample_is_seeded_and_keeps_the_order(write_table: Write, tmp_path: Path) -> None:
    table = write_table(("n",), [(n,) for n in range(1000)])
    first, again, other = (tmp_path / name for name in ("a.csv", "b.csv", "c.csv"))
    count = write_sample(table, first, 0.7, 20)
    write_sample(table, again, 0.7, 20)
    write_sample(table, other, 0.7, 21)
    assert first.read_bytes() == again.read_bytes() != other.read_bytes()
    with open_table(first) as sample:
        numbers = [int(row[0]) for row in sample.rows]
    assert len(numbers) == count
    assert 600 < count < 800
    assert numbers == sorted(numbers)


def test_records_hold_features_as_json_has_them(write_table: Write) -> None:
    table = write_table(("id", "x", "flag", "plan", "y"), [("a", "1.5", "Yes", " b ", "0"), ("b", "NA", "", "", "1")])
    features = {"x": ColumnKind.NUMERIC, "flag": ColumnKind.BOOLEAN, "plan": ColumnKind.CATEGORICAL}
    assert read_records(table, features, 10) == [{"x": 1.5, "flag": True, "plan": "b"}, {"x": None, "flag": None, "plan": None}]
    assert len(read_records(table, features, 1)) == 1


def test_a_byte_order_mark_and_blank_lines_are_no_data(tmp_path: Path) -> None:
    path = tmp_path / "bom.csv"
    path.write_bytes(b"\xef\xbb\xbfx,y\r\n1,2\r\n\r\n")
    with open_table(path) as table:
        assert (table.header, list(table.rows)) == (["x", "y"], [["1", "2"]])
    assert len(sha256_of(path)) == 64


@pytest.mark.parametrize("name", TABLES)
def test_scikit_learns_tables_are_written(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"{name}.csv"
    write_sample_table(name, "answer", path)
    with open_table(path) as table:
        rows = list(table.rows)
    assert table.header[-1] == "answer"
    assert len(rows) >= 150
    if name == "breast_cancer":
        assert table.header[0] == "mean_radius"
        assert {row[-1] for row in rows} == {"malignant", "benign"}


def test_an_unknown_table_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="sklearn:wine"):
        write_sample_table("titanic", "y", tmp_path / "t.csv")
    assert snake_case("od280/od315_of_diluted_wines") == "od280_od315_of_diluted_wines"
