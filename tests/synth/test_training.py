"""The pipeline that is deployed is the one that pipelines/ builds, with CloudFormation's names in it."""

import json
from collections.abc import Mapping

from pipelines import placeholders
from tests.synth.templates import Template, text


def test_no_placeholder_is_left(templates: Mapping[str, Template]) -> None:
    pipeline = text(templates["training"].only("SageMaker::Pipeline"))
    literals = [value for name, value in vars(placeholders).items() if name.isupper()]
    assert len(literals) >= 4
    assert [literal for literal in literals if literal in pipeline] == []
    assert "placeholder" not in pipeline


def test_the_definition_is_json_with_this_accounts_names(templates: Mapping[str, Template]) -> None:
    template = templates["training"]
    body = template.only("SageMaker::Pipeline")["PipelineDefinition"]["PipelineDefinitionBody"]
    joined = "".join(part if isinstance(part, str) else "TOKEN" for part in body["Fn::Join"][1])
    definition = json.loads(joined)
    assert [step["Name"] for step in definition["Steps"]] == ["Prepare", "Train", "Evaluate", "Gate"]
    assert definition["PipelineExperimentConfig"] is None  # when it is missing, SageMaker makes an experiment all the same
    jobs = definition["Steps"][:3]
    assert {step["Arguments"]["RoleArn"] for step in jobs} == {"TOKEN"}
    (job_role,) = (name for name in template.of("IAM::Role") if name.startswith("RolesJob"))
    assert {"Fn::GetAtt": [job_role, "Arn"]} in body["Fn::Join"][1]


def test_group_and_pipeline_are_named_after_the_project(templates: Mapping[str, Template]) -> None:
    template = templates["training"]
    (group,) = template.of("SageMaker::ModelPackageGroup").values()
    assert group["Properties"]["ModelPackageGroupName"] == "breast-cancer-dev"
    assert group["DeletionPolicy"] == "RetainExceptOnCreate"  # SageMaker would refuse to delete it with versions in it
    pipeline = template.only("SageMaker::Pipeline")
    assert pipeline["PipelineName"] == "breast-cancer-dev"
    assert "Fn::GetAtt" in pipeline["RoleArn"]
