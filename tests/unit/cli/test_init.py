"""`tide init`: what is found in a table, what is written, and what is refused."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cli.config_file import render_config
from cli.inspection import Contract, inspect, slug
from cli.personal import Look
from contracts.columns import ColumnKind
from contracts.config import parse_config
from contracts.errors import DataError
from contracts.evaluation import Problem
from tests.unit.cli.conftest import Tide, Write


def test_a_table_becomes_a_configuration(tide: Tide, churn: Path, tmp_path: Path) -> None:
    result = tide("init", "--data", str(churn), "--target", "Churn", "--id", "customer")
    assert result.exit_code == 0, result.output
    config = parse_config(yaml.safe_load((tmp_path / "tidewheel.yaml").read_text()))
    assert config.project == config.data.dataset == "telco-churn"
    assert config.data.table == "Telco Churn.csv"
    assert (config.data.problem, config.data.positive, config.data.id) == (Problem.BINARY, "Yes", "customer")
    assert config.data.features == {
        "amount": ColumnKind.NUMERIC,
        "plan": ColumnKind.CATEGORICAL,
        "paperless": ColumnKind.BOOLEAN,
        "joined": ColumnKind.DATETIME,
    }
    assert config.data.ignore == ("constant",)


def test_an_existing_configuration_is_kept(tide: Tide, churn: Path, tmp_path: Path) -> None:
    (tmp_path / "tidewheel.yaml").write_text("mine: true\n")
    result = tide("init", "--data", str(churn), "--target", "Churn")
    assert result.exit_code == 0
    assert "tidewheel.yaml.bak" in result.output
    assert (tmp_path / "tidewheel.yaml.bak").read_text() == "mine: true\n"
    assert yaml.safe_load((tmp_path / "tidewheel.yaml").read_text())["data"]["ignore"] == ["customer", "constant"]


@pytest.mark.parametrize(
    ("target", "values", "problem", "positive"),
    [
        ("rare", ["red"] * 30 + ["blue"] * 70, Problem.BINARY, "red"),
        ("word", ["malignant"] * 70 + ["benign"] * 30, Problem.BINARY, "malignant"),
        ("classes", ["a", "b", "c", "d"] * 25, Problem.MULTICLASS, None),
        ("levels", [str(n % 5) for n in range(100)], Problem.MULTICLASS, None),
        ("amount", [str(n / 7) for n in range(100)], Problem.REGRESSION, None),
    ],
)
def test_the_problem_follows_from_the_target(
    write_table: Write, target: str, values: list[str], problem: Problem, positive: str | None
) -> None:
    table = write_table(("x", target), [(number % 9, value) for number, value in enumerate(values)])
    contract = inspect(table, target)
    assert (contract.problem, contract.positive) == (problem, positive)
    assert any("set data.problem to regression" in note for note in contract.notes) is (target == "levels")


def test_words_for_missing_cells_are_missing_where_the_gate_reads_them_so(write_table: Write) -> None:
    rows = [
        (number % 9, "NA" if number % 5 else 0.5 + number, "null", "none" if number % 5 else "gold", "n/a" if number == 3 else number / 7)
        for number in range(100)
    ]
    contract = inspect(write_table(("x", "sparse", "void", "medal", "y"), rows), "y")
    assert contract.features == {"x": ColumnKind.NUMERIC, "medal": ColumnKind.CATEGORICAL}
    assert contract.ignore == {"sparse": "is missing in 80% of the rows", "void": "is empty"}
    assert contract.problem is Problem.REGRESSION


@pytest.mark.parametrize(
    ("content", "target", "said"),
    [
        (b"", "y", "is empty"),
        ("x,y\n1,é\n".encode("latin-1"), "y", "not UTF-8"),
        (b"x,Churn\n" + b"1,2\n" * 60, "churn", "did you mean Churn?"),
        (b"x,y\n" + b"1,2\n" * 5, "y", "5 rows"),
        (b"x,y\n" + b"1,2\n" * 60, "y", "at least two values"),
        (b"x,x,y\n" + b"1,1,2\n" * 60, "y", "more than one column 'x'"),
        (b"x,,y\n" + b"1,1,2\n" * 60, "y", "column 2"),
        (b"x;z;y\n" + b"1;1;2\n" * 60, "y", "semicolons between its cells"),
        (b"x\tz\ty\n" + b"1\t1\t2\n" * 60, "y", "tabs between its cells"),
        (b"x,y\n1,2\n3\n", "y", "row 3"),
        (b"x,y\n" + b"1,2\n1,3\n" * 60, "y", "no column that could be a feature"),
        (b"x,y\n" + b"".join(b"%d,t%d\n" % (n % 3, n) for n in range(200)), "y", "200 different texts"),
    ],
)
def test_a_table_that_cannot_be_used_says_why(tmp_path: Path, content: bytes, target: str, said: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=said):
        inspect(path, target)


def test_a_missing_file_and_a_time_that_is_none_are_refused(write_table: Write, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not there"):
        inspect(tmp_path / "nowhere.csv", "y")
    table = write_table(("when", "x", "y"), [(f"soon {n}", n % 7, n % 2) for n in range(60)])
    with pytest.raises(DataError, match="ISO 8601"):
        inspect(table, "y", time="when")


def test_numbers_with_a_few_texts_among_them_are_pointed_out(write_table: Write) -> None:
    rows = [("?" if n % 10 == 0 else n % 50, n % 7, f"k{n % 3}", "" if n % 9 else "x", n % 2) for n in range(100)]
    contract = inspect(write_table(("age", "x", "plan", "sparse", "y"), rows), "y")
    assert contract.features["age"] is ColumnKind.CATEGORICAL
    (note,) = [note for note in contract.notes if "is not numeric" in note]
    assert "'age'" in note
    assert "10 of its 100 cells" in note
    assert "'?'" in note


def test_columns_that_are_no_features_say_why(write_table: Write) -> None:
    rows = [(n, f"name {n}", "" if n % 5 else n, n % 7, n % 2) for n in range(100)]
    contract = inspect(write_table(("row_id", "name", "sparse", "x", "y"), rows), "y")
    assert contract.ignore.keys() == {"row_id", "name", "sparse"}
    assert contract.features.keys() == {"x"}


names = st.text(st.characters(codec="utf-8", exclude_characters="\n\r"), min_size=1, max_size=30).filter(lambda name: name.strip() != "")


@given(st.lists(names, min_size=4, max_size=8, unique=True), names)
def test_any_names_survive_the_file(columns: list[str], positive: str) -> None:
    target, identifier, ignored, *features = columns
    contract = Contract(
        target, Problem.BINARY, positive, identifier, None, dict.fromkeys(features, ColumnKind.NUMERIC), {ignored: "is empty"}, 500, ()
    )
    data = parse_config(yaml.safe_load(render_config("p", "d", "a b: c.csv", contract))).data
    assert (data.target, data.id, data.positive, list(data.features), data.ignore) == (target, identifier, positive, features, (ignored,))


@given(st.text(max_size=60))
def test_any_file_name_gives_a_project_name(name: str) -> None:
    contract = Contract("y", Problem.REGRESSION, None, None, None, {"x": ColumnKind.NUMERIC}, {}, 60, ())
    parse_config(yaml.safe_load(render_config(slug(name), slug(name), "t.csv", contract)))


PEOPLE = [(f"p{n % 7}@example.org", f"+44 20 7946 09{n % 10:02}", f"Ann {n}", n % 13, n, "yes" if n % 3 else "no") for n in range(100)]
HEADER = ("contact", "Phone", "fullName", "visits", "number", "left")


def test_what_looks_personal_is_hinted_at(tide: Tide, write_table: Write, tmp_path: Path) -> None:
    table = write_table(HEADER, PEOPLE)
    contract = inspect(table, "left")
    assert contract.personal == {"contact": "email addresses", "Phone": "phone numbers", "fullName": "names of people"}
    result = tide("init", "--data", str(table), "--target", "left")
    assert "'contact' looks like email addresses. Next, if it is personal data: --private-drop 'contact'" in " ".join(result.output.split())
    assert "contact: categorical # email addresses? data.privacy can drop or hash it" in (tmp_path / "tidewheel.yaml").read_text()
    assert parse_config(yaml.safe_load((tmp_path / "tidewheel.yaml").read_text())).data.privacy.columns == ()


def test_private_columns_are_dropped_or_hashed(tide: Tide, write_table: Write, tmp_path: Path) -> None:
    private = ["--private-drop", "fullName", "--private-drop", "Phone", "--private-hash", "contact", "--private-hash", "visits"]
    result = tide("init", "--data", str(write_table(HEADER, PEOPLE)), "--target", "left", *private)
    assert result.exit_code == 0, result.output
    assert "looks like" not in result.output
    data = parse_config(yaml.safe_load((tmp_path / "tidewheel.yaml").read_text())).data
    assert (data.privacy.drop, data.privacy.hash) == (("fullName", "Phone"), ("contact", "visits"))
    assert data.features == {
        "contact": ColumnKind.CATEGORICAL,
        "visits": ColumnKind.CATEGORICAL,
        "number": ColumnKind.NUMERIC,
    }


@pytest.mark.parametrize(
    ("private", "said"),
    [
        (["--private-drop", "nobody"], "--private-drop 'nobody' is no column of the table"),
        (["--private-hash", "fullName"], "is a different text in every row, so it is no feature. Next: --private-drop 'fullName'"),
        (["--private-drop", "left"], "privacy.drop 'left' is used"),
    ],
)
def test_a_private_column_that_makes_no_sense_says_why(tide: Tide, write_table: Write, private: list[str], said: str) -> None:
    result = tide("init", "--data", str(write_table(HEADER, PEOPLE)), "--target", "left", *private)
    assert said in str(result.exception)


@pytest.mark.parametrize(
    ("name", "cell", "what"),
    [
        ("E-Mail", "x", "email addresses"),
        ("customer_name", "x", "names of people"),
        ("name", "x", "names of people"),
        ("product_name", "x", None),
        ("BirthDate", "2001-01-01", "dates of birth"),
        ("home address", "x", "postal addresses"),
        ("a", "192.168.1.20", "IP addresses"),
        ("b", "123-45-6789", "social security numbers"),
        ("c", "DE89 3704 0044 0532 0130 00", "account numbers (IBAN)"),
        ("d", "3.5", None),
        ("ship", "x", None),
        ("plan", "basic", None),
    ],
)
def test_a_column_is_personal_by_its_name_or_its_cells(name: str, cell: str, what: str | None) -> None:
    look = Look()
    look.see(cell)
    assert look.personal(name) == what
