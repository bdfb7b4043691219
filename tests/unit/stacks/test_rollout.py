"""serving.rollout in SageMaker's words."""

from types import SimpleNamespace
from typing import Any, cast

import aws_cdk as cdk
import pytest
from aws_cdk import aws_iam as iam
from aws_cdk.assertions import Template

from contracts.config import Config
from contracts.errors import ConfigError
from contracts.serving import Rollout, RolloutType, Serving
from stacks.constructs.rollout import deployment_config
from stacks.data import DataStack
from stacks.endpoint import EndpointStack
from stacks.project import Project, read_project
from stacks.training import TrainingStack
from tests.unit.stacks.test_project import EXAMPLE


def _rendered(rollout: Rollout) -> dict[str, Any]:
    stack = cdk.Stack()
    found: dict[str, Any] = stack.resolve(deployment_config(rollout, ["a", "b"], "Guarded"))
    return found


def _either(rendered: dict[str, Any]) -> tuple[Any, Any]:
    """What an Fn::If gives under the guard, and without."""
    condition, guarded, unguarded = rendered["Fn::If"]
    assert condition == "Guarded"
    return guarded, unguarded


@pytest.mark.parametrize(
    ("kind", "routing"),
    [
        (RolloutType.ALL_AT_ONCE, {"Type": "ALL_AT_ONCE"}),
        (RolloutType.CANARY, {"Type": "CANARY", "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 20}}),
        (RolloutType.LINEAR, {"Type": "LINEAR", "LinearStepSize": {"Type": "CAPACITY_PERCENT", "Value": 20}}),
    ],
)
def test_each_type_says_what_sagemaker_wants_for_it(kind: RolloutType, routing: dict[str, Any]) -> None:
    rendered = _rendered(Rollout(type=kind, step_percent=20, interval_seconds=60, termination_wait_seconds=7))
    policy = rendered["blueGreenUpdatePolicy"]
    at_once = {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 60}
    assert _either(policy["trafficRoutingConfiguration"]) == (routing | {"WaitIntervalInSeconds": 60}, at_once)
    assert policy["terminationWaitInSeconds"] == 7
    alarms = {"Alarms": [{"AlarmName": "a"}, {"AlarmName": "b"}]}
    assert _either(rendered["autoRollbackConfiguration"]) == (alarms, {"Ref": "AWS::NoValue"})


def test_a_rollout_that_cannot_end_in_time_is_refused() -> None:
    linear = {"type": RolloutType.LINEAR, "termination_wait_seconds": 0}
    assert _rendered(Rollout(step_percent=20, interval_seconds=2520, **linear))  # 5 x 2,520 s and 1,800 s are the limit
    with pytest.raises(ConfigError, match=r"serving\.rollout: 15120 s .* Next: shorten interval_seconds"):
        _rendered(Rollout(step_percent=17, interval_seconds=2520, **linear))
    assert _rendered(Rollout(type=RolloutType.CANARY, step_percent=17, interval_seconds=2520))


def _endpoint(**serving: Any) -> Template:
    app = cdk.App()
    found = read_project(app.node, EXAMPLE.parent, None)
    project = Project(Config.model_validate(found.config.model_dump() | {"serving": Serving(**serving).model_dump()}), found.root)
    data = DataStack(app, project)
    role = iam.Role.from_role_arn(data, "Role", "arn:aws:iam::123456789012:role/model")
    training = cast(TrainingStack, SimpleNamespace(model_role=role))  # what this stack takes of it, without the pipeline
    return Template.from_stack(EndpointStack(app, project, data, training))


def test_a_fleet_of_one_size_is_not_scaled() -> None:
    template = _endpoint(instance_count=2, max_instance_count=2)
    template.resource_count_is("AWS::ApplicationAutoScaling::ScalableTarget", 0)
    (endpoint,) = template.find_resources("AWS::SageMaker::Endpoint").values()
    # Otherwise another instance_count in tidewheel.yaml would never arrive.
    assert endpoint["Properties"]["RetainAllVariantProperties"] is False


@pytest.mark.parametrize(
    ("instance_type", "takes_key"),
    [
        ("ml.m5.large", True),
        ("ml.c6i.xlarge", True),
        ("ml.g4dn.xlarge", False),
        ("ml.m5d.large", False),
        ("ml.c6gd.large", False),
        ("ml.inf1.xlarge", True),
    ],
)
def test_the_key_is_left_out_where_disks_encrypt_themselves(instance_type: str, takes_key: bool) -> None:
    (config,) = _endpoint(instance_type=instance_type).find_resources("AWS::SageMaker::EndpointConfig").values()
    assert ("KmsKeyId" in config["Properties"]) is takes_key
