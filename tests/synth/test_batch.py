"""The batch stack: only when a schedule is set, under a role that touches scheduled batches alone. And the role of every batch."""

from collections.abc import Callable, Mapping

import pytest

from tests.synth.templates import Template, as_list, text
from tests.synth.test_roles import FAILURES, FUNCTION, LIVE
from tests.synth.variants import Assembly

# Every action of the function's role. A change here is a change of what somebody may do: look twice.
EXACTLY = (
    FUNCTION
    | FAILURES
    | LIVE
    | {
        f"s3:{action}"
        for action in (
            "ListBucket",
            "ListBucketVersions",
            "GetObject",
            "GetObjectVersion",
            "PutObject",
            "DeleteObject",
            "DeleteObjectVersion",
        )
    }
    | {f"sagemaker:{action}" for action in ("DescribeModelPackage", "CreateModel", "DeleteModel")}
    | {f"sagemaker:{action}TransformJob" for action in ("Create", "Describe")}
    | {"iam:PassRole", "dynamodb:PutItem", "kms:Decrypt", "kms:GenerateDataKey"}
)


@pytest.fixture(scope="module")
def template(variant: Callable[[str], Assembly]) -> Template:
    return variant("stream").templates["batch"]


def test_without_a_schedule_there_is_nothing_of_it(templates: Mapping[str, Template]) -> None:
    assert "batch" not in templates
    assert "start-batch" not in "".join(text(template.body) for template in templates.values())


def test_the_role_has_exactly_these_actions(template: Template) -> None:
    assert {action for each in template.statements("StartBatchRole") for action in as_list(each["Action"])} == EXACTLY


def test_it_makes_models_and_jobs_of_its_own_names_only(template: Template) -> None:
    for each in template.statements("StartBatchRole"):
        actions = set(as_list(each["Action"]))
        if actions & {"sagemaker:CreateModel", "sagemaker:CreateTransformJob"}:
            assert "/breast-cancer-dev-batch-t*" in text(each["Resource"])
        if "s3:DeleteObjectVersion" in actions:
            assert '"/batch/breast-cancer-dev-batch-t*"' in text(each["Resource"])
        if "iam:PassRole" in actions:
            assert "RolesBatch" in text(each["Resource"])


def test_it_is_woken_by_the_schedule_and_by_the_end_of_its_own_jobs(template: Template) -> None:
    assert template.only("Scheduler::Schedule")["ScheduleExpression"] == "rate(1 day)"
    pattern = template.only("Events::Rule")["EventPattern"]
    assert pattern["detail-type"] == ["SageMaker Transform Job State Change"]
    assert pattern["detail"]["TransformJobName"] == [{"prefix": "breast-cancer-dev-batch-t"}]
    assert "InProgress" not in pattern["detail"]["TransformJobStatus"]


def test_people_are_told_when_it_fails(template: Template) -> None:
    alarms = [each["Properties"] for each in template.of("CloudWatch::Alarm").values()]
    assert {each["MetricName"] for each in alarms} == {"Errors", "ApproximateNumberOfMessagesVisible"}
    assert all("breast-cancer-dev-alerts" in text(each["AlarmActions"]) for each in alarms)


def test_a_batch_reads_tables_and_models_and_writes_predictions(templates: Mapping[str, Template]) -> None:
    statements = templates["training"].statements("RolesBatch")
    (read,) = (text(each["Resource"]) for each in statements if as_list(each["Action"]) == ["s3:GetObject"])
    (written,) = (text(each["Resource"]) for each in statements if as_list(each["Action"]) == ["s3:PutObject"])
    assert '"/runs/*/model.tar.gz"' in read
    assert '"/batch/breast-cancer-dev-batch-*/in/*"' in read
    assert written.count('"/batch/breast-cancer-dev-batch-*/out/*"') == 1
    assert "/in/" not in written
