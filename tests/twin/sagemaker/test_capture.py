"""What an endpoint captures of its traffic, and under whose permissions it writes it."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from contracts.capture import CaptureRecord, Encoding
from tests.twin.sagemaker.conftest import Account, until
from twin.sagemaker import capture

HEADER = {"CsvContentTypes": ["text/csv"], "JsonContentTypes": ["application/json", "application/jsonlines"]}


def config(account: Account, name: str, **changes: Any) -> str:
    """An endpoint configuration that captures everything, of a model of the same name."""
    settings = {
        "EnableCapture": True,
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": "s3://data/capture",
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        "CaptureContentTypeHeader": HEADER,
    } | changes
    variant = {"VariantName": "AllTraffic", "ModelName": name, "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
    account.sagemaker.create_endpoint_config(
        EndpointConfigName=name, ProductionVariants=[variant], DataCaptureConfig={key: value for key, value in settings.items() if value}
    )
    return name


def serving(account: Account, **changes: Any) -> None:
    """An endpoint `e` that captures."""
    account.model("one", "one")
    account.endpoint(config(account, "one", **changes))


def keys(account: Account) -> list[str]:
    return [found["Key"] for found in account.s3.list_objects_v2(Bucket="data", Prefix="capture").get("Contents", ())]


def records(account: Account) -> list[CaptureRecord]:
    """Everything captured so far, in the order of its files."""
    bodies = [account.s3.get_object(Bucket="data", Key=key)["Body"].read() for key in keys(account)]
    return [CaptureRecord.from_line(line) for body in bodies for line in body.splitlines()]


def captured(account: Account, count: int) -> list[CaptureRecord]:
    """What is captured after twin time enough to write it."""
    account.cloud.clock.advance(capture.FLUSH_SECONDS)
    found: list[CaptureRecord] = until(lambda: records(account), lambda listed: len(listed) >= count)
    assert len(found) == count
    return found


def said(account: Account) -> str:
    return Path(account.cloud.folder / "twin.log").read_text()


def test_request_and_answer_are_captured_in_sagemakers_format(account: Account) -> None:
    serving(account)
    before = datetime.now(UTC).replace(microsecond=0)
    account.runtime.invoke_endpoint(EndpointName="e", Body=b"1,2\n", ContentType="text/csv", InferenceId="id-1", CustomAttributes="c=1")
    assert keys(account) == []
    captured(account, 1)
    (key,) = keys(account)
    raw = json.loads(account.s3.get_object(Bucket="data", Key=key)["Body"].read())
    assert raw["captureData"]["endpointInput"] == {"observedContentType": "text/csv", "mode": "INPUT", "data": "1,2\n", "encoding": "CSV"}
    answered = raw["captureData"]["endpointOutput"]
    assert (answered["observedContentType"], answered["mode"], answered["encoding"]) == ("application/json", "OUTPUT", "JSON")
    assert json.loads(answered["data"])["says"] == "one"
    metadata = raw["eventMetadata"]
    assert (metadata["inferenceId"], metadata["customAttributes"], raw["eventVersion"]) == ("id-1", ["c=1"], "0")
    moment = datetime.strptime(metadata["inferenceTime"], "%Y-%m-%dT%H:%M:%S%z")
    assert (moment - before).total_seconds() < 60
    folder, name = key.rsplit("/", 1)
    assert folder == f"capture/e/AllTraffic/{moment:%Y/%m/%d/%H}"
    assert name.startswith(f"{moment:%M-%S}-")
    assert name.endswith(".jsonl")


@pytest.mark.parametrize(
    ("body", "content_type", "encoding"),
    [
        (b'{"a": 1}', "application/json", Encoding.JSON),
        (b'{"a": 1}\n{"a": 2}', "application/jsonlines", Encoding.JSON),
        (b"1", "text/csv; charset=utf-8", Encoding.BASE64),
        (b"1", "application/x-npy", Encoding.BASE64),
        (b"\xff", "text/csv", Encoding.BASE64),
    ],
)
def test_a_payload_is_text_only_when_its_type_is_listed(body: bytes, content_type: str, encoding: Encoding, tmp_path: Path) -> None:
    """Without an endpoint: the encoding is decided before anything is written."""
    settings = {"InitialSamplingPercentage": 100, "CaptureOptions": [{"CaptureMode": "InputAndOutput"}], "CaptureContentTypeHeader": HEADER}
    kept = capture.Capture(None, "e", {"EndpointConfigName": "c", "DataCaptureConfig": settings}, {})  # type: ignore[arg-type]  # unused
    record = kept.record(capture.Exchange(content_type, body, "text/csv", b"1"), datetime(2026, 1, 5, tzinfo=UTC))
    given = record.capture_data.endpoint_input
    assert given is not None
    assert (given.encoding, given.body) == (encoding, body)


def test_without_listed_types_everything_is_base64_and_one_side_may_be_enough(account: Account) -> None:
    serving(account, CaptureContentTypeHeader=None, CaptureOptions=[{"CaptureMode": "Output"}])
    account.ask()
    (record,) = captured(account, 1)
    assert record.capture_data.endpoint_input is None
    output = record.capture_data.endpoint_output
    assert output is not None
    assert output.encoding is Encoding.BASE64
    assert json.loads(output.body)["says"] == "one"
    assert record.event_metadata.inference_id is None


def test_a_sample_is_taken(account: Account) -> None:
    serving(account, InitialSamplingPercentage=50)
    for _ in range(60):
        account.ask()
    account.sagemaker.delete_endpoint(EndpointName="e")
    until(lambda: account.sagemaker.list_endpoints()["Endpoints"], lambda found: not found)
    found = records(account)
    assert 15 < len(found) < 45
    assert len({record.event_metadata.event_id for record in found}) == len(found)


def test_many_records_are_written_before_their_time_and_the_rest_when_the_fleet_retires(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capture, "FLUSH_RECORDS", 10)
    serving(account)
    for _ in range(25):
        account.ask()
    for unanswered in (b"400", b"500"):
        with pytest.raises(ClientError):
            account.ask(unanswered)
    until(lambda: len(records(account)), lambda count: count >= 10)
    account.config("two", "two")
    account.sagemaker.update_endpoint(EndpointName="e", EndpointConfigName="two")
    assert "DataCaptureConfig" not in account.settled()
    assert len(records(account)) == 25


def test_an_hour_has_files_of_its_own_even_when_they_are_written_at_once(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture, "FLUSH_SECONDS", 7200)
    serving(account)
    account.ask()
    account.cloud.clock.advance(3600)
    account.ask()
    captured(account, 2)
    first, second = keys(account)
    assert first.rsplit("/", 1)[0] != second.rsplit("/", 1)[0]


@pytest.mark.parametrize(
    ("actions", "missing"), [(["s3:GetObject", "s3:ListBucket"], "s3:PutObject"), (["s3:GetObject", "s3:PutObject"], "kms:GenerateDataKey")]
)
def test_what_the_models_role_may_not_write_is_lost_and_said_and_fails_no_request(
    account: Account, actions: list[str], missing: str
) -> None:
    account.role = account.new_role("blind", [*actions, "ecr:*"])
    key = account.cloud.client("kms").create_key()["KeyMetadata"]["Arn"]
    serving(account, KmsKeyId=key)
    assert account.ask()["says"] == "one"
    account.cloud.clock.advance(capture.FLUSH_SECONDS)
    until(lambda: said(account), lambda text: "1 captured records were not written" in text)
    assert missing in said(account)
    assert account.ask()["says"] == "one"
    assert keys(account) == []


def test_the_projects_key_encrypts_what_is_captured(account: Account) -> None:
    key = account.cloud.client("kms").create_key()["KeyMetadata"]["Arn"]
    serving(account, KmsKeyId=key)
    described = account.sagemaker.describe_endpoint(EndpointName="e")["DataCaptureConfig"]
    assert described == {
        "EnableCapture": True,
        "CaptureStatus": "Started",
        "CurrentSamplingPercentage": 100,
        "DestinationS3Uri": "s3://data/capture",
        "KmsKeyId": key,
    }
    account.ask()
    captured(account, 1)
    head = account.s3.head_object(Bucket="data", Key=keys(account)[0])
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", key)


@pytest.mark.parametrize(
    ("changes", "named"),
    [({"DestinationS3Uri": "https://data/capture"}, "is not an S3 URI"), ({"InitialSamplingPercentage": 101}, "less than or equal to 100")],
)
def test_what_could_not_be_followed_is_refused(account: Account, changes: dict[str, Any], named: str) -> None:
    account.model("one", "one")
    with pytest.raises(ClientError, match=named):
        config(account, "one", **changes)


def test_an_inference_id_has_at_most_64_characters(account: Account) -> None:
    serving(account)
    with pytest.raises(ClientError, match="inferenceId"):
        account.runtime.invoke_endpoint(EndpointName="e", Body=b"1", InferenceId="i" * 65)
