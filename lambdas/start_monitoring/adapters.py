"""start_monitoring's view of the live model and of processing jobs."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from contracts.layout import VERDICT
from contracts.metadata import ModelMetadata
from lambdas.live import LiveEndpoint
from lambdas.unknown import unless_unknown


class Nothing(Exception):  # noqa: N818 - no error: there is nothing to watch, and the text says why
    """No model is live that could be watched."""


@dataclass(frozen=True)
class Watched:
    """The live model: the training run that made it, and with it its baseline; and since when it is live."""

    run: str
    since: datetime


class LiveModel:
    """The model behind the endpoint."""

    def __init__(self, sagemaker: Any, endpoint: str) -> None:
        self._sagemaker = sagemaker
        self._name = endpoint

    def read(self) -> Watched:
        """What is watched. Raises Nothing."""
        live = LiveEndpoint(self._sagemaker, self._name).read()
        if live is None:
            raise Nothing(f"there is no endpoint {self._name} yet")
        if live.package_arn is None or live.since is None:
            raise Nothing(f"the endpoint {self._name} serves no model package")
        package = unless_unknown(self._sagemaker.describe_model_package, ModelPackageName=live.package_arn)
        if package is None:
            raise Nothing(f"{live.package_arn} is live, and no longer in the registry")
        try:
            return Watched(ModelMetadata.from_properties(package.get("CustomerMetadataProperties", {})).run, live.since)
        except ValidationError:
            raise Nothing(f"{live.package_arn} was not made by this project's pipeline, so it has no baseline") from None


class Jobs:
    """Processing jobs."""

    def __init__(self, sagemaker: Any) -> None:
        self._sagemaker = sagemaker

    def start(self, request: dict[str, Any]) -> bool:
        """Start a job. False when one of that name was started before: the same window is looked at once."""
        try:
            self._sagemaker.create_processing_job(**request)
        except self._sagemaker.exceptions.ResourceInUse:
            return False
        return True

    def failed(self, name: str) -> bool:
        """Whether a job ended without its work done."""
        status: str = self._sagemaker.describe_processing_job(ProcessingJobName=name)["ProcessingJobStatus"]
        return status in {"Failed", "Stopped"}


class Verdicts:
    """What was found in earlier windows."""

    def __init__(self, s3: Any, bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def has(self, prefix: str) -> bool:
        """Whether there is a verdict in a folder."""
        return bool(self._s3.list_objects_v2(Bucket=self._bucket, Prefix=prefix + VERDICT, MaxKeys=1).get("Contents"))
