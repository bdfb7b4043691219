"""The network stack, when `network.mode` is vpc: private subnets without a way to the internet, and endpoints of what the loop calls.

A function, a job or the endpoint reaches S3 and DynamoDB through gateway endpoints, and the other services through interface endpoints,
which answer under the services' own names. There is no internet gateway and no NAT; the default security group is used by nothing.
https://docs.aws.amazon.com/vpc/latest/privatelink/aws-services-privatelink-support.html
"""

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from constructs import Construct

from stacks.constructs.logs import ProjectLogs
from stacks.constructs.placement import group_export, subnet_exports
from stacks.constructs.policy import allow, service_role
from stacks.data import DataStack
from stacks.names import LOGS_OF_NETWORKS, stack_name
from stacks.project import Project

_HTTPS = 443


class NetworkStack(cdk.Stack):
    """VPC, a subnet a zone, endpoints, two security groups and flow logs; subnets and the workloads' group are exported by name."""

    def __init__(self, scope: Construct, project: Project, data: DataStack) -> None:
        super().__init__(scope, stack_name(project, "network"), description=f"Tidewheel {project.prefix}: private subnets and endpoints")
        network = project.config.network
        self._vpc = ec2.Vpc(
            self,
            "Vpc",
            vpc_name=project.prefix,
            ip_addresses=ec2.IpAddresses.cidr(str(network.cidr)),
            availability_zones=[cdk.Fn.select(zone, cdk.Fn.get_azs()) for zone in range(network.zones)],
            nat_gateways=0,
            # All of the range is divided among the zones.
            subnet_configuration=[ec2.SubnetConfiguration(name="Private", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED)],
            restrict_default_security_group=False,  # would take a custom resource
        )
        workloads = self._workloads()
        self._endpoints(project, workloads)
        self._flow_logs(project, data)
        for name, subnet in zip(subnet_exports(project), self._vpc.isolated_subnets, strict=True):
            self.export_value(subnet.subnet_id, name=name)
        self.export_value(workloads.security_group_id, name=group_export(project))

    def _workloads(self) -> ec2.SecurityGroup:
        group = ec2.SecurityGroup(
            self, "Workloads", vpc=self._vpc, description="Functions, jobs and the endpoint", allow_all_outbound=False
        )
        # To anywhere that the subnets have a route to, which is the endpoints. The ranges of S3 and DynamoDB differ from region to region.
        group.add_egress_rule(ec2.Peer.any_ipv4(), ec2.Port.tcp(_HTTPS), "HTTPS")
        return group

    def _endpoints(self, project: Project, workloads: ec2.SecurityGroup) -> None:
        gateway, interface = ec2.GatewayVpcEndpointAwsService, ec2.InterfaceVpcEndpointAwsService
        self._vpc.add_gateway_endpoint("S3", service=gateway.S3)
        self._vpc.add_gateway_endpoint("DynamoDb", service=gateway.DYNAMODB)
        doors = ec2.SecurityGroup(self, "Doors", vpc=self._vpc, description="Endpoints of AWS services", allow_all_outbound=False)
        doors.add_ingress_rule(workloads, ec2.Port.tcp(_HTTPS), "HTTPS from functions, jobs and the endpoint")
        services = {
            "SageMaker": interface.SAGEMAKER_API,
            "SageMakerRuntime": interface.SAGEMAKER_RUNTIME,
            "CloudFormation": interface.CLOUDFORMATION,
            "CloudWatch": interface.CLOUDWATCH_MONITORING,
            "XRay": interface.XRAY,
        }
        if project.config.data.privacy.hash:
            services["SecretsManager"] = interface.SECRETS_MANAGER
        if project.config.stream.enabled:
            services |= {"Kinesis": interface.KINESIS_STREAMS, "Sqs": interface.SQS}
        for name, service in services.items():
            self._vpc.add_interface_endpoint(name, service=service, security_groups=[doors], open=False, private_dns_enabled=True)

    def _flow_logs(self, project: Project, data: DataStack) -> None:
        """https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-iam-role.html: who talked to whom, and what was refused."""
        group = ProjectLogs(self, "FlowLogs", f"{LOGS_OF_NETWORKS}{project.prefix}", data.key)
        statements = [
            allow(["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"], [group.log_group_arn]),
            allow(["logs:DescribeLogGroups"], ["*"]),
        ]
        role: iam.IRole = service_role(self, "FlowLogsRole", "vpc-flow-logs.amazonaws.com", f"Flow logs of {project.prefix}", statements)
        ec2.CfnFlowLog(
            self,
            "FlowLog",
            resource_id=self._vpc.vpc_id,
            resource_type="VPC",
            traffic_type="ALL",
            deliver_logs_permission_arn=role.role_arn,
            log_group_name=group.log_group_name,
        )
