"""The definition's validation: each mistake that SageMaker would only meet in a run is found and named."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from pipelines.validation import InvalidDefinitionError, validate

URI = "s3://bucket/place"
JOB = {
    "ProcessingResources": {"ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30}},
    "AppSpecification": {"ImageUri": {"Get": "Parameters.Image"}},
    "RoleArn": "arn:aws:iam::000000000000:role/job",
    "ProcessingOutputConfig": {
        "Outputs": [
            {"OutputName": "report", "S3Output": {"S3Uri": URI, "LocalPath": "/opt/ml/processing/output", "S3UploadMode": "EndOfJob"}}
        ]
    },
}
MESSAGE = {"Get": "Steps.Job.ProcessingOutputConfig.Outputs['report'].S3Output.S3Uri"}
GOOD: dict[str, Any] = {
    "Version": "2020-12-01",
    "Parameters": [{"Name": "Image", "Type": "String"}],
    "Steps": [
        {
            "Name": "Job",
            "Type": "Processing",
            "Arguments": JOB,
            "PropertyFiles": [{"PropertyFileName": "Report", "OutputName": "report", "FilePath": "report.json"}],
        },
        {
            "Name": "Check",
            "Type": "Condition",
            "Arguments": {
                "Conditions": [
                    {
                        "Type": "Equals",
                        "LeftValue": {"Std:JsonGet": {"PropertyFile": {"Get": "Steps.Job.PropertyFiles.Report"}, "Path": "ok"}},
                        "RightValue": {"Get": "Execution.PipelineName"},
                    }
                ],
                "IfSteps": [],
                "ElseSteps": [{"Name": "Stop", "Type": "Fail", "Arguments": {"ErrorMessage": MESSAGE}}],
            },
        },
    ],
}


def test_a_good_definition_is_left_alone() -> None:
    validate(GOOD)


def job(definition: dict[str, Any]) -> dict[str, Any]:
    arguments: dict[str, Any] = definition["Steps"][0]["Arguments"]
    return arguments


def stop(definition: dict[str, Any]) -> dict[str, Any]:
    step: dict[str, Any] = definition["Steps"][1]["Arguments"]["ElseSteps"][0]
    return step


def say(reference: str) -> Callable[[dict[str, Any]], None]:
    return lambda definition: stop(definition)["Arguments"].update(ErrorMessage={"Std:Join": {"On": "", "Values": [{"Get": reference}]}})


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda d: job(d).pop("RoleArn"), 'Job: Missing required parameter in input: "RoleArn"'),
        (lambda d: job(d).update(Colour="red"), "Job: Unknown parameter in input"),
        (lambda d: job(d)["AppSpecification"].update(ContainerArguments=[]), "Job: Invalid length for parameter"),
        (lambda d: job(d)["ProcessingResources"]["ClusterConfig"].update(InstanceCount="1"), "Job: Invalid type for parameter"),
        (
            lambda d: job(d)["ProcessingResources"]["ClusterConfig"].update(InstanceCount={"Get": "Parameters.Image"}),
            "Job: Invalid type for parameter",
        ),
        (lambda d: d["Steps"][0].update(Type="Tuning"), "Job: step type 'Tuning' is not one of"),
        (lambda d: d["Steps"][1]["Arguments"].update(Conditions=[]), "Check: has no condition"),
        (lambda d: stop(d)["Arguments"].update(Code="1"), "Stop: takes ErrorMessage and nothing else"),
        (lambda d: stop(d).update(Name="Job"), "Job: the name is used twice"),
        (say("Parameters.Nobody"), "Stop: Parameters.Nobody: there is no such parameter"),
        (say("Execution.Mood"), "Stop: Execution.Mood: there is no such execution variable"),
        (say("Steps.Nobody.RoleArn"), "there is no such step"),
        (say("Steps.Check.Outcome"), "a Condition step has no properties"),
        (say("Steps.Job.Colour"), "Colour is not in DescribeProcessingJobResponse"),
        (say("Steps.Job.ProcessingOutputConfig"), "it is a structure, not a value"),
        (say("Steps.Job.ProcessingOutputConfig.Outputs['none'].S3Output.S3Uri"), "the step has no output 'none'"),
        (say("Steps.Job.PropertyFiles.Nothing"), "the step declares no such property file"),
        (say("Weather.Today"), "a reference starts with Parameters, Execution or Steps"),
        (
            lambda d: d["Steps"][0]["PropertyFiles"][0].update(OutputName="none"),
            "its property file is in an output that the step does not have",
        ),
    ],
)
def test_each_mistake_is_named_with_its_step(spoil: Callable[[dict[str, Any]], None], problem: str) -> None:
    definition = deepcopy(GOOD)
    spoil(definition)
    with pytest.raises(InvalidDefinitionError) as caught:
        validate(definition)
    assert any(problem in found for found in caught.value.problems), caught.value.problems


def test_all_mistakes_are_told_at_once() -> None:
    definition = deepcopy(GOOD)
    job(definition).pop("RoleArn")
    say("Parameters.Nobody")(definition)
    with pytest.raises(InvalidDefinitionError) as caught:
        validate(definition)
    assert len(caught.value.problems) == 2
