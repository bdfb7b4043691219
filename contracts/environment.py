"""The functions' environment variables, as models: the stack renders them, the function reads them, so the two cannot differ."""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field

PROJECT_FILE = "project.json"  # the project's Config, beside the function's code


class Environment(BaseModel):
    """A function's own variables. Field `data_bucket` is the variable DATA_BUCKET."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def render(self) -> dict[str, str]:
        """As environment variables; what is as by default is left out."""
        return {name.upper(): str(value) for name, value in self.model_dump(exclude_defaults=True).items()}

    @classmethod
    def read(cls, variables: Mapping[str, str]) -> Self:
        """From the process's environment. Raises pydantic.ValidationError naming each missing variable."""
        return cls.model_validate({name: variables[name.upper()] for name in cls.model_fields if name.upper() in variables})


class JobsEnvironment(Environment):
    """Of functions that start jobs: where these run. No subnets, which are separated by spaces: on AWS's network."""

    subnets: str = ""
    security_group: str = ""

    @property
    def network_config(self) -> dict[str, Any]:
        """NetworkConfig of a Processing job that calls AWS; nothing without subnets."""
        if not self.subnets:
            return {}
        where = {"SecurityGroupIds": [self.security_group], "Subnets": self.subnets.split()}
        return {"NetworkConfig": {"EnableInterContainerTrafficEncryption": True, "EnableNetworkIsolation": False, "VpcConfig": where}}


class IngestDatasetEnvironment(Environment):
    """ingest_dataset."""

    data_bucket: str
    ledger_table: str


class StartTrainingEnvironment(JobsEnvironment):
    """start_training. `collect_role_arn`: what its collect jobs run under; `key_arn`: what their volumes are encrypted with."""

    data_bucket: str
    artifacts_bucket: str
    ledger_table: str
    pipeline_name: str
    model_package_group: str
    endpoint_name: str
    git_commit: str
    image_uri: str
    collect_role_arn: str
    key_arn: str


class StartMonitoringEnvironment(JobsEnvironment):
    """start_monitoring. `job_role_arn`: what the analyzer runs under; `key_arn`: what its volume and its output are encrypted with."""

    data_bucket: str
    artifacts_bucket: str
    endpoint_name: str
    image_uri: str
    job_role_arn: str
    key_arn: str


class StartBatchEnvironment(JobsEnvironment):
    """start_batch. `batch_role_arn`: what the model of a batch runs under; `hash_key_secret`: as for predict."""

    data_bucket: str
    artifacts_bucket: str
    ledger_table: str
    endpoint_name: str
    batch_role_arn: str
    key_arn: str
    hash_key_secret: str = ""


class ApproveModelEnvironment(Environment):
    """approve_model."""

    ledger_table: str
    model_package_group: str


class ReconcileEndpointEnvironment(Environment):
    """reconcile_endpoint."""

    ledger_table: str
    model_package_group: str
    endpoint_name: str
    endpoint_stack: str
    deployment_role_arn: str
    rollback_alarms: str  # their names, separated by spaces

    @property
    def alarm_names(self) -> tuple[str, ...]:
        """The alarms that throw a deployment back."""
        return tuple(self.rollback_alarms.split())


class PredictEnvironment(Environment):
    """predict. `hash_key_secret`: the name of the secret with the key for hashed columns, when there are any."""

    endpoint_name: str
    hash_key_secret: str = ""


class DescribeModelEnvironment(Environment):
    """describe_model."""

    endpoint_name: str


class PredictStreamEnvironment(Environment):
    """predict_stream. `dead_letters`: the queue's URL."""

    endpoint_name: str
    output_stream: str
    data_bucket: str
    dead_letters: str


class RecordFeedbackEnvironment(Environment):
    """record_feedback."""

    data_bucket: str


class ServerEnvironment(Environment):
    """The model server. The first three are SageMaker's names, as in its inference toolkit; seconds and bytes.

    Times: `sagemaker_model_server_timeout` for a request to arrive, and again for its answer; `tidewheel_keep_alive_seconds` for a
    connection between requests, longer than the idle time-out of the clients in front, so that they hang up first;
    `tidewheel_drain_seconds` after SIGTERM, of the 30 that SageMaker gives. `tidewheel_connections` and `tidewheel_waiting_requests`
    are a worker's; a body of up to `tidewheel_inline_bytes` is answered at once, a larger one by a thread.
    """

    sagemaker_bind_to_port: int = Field(default=8080, ge=1, le=65535)
    sagemaker_model_server_workers: int = Field(default=1, ge=1, le=64)
    sagemaker_model_server_timeout: float = Field(default=60, gt=0, le=3600)
    tidewheel_keep_alive_seconds: float = Field(default=75, gt=0, le=3600)
    tidewheel_drain_seconds: float = Field(default=25, ge=0, le=30)
    tidewheel_connections: int = Field(default=1024, ge=1)
    tidewheel_waiting_requests: int = Field(default=64, ge=1)
    tidewheel_inline_bytes: int = Field(default=128 * 1024, ge=0)
    # The most that InvokeEndpoint lets through: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html
    tidewheel_largest_body_bytes: int = Field(default=25 * 1024 * 1024, ge=1)
