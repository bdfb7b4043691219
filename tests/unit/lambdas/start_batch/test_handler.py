"""start_batch against an account: every look does what is next, however often and in whatever order events come."""

import errno
import json
from collections.abc import Callable
from typing import Any
from unittest.mock import DEFAULT, Mock

import pytest
from botocore.exceptions import ClientError

from contracts.batch.names import job_name
from contracts.batch.schedule import Plan
from lambdas.start_batch import batches, handler
from lambdas.start_batch.adapters import Store
from tests.unit.lambdas.account import METADATA, decisions, make_client
from tests.unit.lambdas.start_batch.waiting import ARTIFACTS, DATA, TABLE, answer, jobs, keys, plan_of, put, result

Client = Callable[[str], Any]
Golden = Callable[[str], dict[str, Any]]


def test_a_table_waits_for_the_first_model(monkeypatch: pytest.MonkeyPatch, account: Client, golden: Golden, context: Any) -> None:
    monkeypatch.setenv("BATCH_ROLE_ARN", "arn:aws:iam::123456789012:role/batch")
    assert handler.handle(golden("tick"), context) == {"batch": None, "finished": {}}
    batch = put("a.csv", TABLE)
    assert handler.handle(golden("tick"), context) == {"batch": batch, "finished": {}}
    assert keys(ARTIFACTS, "batch/") == []


def test_a_table_is_sent_predicted_and_its_result_put_beside_it(
    live: str, golden: Golden, context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = put("a.csv", TABLE)
    answer(batch, "00000", [(2, "a"), (4, "c")])  # before its job, which ends here as soon as it is made
    done = handler.handle(golden("tick"), context)
    assert done == {"batch": None, "finished": {f"s3://{DATA}/batch/input/a.csv": "2 of 3 rows predicted, 1 rejected, 0 failed"}}
    assert result(batch, "predictions.csv") == "row,id,prediction,probability\n2,a,rose,0.75\n4,c,rose,0.75\n"
    assert result(batch, "missing.csv") == "row,id,state,why\n3,b,rejected,'petal': a value is not a number\n"
    assert json.loads(result(batch, "summary.json"))["jobs"] == [job_name(batch, 0)]
    assert jobs() == [job_name(batch, 0)]
    assert keys(ARTIFACTS, "batch/") == []
    assert [(str(each.what), each.subject) for each in decisions()] == [("batch_incomplete", f"s3://{DATA}/batch/input/a.csv")]
    for event in ("tick", "transform_job_ended", "transform_job_ended"):
        assert handler.handle(golden(event), context) == {"batch": None, "finished": {}}
    assert jobs() == [job_name(batch, 0)]
    assert len(decisions()) == 1


def test_what_is_never_predicted_is_sent_again_once_and_then_failed(live: str, golden: Golden, context: Any) -> None:
    batch = put("a.csv", TABLE)
    handler.handle(golden("tick"), context)
    assert jobs() == [job_name(batch, 0), job_name(batch, 1)]
    assert [line.split(",")[:3] for line in result(batch, "missing.csv").splitlines()[1:]] == [
        ["3", "b", "rejected"],
        ["2", "a", "failed"],
        ["4", "c", "failed"],
    ]
    assert result(batch, "predictions.csv").splitlines() == ["row,id,prediction,probability"]


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"", "is empty"), (b"id,petal\n1,2\n", "no column colour"), (TABLE.splitlines()[0], "has no row"), (b'"', "not valid CSV")],
)
def test_a_table_that_is_none_is_finished_with_its_reason(live: str, golden: Golden, context: Any, content: bytes, why: str) -> None:
    batch = put("a.csv", content)
    handler.handle(golden("tick"), context)
    assert why in json.loads(result(batch, "summary.json"))["problem"]
    assert why in decisions()[0].why
    assert jobs() == []
    assert handler.handle(golden("tick"), context)["finished"] == {}


def no_signature(_: pytest.MonkeyPatch) -> None:
    make_client("s3").delete_object(Bucket=ARTIFACTS, Key=f"runs/{METADATA['Run']}/evaluation/signature.json")


def full_disk(patch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    patch.setattr(Store, "download", full)


@pytest.mark.parametrize(
    ("stop", "why"),
    [
        (lambda patch: patch.setattr(batches, "LARGEST_UPLOAD_BYTES", len(TABLE)), "at most 84 can be read"),
        (full_disk, "do not fit on the function's disk"),
        (no_signature, "cannot be read"),
    ],
)
def test_a_table_that_can_never_be_predicted_does_not_stop_the_next(
    live: str, golden: Golden, context: Any, monkeypatch: pytest.MonkeyPatch, stop: Callable[[pytest.MonkeyPatch], None], why: str
) -> None:
    first = put("a.csv", TABLE + b"d,3,red,yes,\n")
    with monkeypatch.context() as patch:
        stop(patch)
        assert handler.handle(golden("tick"), context)["batch"] is None
    assert why in json.loads(result(first, "summary.json"))["problem"]


def test_an_output_that_is_not_the_parts_finishes_its_table(live: str, golden: Golden, context: Any) -> None:
    first, second = put("a.csv", TABLE), put("b.csv", TABLE)
    answer(first, "00000", [(2, "a")])
    answer(second, "00000", [(2, "a"), (4, "c")])
    handler.handle(golden("tick"), context)
    assert "1 predictions for 2 rows" in json.loads(result(first, "summary.json"))["problem"]
    assert result(second, "predictions.csv").count("rose") == 2
    assert keys(ARTIFACTS, "batch/") == []


@pytest.mark.filterwarnings("ignore:No application metrics")
@pytest.mark.parametrize("last", range(1, 9))
def test_an_invocation_that_died_is_made_good_by_the_next_one(
    live: str, golden: Golden, context: Any, monkeypatch: pytest.MonkeyPatch, last: int
) -> None:
    """It dies after one of its writes to S3: who predicts, the part, what is not sent, the plan, its end, and the result's three files."""
    batch = put("a.csv", TABLE)
    answer(batch, "00000", [(2, "a"), (4, "c")])
    s3, writes = make_client("s3"), list[str]()
    original = s3.put_object

    def dying(**request: Any) -> Any:
        reply = original(**request)
        writes.append(request["Key"])
        if len(writes) == last:
            raise ConnectionError("the function died")
        return reply

    with monkeypatch.context() as patch:
        patch.setattr(s3, "put_object", dying)
        with pytest.raises(ConnectionError):
            handler.handle(golden("tick"), context)
    handler.handle(golden("tick"), context)
    assert result(batch, "predictions.csv").count("rose") == 2
    assert jobs() == [job_name(batch, 0)]
    assert len(decisions()) == 1


def test_the_first_plan_counts(live: str, golden: Golden, context: Any) -> None:
    """Another invocation planned the table, and its job runs: this one waits."""
    batch = put("a.csv", TABLE)
    plan_of(batch, live)
    answer(batch, "00000", [(2, "z")])
    handler.handle(golden("tick"), context)
    assert result(batch, "predictions.csv").splitlines()[1:] == ["2,z,rose,0.75"]


def test_of_two_invocations_that_plan_one_round_the_first_one_counts(account: Client) -> None:
    store = Store(account("s3"), DATA, ARTIFACTS)
    for package in ("first", "second"):
        store.write_plan("b", 0, Plan(package=package, rejected=0, parts=()))
    assert [plan.package for plan in store.plans("b")] == ["first"]


def test_a_first_write_that_meets_a_deletion_is_tried_again(account: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    s3 = account("s3")
    conflict = ClientError({"Error": {"Code": "ConditionalRequestConflict"}}, "PutObject")
    monkeypatch.setattr(s3, "put_object", Mock(side_effect=[conflict, DEFAULT], wraps=s3.put_object))
    assert Store(s3, DATA, ARTIFACTS).first("k", "text") == "text"
