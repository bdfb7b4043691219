"""Collect jobs: what turns labelled traffic into a dataset version, asked for and read."""

import hashlib
from typing import Any

from botocore.exceptions import ClientError
from pydantic import ValidationError

from contracts.collection import Collection
from contracts.config import Config
from contracts.environment import StartTrainingEnvironment
from contracts.instances import has_local_storage
from contracts.layout import CAPTURE, COLLECTION, GROUND_TRUTH, VARIANT, collection_prefix, manifest_key
from contracts.ledger import Evidence, Retraining
from lambdas.start_training.states import Job
from lambdas.unknown import unless_unknown

VOLUME = 30  # GB


class CollectJobs:
    """Processing jobs `<prefix>-collect-<name>`."""

    def __init__(self, sagemaker: Any, s3: Any, config: Config, variables: StartTrainingEnvironment) -> None:
        self._sagemaker = sagemaker
        self._s3 = s3
        self._config = config
        self._variables = variables

    def start(self, retraining: Retraining) -> None:
        """Start the job. One that is there already is the same."""
        try:
            self._sagemaker.create_processing_job(**self._request(retraining))
        except self._sagemaker.exceptions.ResourceInUse:
            return

    def read(self, name: str) -> Job | None:
        """A retraining's job, or None when it was not started."""
        found = unless_unknown(self._sagemaker.describe_processing_job, ProcessingJobName=self._name(name))
        if found is None:
            return None
        status = found["ProcessingJobStatus"]
        collection = self._collection(name) if status == "Completed" else None
        return Job(status, found.get("FailureReason") or found.get("ExitMessage", ""), collection)

    def evidence(self, name: str) -> tuple[Evidence, ...]:
        """collection.json, when it is there."""
        body = self._body(name)
        uri = f"s3://{self._variables.data_bucket}/{collection_prefix(name)}{COLLECTION}"
        return (Evidence(uri=uri, sha256=hashlib.sha256(body).hexdigest()),) if body else ()

    def _collection(self, name: str) -> Collection | None:
        try:
            return Collection.from_json(self._body(name) or b"")
        except ValidationError:
            return None

    def _body(self, name: str) -> bytes | None:
        try:
            found = self._s3.get_object(Bucket=self._variables.data_bucket, Key=collection_prefix(name) + COLLECTION)
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchKey":
                raise
            return None
        body: bytes = found["Body"].read()
        return body

    def _name(self, name: str) -> str:
        return f"{self._config.prefix}-collect-{name}"

    def _request(self, retraining: Retraining) -> dict[str, Any]:
        config, variables = self._config, self._variables
        instance = config.monitoring.instance_type
        key = {} if has_local_storage(instance) else {"VolumeKmsKeyId": variables.key_arn}
        return {
            "ProcessingJobName": self._name(retraining.name),
            "ProcessingResources": {"ClusterConfig": {"InstanceCount": 1, "InstanceType": instance, "VolumeSizeInGB": VOLUME} | key},
            "StoppingCondition": {"MaxRuntimeInSeconds": config.monitoring.max_runtime_seconds},
            "AppSpecification": {
                "ImageUri": variables.image_uri,
                "ContainerEntrypoint": ["python", "-m", "training", "collect"],
                "ContainerArguments": self._arguments(retraining),
            },
            "RoleArn": variables.collect_role_arn,
            **variables.network_config,
        }

    def _arguments(self, retraining: Retraining) -> list[str]:
        variables, config = self._variables, self._config
        data = f"s3://{variables.data_bucket}"
        named = {
            "name": retraining.name,
            "captures": f"s3://{variables.artifacts_bucket}/{CAPTURE}{variables.endpoint_name}/{VARIANT}",
            "labels": f"{data}/{GROUND_TRUTH}".rstrip("/"),
            "start": retraining.start.isoformat(),
            "end": retraining.end.isoformat(),
            "parent": f"{data}/{manifest_key(config.data.dataset, retraining.parent)}",
            "data-bucket": variables.data_bucket,
            "minimum-labels": str(config.retraining.minimum_labels),
        }
        return [text for name, value in named.items() for text in (f"--{name}", value)]
