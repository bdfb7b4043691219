"""The functions' environment variables, as models: the stack renders them, the function reads them, so the two cannot differ."""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict

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


class RecordFeedbackEnvironment(Environment):
    """record_feedback."""

    data_bucket: str
