"""The stream stack: only when it is asked for, encrypted, under a role that can do its work and nothing else, and watched."""

from collections.abc import Callable, Mapping

import pytest

from tests.synth.templates import Template, as_list, text
from tests.synth.test_roles import FUNCTION
from tests.synth.variants import Assembly

# Every action of the function's role. A change here is a change of what somebody may do: look twice.
EXACTLY = (
    FUNCTION
    | {f"kinesis:{action}" for action in ("DescribeStream", "DescribeStreamSummary", "GetRecords", "GetShardIterator", "ListShards")}
    | {"kinesis:PutRecords", "sagemaker:InvokeEndpoint", "sqs:SendMessage"}
    | {"s3:PutObject", "s3:ListBucket", "kms:Decrypt", "kms:GenerateDataKey"}
)
ROLE = "PredictStreamRole"


@pytest.fixture(scope="module")
def streaming(variant: Callable[[str], Assembly]) -> Mapping[str, Template]:
    return variant("stream").templates


@pytest.fixture(scope="module")
def template(streaming: Mapping[str, Template]) -> Template:
    return streaming["stream"]


def statement(template: Template, action: str) -> str:
    """The resources of the one statement with an action, as text."""
    (found,) = (each for each in template.statements(ROLE) if action in as_list(each["Action"]))
    return text(found["Resource"])


def test_without_a_stream_there_is_nothing_of_it(templates: Mapping[str, Template]) -> None:
    for template in templates.values():
        assert "kinesis" not in text(template.body).lower()
        assert "predict-stream" not in text(template.body)


def test_the_role_has_exactly_these_actions(template: Template) -> None:
    assert len(template.of("IAM::Role")) == 1
    assert {action for each in template.statements(ROLE) for action in as_list(each["Action"])} == EXACTLY


def test_it_reads_one_stream_and_writes_another(template: Template) -> None:
    read, written = statement(template, "kinesis:GetRecords"), statement(template, "kinesis:PutRecords")
    assert "Requests" in read
    assert "Predictions" not in read
    assert "Predictions" in written
    assert "Requests" not in written


def test_it_writes_only_predictions_and_what_could_not_be_predicted(template: Template) -> None:
    (put,) = (each for each in template.statements(ROLE) if "s3:PutObject" in as_list(each["Action"]))
    assert len(as_list(put["Resource"])) == 3
    for prefix in ("/stream/*", "/quarantine/stream/*", "/aws/lambda/*"):
        assert f'"{prefix}"' in text(put["Resource"])
    assert statement(template, "sagemaker:InvokeEndpoint").endswith(':endpoint/breast-cancer-dev"]]}')


def test_streams_are_encrypted_with_the_projects_key_and_sized_as_configured(template: Template) -> None:
    streams = [each["Properties"] for each in template.of("Kinesis::Stream").values()]
    assert sorted(each["Name"] for each in streams) == ["breast-cancer-dev-predictions", "breast-cancer-dev-requests"]
    for each in streams:
        assert each["StreamEncryption"]["EncryptionType"] == "KMS"
        assert "breast-cancer-dev-data" in text(each["StreamEncryption"]["KeyId"])
        assert (each["ShardCount"], each["RetentionPeriodHours"]) == (2, 48)


def test_a_batch_is_tried_again_in_part_halved_and_put_aside_before_it_is_forgotten(template: Template) -> None:
    mapping = template.only("Lambda::EventSourceMapping")
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["BisectBatchOnFunctionError"] is True
    assert mapping["StartingPosition"] == "TRIM_HORIZON"
    assert (mapping["MaximumRetryAttempts"], mapping["MaximumRecordAgeInSeconds"]) == (100, 47 * 3600)
    assert "ExportsOutputFnGetAttData" in text(mapping["DestinationConfig"]["OnFailure"]["Destination"])


def test_people_are_told(template: Template) -> None:
    alarms = {each["Properties"]["AlarmName"]: each["Properties"] for each in template.of("CloudWatch::Alarm").values()}
    assert {name: (each["MetricName"], each["Threshold"]) for name, each in alarms.items()} == {
        "breast-cancer-dev-stream-late": ("IteratorAge", 300_000),
        "breast-cancer-dev-predict-stream-errors": ("Errors", 1),
        "breast-cancer-dev-stream-dead-letters": ("ApproximateNumberOfMessagesVisible", 1),
    }
    for each in alarms.values():
        assert text(each["AlarmActions"]).endswith(':breast-cancer-dev-alerts"]]}]')


def test_predictions_go_as_captured_requests_do(streaming: Mapping[str, Template]) -> None:
    rules = [
        rule for bucket in streaming["data"].of("S3::Bucket").values() for rule in bucket["Properties"]["LifecycleConfiguration"]["Rules"]
    ]
    days = {rule["Prefix"]: rule["ExpirationInDays"] for rule in rules if "Prefix" in rule}
    assert days["stream/"] == days["capture/"] == 365


def test_whoever_may_send_to_the_stream_can_use_the_key_through_it(
    streaming: Mapping[str, Template], templates: Mapping[str, Template]
) -> None:
    for found, expected in ((streaming, True), (templates, False)):
        (use,) = (each for each in found["data"].only("KMS::Key")["KeyPolicy"]["Statement"] if each.get("Sid") == "UseThroughStores")
        assert ("kinesis." in text(use)) is expected
