"""Pipelines: the stored definition runs, under the pipeline's role; and is refused by name where it cannot."""

import json
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.twin.sagemaker.conftest import IMAGE, Account, channel, until
from twin.sagemaker.definition import DefinitionError, parse
from twin.sagemaker.references import Resolver, follow


def get(path: str) -> dict[str, str]:
    return {"Get": path}


def join(*values: Any) -> dict[str, Any]:
    return {"Std:Join": {"On": "/", "Values": list(values)}}


def definition(account: Account, verb: str = "prepare", **training: Any) -> dict[str, Any]:
    """prepare -> train -> good enough? register : fail, as the SDK writes it."""
    process = account.processing_job(verb)
    outputs = process["ProcessingOutputConfig"]["Outputs"]
    outputs[0]["S3Output"] |= {"S3Uri": join("s3://data/runs", get("Execution.PipelineExecutionId"), "out")}
    trained = account.training_job(InputDataConfig=[channel("train", "")], HyperParameters={"says": get("Parameters.Says")}, **training)
    trained["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3Uri"] = get(
        "Steps.prepare.ProcessingOutputConfig.Outputs['out'].S3Output.S3Uri"
    )
    report = {"PropertyFile": get("Steps.prepare.PropertyFiles.Report"), "Path": "metrics.auc.value"}
    package = {
        "ModelPackageGroupName": "g",
        "InferenceSpecification": {
            "Containers": [{"Image": IMAGE, "ModelDataUrl": get("Steps.train.ModelArtifacts.S3ModelArtifacts")}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
        "ModelApprovalStatus": "PendingManualApproval",
        "CustomerMetadataProperties": {"execution": get("Execution.PipelineExecutionArn")},
    }
    good = {"Type": "GreaterThanOrEqualTo", "LeftValue": {"Std:JsonGet": report}, "RightValue": get("Parameters.Least")}
    branches = {
        "IfSteps": [{"Name": "register", "Type": "RegisterModel", "Arguments": package}],
        "ElseSteps": [{"Name": "refuse", "Type": "Fail", "Arguments": {"ErrorMessage": join("auc below", get("Parameters.Least"))}}],
    }
    return {
        "Version": "2020-12-01",
        "Metadata": {},
        "Parameters": [
            {"Name": "Says", "Type": "String"},
            {"Name": "Least", "Type": "Float", "DefaultValue": 0.5},
        ],
        "Steps": [
            {"Name": "gate", "Type": "Condition", "DependsOn": ["train"], "Arguments": {"Conditions": [good]} | branches},
            {"Name": "train", "Type": "Training", "Arguments": trained},
            {
                "Name": "prepare",
                "Type": "Processing",
                "Arguments": process,
                "PropertyFiles": [{"PropertyFileName": "Report", "OutputName": "out", "FilePath": "report.json"}],
            },
        ],
    }


def create(account: Account, content: dict[str, Any], role: str | None = None) -> None:
    account.sagemaker.create_pipeline(PipelineName="p", PipelineDefinition=json.dumps(content), RoleArn=role or account.role)


def run(account: Account, **parameters: str) -> dict[str, Any]:
    given = [{"Name": name, "Value": value} for name, value in ({"Says": "hello"} | parameters).items()]
    arn = account.sagemaker.start_pipeline_execution(PipelineName="p", PipelineParameters=given)["PipelineExecutionArn"]
    found: dict[str, Any] = until(
        lambda: account.sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn),
        lambda execution: execution["PipelineExecutionStatus"] not in {"Executing", "Stopping"},
    )
    return found


def steps(account: Account, execution: dict[str, Any]) -> dict[str, dict[str, Any]]:
    listed = account.sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=execution["PipelineExecutionArn"], SortOrder="Ascending")
    return {step["StepName"]: step for step in listed["PipelineExecutionSteps"]}


def test_a_pipeline_prepares_trains_decides_and_registers(account: Account) -> None:
    account.sagemaker.create_model_package_group(ModelPackageGroupName="g")
    create(account, definition(account))
    execution = run(account)
    assert execution["PipelineExecutionStatus"] == "Succeeded", execution
    done = steps(account, execution)
    assert {name: step["StepStatus"] for name, step in done.items()} == dict.fromkeys(["prepare", "train", "gate", "register"], "Succeeded")
    assert done["gate"]["Metadata"]["Condition"]["Outcome"] == "true"
    identity = execution["PipelineExecutionArn"].rpartition("/")[2]
    assert done["train"]["Metadata"]["TrainingJob"]["Arn"].rpartition("/")[2].startswith(f"pipelines-{identity}-train-")
    package = account.sagemaker.describe_model_package(ModelPackageName=done["register"]["Metadata"]["RegisterModel"]["Arn"])
    assert package["CustomerMetadataProperties"] == {"execution": execution["PipelineExecutionArn"]}
    assert package["MetadataProperties"]["GeneratedBy"] == execution["PipelineExecutionArn"]
    key = package["InferenceSpecification"]["Containers"][0]["ModelDataUrl"].removeprefix("s3://data/")
    assert account.s3.head_object(Bucket="data", Key=key)["ContentLength"] > 0
    changes = account.events.details("SageMaker Model Building Pipeline Execution Status Change")
    assert [(each.get("previousPipelineExecutionStatus"), each["currentPipelineExecutionStatus"]) for each in changes] == [
        (None, "Executing"),
        ("Executing", "Succeeded"),
    ]
    moved = account.events.details("SageMaker Model Building Pipeline Execution Step Status Change")
    assert [(each["stepName"], each["currentStepStatus"]) for each in moved][-1] == ("register", "Succeeded")
    assert moved[-1]["metadata"]["registerModel"]["arn"] == package["ModelPackageArn"]


def test_the_other_branch_fails_the_execution_with_its_message(account: Account) -> None:
    create(account, definition(account))
    execution = run(account, Least="0.95")
    assert execution["PipelineExecutionStatus"] == "Failed"
    assert execution["FailureReason"].endswith("refuse: auc below/0.95")
    assert "register" not in steps(account, execution)


def test_a_failed_step_gives_the_real_reason_and_nothing_follows(account: Account) -> None:
    create(account, definition(account, "fail"))
    execution = run(account)
    done = steps(account, execution)
    assert execution["PipelineExecutionStatus"] == "Failed"
    assert "prepare: AlgorithmError: column y is missing" in execution["FailureReason"]
    assert done["prepare"]["FailureReason"] == "AlgorithmError: column y is missing, exit code: 3"
    assert list(done) == ["prepare"]


def test_a_call_that_the_role_may_not_make_fails_its_step(account: Account) -> None:
    create(account, definition(account, RoleArn="arn:aws:iam::123456789012:role/nobody"))
    execution = run(account)
    assert "train: ClientError" in execution["FailureReason"]
    assert "nobody" in execution["FailureReason"]


def test_a_token_starts_once_and_executions_are_listed(account: Account) -> None:
    create(account, definition(account, "fail"))
    request = {"PipelineName": "p", "PipelineParameters": [{"Name": "Says", "Value": "x"}], "ClientRequestToken": "t" * 32}
    arns = {account.sagemaker.start_pipeline_execution(**request)["PipelineExecutionArn"] for _ in range(3)}
    assert len(arns) == 1
    (listed,) = account.sagemaker.list_pipeline_executions(PipelineName="p")["PipelineExecutionSummaries"]
    assert listed["PipelineExecutionArn"] in arns
    for hours, count in ((-1, 1), (1, 0)):
        after = listed["StartTime"] + timedelta(hours=hours)
        assert len(account.sagemaker.list_pipeline_executions(PipelineName="p", CreatedAfter=after)["PipelineExecutionSummaries"]) == count
    parameters = account.sagemaker.list_pipeline_parameters_for_execution(PipelineExecutionArn=arns.pop())["PipelineParameters"]
    assert parameters == [{"Name": "Says", "Value": "x"}, {"Name": "Least", "Value": "0.5"}]


def test_a_stopped_execution_stops_its_job(account: Account) -> None:
    create(account, definition(account, "sleep"))
    given = [{"Name": "Says", "Value": "x"}]
    arn = account.sagemaker.start_pipeline_execution(PipelineName="p", PipelineParameters=given)["PipelineExecutionArn"]
    until(lambda: steps(account, {"PipelineExecutionArn": arn}).get("prepare", {}).get("Metadata"), bool)
    sagemaker = account.twin.part("sagemaker")
    assert (sagemaker.pipelines.is_busy, sagemaker.jobs.is_busy) == (True, True)
    account.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)
    until(lambda: account.sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)["PipelineExecutionStatus"], "Stopped".__eq__)
    (job,) = account.sagemaker.list_processing_jobs()["ProcessingJobSummaries"]
    assert job["ProcessingJobStatus"] == "Stopped"
    until(lambda: sagemaker.is_busy, False.__eq__)


def test_parameters_are_checked_at_the_start(account: Account) -> None:
    create(account, definition(account))
    for given, named in (
        ([], "Says"),
        ([("Says", "x"), ("Other", "y")], "Other"),
        ([("Says", "x"), ("Least", "much")], "Least is 'much'"),
    ):
        with pytest.raises(ClientError, match=named):
            account.sagemaker.start_pipeline_execution(PipelineName="p", PipelineParameters=[{"Name": n, "Value": v} for n, v in given])


def test_a_definition_is_checked_when_it_is_stored(account: Account) -> None:
    with pytest.raises(ClientError, match="type Tuning"):
        create(account, {"Version": "2020-12-01", "Steps": [{"Name": "t", "Type": "Tuning", "Arguments": {}}]})
    create(account, definition(account))
    with pytest.raises(ClientError, match="not JSON"):
        account.sagemaker.update_pipeline(PipelineName="p", PipelineDefinition="{")
    assert json.loads(account.sagemaker.describe_pipeline(PipelineName="p")["PipelineDefinition"]) == definition(account)


def fail(name: str, message: Any = "m", **more: Any) -> dict[str, Any]:
    return {"Name": name, "Type": "Fail", "Arguments": {"ErrorMessage": message}} | more


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ([], "no steps"),
        ([fail("a"), fail("a")], "unique"),
        ([fail("two words")], "Step names"),
        ([fail("a", get("Parameters.X"))], "parameter X"),
        ([fail("a", get("Execution.Mood"))], "Execution.Mood"),
        ([fail("a", get("Elsewhere.X"))], "Elsewhere.X"),
        ([fail("a", get("Steps.b.X"))], "do not exist: b"),
        ([fail("a", get("Steps.b.PropertyFiles.F")), fail("b")], "property file F"),
        ([fail("a", {"Std:Upper": "x"})], "Std:Upper"),
        ([fail("a", DependsOn=["b"]), fail("b", DependsOn=["a"])], "wait for each other"),
        ([fail("a", RetryPolicies=[{"MaxAttempts": 2}])], "RetryPolicies"),
        ([{"Name": "c", "Type": "Condition", "Arguments": {"Conditions": [{"Type": "Like"}]}}], "condition Like"),
    ],
)
def test_a_wrong_definition_is_named(wrong: list[dict[str, Any]], named: str) -> None:
    with pytest.raises(DefinitionError, match=named):
        parse(json.dumps({"Version": "2020-12-01", "Steps": wrong}))


RESOLVER = Resolver(
    {"P": 3, "B": True},
    {"PipelineExecutionId": "abc"},
    {"s": {"Outputs": [{"OutputName": "o", "Uri": "s3://o"}], "Map": {"k": [5]}}}.__getitem__,
    lambda step, file: {"step": step, "file": file, "list": [{"x": 1}]},
    lambda uri: {"uri": uri},
)


@pytest.mark.parametrize(
    ("node", "value"),
    [
        (get("Parameters.P"), 3),
        (get("Steps.s.Outputs['o'].Uri"), "s3://o"),
        (get("Steps.s.Outputs[0].Uri"), "s3://o"),
        (get("Steps.s.Map['k'][0]"), 5),
        ({"a": [join("x", get("Parameters.P"), get("Parameters.B"), get("Execution.PipelineExecutionId"))]}, {"a": ["x/3/true/abc"]}),
        ({"Std:JsonGet": {"PropertyFile": get("Steps.s.PropertyFiles.F"), "Path": "list[0].x"}}, 1),
        ({"Std:JsonGet": {"S3Uri": "s3://b/k", "Path": "uri"}}, "s3://b/k"),
    ],
)
def test_references_become_values(node: Any, value: Any) -> None:
    assert RESOLVER.value(node) == value


def comparison(kind: str, left: Any, right: Any) -> dict[str, Any]:
    return {"Type": kind, "LeftValue": left, "RightValue": right}


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        (comparison("Equals", get("Parameters.P"), 3), True),
        (comparison("GreaterThan", get("Parameters.P"), 3), False),
        (comparison("GreaterThanOrEqualTo", get("Parameters.P"), 3), True),
        (comparison("LessThan", get("Parameters.P"), 3), False),
        (comparison("LessThanOrEqualTo", get("Parameters.P"), 3), True),
        ({"Type": "In", "QueryValue": get("Parameters.P"), "Values": [1, 3]}, True),
        ({"Type": "Not", "Expression": comparison("Equals", 1, 1)}, False),
        ({"Type": "And", "Conditions": [comparison("Equals", 1, 1), comparison("Equals", 1, 2)]}, False),
        ({"Type": "Or", "Conditions": [comparison("Equals", 1, 1), comparison("Equals", 1, 2)]}, True),
    ],
)
def test_conditions(condition: dict[str, Any], holds: bool) -> None:
    assert RESOLVER.holds(condition) is holds


def test_what_cannot_be_found_or_compared_is_named() -> None:
    with pytest.raises(DefinitionError, match=r"nothing is at a\.c"):
        follow({"a": {"b": 1}}, "a.c", "here")
    with pytest.raises(DefinitionError, match="cannot compare"):
        RESOLVER.holds(comparison("LessThan", "x", 1))
