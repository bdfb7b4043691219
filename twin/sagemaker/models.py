"""Models and endpoint configurations: what an endpoint would run.

A container of a model names an image and its data, or a model package, whose container it then takes. Sources: API_CreateModel,
API_CreateEndpointConfig; API_CreateModelPackage: a version must be Approved to be deployed.
Refused by name: several containers, serverless, asynchronous and shadow variants, model data that is not one archive.
"""

import threading
from typing import Any

from botocore.exceptions import ClientError

from twin.sagemaker import api, capture, serverless
from twin.sagemaker.context import Context
from twin.sagemaker.registry import Registry
from twin.sagemaker.storage import TransferError, split
from twin.sagemaker.training import find_image

_MODEL = ("ModelName", "PrimaryContainer", "Containers", "ExecutionRoleArn", "EnableNetworkIsolation")
_CONTAINER = ("Image", "ModelDataUrl", "Environment", "ModelPackageName", "Mode", "ContainerHostname")
_CONFIG = ("EndpointConfigName", "ProductionVariants", "DataCaptureConfig", "KmsKeyId", "ExecutionRoleArn", "EnableNetworkIsolation")
_VARIANT = (
    "VariantName",
    "ModelName",
    "InitialInstanceCount",
    "InstanceType",
    "InitialVariantWeight",
    "VolumeSizeInGB",
    "ModelDataDownloadTimeoutInSeconds",
    "ContainerStartupHealthCheckTimeoutInSeconds",
    "RoutingConfig",
    "ServerlessConfig",
)


class Models:
    """Models and endpoint configurations by name, in Describe's shape."""

    def __init__(self, context: Context, registry: Registry) -> None:
        self._context = context
        self._registry = registry
        self._models: dict[str, dict[str, Any]] = {}
        self._containers: dict[str, dict[str, Any]] = {}
        self._configs: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()

    def replaced(self) -> dict[str, api.Operation]:
        """Operations that moto has."""
        return {
            "create_model": self.create_model,
            "describe_model": self.describe_model,
            "delete_model": self.delete_model,
            "list_models": self.list_models,
            "create_endpoint_config": self.create_config,
            "describe_endpoint_config": self.describe_config,
            "delete_endpoint_config": self.delete_config,
            "list_endpoint_configs": self.list_configs,
        }

    def create_model(self, request: api.Request) -> api.Reply:
        """CreateModel."""
        api.refuse_unknown(request, (*_MODEL, "Tags"), "CreateModel")
        name = request["ModelName"]
        arn = self._context.arn("model", name)
        containers = ([request["PrimaryContainer"]] if request.get("PrimaryContainer") else []) + (request.get("Containers") or [])
        if len(containers) != 1:
            raise api.invalid(f"The twin serves models of one container, and {name} has {len(containers)}.")
        resolved = self._resolved(containers[0])
        if request.get("ExecutionRoleArn"):
            self._check_data(request["ExecutionRoleArn"], name, resolved.get("ModelDataUrl"))
        with self._lock:
            if name in self._models:
                raise api.invalid(f'Cannot create already existing model "{arn}".')
            self._models[name] = api.pick(request, _MODEL) | {"ModelArn": arn, "CreationTime": self._context.now()}
            self._containers[name] = resolved
        self._context.tag(arn, request.get("Tags"))
        self._context.publish("SageMaker Model State Change", {"ModelName": name, "ModelArn": arn}, [arn])
        return {"ModelArn": arn}

    def describe_model(self, request: api.Request) -> api.Reply:
        """DescribeModel."""
        return dict(self._model(request["ModelName"]))

    def delete_model(self, request: api.Request) -> api.Reply:
        """DeleteModel."""
        arn = self._model(request["ModelName"])["ModelArn"]
        del self._models[request["ModelName"]]
        self._context.untag(arn)
        return {}

    def list_models(self, request: api.Request) -> api.Reply:
        """ListModels."""
        wanted = request.get("NameContains") or ""
        found = [
            api.pick(each, ("ModelName", "ModelArn", "CreationTime")) for each in list(self._models.values()) if wanted in each["ModelName"]
        ]
        return api.page(request, "Models", api.ordered(request, found))

    def create_config(self, request: api.Request) -> api.Reply:
        """CreateEndpointConfig."""
        api.refuse_unknown(request, (*_CONFIG, "Tags"), "CreateEndpointConfig")
        name = request["EndpointConfigName"]
        arn = self._context.arn("endpoint-config", name)
        variants = [{"InitialVariantWeight": 1.0} | variant for variant in request["ProductionVariants"]]
        if len({variant["VariantName"] for variant in variants}) != len(variants):
            raise api.invalid("Each production variant needs a name of its own.")
        for variant in variants:
            api.refuse_unknown(variant, _VARIANT, "ProductionVariant")
            if not variant.get("ModelName") or not (variant.get("InitialInstanceCount") or variant.get("ServerlessConfig")):
                raise api.invalid(f"Variant {variant['VariantName']} needs ModelName, and InitialInstanceCount or ServerlessConfig.")
        serverless.check(request, variants, [self._model(variant["ModelName"]) for variant in variants])
        capture.check(request)
        with self._lock:
            if name in self._configs:
                raise api.invalid(f'Cannot create already existing endpoint configuration "{arn}".')
            kept = {"ProductionVariants": variants, "EndpointConfigArn": arn, "CreationTime": self._context.now()}
            self._configs[name] = api.pick(request, _CONFIG) | kept
        self._context.tag(arn, request.get("Tags"))
        return {"EndpointConfigArn": arn}

    def describe_config(self, request: api.Request) -> api.Reply:
        """DescribeEndpointConfig."""
        return dict(self.config(request["EndpointConfigName"]))

    def delete_config(self, request: api.Request) -> api.Reply:
        """DeleteEndpointConfig. As on AWS, nothing stops the deletion of one in use."""
        arn = self.config(request["EndpointConfigName"])["EndpointConfigArn"]
        del self._configs[request["EndpointConfigName"]]
        self._context.untag(arn)
        return {}

    def list_configs(self, request: api.Request) -> api.Reply:
        """ListEndpointConfigs."""
        wanted, keys = request.get("NameContains") or "", ("EndpointConfigName", "EndpointConfigArn", "CreationTime")
        found = [api.pick(each, keys) for each in list(self._configs.values()) if wanted in each["EndpointConfigName"]]
        return api.page(request, "EndpointConfigs", api.ordered(request, found))

    def config(self, name: str) -> dict[str, Any]:
        """An endpoint configuration. Raises ValidationException."""
        if name not in self._configs:
            raise api.invalid(f'Could not find endpoint configuration "{self._context.arn("endpoint-config", name)}".')
        return self._configs[name]

    def container(self, model: str) -> tuple[dict[str, Any], str | None]:
        """(a model's container with Image, ModelDataUrl and Environment, its execution role). Raises ValidationException.

        What a model package gave was taken when the model was created: rejecting the version later does not break the model.
        """
        role = self._model(model).get("ExecutionRoleArn")
        return self._containers[model], role

    def _check_data(self, role: str, name: str, uri: str | None) -> None:
        """Stop at data that the role cannot read. Modelled: the image is looked at when an endpoint pulls it."""
        credentials = self._context.assume(role, f"SageMaker-{name}")
        if uri is None:
            return
        try:
            bucket, key = split(uri)
            self._context.cloud.client("s3", credentials).head_object(Bucket=bucket, Key=key)
        except (ClientError, TransferError) as error:
            raise api.invalid(
                f'Could not access model data at {uri}. Please ensure that the role "{role}" exists, that it has "s3:GetObject" permission '
                f"and that the object is located in {self._context.cloud.region}. {error}"
            ) from error

    def _resolved(self, container: dict[str, Any]) -> dict[str, Any]:
        api.refuse_unknown(container, _CONTAINER, "ContainerDefinition")
        if container.get("Mode") not in {None, "SingleModel"}:
            raise api.invalid(f"The twin does not serve containers in mode {container['Mode']}.")
        given = api.pick(container, ("Image", "ModelDataUrl"))
        environment = dict(container.get("Environment") or {})
        if container.get("ModelPackageName"):
            package = self._registry.find(container["ModelPackageName"])
            if package["ModelApprovalStatus"] != "Approved":
                status = package["ModelApprovalStatus"]
                raise api.invalid(f"Model package {package['ModelPackageArn']} is {status}; a version must be Approved to be deployed.")
            described = package["InferenceSpecification"]["Containers"]
            if len(described) != 1:
                raise api.invalid(
                    f"The twin serves model packages of one container, and {package['ModelPackageArn']} has {len(described)}."
                )
            given = api.pick(described[0], ("Image", "ModelDataUrl")) | given
            environment = (described[0].get("Environment") or {}) | environment
        find_image(self._context, given.get("Image") or "")
        return given | {"Environment": environment}

    def _model(self, name: str) -> dict[str, Any]:
        if name not in self._models:
            raise api.invalid(f'Could not find model "{self._context.arn("model", name)}".')
        return self._models[name]
