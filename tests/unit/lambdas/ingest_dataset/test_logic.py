"""The data contract: every mistake is found in one pass, with its column, first row and count; a good table is summarised."""

import csv
import hashlib
import io
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.columns import ColumnKind
from contracts.config import Config, Data
from contracts.evaluation import Problem
from contracts.tables import delimited, formats
from contracts.tables.formats import Format
from contracts.tables.sources import Digested
from lambdas.ingest_dataset.logic import Report, check
from lambdas.ingest_dataset.reading import Source

HEADER = "id,petal,colour,wild,seen,kind"
GOOD = [
    f"{number},{number}.5,red,{'yes' if number % 3 else 'no'},2026-01-{number:02},{'rose' if number % 2 else 'tulip'}"
    for number in range(1, 21)
]


@pytest.fixture
def data(config: Config) -> Data:
    return config.data


def text(*rows: str, header: str = HEADER) -> bytes:
    return ("\n".join([header, *rows]) + "\n").encode()


def source(*chunks: bytes, format: Format = Format.CSV, name: str = "batch.csv") -> Source:  # noqa: A002 - what it is called
    return Source("data-bucket", f"uploads/flowers/{name}", "v1", format, chunks)


def look(content: bytes, data: Data, size: int = 7) -> Report:
    """Fed in small chunks, so that cells, characters and line ends are cut in the middle."""
    return check([source(*(content[start : start + size] for start in range(0, len(content), size)))], data)


def found(report: Report) -> list[str]:
    return [str(finding) for finding in report.findings]


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_good_table(data: Data, mark: bytes, end: str) -> None:
    content = mark + text(*GOOD).replace(b"\n", end.encode())
    report = look(content, data)
    assert found(report) == []
    assert (report.rows, report.size, report.files[0].sha256) == (20, len(content), hashlib.sha256(content).hexdigest())
    assert [(column.name, column.role, column.kind) for column in report.columns] == [
        ("id", "id", None),
        ("petal", "feature", ColumnKind.NUMERIC),
        ("colour", "feature", ColumnKind.CATEGORICAL),
        ("wild", "feature", ColumnKind.BOOLEAN),
        ("seen", "feature", ColumnKind.DATETIME),
        ("kind", "target", None),
    ]


def test_missing_cells_are_counted_and_rows_without_a_target_are_not(data: Data) -> None:
    report = look(text(*GOOD, "21,NA,NA,,null,", "22,,green,no,,rose"), data)
    assert found(report) == []
    assert report.rows == 21
    assert {column.name: column.missing for column in report.columns} == {"id": 0, "petal": 2, "colour": 0, "wild": 1, "seen": 2, "kind": 1}


def test_cells_that_repeat_are_counted_each_time(data: Data) -> None:
    report = look(text(*GOOD, *["21,NA,NA,,null,", "22,tall,red,no,,rose"] * 3), data)
    assert {column.name: column.missing for column in report.columns}["petal"] == 3
    assert found(report) == ["column 'petal': 'tall' is not a number (row 23, and 2 more)"]
    timed = look(text(*GOOD, *["21,1,red,no,,rose"] * 3), data.model_copy(update={"time": "seen"}))
    assert found(timed) == ["column 'seen': the time is missing (row 22, and 2 more)"]


def test_more_columns_are_ignored_and_noted(data: Data) -> None:
    report = look(text(*(f"{row},more" for row in GOOD), header=HEADER + ",extra"), data)
    assert found(report) == []
    assert report.columns[-1].role == "ignored"


@pytest.mark.parametrize(
    ("content", "findings"),
    [
        (b"", ["the file is empty"]),
        (b"\n\n", ["the file is empty"]),
        (text(), ["0 rows have a target; at least 10 are needed"]),
        (text(*GOOD[:9]), ["9 rows have a target; at least 10 are needed"]),
        (text(*GOOD).decode().encode("utf-16"), ["the file is not UTF-8 text"]),
        (text(*GOOD, "21,\xff,red,no,,rose").decode().encode("latin-1"), ["the file is not UTF-8 text"]),
        (text(*GOOD, '21,"1.5,red,no,,rose'), ["the file is not valid CSV: unexpected end of data (row 22)"]),
        (text(*GOOD, '21,"1"5,red,no,,rose'), ["the file is not valid CSV: ',' expected after '\"' (row 22)"]),
        (text(*GOOD, "21,1.5,red", "22"), ["the row has 3 cells, the header 6 (row 22, and 1 more)"]),
        (text(*GOOD, "21,tall,red,no,,rose", "22,wide,red,no,,rose"), ["column 'petal': 'tall' is not a number (row 22, and 1 more)"]),
        (text(*GOOD, "21,1,red,perhaps,,rose"), ["column 'wild': 'perhaps' is not true or false (row 22)"]),
        (text(*GOOD, "21,1,red,no,soon,rose"), ["column 'seen': 'soon' is not an ISO 8601 date or time (row 22)"]),
        (text(*GOOD, "21,1,red,no,,daisy"), ["column 'kind': must hold 'rose' and one other value, but holds 'daisy', 'rose', 'tulip'"]),
        (
            text(*(row.replace("tulip", "rose") for row in GOOD)),
            ["column 'kind': only one value, 'rose'; a model has nothing to tell apart"],
        ),
        (
            text(*GOOD, header="id,petal,petal,wild,seen,kind"),
            ["column 'petal': occurs 2 times in the header", "column 'colour': the feature column is missing from the header"],
        ),
        (
            text(*GOOD, header="id,petal,colour,wild,,label"),
            [
                "column 5 has no name (row 1)",
                "column 'kind': the target column is missing from the header",
                "column 'seen': the feature column is missing from the header",
            ],
        ),
        (
            text(*GOOD[:10], *("9,,red,no,,rose" for _ in range(20))),
            [
                "column 'petal': 67% of the cells are missing; at most 50% may be",
                "column 'seen': 67% of the cells are missing; at most 50% may be",
            ],
        ),
    ],
)
def test_what_is_wrong_is_said(data: Data, content: bytes, findings: list[str]) -> None:
    report = look(content, data)
    assert found(report) == findings
    assert (report.size, report.files[0].sha256) == (len(content), hashlib.sha256(content).hexdigest())


def test_all_mistakes_are_said_at_once_and_at_most_twenty(data: Data) -> None:
    wide = data.model_copy(update={"features": {f"f{number}": ColumnKind.NUMERIC for number in range(40)}})
    report = look(text("1", header="kind"), wide)
    assert len(report.findings) == 21
    assert str(report.findings[-1]) == "and 23 more kinds of mistake"  # 40 features, the id, too few rows, one class


def test_a_regression_target_must_be_a_number(data: Data) -> None:
    numeric = data.model_copy(update={"problem": Problem.REGRESSION, "positive": None, "target": "price"})
    rows = [f"{row.rsplit(',', 1)[0]},{number}" for number, row in enumerate(GOOD)]
    header = HEADER.replace("kind", "price")
    assert found(look(text(*rows, header=header), numeric)) == []
    assert found(look(text(*rows, "9,1,red,no,,dear", header=header), numeric)) == ["column 'price': 'dear' is not a number (row 22)"]


def test_a_row_without_its_time_is_a_mistake(data: Data) -> None:
    timed = data.model_copy(update={"time": "seen"})
    assert found(look(text(*GOOD, "21,1,red,no,,rose"), timed)) == ["column 'seen': the time is missing (row 22)"]


def test_a_file_without_line_ends_stops_early(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "LONGEST_LINE", 1000)
    read = 0

    def endless() -> Iterator[bytes]:
        nonlocal read
        for _ in range(100):
            read += 1
            yield b"x" * 1000

    report = check([Source("data-bucket", "uploads/flowers/batch.csv", "v1", Format.CSV, endless())], data)
    assert found(report) == ["the file is not valid CSV: a line has more than 1000 characters (row 1)"]
    assert (read, report.size) == (100, 100_000)


@given(
    st.lists(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), min_size=3, max_size=3), max_size=8), st.integers(1, 9)
)
def test_rows_come_out_as_they_went_in_whatever_the_chunks(cells: list[list[str]], size: int) -> None:
    buffer = io.StringIO()
    csv.writer(buffer, quoting=csv.QUOTE_ALL).writerows(cells)
    content = buffer.getvalue().encode()
    file = Digested(content[start : start + size] for start in range(0, len(content), size))
    assert [row for _, row in delimited.rows(file)] == cells
    assert file.drain() == hashlib.sha256(content).hexdigest()


PIECES = [b",", b"\n", b"\r", b'"', b"kind", b"petal", b"rose", b"1", b"\xff", b"\x00", b" ", HEADER.encode()]


@given(content=st.one_of(st.binary(max_size=300), st.lists(st.sampled_from(PIECES)).map(b"".join)))
def test_any_bytes_end_in_a_report(content: bytes) -> None:
    data = Data(dataset="d", target="kind", problem=Problem.BINARY, positive="rose", features={"petal": ColumnKind.NUMERIC})
    report = look(content, data)
    assert report.findings
    assert (report.size, report.files[0].sha256) == (len(content), hashlib.sha256(content).hexdigest())


def test_a_binary_target_is_compared_without_surrounding_blanks(data: Data) -> None:
    assert found(look(text(*(row.replace("rose", " rose ") for row in GOOD)), data)) == []
