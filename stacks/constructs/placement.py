"""Where functions, jobs and the model run when the project has a VPC: its private subnets, and the permissions that this takes.

The network stack exports the names; whatever needs them imports them here, so they are known from the configuration alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_iam as iam

from contracts.network import Mode
from stacks.constructs.policy import allow
from stacks.project import Project

# https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions
_FUNCTION = ("ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface", "ec2:UnassignPrivateIpAddresses")
_FUNCTION_LOOKS = ("ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets")
# https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html
_JOB = (
    "ec2:CreateNetworkInterface",
    "ec2:CreateNetworkInterfacePermission",
    "ec2:DeleteNetworkInterface",
    "ec2:DeleteNetworkInterfacePermission",
)
_JOB_LOOKS = (
    "ec2:DescribeDhcpOptions",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcs",
)


@dataclass(frozen=True)
class Placement:
    """Tokens of the subnets, one a zone, and of the security group of everything that runs in them."""

    subnets: tuple[str, ...]
    security_group: str

    @property
    def vpc_config(self) -> dict[str, list[str]]:
        """As SageMaker takes it."""
        return {"SecurityGroupIds": [self.security_group], "Subnets": list(self.subnets)}

    @property
    def variables(self) -> dict[str, str]:
        """As functions that start jobs get it."""
        return {"subnets": " ".join(self.subnets), "security_group": self.security_group}

    def job_statements(self, stack: cdk.Stack) -> list[iam.PolicyStatement]:
        """What a job's or model's role needs to get network interfaces in the subnets, and nowhere else."""
        return [allow(_JOB, self._interfaces(stack)), allow(_JOB_LOOKS, ["*"])]

    def function_statements(self, stack: cdk.Stack, function_name: str) -> list[iam.PolicyStatement]:
        """The same for Lambda, which takes the function's role for it; the function's own code may not."""
        own = stack.format_arn(
            service="lambda", resource="function", resource_name=function_name, arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME
        )
        return [
            allow(_FUNCTION, self._interfaces(stack)),
            allow(_FUNCTION_LOOKS, ["*"]),
            iam.PolicyStatement(
                effect=iam.Effect.DENY,
                actions=[*_FUNCTION, *_FUNCTION_LOOKS],
                resources=["*"],
                conditions={"ArnEquals": {"lambda:SourceFunctionArn": own}},
            ),
        ]

    def _interfaces(self, stack: cdk.Stack) -> list[str]:
        """Interfaces have no names beforehand; that they are made in these subnets, with this group, is what can be said of them."""
        places = [("subnet", subnet) for subnet in self.subnets] + [("security-group", self.security_group), ("network-interface", "*")]
        return [stack.format_arn(service="ec2", resource=kind, resource_name=name) for kind, name in places]


def placement(project: Project) -> Placement | None:
    """None without a VPC."""
    network = project.config.network
    if network.mode is not Mode.VPC:
        return None
    subnets = tuple(cdk.Fn.import_value(name) for name in subnet_exports(project))
    return Placement(subnets, cdk.Fn.import_value(group_export(project)))


def subnet_exports(project: Project) -> Sequence[str]:
    """The names under which the network stack exports its subnets."""
    return [f"{project.prefix}-subnet-{zone}" for zone in range(1, project.config.network.zones + 1)]


def group_export(project: Project) -> str:
    """The name under which it exports the security group."""
    return f"{project.prefix}-workloads"
