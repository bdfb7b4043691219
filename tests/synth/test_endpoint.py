"""The Endpoint stack: nothing without a model, and a way back from every model."""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from stacks.names import logical_id
from tests.synth.templates import Template, as_list, text
from tests.synth.variants import Assembly


def test_without_a_model_package_there_is_no_endpoint(templates: Mapping[str, Template]) -> None:
    template = templates["endpoint"]
    without = {resource["Type"] for resource in template.resources.values() if resource.get("Condition") != "HasModel"}
    assert without == {"AWS::CloudWatch::Alarm", "AWS::Logs::LogGroup"}
    assert template.body["Conditions"]["HasModel"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "ModelPackageArn"}, ""]}]}
    outputs = template.body["Outputs"]
    assert {name for name, output in outputs.items() if output.get("Condition") == "HasModel"} == {"ModelPackageArn", "EndpointConfigName"}
    assert outputs["EndpointName"]["Value"] == "breast-cancer-dev"


def test_the_template_stands_for_itself(templates: Mapping[str, Template], assembly: Path) -> None:
    """The reconciler updates it with nothing but a new parameter, under a role that may read no bootstrap parameter and no asset."""
    assert templates["endpoint"].body["Parameters"].keys() == {"ModelPackageArn", "RollbackAlarms"}
    assert "Rules" not in templates["endpoint"].body
    (only,) = json.loads((assembly / "breast-cancer-dev-endpoint.assets.json").read_text())["files"].values()
    assert only["source"]["path"] == "breast-cancer-dev-endpoint.template.json"


@pytest.mark.parametrize(
    ("arn", "taken"),
    [
        ("", True),
        ("arn:aws:sagemaker:eu-west-1:123456789012:model-package/breast-cancer-dev/12", True),
        ("arn:aws-cn:sagemaker:cn-north-1:123456789012:model-package/breast-cancer-dev/1", True),
        ("arn:aws:sagemaker:eu-west-1:123456789012:model-package/breast-cancer-prod/12", False),
        ("arn:aws:sagemaker:eu-west-1:123456789012:model/breast-cancer-dev/12", False),
        ("12", False),
    ],
)
def test_the_parameter_takes_packages_of_this_group(templates: Mapping[str, Template], arn: str, taken: bool) -> None:
    pattern = templates["endpoint"].body["Parameters"]["ModelPackageArn"]["AllowedPattern"]
    assert bool(re.fullmatch(pattern, arn)) is taken


def test_what_sagemaker_may_roll_back_to_is_kept(templates: Mapping[str, Template]) -> None:
    for kind in ("Model", "EndpointConfig"):
        (resource,) = templates["endpoint"].of(f"SageMaker::{kind}").values()
        assert resource["UpdateReplacePolicy"] == "Retain"
    endpoint = templates["endpoint"].only("SageMaker::Endpoint")
    assert endpoint["RetainAllVariantProperties"] is True


def test_a_deployment_is_rolled_back_by_alarms_that_exist(templates: Mapping[str, Template]) -> None:
    template = templates["endpoint"]
    alarms = template.of("CloudWatch::Alarm")
    (endpoint,) = template.of("SageMaker::Endpoint").values()
    condition, guarded, unguarded = endpoint["Properties"]["DeploymentConfig"]["AutoRollbackConfiguration"]["Fn::If"]
    assert template.body["Conditions"][condition] == {"Fn::Equals": [{"Ref": "RollbackAlarms"}, "on"]}
    assert template.body["Parameters"]["RollbackAlarms"]["Default"] == "on"
    assert unguarded == {"Ref": "AWS::NoValue"}
    watched = [alarm["AlarmName"] for alarm in guarded["Alarms"]]
    assert sorted(watched) == sorted(alarm["Properties"]["AlarmName"] for alarm in alarms.values())
    assert set(endpoint["DependsOn"]) >= alarms.keys()
    for alarm in alarms.values():
        dimensions = {item["Name"]: item["Value"] for item in alarm["Properties"]["Dimensions"]}
        assert dimensions == {"EndpointName": endpoint["Properties"]["EndpointName"], "VariantName": "AllTraffic"}
        assert alarm["Properties"]["TreatMissingData"] == "notBreaching"
        assert alarm["Properties"]["Period"] == 60


def test_latency_is_compared_in_microseconds(templates: Mapping[str, Template]) -> None:
    (latency,) = (
        a["Properties"] for a in templates["endpoint"].of("CloudWatch::Alarm").values() if a["Properties"]["MetricName"] == "ModelLatency"
    )
    assert (latency["Threshold"], latency["ExtendedStatistic"]) == (1_000_000, "p95")


def test_the_variant_is_encrypted_scaled_and_named_as_others_expect(templates: Mapping[str, Template]) -> None:
    template = templates["endpoint"]
    config = template.only("SageMaker::EndpointConfig")
    assert config["KmsKeyId"]["Fn::ImportValue"].startswith("breast-cancer-dev-data:")
    (variant,) = config["ProductionVariants"]
    assert (variant["VariantName"], variant["InitialInstanceCount"]) == ("AllTraffic", 2)
    capacity = template.only("ApplicationAutoScaling::ScalableTarget")
    assert capacity["ResourceId"] == "endpoint/breast-cancer-dev/variant/AllTraffic"
    assert (capacity["MinCapacity"], capacity["MaxCapacity"]) == (2, 4)


def test_the_deployment_role_reaches_what_cloudformation_names(templates: Mapping[str, Template]) -> None:
    """Generated names begin with the logical id, so the policies' patterns must too."""
    statements = text(templates["control"].statements("DeploymentRole"))
    for kind, part in (("Model", "model"), ("EndpointConfig", "config")):
        (name,) = templates["endpoint"].of(f"SageMaker::{kind}")
        assert name == logical_id("breast-cancer-dev", part)
        assert f"/{name}-*" in statements


def test_all_traffic_is_captured_as_text_under_the_projects_key(templates: Mapping[str, Template]) -> None:
    capture = templates["endpoint"].only("SageMaker::EndpointConfig")["DataCaptureConfig"]
    assert (capture["EnableCapture"], capture["InitialSamplingPercentage"]) == (True, 100)
    assert [option["CaptureMode"] for option in capture["CaptureOptions"]] == ["Input", "Output"]
    destination = text(capture["DestinationS3Uri"])
    assert "Artifacts" in destination
    assert '"/capture"' in destination
    assert capture["KmsKeyId"]["Fn::ImportValue"].startswith("breast-cancer-dev-data:")
    listed = capture["CaptureContentTypeHeader"]
    assert {*listed["JsonContentTypes"], *listed["CsvContentTypes"]} == {"application/json", "application/jsonlines", "text/csv"}


def test_its_log_group_is_there_before_the_endpoint_writes(templates: Mapping[str, Template]) -> None:
    ((name, group),) = templates["endpoint"].of("Logs::LogGroup").items()
    assert group["Properties"]["LogGroupName"] == "/aws/sagemaker/Endpoints/breast-cancer-dev"
    (endpoint,) = templates["endpoint"].of("SageMaker::Endpoint").values()
    assert name in endpoint["DependsOn"]


def test_an_instance_runs_as_many_workers_as_it_is_told(templates: Mapping[str, Template], variant: Callable[[str], Assembly]) -> None:
    (several,) = variant("vpc").templates["endpoint"].only("SageMaker::Model")["Containers"]
    assert several["Environment"] == {"SAGEMAKER_MODEL_SERVER_WORKERS": "2"}
    (one,) = templates["endpoint"].only("SageMaker::Model")["Containers"]
    assert "Environment" not in one


def test_a_serverless_variant_has_a_size_and_no_instances(variant: Callable[[str], Assembly]) -> None:
    templates = variant("serverless").templates
    config = templates["endpoint"].only("SageMaker::EndpointConfig")
    (only,) = config["ProductionVariants"]
    assert only["ServerlessConfig"] == {"MemorySizeInMB": 3072, "MaxConcurrency": 5}
    assert not {"InstanceType", "InitialInstanceCount"} & only.keys()
    assert "DataCaptureConfig" not in config
    endpoint = templates["endpoint"].only("SageMaker::Endpoint")
    routing, _ = endpoint["DeploymentConfig"]["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]["Fn::If"][1:]
    assert routing["Type"] == "ALL_AT_ONCE"
    assert endpoint["RetainAllVariantProperties"] is False


@pytest.mark.parametrize("name", ["serverless", "jwt"])
def test_what_does_not_scale_has_no_scaling_and_no_rights_to_it(variant: Callable[[str], Assembly], name: str) -> None:
    templates = variant(name).templates
    kinds = {resource["Type"] for resource in templates["endpoint"].resources.values()}
    assert not {kind for kind in kinds if kind.startswith("AWS::ApplicationAutoScaling::")}
    allowed = {action for each in templates["control"].statements("DeploymentRole") for action in as_list(each["Action"])}
    assert not {action for action in allowed if action.startswith("application-autoscaling:")}
    assert "AWS::CloudWatch::Alarm" in kinds


def test_the_smallest_endpoint_is_one_instance_that_is_replaced_at_once(variant: Callable[[str], Assembly]) -> None:
    template = variant("jwt").templates["endpoint"]
    (only,) = template.only("SageMaker::EndpointConfig")["ProductionVariants"]
    assert (only["InstanceType"], only["InitialInstanceCount"]) == ("ml.t2.medium", 1)
    policy = template.only("SageMaker::Endpoint")["DeploymentConfig"]["BlueGreenUpdatePolicy"]
    assert policy["TrafficRoutingConfiguration"]["Fn::If"][1]["Type"] == "ALL_AT_ONCE"


def test_a_new_version_keeps_the_capacity_that_scaling_has_reached(templates: Mapping[str, Template]) -> None:
    """Else every deployment would begin with instance_count, whatever the traffic."""
    assert templates["endpoint"].only("SageMaker::Endpoint")["RetainAllVariantProperties"] is True
    assert "ExcludeRetainedVariantProperties" not in templates["endpoint"].only("SageMaker::Endpoint")
