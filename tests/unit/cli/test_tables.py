"""CSV tables: samples and prediction records."""

from pathlib import Path

import pytest

from cli.demo.samples import TABLES, snake_case, write_sample_table
from cli.tables import open_table, read_records, sha256_of, write_sample
from contracts.columns import ColumnKind
from contracts.errors import DataError
from tests.formats import as_gzip, as_json_lines, as_parquet, write_folder
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


TEXT = "n,when,kind\n" + "".join(f"{number}.5,2026-01-{number % 28 + 1:02},{'ab'[number % 2]}\n" for number in range(30))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.jsonl", as_json_lines(TEXT)),
        ("t.parquet", as_parquet(TEXT)),
        ("t.csv.gz", as_gzip(TEXT.encode())),
        ("t.data", TEXT.encode()),
    ],
)
def test_a_table_reads_alike_in_every_format(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / "t.csv").write_text(TEXT)
    (tmp_path / name).write_bytes(content)
    with open_table(tmp_path / "t.csv") as known, open_table(tmp_path / name) as found:
        assert (found.header, list(found.rows)) == (known.header, list(known.rows))
    features = {"n": ColumnKind.NUMERIC, "kind": ColumnKind.CATEGORICAL}
    assert read_records(tmp_path / name, features, 2) == [{"n": 0.5, "kind": "a"}, {"n": 1.5, "kind": "b"}]


def test_a_folder_is_one_table(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(TEXT)
    folder = write_folder(TEXT, tmp_path / "folder")
    turned = [",".join(reversed(line.split(","))) for line in TEXT.splitlines()[:2]]
    (folder / "part-4.csv").write_text("\n".join(turned) + "\n")
    (folder / "_SUCCESS").touch()
    with open_table(tmp_path / "t.csv") as known, open_table(folder) as found:
        rows = list(known.rows)
        assert (found.header, list(found.rows)) == (known.header, [*rows, rows[0]])


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("part-9.csv", "n,when,more\n1,2,3\n", "do not both have a column 'kind'"),
        ("part-9.csv", "n,when,kind\n1,2\n", "part-9.csv has 2 cells"),
        ("part-9.jsonl", '{"n": 1}\n[]\n', "part-9.jsonl"),
        ("notes.txt", "hello", "'notes.txt' is no table"),
        ("inner/part.csv", "n\n", "inner is no file"),
    ],
)
def test_a_folder_that_is_no_table_says_which_file(tmp_path: Path, name: str, content: str, problem: str) -> None:
    folder = write_folder(TEXT, tmp_path / "folder")
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(content)
    with pytest.raises(DataError, match=problem), open_table(folder) as table:
        list(table.rows)


@pytest.mark.parametrize(("name", "content"), [("t.parquet", b"PAR1"), ("t.jsonl", b"[]"), ("t.csv.gz", b"a,b\n")])
def test_a_broken_file_says_where_and_what(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=name), open_table(tmp_path / name) as table:
        list(table.rows)
