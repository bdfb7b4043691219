"""network.mode vpc: nothing has a way to the internet, and everything that runs, runs there. Only AWS shows that it works."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.synth.templates import STACKS, Template, as_list, imports, text
from tests.synth.variants import Assembly

SUBNETS = [{"Fn::ImportValue": f"breast-cancer-dev-subnet-{zone}"} for zone in (1, 2, 3)]
GROUP = {"Fn::ImportValue": "breast-cancer-dev-workloads"}
WHERE = {"SecurityGroupIds": [GROUP], "Subnets": SUBNETS}
CALLED = {"sagemaker.api", "sagemaker.runtime", "cloudformation", "monitoring", "xray"}


@pytest.fixture
def vpc(variant: Callable[[str], Assembly]) -> dict[str, Template]:
    """The templates of the configuration with a VPC."""
    return dict(variant("vpc").templates)


def test_there_is_no_way_to_the_internet(vpc: dict[str, Template]) -> None:
    network = vpc["network"]
    for kind in ("InternetGateway", "NatGateway", "Route", "EgressOnlyInternetGateway", "VPNGateway", "EIP"):
        assert not network.of(f"EC2::{kind}")
    subnets = network.of("EC2::Subnet")
    assert [subnet["Properties"]["CidrBlock"] for subnet in subnets.values()] == ["10.20.0.0/22", "10.20.4.0/22", "10.20.8.0/22"]
    assert len({text(subnet["Properties"]["AvailabilityZone"]) for subnet in subnets.values()}) == 3
    assert not any(subnet["Properties"]["MapPublicIpOnLaunch"] for subnet in subnets.values())


def test_what_the_loop_calls_has_an_endpoint_that_only_the_workloads_reach(vpc: dict[str, Template]) -> None:
    network = vpc["network"]
    endpoints = [each["Properties"] for each in network.of("EC2::VPCEndpoint").values()]
    called = {each["ServiceName"]["Fn::Join"][1][-1][1:] for each in endpoints if each["VpcEndpointType"] == "Interface"}
    assert called == CALLED
    assert {each["ServiceName"]["Fn::Join"][1][-1] for each in endpoints if each["VpcEndpointType"] == "Gateway"} == {".s3", ".dynamodb"}
    assert all(each["PrivateDnsEnabled"] for each in endpoints if each["VpcEndpointType"] == "Interface")
    rule = network.only("EC2::SecurityGroupIngress")
    assert (rule["FromPort"], rule["ToPort"], rule["IpProtocol"]) == (443, 443, "tcp")
    assert "Workloads" in text(rule["SourceSecurityGroupId"])
    assert not [group for group in network.of("EC2::SecurityGroup").values() if "SecurityGroupIngress" in group["Properties"]]


def test_every_function_runs_in_the_subnets_and_its_code_may_not_touch_them(vpc: dict[str, Template]) -> None:
    for part in ("serving", "control"):
        for function in vpc[part].of("Lambda::Function").values():
            assert function["Properties"]["VpcConfig"] == {"SecurityGroupIds": [GROUP], "SubnetIds": SUBNETS}
            statements = vpc[part].statements(function["Properties"]["Role"]["Fn::GetAtt"][0])
            (denied,) = (statement for statement in statements if statement["Effect"] == "Deny")
            granted = {action for each in statements if each["Effect"] == "Allow" for action in as_list(each["Action"])}
            assert {action for action in granted if action.startswith("ec2:")} == set(denied["Action"])
            assert function["Properties"]["FunctionName"] in text(denied["Condition"]["ArnEquals"]["lambda:SourceFunctionArn"])


def _steps(template: Template) -> dict[str, Any]:
    """The arguments of the pipeline's jobs."""
    body = template.only("SageMaker::Pipeline")["PipelineDefinition"]["PipelineDefinitionBody"]
    parts = (part if isinstance(part, str) else json.dumps(part).replace('"', "'") for part in body["Fn::Join"][1])
    return {step["Name"]: step["Arguments"] for step in json.loads("".join(parts))["Steps"]}


def test_jobs_run_in_the_subnets_encrypted_and_isolated_where_they_call_nobody(vpc: dict[str, Template]) -> None:
    steps = _steps(vpc["training"])
    train = steps["Train"]
    networks = {name: steps[name]["NetworkConfig"] for name in ("Prepare", "Evaluate")} | {"Train": train}
    assert {name: each["EnableNetworkIsolation"] for name, each in networks.items()} == {"Prepare": False, "Train": True, "Evaluate": True}
    for each in networks.values():
        assert each["EnableInterContainerTrafficEncryption"] is True
        assert [eval(subnet) for subnet in each["VpcConfig"]["Subnets"]] == SUBNETS  # noqa: S307 - what _steps wrote
        assert len(each["VpcConfig"]["SecurityGroupIds"]) == 1


def test_the_model_and_what_watches_it_run_in_the_subnets(vpc: dict[str, Template]) -> None:
    model = vpc["endpoint"].only("SageMaker::Model")
    assert (model["EnableNetworkIsolation"], model["VpcConfig"]) == (True, WHERE)
    for kind in ("DataQuality", "ModelQuality"):
        network = vpc["endpoint"].only(f"SageMaker::{kind}JobDefinition")["NetworkConfig"]
        assert network == {"EnableInterContainerTrafficEncryption": True, "VpcConfig": WHERE}


def test_functions_that_start_jobs_know_where(vpc: dict[str, Template]) -> None:
    functions = vpc["control"].of("Lambda::Function").values()
    told = {each["Properties"]["Handler"].split(".")[1] for each in functions if '"SUBNETS"' in text(each["Properties"]["Environment"])}
    assert told == {"start_training", "start_monitoring"}


@pytest.mark.parametrize("role", ["RolesJob", "RolesModel", "RolesMonitor", "RolesCollect"])
def test_jobs_get_interfaces_in_the_subnets_only(vpc: dict[str, Template], role: str) -> None:
    (create,) = (each for each in vpc["training"].statements(role) if "ec2:CreateNetworkInterface" in as_list(each["Action"]))
    kinds = [text(resource) for resource in create["Resource"]]
    assert len([kind for kind in kinds if ":subnet/" in kind]) == 3
    assert len([kind for kind in kinds if ":security-group/" in kind]) == 1
    assert not [kind for kind in kinds if ":subnet/*" in kind or ":security-group/*" in kind]


def test_the_network_is_there_before_what_runs_in_it(variant: Callable[[str], Assembly]) -> None:
    assembly = variant("vpc")
    artifacts = json.loads((assembly.folder / "manifest.json").read_text())["artifacts"]

    def before(name: str) -> set[str]:
        direct = {each for each in artifacts[name].get("dependencies", ()) if each in artifacts}
        return direct.union(*map(before, direct))

    users = [part for part in STACKS if any("-subnet-" in name for name in imports(assembly.templates[part].body))]
    assert users == ["training", "endpoint", "serving", "control"]
    assert all("breast-cancer-dev-network" in before(f"breast-cancer-dev-{part}") for part in users)


def test_without_a_vpc_nothing_speaks_of_networks(variant: Callable[[str], Assembly]) -> None:
    templates = variant("dev").templates
    assert "network" not in templates
    for part, template in templates.items():
        assert ("ec2:" in text(template.body), "VpcConfig" in text(template.body)) == (False, False), part
