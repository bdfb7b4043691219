"""The endpoint as it is, followed from its configuration over its model to the model package that it serves."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Endpoint:
    """The endpoint, and the model package that its current configuration serves (None when that is not made from a package).

    `created`: the endpoint; `since`: its configuration, which every deployment makes anew.
    """

    status: str
    config: str
    package_arn: str | None
    reason: str = ""
    created: datetime | None = None
    since: datetime | None = None


class LiveEndpoint:
    """The endpoint, followed from its configuration to the model package that it serves."""

    def __init__(self, sagemaker: Any, name: str) -> None:
        self._sagemaker = sagemaker
        self._name = name

    def read(self) -> Endpoint | None:
        """The endpoint's state, or None when it does not exist."""
        found = self._or_none(self._sagemaker.describe_endpoint, EndpointName=self._name)
        if found is None:
            return None
        name = found["EndpointConfigName"]
        config = self._or_none(self._sagemaker.describe_endpoint_config, EndpointConfigName=name)
        since = config["CreationTime"] if config else None
        return Endpoint(found["EndpointStatus"], name, self._package(config), found.get("FailureReason", ""), found["CreationTime"], since)

    def _package(self, config: dict[str, Any] | None) -> str | None:
        model_name = config["ProductionVariants"][0].get("ModelName") if config else None
        model = self._or_none(self._sagemaker.describe_model, ModelName=model_name) if model_name else None
        if model is None:
            return None
        containers = [model["PrimaryContainer"]] if model.get("PrimaryContainer") else model.get("Containers", [])
        return containers[0].get("ModelPackageName") if containers else None

    def _or_none(self, describe: Any, **request: str) -> dict[str, Any] | None:
        """A description, or None: SageMaker answers a ValidationException for a well-formed name that does not exist."""
        try:
            found: dict[str, Any] = describe(**request)
        except self._sagemaker.exceptions.ClientError as error:
            if error.response["Error"]["Code"] in {"ValidationException", "ResourceNotFound"}:
                return None
            raise
        return found
