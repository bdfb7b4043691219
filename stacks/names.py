"""The names that parts of the project know each other by, and their ARNs in the account that a stack is deployed to."""

from aws_cdk import ArnFormat, Stack

from stacks.project import Project

VARIANT = "AllTraffic"
LOGS_OF_FUNCTIONS = "/aws/lambda/"
# Access logs of HTTP APIs: with this prefix no resource policy of the log group has to grow with every API.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/AWS-logs-and-resource-policy.html
LOGS_OF_APIS = "/aws/vendedlogs/apis/"
SERVING_LOGS = "/aws/sagemaker/Endpoints/"
JOB_LOGS = ("/aws/sagemaker/ProcessingJobs", "/aws/sagemaker/TrainingJobs")


def stack_name(project: Project, part: str) -> str:
    """A stack's name."""
    return f"{project.prefix}-{part}"


def function_name(project: Project, function: str) -> str:
    """A function's name: ingest_dataset is <prefix>-ingest-dataset."""
    return f"{project.prefix}-{function.replace('_', '-')}"


class Arns:
    """ARNs of what is known by name, in the account and region of `stack`."""

    def __init__(self, stack: Stack, project: Project) -> None:
        self._stack = stack
        self._prefix = project.prefix

    def _arn(self, service: str, resource: str, name: str, separator: ArnFormat = ArnFormat.SLASH_RESOURCE_NAME) -> str:
        return self._stack.format_arn(service=service, resource=resource, resource_name=name, arn_format=separator)

    def sagemaker(self, resource: str, name: str) -> str:
        """Any SageMaker resource, such as ("endpoint", <name>)."""
        return self._arn("sagemaker", resource, name)

    @property
    def endpoint(self) -> str:
        """The endpoint."""
        return self.sagemaker("endpoint", self._prefix)

    @property
    def pipeline(self) -> str:
        """The pipeline."""
        return self.sagemaker("pipeline", self._prefix)

    @property
    def group(self) -> str:
        """The model package group."""
        return self.sagemaker("model-package-group", self._prefix)

    @property
    def packages(self) -> str:
        """Every version in the group."""
        return self.sagemaker("model-package", f"{self._prefix}/*")

    @property
    def endpoint_resources(self) -> list[str]:
        """Models and endpoint configurations of the Endpoint stack; CloudFormation names them after it."""
        return [self.sagemaker(kind, f"{self._prefix}-endpoint-*") for kind in ("model", "endpoint-config")]

    @property
    def endpoint_stack(self) -> str:
        """The Endpoint stack, without the id that CloudFormation ends its ARN with."""
        return self._arn("cloudformation", "stack", f"{self._prefix}-endpoint")

    def alarm(self, name: str) -> str:
        """Alarms by name or pattern."""
        return self._arn("cloudwatch", "alarm", name, ArnFormat.COLON_RESOURCE_NAME)

    def log_group(self, name: str) -> str:
        """Log groups by name or pattern. Statements on their streams need `:*` or `:log-stream:*` at the end."""
        return self._arn("logs", "log-group", name, ArnFormat.COLON_RESOURCE_NAME)
