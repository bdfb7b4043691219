"""A function of the project: its code by path, its own log group and role, its environment from its contract.

The asset holds contracts/, the shared modules and the function's folder of lambdas/, and project.json: the configuration it runs with.
Powertools and pydantic come with the layer, boto3 with the runtime, so nothing is bundled.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from contracts.environment import PROJECT_FILE, Environment
from contracts.monitoring import NAMESPACE
from stacks.constructs.logs import ProjectLogs
from stacks.constructs.placement import placement
from stacks.constructs.policy import acknowledge, allow, service_role
from stacks.constructs.staging import staged
from stacks.layers import PANDAS, POWERTOOLS, pandas_layer
from stacks.names import LOGS_OF_FUNCTIONS, function_name
from stacks.project import Project

_FREE_DISK = 512  # megabytes of /tmp that every function has


class ProjectFunction(Construct):
    """lambdas/<function> as `<prefix>-<function>`. What fails asynchronously after two retries goes to `dead_letters`, if there are any.

    `reads_parquet`: it has pyarrow too, of the SDK for pandas.
    """

    def __init__(
        self,
        scope: Construct,
        project: Project,
        function: str,
        *,
        environment: Environment,
        statements: Sequence[iam.PolicyStatement],
        key: kms.IKey,
        dead_letters: sqs.IQueue | None = None,
        timeout_seconds: int = 60,
        memory_megabytes: int = 512,
        disk_megabytes: int = _FREE_DISK,
        reads_parquet: bool = False,
    ) -> None:
        super().__init__(scope, _camel(function))
        name = function_name(project, function)
        group = ProjectLogs(self, "Logs", f"{LOGS_OF_FUNCTIONS}{name}", key)
        where = placement(project)
        network = where.function_statements(cdk.Stack.of(self), name) if where else []
        all_statements = [*statements, *_own_statements(group, key, dead_letters), *network]
        self.role = service_role(self, "Role", "lambda.amazonaws.com", f"Runs {name}", all_statements)
        with staged(project.root, asset_parts(project.root, function), {PROJECT_FILE: project_file(project)}) as folder:
            self.function = lambda_.Function(
                self,
                "Function",
                function_name=name,
                description=f"lambdas/{function} of {project.prefix}",
                code=lambda_.Code.from_asset(str(folder)),
                handler=f"lambdas.{function}.handler.handle",
                runtime=lambda_.Runtime.PYTHON_3_13,
                architecture=lambda_.Architecture.X86_64,
                # Where two have the same file the later one's counts: https://docs.aws.amazon.com/lambda/latest/dg/adding-layers.html
                layers=[*([self._pandas()] if reads_parquet else []), self._powertools()],
                # Fixed: whatever a construct would like to add to the role must be written above instead.
                role=self.role.without_policy_updates(),
                log_group=group,
                environment=environment.render() | _powertools_variables(function),
                memory_size=memory_megabytes,
                ephemeral_storage_size=None if disk_megabytes == _FREE_DISK else cdk.Size.mebibytes(disk_megabytes),
                timeout=cdk.Duration.seconds(timeout_seconds),
                tracing=lambda_.Tracing.ACTIVE,
                retry_attempts=None if dead_letters is None else 2,
                max_event_age=None if dead_letters is None else cdk.Duration.hours(6),
                on_failure=None if dead_letters is None else destinations.SqsDestination(dead_letters),
            )
        if where:
            resource = self.function.node.default_child
            assert isinstance(resource, lambda_.CfnFunction)  # noqa: S101 - tells the type checker what CDK guarantees
            # The construct's own `vpc` would attach a managed policy to the role.
            resource.vpc_config = lambda_.CfnFunction.VpcConfigProperty(
                subnet_ids=list(where.subnets), security_group_ids=[where.security_group]
            )
        acknowledge(
            self.function, "AwsSolutions-L1", "Python 3.13 is what the pinned layer and the model image run; AWS supports it until 2029."
        )

    @property
    def arn(self) -> str:
        """The function's ARN."""
        return self.function.function_arn

    def _powertools(self) -> lambda_.ILayerVersion:
        stack = cdk.Stack.of(self)
        return lambda_.LayerVersion.from_layer_version_arn(
            self, "Powertools", POWERTOOLS.format(partition=stack.partition, region=stack.region)
        )

    def _pandas(self) -> lambda_.ILayerVersion:
        known = cdk.CfnMapping(self, "PandasLayer", mapping={region: {"Arn": pandas_layer(region)} for region in sorted(PANDAS)})
        return lambda_.LayerVersion.from_layer_version_arn(self, "Pandas", known.find_in_map(cdk.Aws.REGION, "Arn"))


def asset_parts(root: Path, function: str) -> list[str]:
    """What a function's asset holds, relative to the repository."""
    shared = sorted(path.relative_to(root).as_posix() for path in (root / "lambdas").glob("*.py"))
    return ["contracts", *shared, f"lambdas/{function}"]


def project_file(project: Project) -> str:
    """The configuration as the functions read it."""
    return json.dumps(project.config.model_dump(mode="json"), indent=2, sort_keys=True)


def _own_statements(group: logs.LogGroup, key: kms.IKey, dead_letters: sqs.IQueue | None) -> list[iam.PolicyStatement]:
    """What every function does besides its work: log, trace, and pass on what it could not handle."""
    statements = [
        allow(["logs:CreateLogStream", "logs:PutLogEvents"], [group.log_group_arn]),
        allow(["xray:PutTelemetryRecords", "xray:PutTraceSegments"], ["*"]),
    ]
    if dead_letters is not None:
        statements += [
            allow(["sqs:SendMessage"], [dead_letters.queue_arn]),
            allow(["kms:Decrypt", "kms:GenerateDataKey"], [key.key_arn]),
        ]
    return statements


def _powertools_variables(function: str) -> dict[str, str]:
    return {
        "POWERTOOLS_SERVICE_NAME": function,
        "POWERTOOLS_METRICS_NAMESPACE": NAMESPACE,
        "POWERTOOLS_LOG_LEVEL": "INFO",
    }


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))
