"""The contract check in every format: the same table gives the same columns and statistics, and findings say where."""

import random
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from contracts.config import Config, Data
from contracts.manifest import ColumnSummary
from contracts.privacy import Privacy
from contracts.statistics import Statistics
from contracts.tables.formats import Format
from lambdas.ingest_dataset.logic import check, make_manifest
from tests.formats import as_gzip, as_json_lines, as_parquet, write_parquet
from tests.unit.lambdas.ingest_dataset.test_logic import GOOD, HEADER, found, source, text


@pytest.fixture
def data(config: Config) -> Data:
    return config.data


def _rows(count: int, seed: int = 0) -> list[str]:
    """Rows as GOOD has them, with missing cells, and truth values that JSON and Parquet have as such."""
    chance = random.Random(seed)
    rows = []
    for number in range(1, count + 1):
        cells = [
            f"{chance.gauss(3, 1):.3f}",
            chance.choice(["red", "blue"]),
            chance.choice(["true", "false"]),
            f"2026-01-{number % 28 + 1:02}",
        ]
        cells = [cell if chance.random() < 0.9 else "" for cell in cells]
        rows.append(",".join([str(number), *cells, chance.choice(["rose", "tulip"])]))
    return rows


def _summary(content: bytes, format: Format, data: Data) -> tuple[ColumnSummary, ...]:  # noqa: A002 - what it is called
    report = check([source(content, format=format, name="batch")], data)
    assert found(report) == []
    return report.columns


@pytest.mark.parametrize("seed", range(3))
def test_the_same_table_has_the_same_columns_and_statistics_in_every_format(data: Data, seed: int) -> None:
    table = text(*_rows(80, seed)).decode()
    known = _summary(table.encode(), Format.CSV, data)
    assert _summary(as_gzip(table.encode()), Format.CSV_GZIP, data) == known
    assert _summary(as_json_lines(table), Format.JSON_LINES, data) == known
    assert _summary(as_gzip(as_json_lines(table)), Format.JSON_LINES_GZIP, data) == known
    assert _summary(as_parquet(table), Format.PARQUET, data) == known


def test_a_column_s_statistics_are_told(data: Data) -> None:
    columns = {column.name: column for column in _summary(text(*GOOD), Format.CSV, data)}
    petal = columns["petal"].statistics
    assert petal is not None
    assert (petal.present, petal.distinct, petal.minimum, petal.maximum, petal.mean) == (20, 20, 1.5, 20.5, 11.0)
    assert petal.standard_deviation == pytest.approx(5.916, abs=1e-3)
    kind = columns["kind"].statistics
    assert kind is not None
    assert [(each.value, each.rows) for each in kind.frequent] == [("rose", 10), ("tulip", 10)]
    seen = columns["seen"].statistics
    assert seen is not None
    assert (str(seen.earliest), str(seen.latest)) == ("2026-01-01 00:00:00+00:00", "2026-01-20 00:00:00+00:00")
    assert columns["id"].statistics is None


def test_of_a_private_column_only_counts_are_told(data: Data) -> None:
    private = data.model_copy(update={"privacy": Privacy(hash=("colour",))})
    columns = {column.name: column for column in _summary(text(*GOOD), Format.CSV, private)}
    assert columns["colour"].statistics == Statistics(present=20, distinct=1)
    assert "red" not in make_manifest(check([source(text(*GOOD))], private), private).to_json()


@pytest.mark.parametrize(
    ("content", "format", "findings"),
    [
        (
            as_json_lines(text(*GOOD).decode()) + b'{"petal": "tall"}\n',
            Format.JSON_LINES,
            ["column 'petal': 'tall' is not a number (row 21)"],
        ),
        (
            as_json_lines(text(*GOOD).decode()) + b"[]\n",
            Format.JSON_LINES,
            ["the line is no JSON object. Next: an object a line, (row 21)"],
        ),
        (b"", Format.JSON_LINES, ["the file is empty"]),
        (as_parquet(text(*GOOD, "21,inf,red,,,rose").decode()), Format.PARQUET, ["column 'petal': 'inf' is not a finite number (row 21)"]),
        (
            write_parquet(pa.table({"petal": [1.0], "kind": ["rose"]})),
            Format.PARQUET,
            ["column 'colour': the feature column is missing from the header"],
        ),
        (write_parquet(pa.table({"petal": [[1]]})), Format.PARQUET, ["column 'petal': holds list<"]),
        (text(*GOOD), Format.PARQUET, ["the file is not valid Parquet"]),
        (text(*GOOD), Format.CSV_GZIP, ["the file is not valid gzip"]),
        (text(*GOOD), Format.JSON_LINES, ["the line is not valid JSON: Expecting value: line 1 column 1 (char 0) (row 1)"]),
    ],
)
def test_what_is_wrong_is_said_with_its_place(data: Data, content: bytes, format: Format, findings: list[str]) -> None:  # noqa: A002
    said = found(check([source(content, format=format, name="batch")], data))
    for wanted in findings:
        first, _, place = wanted.partition("(row")
        assert any(each.startswith(first.strip()) and place in each for each in said), said


def test_where_there_are_private_columns_no_key_of_a_line_is_told(data: Data) -> None:
    private = data.model_copy(update={"privacy": Privacy(hash=("colour",))})
    for line in (b'{"Ada Lovelace": [1]}\n', b'{"Ada": 1, "Ada": 2}\n', b'{"petal": "Ada"}\n'):
        said = found(check([source(line, format=Format.JSON_LINES)], private))
        assert said
        assert "Ada" not in "".join(said)


def test_only_parquet_pays_for_the_library_that_reads_it() -> None:
    code = "import sys, lambdas.ingest_dataset.handler; sys.exit('pyarrow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[4], check=False).returncode == 0


def test_files_of_one_table_may_differ_in_format_and_order_of_columns(data: Data) -> None:
    rows = _rows(60)
    turned = [",".join(reversed(row.split(","))) for row in rows[30:]]
    first = source(text(*rows[:30]), name="a.csv")
    second = source(
        as_parquet(text(*turned, header=",".join(reversed(HEADER.split(",")))).decode()), format=Format.PARQUET, name="b.parquet"
    )
    report = check([second, first], data, is_folder=True)
    assert found(report) == []
    assert [(file.key.rpartition("/")[2], file.rows, file.format) for file in make_manifest(report, data).files] == [
        ("a.csv", 30, Format.CSV),
        ("b.parquet", 30, Format.PARQUET),
    ]
    whole = {column.name: column for column in check([source(text(*rows))], data).columns}
    for column in report.columns:
        assert column.missing == whole[column.name].missing
        if column.statistics and column.statistics.mean is not None:
            assert column.statistics.mean == pytest.approx(whole[column.name].statistics.mean)  # type: ignore[union-attr]  # it has some
        else:
            assert column == whole[column.name]


def test_files_with_other_columns_are_no_table(data: Data) -> None:
    other = source(text(*(f"{row},x" for row in GOOD), header=HEADER.replace("petal", "sepal") + ",more"), name="b.csv")
    said = found(check([source(text(*GOOD), name="a.csv"), other], data, is_folder=True))
    assert said == [
        "b.csv: column 'more': is not in the first file. Next: the same columns in every file",
        "b.csv: column 'petal': is missing, and the first file has it. Next: the same columns in every file",
        "b.csv: column 'sepal': is not in the first file. Next: the same columns in every file",
    ]


def test_a_finding_names_its_file_and_the_row_in_it(data: Data) -> None:
    bad = source(text(*GOOD, "21,tall,red,no,,rose"), name="b.csv")
    assert found(check([source(text(*GOOD), name="a.csv"), bad], data, is_folder=True)) == [
        "b.csv: column 'petal': 'tall' is not a number (row 22)"
    ]


def test_the_minimum_of_rows_is_the_whole_tables(data: Data) -> None:
    parts = [source(text(*GOOD[start : start + 5]), name=f"{start}.csv") for start in range(0, 20, 5)]
    assert found(check(parts, data, is_folder=True)) == []
    assert found(check(parts[:1], data, is_folder=True))
