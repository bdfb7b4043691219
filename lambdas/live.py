"""The endpoint as it is, followed from its configuration over its model to the model package that it serves."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lambdas.unknown import unless_unknown


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
        found = unless_unknown(self._sagemaker.describe_endpoint, EndpointName=self._name)
        if found is None:
            return None
        name = found["EndpointConfigName"]
        config = unless_unknown(self._sagemaker.describe_endpoint_config, EndpointConfigName=name)
        since = config["CreationTime"] if config else None
        return Endpoint(found["EndpointStatus"], name, self._package(config), found.get("FailureReason", ""), found["CreationTime"], since)

    def _package(self, config: dict[str, Any] | None) -> str | None:
        model_name = config["ProductionVariants"][0].get("ModelName") if config else None
        model = unless_unknown(self._sagemaker.describe_model, ModelName=model_name) if model_name else None
        if model is None:
            return None
        containers = [model["PrimaryContainer"]] if model.get("PrimaryContainer") else model.get("Containers", [])
        return containers[0].get("ModelPackageName") if containers else None
