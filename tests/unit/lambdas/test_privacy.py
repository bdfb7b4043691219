"""Where there are private columns, ingest_dataset and record_feedback tell no cell: not in findings, decisions, logs, or copies."""

import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.config import Config, Data
from contracts.privacy import Privacy
from contracts.refusal import Refusal
from lambdas.ingest_dataset import handler as ingest
from lambdas.ingest_dataset.logic import check
from lambdas.record_feedback import handler as feedback
from tests.unit.lambdas.account import decisions
from tests.unit.lambdas.conftest import Context
from tests.unit.lambdas.ingest_dataset.test_logic import GOOD, HEADER, source, text

Client = Callable[[str], Any]
SECRET = "Zanzibar"
PRIVATE = Privacy(drop=("name",), hash=("colour", "id"))


@pytest.fixture
def config(config: Config) -> Config:
    """The same project, with private columns."""
    return config.model_copy(update={"data": config.data.model_copy(update={"privacy": PRIVATE})})


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What both functions log."""
    written = io.StringIO()
    for function in (ingest, feedback):
        monkeypatch.setattr(function.logger.registered_handler, "stream", written)
    return written


@pytest.fixture
def stored(account: Client) -> Callable[[], dict[str, str]]:
    """Everything in the data bucket but what was uploaded, by key."""

    def read() -> dict[str, str]:
        s3 = account("s3")
        keys = [item["Key"] for item in s3.list_objects_v2(Bucket="data-bucket").get("Contents", [])]
        made = [key for key in keys if not key.startswith(("uploads/", "feedback/"))]
        return {key: s3.get_object(Bucket="data-bucket", Key=key)["Body"].read().decode() for key in made}

    return read


def slipped(rows: int = 20) -> list[str]:
    """Rows whose cells have moved by one column, so that every column holds somebody's secret."""
    return [f"{number},{SECRET} 1,{SECRET} 2,{SECRET} 3,{SECRET} 4,{SECRET} {number}" for number in range(rows)]


@pytest.mark.parametrize(
    "content",
    [text(*slipped()), text(*slipped(), header=f"{SECRET},{SECRET},={SECRET}"), text(*GOOD, f'1,"{SECRET}'), f"{SECRET}".encode()],
)
def test_a_refused_table_is_neither_quoted_nor_copied(
    account: Client, stored: Callable[[], dict[str, str]], log: io.StringIO, event: Any, context: Context, content: bytes
) -> None:
    key = "uploads/flowers/batch.csv"
    version = account("s3").put_object(Bucket="data-bucket", Key=key, Body=content)["VersionId"]
    ingest.handle(event("upload_created", key=key, version_id=version), context)
    ((place, reason),) = stored().items()
    assert place.endswith("/reason.json")
    refusal = Refusal.model_validate_json(reason)
    assert (refusal.key, refusal.version_id) == (key, version), "where the table is"
    (decision,) = decisions()
    assert SECRET not in reason + decision.why + log.getvalue()
    assert "decided" in log.getvalue()


def test_a_finding_still_says_where(config: Config) -> None:
    report = check([source(text(*slipped()))], config.data)
    assert [str(finding) for finding in report.findings] == [
        "column 'petal': a value is not a number (row 2, and 19 more)",
        "column 'wild': a value is not true or false (row 2, and 19 more)",
        "column 'seen': a value is not an ISO 8601 date or time (row 2, and 19 more)",
        "column 'kind': must hold 'rose' and one other value, but holds 20 values",
    ]


def test_a_good_table_is_as_good_as_without(config: Config) -> None:
    rows = [f"{row},{SECRET}" for row in GOOD]
    report = check([source(text(*rows, header=f"{HEADER},name"))], config.data)
    assert report.findings == ()
    assert {column.name: column.role for column in report.columns}["name"] == "ignored"


@given(
    st.lists(st.lists(st.sampled_from(["1", "red", "", f"x{SECRET}", SECRET]), max_size=8), max_size=25),
    st.booleans(),
    st.binary(max_size=3),
)
def test_no_table_is_ever_quoted(rows: list[list[str]], headed: bool, end: bytes) -> None:
    lines = [",".join(row) for row in rows]
    content = (text(*lines) if headed else "\n".join(lines).encode()) + SECRET.encode() + end
    report = check([source(content)], DATA)
    assert SECRET not in "".join(map(str, report.findings))


DATA = Data.model_validate(
    {
        "dataset": "flowers",
        "target": "kind",
        "problem": "binary",
        "positive": "rose",
        "id": "id",
        "features": {"petal": "numeric", "colour": "categorical", "wild": "boolean", "seen": "datetime"},
        "privacy": PRIVATE,
        "quality": {"minimum_rows": 10},
    }
)


@pytest.fixture
def refused_labels(account: Client, event: Any, context: Context) -> Iterator[dict[str, Any]]:
    """What record_feedback says of a file with good and bad labels."""
    content = f"inference_id,label\na,rose\n{SECRET}@example.org,rose\nb,\n".encode()
    version = account("s3").put_object(Bucket="data-bucket", Key="feedback/march.csv", Body=content)["VersionId"]
    yield feedback.handle(event("upload_created", key="feedback/march.csv", version_id=version), context)


def test_refused_labels_are_named_by_row(log: io.StringIO, refused_labels: dict[str, Any], stored: Callable[[], dict[str, str]]) -> None:
    assert refused_labels["count"] == 1
    assert SECRET not in log.getvalue() + "".join(stored().values())
    (listed,) = [body for key, body in stored().items() if key.endswith("march.csv")]
    assert listed.splitlines()[1].startswith('3,,,"a value is not an id that a prediction has')


def test_a_caller_is_told_and_the_log_is_not(account: Client, log: io.StringIO, golden: Any, context: Context) -> None:
    body = json.dumps({"inference_id": f"{SECRET}@example.org", "label": "rose"})
    reply = feedback.handle(golden("feedback_request") | {"body": body}, context)
    assert reply["statusCode"] == 422
    assert SECRET in reply["body"]
    assert "refused" in log.getvalue()
    assert SECRET not in log.getvalue()
