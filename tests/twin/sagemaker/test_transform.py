"""Batch transform really sends what is in S3 to a model server, and accounts for every object of its input."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from tests.twin.sagemaker.conftest import IMAGE, Account, until
from twin.sagemaker.transform_records import Filter, Processing, RecordError, lines, mini_batches, outputs

LINES = "application/jsonlines"
JOIN = {"InputFilter": "$.features", "JoinSource": "Input", "OutputFilter": "$['row','SageMakerOutput']"}
ENDED = {"Completed", "Failed", "Stopped"}


@pytest.fixture
def jobs(account: Account) -> Account:
    """An account with a model `m`, whose server is flaky twice."""
    account.model("m", "one", FAILS="2")
    return account


def put(account: Account, name: str, *features: dict[str, Any]) -> None:
    body = "".join(json.dumps({"row": row, "features": each}) + "\n" for row, each in enumerate(features))
    account.s3.put_object(Bucket="data", Key=f"batch/in/{name}", Body=body.encode())


def request(**changes: Any) -> dict[str, Any]:
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://data/batch/in/"}}
    return {
        "TransformJobName": "t",
        "ModelName": "m",
        "BatchStrategy": "MultiRecord",
        "TransformInput": {"DataSource": source, "ContentType": LINES, "SplitType": "Line"},
        "TransformOutput": {"S3OutputPath": "s3://data/batch/out", "Accept": LINES, "AssembleWith": "Line"},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
        "DataProcessing": JOIN,
    } | changes


def ended(account: Account) -> dict[str, Any]:
    found: dict[str, Any] = until(
        lambda: account.sagemaker.describe_transform_job(TransformJobName="t"), lambda job: job["TransformJobStatus"] in ENDED
    )
    return found


def run(account: Account, **changes: Any) -> dict[str, Any]:
    account.sagemaker.create_transform_job(**request(**changes))
    return ended(account)


def written(account: Account) -> dict[str, list[dict[str, Any]]]:
    """The outputs by name."""
    found = account.s3.list_objects_v2(Bucket="data", Prefix="batch/out/").get("Contents", [])
    bodies = {each["Key"]: account.s3.get_object(Bucket="data", Key=each["Key"])["Body"].read() for each in found}
    return {key.removeprefix("batch/out/"): [json.loads(line) for line in body.splitlines()] for key, body in bodies.items()}


def data_log(account: Account) -> list[str]:
    stream = {"logGroupName": "/aws/sagemaker/TransformJobs", "logStreamName": "t/algo-1/data-log"}
    return [event["message"] for event in account.cloud.client("logs").get_log_events(**stream)["events"]]


def test_every_object_has_its_answers_joined_with_its_rows(jobs: Account) -> None:
    put(jobs, "a.jsonl", {"x": 1}, {"x": 2})
    put(jobs, "deep/b.jsonl", {"x": 3})
    job = run(jobs, Environment={"OWN": "1"}, MaxConcurrentTransforms=2, MaxPayloadInMB=3)
    assert job["TransformJobStatus"] == "Completed"
    assert job["TransformEndTime"] >= job["TransformStartTime"] >= job["CreationTime"]
    found = written(jobs)
    assert set(found) == {"a.jsonl.out", "deep/b.jsonl.out"}
    assert [(row["row"], row["SageMakerOutput"]["record"]) for row in found["a.jsonl.out"]] == [(0, {"x": 1}), (1, {"x": 2})]
    said = found["a.jsonl.out"][0]["SageMakerOutput"]
    assert (said["of"], said["type"], said["accept"]) == (2, LINES, LINES)
    assert said["variables"] == {
        "SAGEMAKER_BATCH": "true",
        "SAGEMAKER_BATCH_STRATEGY": "MULTI_RECORD",
        "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": "2",
        "SAGEMAKER_MAX_PAYLOAD_IN_MB": "3",
    }
    statuses = [each["TransformJobStatus"] for each in jobs.events.details("SageMaker Transform Job State Change")]
    assert statuses == ["InProgress", "Completed"]
    assert not (jobs.cloud.folder / "sagemaker" / "transform-jobs" / "t").exists()


def test_single_records_without_a_join_come_as_they_are(jobs: Account) -> None:
    put(jobs, "a.jsonl", {"x": 1}, {"x": 2})
    assert run(jobs, BatchStrategy="SingleRecord", DataProcessing={})["TransformJobStatus"] == "Completed"
    (found,) = written(jobs).values()
    assert [each["of"] for each in found] == [1, 1]
    assert found[1]["record"] == {"row": 1, "features": {"x": 2}}


def test_an_object_with_a_bad_record_has_no_output_and_the_others_have_theirs(jobs: Account) -> None:
    for name, word in (("a", ""), ("b", "bad"), ("c", "silent"), ("d", "")):
        put(jobs, name, {"be": word}, {"be": ""})
    job = run(jobs)
    assert job["TransformJobStatus"] == "Failed"
    assert job["FailureReason"] == "ClientError: See job logs for more information (2 of the input's objects have no output)"
    assert set(written(jobs)) == {"a.out", "d.out"}
    bad, silent = data_log(jobs)
    assert "s3://data/batch/in/b" in bad
    assert "be is wrong" in bad
    assert "1 lines for 2 records" in silent


@pytest.mark.parametrize(("retries", "status"), [(1, "Failed"), (None, "Completed")])
def test_what_fails_is_asked_again_as_often_as_the_job_says(jobs: Account, retries: int | None, status: str) -> None:
    put(jobs, "a", {"be": "flaky"})
    client = {} if retries is None else {"ModelClientConfig": {"InvocationsMaxRetries": retries, "InvocationsTimeoutInSeconds": 5}}
    assert run(jobs, **client)["TransformJobStatus"] == status


def test_a_container_that_dies_fails_the_job(jobs: Account) -> None:
    put(jobs, "a", {"be": "good"})
    put(jobs, "b", {"be": "dead"})
    assert "The container exited" in run(jobs)["FailureReason"]
    assert set(written(jobs)) == {"a.out"}


def test_a_stopped_job_stores_nothing_more(jobs: Account) -> None:
    put(jobs, "a", {"be": "slow"})
    jobs.sagemaker.create_transform_job(**request())
    until(lambda: list((jobs.cloud.folder / "sagemaker" / "transform-jobs" / "t").glob("object.out")), bool)
    transform = jobs.twin.part("sagemaker").transform
    assert transform.is_busy
    jobs.sagemaker.stop_transform_job(TransformJobName="t")
    assert ended(jobs)["TransformJobStatus"] == "Stopped"
    assert not transform.is_busy
    assert written(jobs) == {}
    with pytest.raises(ClientError, match="status Stopped"):
        jobs.sagemaker.stop_transform_job(TransformJobName="t")


def test_the_models_role_decides_what_a_job_reads_and_writes(jobs: Account) -> None:
    put(jobs, "a", {})
    reader = jobs.new_role("reader", ["s3:GetObject", "s3:ListBucket", "ecr:*", "logs:*"])
    container = {"Image": IMAGE, "ModelDataUrl": "s3://data/m.tar.gz"}
    jobs.sagemaker.create_model(ModelName="r", PrimaryContainer=container, ExecutionRoleArn=reader)
    assert "AccessDenied" in run(jobs, ModelName="r")["FailureReason"]
    assert written(jobs) == {}


def test_jobs_are_listed_by_name_and_status(jobs: Account) -> None:
    assert "No S3 objects found" in run(jobs)["FailureReason"]
    listed = jobs.sagemaker.list_transform_jobs(NameContains="t", StatusEquals="Failed")["TransformJobSummaries"]
    assert [each["TransformJobName"] for each in listed] == ["t"]
    assert jobs.sagemaker.list_transform_jobs(StatusEquals="Completed")["TransformJobSummaries"] == []
    with pytest.raises(ClientError, match="already exists"):
        jobs.sagemaker.create_transform_job(**request())
    with pytest.raises(ClientError, match="Could not find transform job"):
        jobs.sagemaker.describe_transform_job(TransformJobName="other")


def test_what_the_twin_does_not_do_is_refused(jobs: Account) -> None:
    given = request()["TransformInput"]
    for changes, named in (
        ({"TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 2}}, "one instance"),
        ({"TransformInput": given | {"CompressionType": "Gzip"}}, "CompressionType Gzip"),
        ({"TransformInput": given | {"SplitType": "RecordIO"}}, "SplitType RecordIO"),
        ({"TransformInput": given | {"ContentType": "text/csv"}}, "JSON Lines"),
        ({"TransformInput": given | {"SplitType": "None"}}, "BatchStrategy needs SplitType Line"),
        ({"DataProcessing": JOIN | {"OutputFilter": "$[0,1]"}}, r"\$\[0,1\]"),
        ({"DataCaptureConfig": {"DestinationS3Uri": "s3://data/c"}}, "DataCaptureConfig"),
        ({"MaxPayloadInMB": 50, "MaxConcurrentTransforms": 3}, "100 MB"),
        ({"ModelName": "none"}, "Could not find model"),
    ):
        with pytest.raises(ClientError, match=named):
            jobs.sagemaker.create_transform_job(**request(**changes))


@given(st.lists(st.binary(max_size=30).filter(lambda line: b"\n" not in line and bool(line.strip())), max_size=40), st.integers(1, 50))
def test_every_line_is_in_exactly_one_mini_batch_however_the_bytes_come(records: list[bytes], size: int) -> None:
    content = b"\n".join(records)
    chunks = [content[start : start + size] for start in range(0, len(content), size)]
    batches = list(mini_batches(lines(chunks), Processing(), 64, single=False))
    assert [record for batch in batches for record in batch.records] == records
    assert all(len(batch.payload) <= 64 for batch in batches)


def test_answers_are_joined_with_their_own_records() -> None:
    processing = Processing(Filter.parse("$.x"), Filter.parse("$['row','SageMakerOutput']"), joins=True)
    (batch,) = mini_batches([b'{"row":1,"x":[1]}', b'{"row":2,"x":[2]}'], processing, 64, single=False)
    assert batch.payload == b"[1]\n[2]\n"
    assert list(outputs(batch, b"7\n8\n", processing)) == [b'{"row":1,"SageMakerOutput":7}', b'{"row":2,"SageMakerOutput":8}']


def test_a_record_beyond_the_payload_fails_its_object() -> None:
    with pytest.raises(RecordError, match="65 bytes is larger"):
        list(mini_batches([b"x" * 65], Processing(), 64, single=False))


def test_a_filter_needs_its_fields() -> None:
    with pytest.raises(RecordError, match="has not all of a, b"):
        Filter.parse("$['a', 'b']").select({"a": 1})
    assert Filter.parse("$['a']").select({"a": 1, "b": 2}) == {"a": 1}
    assert Filter.parse("$").select([1]) == [1]
