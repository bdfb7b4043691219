"""A row is a line for the model or has a reason, and which of the two is decided before anything is sent."""

import json

import pytest

from contracts.batch import rows
from contracts.batch.rows import Good, Rejected, find_columns
from contracts.columns import ColumnKind
from contracts.errors import DataError
from contracts.names import harmless

FEATURES = {"height": ColumnKind.NUMERIC, "moon": ColumnKind.CATEGORICAL, "wet": ColumnKind.BOOLEAN, "day": ColumnKind.DATETIME}
HEADER = ["moon", "name", "height", "extra", "wet", "day"]


def examined(*cells: list[str], **more: object) -> list[Good | Rejected]:
    columns, _ = find_columns("t.csv", HEADER, FEATURES, "name", **more)
    return list(columns.examine(enumerate(cells, 2)))


def test_a_row_becomes_what_the_model_server_takes() -> None:
    (row,) = examined([" full ", " c-1", "1.5", "x", "yes", "2026-01-02"])
    assert isinstance(row, Good)
    assert json.loads(row.line) == {
        "row": 2,
        "id": "c-1",
        "features": {"height": 1.5, "moon": "full", "wet": True, "day": "2026-01-02"},
    }
    assert row.line.endswith(b"}\n")


def test_missing_cells_are_null_and_are_sent() -> None:
    (row,) = examined(["", "", " ", "", "NA", ""])
    assert isinstance(row, Good)
    assert set(json.loads(row.line)["features"].values()) == {None}


def test_a_rejected_row_names_every_wrong_cell() -> None:
    bad, short = examined(["full", "c-1", "tall", "x", "maybe", "2026-01-02"], ["full", "c-2"])
    assert bad == Rejected(2, "c-1", "'height': 'tall' is not a number; 'wet': 'maybe' is not true or false")
    assert short == Rejected(3, "", "it has 2 cells; the header has 6")
    (quiet,) = examined(["full", "c-1", "tall", "x", "", ""], quoted=False)
    assert isinstance(quiet, Rejected)
    assert "tall" not in quiet.why


def test_a_row_that_no_mini_batch_can_hold_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "LONGEST_LINE", 100)
    (row,) = examined(["m" * 100, "c-1", "1", "", "", ""])
    assert isinstance(row, Rejected)
    assert "at most 100 can be sent" in row.why


def test_hashed_columns_are_hashed_before_they_are_sent_and_where_they_are_named() -> None:
    cells = ["full", "c-1", "tall", "", "", ""]
    hashed = {"hashed": frozenset({"moon", "name"}), "hasher": lambda column, text: f"<{column}>" if text else ""}
    good, bad = examined(["full", "c-1", "1", "", "", ""], cells, **hashed)
    assert isinstance(good, Good)
    assert (json.loads(good.line)["id"], json.loads(good.line)["features"]["moon"]) == ("<name>", "<moon>")
    assert b"full" not in good.line
    assert bad.id == "<name>"  # type: ignore[union-attr]  # it is rejected


def test_a_table_without_what_the_model_takes_is_refused() -> None:
    with pytest.raises(DataError, match="no column moon, wet, day"):
        find_columns("t.csv", ["height", "name"], FEATURES, "name")
    with pytest.raises(DataError, match="--no-id"):
        find_columns("t.csv", list(FEATURES), FEATURES, "name")
    _, left = find_columns("t.csv", HEADER, FEATURES, None)
    assert left == ["name", "extra"]


def test_a_table_with_two_columns_of_one_name_is_refused_without_a_word_of_it() -> None:
    with pytest.raises(DataError, match=r"share a name: 2, 7\. Next") as error:
        find_columns("t.csv", [*HEADER, "name"], FEATURES, None)
    assert "'name'" not in str(error.value)
    find_columns("t.csv", [*HEADER, "", ""], FEATURES, "name")


def test_no_reason_begins_like_a_formula() -> None:
    columns, _ = find_columns("t.csv", ["=1+1", "it's"], {"=1+1": ColumnKind.NUMERIC, "it's": ColumnKind.BOOLEAN}, None)
    for row in columns.examine([(2, ["=2+2", ""]), (3, ["", "@a"]), (4, ["-"])]):
        assert isinstance(row, Rejected)
        assert harmless(row.why) == row.why
