"""The names that parts of the project know each other by, and their ARNs in the account that a stack is deployed to."""

from aws_cdk import ArnFormat, Stack

from contracts import layout
from stacks.project import Project

VARIANT = layout.VARIANT
LOGS_OF_FUNCTIONS = "/aws/lambda/"
# Access logs of HTTP APIs: with this prefix no resource policy of the log group has to grow with every API.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/AWS-logs-and-resource-policy.html
LOGS_OF_APIS = "/aws/vendedlogs/apis/"
LOGS_OF_NETWORKS = "/aws/vpc/"
SERVING_LOGS = "/aws/sagemaker/Endpoints/"
BATCH_LOGS = "/aws/sagemaker/TransformJobs"
JOB_LOGS = ("/aws/sagemaker/ProcessingJobs", "/aws/sagemaker/TrainingJobs")

DATA_QUALITY, MODEL_QUALITY = "DataQuality", "ModelQuality"  # Model Monitor's names


def stack_name(project: Project, part: str) -> str:
    """A stack's name."""
    return f"{project.prefix}-{part}"


def role_path(prefix: str) -> str:
    """The path of every role of a project's stacks: what tells them from the account's other roles, whatever CloudFormation calls them."""
    return f"/tidewheel/{prefix}/"


def function_name(project: Project, function: str) -> str:
    """A function's name: ingest_dataset is <prefix>-ingest-dataset."""
    return f"{project.prefix}-{function.replace('_', '-')}"


def rollback_alarm_names(project: Project) -> list[str]:
    """The alarms that throw a deployment back: on errors and on latency."""
    return [f"{project.prefix}-5xx", f"{project.prefix}-latency"]


def window_alarm_names(project: Project) -> list[str]:
    """The alarms over windows of traffic: on drift and on the model's quality."""
    return [f"{project.prefix}-drift", f"{project.prefix}-quality"]


def refused_alarm_name(project: Project) -> str:
    """The alarm on requests that the model refuses."""
    return f"{project.prefix}-refused"


def monitor_jobs(project: Project) -> str:
    """What start_monitoring's jobs are called, as a pattern."""
    return f"{project.prefix}-monitor-*"


def collect_jobs(project: Project) -> str:
    """What start_training's own jobs are called, as a pattern."""
    return f"{project.prefix}-collect-*"


def monitoring_schedule_name(project: Project, kind: str) -> str:
    """Model Monitor's schedule of a kind, and the beginning of its job definitions' names."""
    return f"{project.prefix}-{'model-quality' if kind == MODEL_QUALITY else 'data-quality'}"


def logical_id(prefix: str, part: str) -> str:
    """A logical id with the project in it, for SageMaker resources that CloudFormation names.

    Unlike most services' their names are made of the logical id and a random part, without the stack's name
    (https://github.com/aws/aws-cli/issues/4021); only so can a policy tell one project's from another's. In lower case, because SageMaker
    writes names in ARNs in lower case.
    """
    return f"{prefix.replace('-', '')}{part}"


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
    def executions(self) -> str:
        """Every run of the pipeline."""
        return self.sagemaker("pipeline", f"{self._prefix}/execution/*")

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
        """Models and endpoint configurations of the Endpoint stack, which CloudFormation names (see `logical_id`)."""
        own = [self.sagemaker("model", f"{logical_id(self._prefix, 'model')}-*")]
        return [*own, self.sagemaker("endpoint-config", f"{logical_id(self._prefix, 'config')}-*")]

    @property
    def job_definitions(self) -> tuple[str, str]:
        """Model Monitor's definitions of this endpoint: of data quality, of model quality."""
        data = self.sagemaker("data-quality-job-definition", f"{self._prefix}-data-quality-*")
        return data, self.sagemaker("model-quality-job-definition", f"{self._prefix}-model-quality-*")

    @property
    def monitoring_schedules(self) -> list[str]:
        """Model Monitor's schedules of this endpoint."""
        return [self.sagemaker("monitoring-schedule", f"{self._prefix}-{kind}-quality") for kind in ("data", "model")]

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
