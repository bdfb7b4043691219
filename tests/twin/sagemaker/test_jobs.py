"""Jobs are processes: inputs arrive, outputs are uploaded, failures say why."""

import io
import json
import tarfile
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.twin.sagemaker.conftest import Account, channel, until
from twin.sagemaker.storage import TransferError, pack, relative, unpack

DONE = {"Completed", "Failed", "Stopped"}


def train(account: Account, name: str = "t", **changes: Any) -> dict[str, Any]:
    account.sagemaker.create_training_job(TrainingJobName=name, **account.training_job(**changes))
    found: dict[str, Any] = until(
        lambda: account.sagemaker.describe_training_job(TrainingJobName=name), lambda job: job["TrainingJobStatus"] in DONE
    )
    return found


def process(account: Account, verb: str = "prepare", name: str = "p", **changes: Any) -> dict[str, Any]:
    account.sagemaker.create_processing_job(ProcessingJobName=name, **account.processing_job(verb, **changes))
    found: dict[str, Any] = until(
        lambda: account.sagemaker.describe_processing_job(ProcessingJobName=name), lambda job: job["ProcessingJobStatus"] in DONE
    )
    return found


def test_a_training_job_leaves_its_model_on_s3(account: Account) -> None:
    algorithm = account.training_job()["AlgorithmSpecification"] | {"MetricDefinitions": [{"Name": "auc", "Regex": "auc=([0-9.]+);"}]}
    job = train(account, HyperParameters={"says": "hello"}, AlgorithmSpecification=algorithm)
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Completed", "Completed")
    assert job["ModelArtifacts"]["S3ModelArtifacts"] == "s3://data/models/t/output/model.tar.gz"
    body = account.s3.get_object(Bucket="data", Key="models/t/output/model.tar.gz")["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(body)) as tar:
        content = tar.extractfile("model.json")
        assert content is not None
        assert json.loads(content.read()) == {"says": "hello", "rows": "1,2\n"}
    assert job["FinalMetricDataList"][0]["Value"] == 0.75
    assert [each["Status"] for each in job["SecondaryStatusTransitions"]] == [
        "Starting",
        "Downloading",
        "Training",
        "Uploading",
        "Completed",
    ]
    assert [each["TrainingJobStatus"] for each in account.events.details("SageMaker Training Job State Change")][-1] == "Completed"
    logs = account.cloud.client("logs").get_log_events(logGroupName="/aws/sagemaker/TrainingJobs", logStreamName="t/algo-1")["events"]
    assert logs[0]["message"] == "auc=0.75;"
    assert not (account.cloud.folder / "sagemaker" / "training-jobs" / "t").exists()


def test_a_failed_training_job_says_what_the_container_said(account: Account) -> None:
    job = train(account, HyperParameters={"fail": "1"})
    assert (job["TrainingJobStatus"], job["FailureReason"]) == ("Failed", "AlgorithmError: no convergence, exit code: 1")
    assert (account.cloud.folder / "sagemaker" / "training-jobs" / "t").exists()


def test_a_channel_without_objects_fails_the_job(account: Account) -> None:
    job = train(account, InputDataConfig=[channel("train", "s3://data/nothing/")])
    assert 'No S3 objects found under S3 URL "s3://data/nothing/"' in job["FailureReason"]


def test_the_time_limit_stops_a_job(account: Account) -> None:
    algorithm = account.training_job()["AlgorithmSpecification"] | {"ContainerEntrypoint": ["python", "-m", "tiny", "sleep"]}
    job = train(account, AlgorithmSpecification=algorithm, StoppingCondition={"MaxRuntimeInSeconds": 1})
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")


def test_a_processing_job_maps_paths_and_uploads(account: Account) -> None:
    application = account.processing_job()["AppSpecification"] | {"ContainerArguments": ["--at=/opt/ml/processing", "/opt/mlx"]}
    assert process(account, AppSpecification=application)["ProcessingJobStatus"] == "Completed"
    assert account.s3.get_object(Bucket="data", Key="out/data.csv")["Body"].read() == b"1,2\n"
    report = json.loads(account.s3.get_object(Bucket="data", Key="out/report.json")["Body"].read())
    assert report["arguments"][0].endswith("/processing-jobs/p/ml/processing")
    assert report["arguments"][1] == "/opt/mlx"


def test_a_failed_processing_job_gives_its_message(account: Account) -> None:
    job = process(account, "fail")
    assert (job["ProcessingJobStatus"], job["ExitMessage"]) == ("Failed", "column y is missing")
    assert job["FailureReason"] == "AlgorithmError: column y is missing, exit code: 3"


def test_a_running_job_is_stopped(account: Account) -> None:
    account.sagemaker.create_processing_job(ProcessingJobName="p", **account.processing_job("sleep"))
    account.sagemaker.stop_processing_job(ProcessingJobName="p")
    until(lambda: account.sagemaker.describe_processing_job(ProcessingJobName="p")["ProcessingJobStatus"], "Stopped".__eq__)


def test_what_cannot_run_is_refused_by_name(account: Account) -> None:
    resources = {"InstanceType": "ml.m5.large", "InstanceCount": 2, "VolumeSizeInGB": 1}
    for changes, named in (
        ({"AlgorithmSpecification": {"TrainingImage": "elsewhere:1", "TrainingInputMode": "File"}}, "elsewhere:1"),
        ({"RoleArn": "arn:aws:iam::123456789012:role/nobody"}, "Could not assume role"),
        ({"CheckpointConfig": {"S3Uri": "s3://data/c"}}, "CheckpointConfig"),
        ({"ResourceConfig": resources}, "one instance"),
    ):
        with pytest.raises(ClientError, match=named):
            account.sagemaker.create_training_job(TrainingJobName="t", **account.training_job(**changes))


def test_what_the_twin_would_have_to_run_and_does_not_is_refused(account: Account) -> None:
    with pytest.raises(ClientError, match="CreateCompilationJob") as caught:
        account.sagemaker.create_compilation_job(
            CompilationJobName="c",
            RoleArn=account.role,
            OutputConfig={"S3OutputLocation": "s3://data/out", "TargetDevice": "ml_m5"},
            StoppingCondition={"MaxRuntimeInSeconds": 60},
        )
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501
    with pytest.raises(ClientError, match="asynchronous endpoints"):
        account.runtime.invoke_endpoint_async(EndpointName="e", InputLocation="s3://data/in/data.csv")


def test_a_job_may_only_do_what_its_role_may(account: Account) -> None:
    role = account.new_role("reader", ["s3:ListBucket", "s3:GetObject", "ecr:*"])
    job = train(account, RoleArn=role)
    assert job["TrainingJobStatus"] == "Failed"
    assert "Artifact upload failed" in job["FailureReason"]
    assert "AccessDenied" in job["FailureReason"]


@pytest.mark.parametrize(
    ("key", "prefix", "expected"),
    [
        ("a/b/c.csv", "a/b/", "c.csv"),
        ("a/b/c/d.csv", "a/b", "c/d.csv"),
        ("a/b.csv", "a/b.csv", "b.csv"),
        ("a/bc.csv", "a/b", "bc.csv"),
        ("x", "", "x"),
    ],
)
def test_where_a_key_lies_below_a_prefix(key: str, prefix: str, expected: str) -> None:
    assert relative(key, prefix) == expected


@pytest.mark.parametrize("name", ["filter of this Python", "no filter, as before Python 3.11.4"])
def test_archives_are_reproducible_and_never_leave_their_folder(tmp_path: Any, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    if name.startswith("no"):
        whole = tarfile.TarFile.extractall
        monkeypatch.setattr(
            tarfile.TarFile, "extractall", lambda tar, path, members=None: whole(tar, path, members, filter="fully_trusted")
        )
        monkeypatch.delattr(tarfile, "data_filter")
    (tmp_path / "m" / "sub").mkdir(parents=True)
    (tmp_path / "m" / "sub" / "f").write_text("x")
    pack(tmp_path / "m", tmp_path / "a.tar.gz")
    pack(tmp_path / "m", tmp_path / "b.tar.gz")
    assert (tmp_path / "a.tar.gz").read_bytes() == (tmp_path / "b.tar.gz").read_bytes()
    unpack(tmp_path / "a.tar.gz", tmp_path / "u")
    assert (tmp_path / "u" / "sub" / "f").read_text() == "x"
    with tarfile.open(tmp_path / "evil.tar.gz", "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("../evil"), io.BytesIO())
    with pytest.raises(TransferError):
        unpack(tmp_path / "evil.tar.gz", tmp_path / "u")
