"""Tables that are replaced meanwhile, packages that are gone, and looks that come at the same time."""

import json
from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

import pytest
from botocore.client import BaseClient

from contracts.batch.names import job_name
from contracts.batch.schedule import INPUT, rejected_key
from lambdas.start_batch import handler
from tests.unit.lambdas.account import decisions, make_client, register, serve
from tests.unit.lambdas.start_batch.waiting import ARTIFACTS, DATA, TABLE, answer, jobs, keys, models, plan_of, put, result

Golden = Callable[[str], dict[str, Any]]

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")  # of looks that die, or are overtaken


def test_a_package_that_is_gone_finishes_its_table_and_the_next_one_is_reached(live: str, golden: Golden, context: Any) -> None:
    first, second = put("a.csv", TABLE), put("b.csv", TABLE)
    plan_of(first, live.replace("/1", "/9"))
    answer(second, "00000", [(2, "a"), (4, "c")])
    handler.handle(golden("tick"), context)
    assert "flowers-dev/9 is gone" in json.loads(result(first, "summary.json"))["problem"]
    assert jobs() == [job_name(second, 0)]


def test_a_live_package_that_is_gone_is_its_tables_failure(live: str, golden: Golden, context: Any) -> None:
    serve(live.replace("/1", "/9"))
    batches_ = [put(name, TABLE) for name in ("a.csv", "b.csv")]
    handler.handle(golden("tick"), context)
    assert all("is gone" in json.loads(result(batch, "summary.json"))["problem"] for batch in batches_)


@pytest.fixture
def begun(live: str, golden: Golden, context: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    """A batch with its model, whose job could not be started yet."""
    batch = put("a.csv", TABLE)
    with monkeypatch.context() as patch:
        patch.setattr(make_client("sagemaker"), "create_transform_job", Mock(side_effect=ConnectionError))
        with pytest.raises(ConnectionError):
            handler.handle(golden("tick"), context)
    assert models() == ["model-1", batch]
    return batch


def test_a_table_that_is_replaced_meanwhile_is_finished_and_the_new_one_predicted(begun: str, golden: Golden, context: Any) -> None:
    new = put("a.csv", TABLE + b"d,4,red,no,\n")
    answer(begun, "00000", [(2, "a"), (4, "c")])
    handler.handle(golden("tick"), context)
    assert [json.loads(result(batch, "summary.json"))["rows"] for batch in (begun, new)] == [3, 4]
    assert json.loads(result(begun, "summary.json"))["source"].startswith(f"s3://{DATA}/{INPUT}a.csv?versionId=")
    for _ in range(2):
        put("a.csv", TABLE)
    assert len(handler.handle(golden("transform_job_ended"), context)["finished"]) == 1, "the first of them had not begun"
    assert (models(), keys(ARTIFACTS, "batch/"), len(decisions())) == (["model-1"], [], 3)


def test_of_a_table_that_is_deleted_for_good_meanwhile_nothing_stays(begun: str, golden: Golden, context: Any) -> None:
    (version,) = make_client("s3").list_object_versions(Bucket=DATA, Prefix=INPUT)["Versions"]
    make_client("s3").delete_object(Bucket=DATA, Key=INPUT + "a.csv", VersionId=version["VersionId"])
    assert handler.handle(golden("tick"), context) == {"batch": None, "finished": {}}
    assert (models(), keys(ARTIFACTS, "batch/"), keys(DATA, "batch/")) == (["model-1"], [], [])


def test_what_expired_on_its_way_finishes_its_table(begun: str, golden: Golden, context: Any) -> None:
    answer(begun, "00000", [(2, "a"), (4, "c")])
    make_client("s3").delete_object(Bucket=ARTIFACTS, Key=rejected_key(begun))
    handler.handle(golden("tick"), context)
    assert "rejected.csv cannot be read any more" in json.loads(result(begun, "summary.json"))["problem"]


def test_ids_are_byte_for_byte_those_of_the_table(live: str, golden: Golden, context: Any) -> None:
    batch = put("a.csv", b'id,petal,colour,wild,seen\n"A\r\n\nB",long,red,yes,\n=1+1,1,red,yes,\n')
    answer(batch, "00000", [(3, "=1+1")])
    handler.handle(golden("tick"), context)
    assert result(batch, "missing.csv").split("\n", 1)[1].startswith('2,"A\r\n\nB",rejected,')
    assert result(batch, "predictions.csv").splitlines()[1] == "3,=1+1,rose,0.75"


@pytest.mark.parametrize(
    ("operation", "about", "answered"),
    [
        ("ListObjectVersions", INPUT, True),
        ("DescribeEndpoint", "", True),
        ("GetObject", "plan-0", False),
        ("DescribeTransformJob", "", False),
        ("CreateTransformJob", "", True),
        ("PutObject", "ended", False),
        ("PutObject", "predictions.csv", True),
        ("PutObject", "summary.json", True),
    ],
)
def test_another_look_at_any_moment_changes_nothing(
    live: str, golden: Golden, context: Any, monkeypatch: pytest.MonkeyPatch, operation: str, about: str, answered: bool
) -> None:
    """Another one comes before a call of a look, and does everything that is to be done."""
    batch = put("a.csv", TABLE)
    if answered:
        answer(batch, "00000", [(2, "a"), (4, "c")])
    original = BaseClient._make_api_call  # type: ignore[attr-defined]  # botocore's stubs leave it out
    others: list[dict[str, Any]] = []

    def overtaken(client: Any, called: str, request: Any) -> Any:
        if not others and called == operation and about in str(request):
            others.append({})
            others.append(handler.handle(golden("transform_job_ended"), context))
        return original(client, called, request)

    with monkeypatch.context() as patch:
        patch.setattr(BaseClient, "_make_api_call", overtaken)
        done = handler.handle(golden("tick"), context)
    assert [bool(each["finished"]) for each in (*others[1:], done)] == [True, False]
    summary = json.loads(result(batch, "summary.json"))
    assert (summary["problem"], summary["predicted"], summary["failed"]) == (("", 2, 0) if answered else ("", 0, 2))
    assert result(batch, "predictions.csv").count("rose") == summary["predicted"]
    assert len(result(batch, "missing.csv").splitlines()) == 4 - summary["predicted"]
    assert jobs() == summary["jobs"]
    assert len(decisions()) == 1
    assert keys(ARTIFACTS, "batch/") == []
    assert models() == ["model-1"]


def test_a_version_that_goes_live_while_a_table_is_read_does_not_mix_with_the_one_that_predicts(
    live: str, golden: Golden, context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch, newer = put("a.csv", TABLE), register("Approved")
    answer(batch, "00000", [(2, "a"), (4, "c")])
    with monkeypatch.context() as patch:
        patch.setattr(make_client("s3"), "download_file", Mock(side_effect=ConnectionError))
        with pytest.raises(ConnectionError):
            handler.handle(golden("tick"), context)
    serve(newer)
    handler.handle(golden("tick"), context)
    assert json.loads(result(batch, "summary.json"))["package"] == live
