"""Endpoints: fleets of model servers behind one name, and blue/green updates between two of them.

These are the operations; twin.sagemaker.deployment does the work that they begin.

Sources: API_UpdateEndpoint, API_DescribeEndpoint; developer guide, deployment-guardrails (alarms are read with the execution role, which
therefore needs cloudwatch:DescribeAlarms). Modelled: a green fleet that does not become healthy is rolled back, with the FailureReason;
a weight or capacity update takes effect at once, without more processes.
"""

import random
import threading
from typing import Any

from twin.sagemaker import api, capture, rights, rollout, serverless
from twin.sagemaker.alarmwatch import AlarmWatch
from twin.sagemaker.context import Context
from twin.sagemaker.deployment import Deployments, Endpoint
from twin.sagemaker.endpoint_views import describe
from twin.sagemaker.fleet import START_LIMIT, Fleet, Variant
from twin.sagemaker.models import Models
from twin.sagemaker.training import find_image

BUSY = frozenset({"Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting"})
_CREATE = ("EndpointName", "EndpointConfigName", "DeploymentConfig", "Tags")
_UPDATE = (*_CREATE, "RetainAllVariantProperties", "ExcludeRetainedVariantProperties", "RetainDeploymentConfig")
_PROPERTIES = {"DesiredInstanceCount", "DesiredWeight", "DataCaptureConfig"}


class Endpoints:
    """Endpoints by name."""

    def __init__(self, context: Context, models: Models) -> None:
        self._context = context
        self._models = models
        self._endpoints: dict[str, Endpoint] = {}
        self._deployments = Deployments(context)
        self._lock = threading.Lock()

    def replaced(self) -> dict[str, api.Operation]:
        """Operations that moto has."""
        return {
            "create_endpoint": self.create,
            "describe_endpoint": self.describe,
            "delete_endpoint": self.delete,
            "list_endpoints": self.list_all,
            "update_endpoint_weights_and_capacities": self.update_weights,
        }

    def added(self) -> dict[str, api.Operation]:
        """Operations that moto lacks."""
        return {"update_endpoint": self.update}

    @property
    def is_busy(self) -> bool:
        """An endpoint is on its way to another state."""
        return any(endpoint.record["EndpointStatus"] in BUSY for endpoint in list(self._endpoints.values()))

    @property
    def is_baking(self) -> bool:
        """A new fleet has traffic and is watched for a while: nothing but time is missing, or an alarm."""
        known = [endpoint.progress for endpoint in list(self._endpoints.values())]
        return any(progress is not None and progress.outcome == "InProgress" and progress.stage >= 0 for progress in known)

    def find(self, name: str) -> Endpoint | None:
        """An endpoint by name."""
        return self._endpoints.get(name)

    def create(self, request: api.Request) -> api.Reply:
        """CreateEndpoint."""
        api.refuse_unknown(request, _CREATE, "CreateEndpoint")
        name, config = request["EndpointName"], self._models.config(request["EndpointConfigName"])
        arn, now = self._context.arn("endpoint", name), self._context.now()
        rights.check_endpoint_volumes(self._context, "sagemaker:CreateEndpoint", config)
        fleet = self._fleet(name, config, {})
        deployment = request.get("DeploymentConfig") or {}
        self._watch(deployment, fleet)
        self._begin(deployment, fleet)
        record = {
            "EndpointName": name,
            "EndpointArn": arn,
            "EndpointConfigName": config["EndpointConfigName"],
            "EndpointStatus": "Creating",
            "CreationTime": now,
            "LastModifiedTime": now,
            "DataCaptureConfig": capture.summary(config),
            "LastDeploymentConfig": deployment or None,
        }
        with self._lock:
            if name in self._endpoints:
                raise api.invalid(f'Cannot create already existing endpoint "{arn}".')
            self._endpoints[name] = endpoint = Endpoint(record, random.Random(name))  # noqa: S311 - routes traffic, keeps no secret
        self._context.tag(arn, request.get("Tags"))
        self._deployments.announce(endpoint)
        self._deployments.run(self._deployments.create, endpoint, fleet)
        return {"EndpointArn": arn}

    def update(self, request: api.Request) -> api.Reply:
        """UpdateEndpoint: a blue/green deployment of another configuration."""
        api.refuse_unknown(request, _UPDATE, "UpdateEndpoint")
        endpoint, current = self._idle(request["EndpointName"])
        # The configuration in use is read too: https://github.com/hashicorp/terraform-provider-aws/issues/40048
        _, config = self._models.config(current.config_name), self._models.config(request["EndpointConfigName"])
        rights.check_endpoint_volumes(self._context, "sagemaker:UpdateEndpoint", config)
        fleet = self._fleet(request["EndpointName"], config, _kept(current, request))
        deployment = request.get("DeploymentConfig") or {}
        if request.get("RetainDeploymentConfig"):
            deployment = endpoint.record.get("LastDeploymentConfig") or {}
        watch = self._watch(deployment, fleet)
        with endpoint.lock:
            _, current = self._idle(request["EndpointName"])
            endpoint.pending, endpoint.progress = fleet, self._begin(deployment, fleet)
            self._deployments.set(endpoint, "Updating", LastDeploymentConfig=deployment or None, FailureReason=None)
        self._deployments.run(self._deployments.update, endpoint, current, fleet, watch, config)
        return {"EndpointArn": endpoint.record["EndpointArn"]}

    def update_weights(self, request: api.Request) -> api.Reply:
        """UpdateEndpointWeightsAndCapacities."""
        endpoint, fleet = self._idle(request["EndpointName"])
        with endpoint.lock:
            for wanted in request["DesiredWeightsAndCapacities"]:
                if wanted["VariantName"] not in fleet.weights:
                    raise api.invalid(f"Variant {wanted['VariantName']} is not one of endpoint {request['EndpointName']}.")
                fleet.rescale(wanted["VariantName"], wanted.get("DesiredWeight"), wanted.get("DesiredInstanceCount"))
            self._deployments.set(endpoint, "Updating")
            self._deployments.set(endpoint, "InService")
        return {"EndpointArn": endpoint.record["EndpointArn"]}

    def describe(self, request: api.Request) -> api.Reply:
        """DescribeEndpoint."""
        endpoint = self._find(request["EndpointName"])
        with endpoint.lock:
            return describe(endpoint.record, endpoint.current, endpoint.pending, endpoint.progress)

    def delete(self, request: api.Request) -> api.Reply:
        """DeleteEndpoint."""
        endpoint = self._find(request["EndpointName"])
        with endpoint.lock:
            if endpoint.record["EndpointStatus"] in BUSY:
                raise api.invalid(f'Cannot update in-progress endpoint "{endpoint.record["EndpointArn"]}".')
            self._deployments.set(endpoint, "Deleting")
        self._deployments.run(self._delete, endpoint)
        return {}

    def list_all(self, request: api.Request) -> api.Reply:
        """ListEndpoints."""
        keys = ("EndpointName", "EndpointArn", "CreationTime", "LastModifiedTime", "EndpointStatus")
        status, wanted = request.get("StatusEquals"), request.get("NameContains") or ""
        records = [endpoint.record for endpoint in list(self._endpoints.values())]
        found = [api.pick(each, keys) for each in records if wanted in each["EndpointName"] and status in {None, each["EndpointStatus"]}]
        return api.page(request, "Endpoints", api.ordered(request, found))

    def close(self) -> None:
        """End every model server with the twin."""
        self._deployments.closing.set()
        for endpoint in list(self._endpoints.values()):
            with endpoint.lock:
                fleets, endpoint.routes = [endpoint.current, endpoint.pending], []
            for fleet in fleets:
                if fleet is not None:
                    fleet.retire(drain=False)

    def _delete(self, endpoint: Endpoint) -> None:
        with endpoint.lock:
            endpoint.routes = []
        if endpoint.current is not None:
            endpoint.current.retire()
        with self._lock:
            del self._endpoints[endpoint.record["EndpointName"]]
        self._context.untag(endpoint.record["EndpointArn"])

    def _fleet(self, name: str, config: dict[str, Any], kept: dict[str, dict[str, Any]]) -> Fleet:
        variants = []
        for variant in config["ProductionVariants"]:
            container, role = self._models.container(variant["ModelName"])
            if role is None:
                raise api.invalid(f"Model {variant['ModelName']} has no ExecutionRoleArn, so nothing may read its data.")
            retained = kept.get(variant["VariantName"], {})
            variants.append(
                Variant(
                    name=variant["VariantName"],
                    image=find_image(self._context, container["Image"]),
                    model_data=container.get("ModelDataUrl"),
                    environment=container["Environment"],
                    credentials=self._context.assume(role, f"SageMaker-{name}"),
                    instances=retained.get("DesiredInstanceCount", variant.get("InitialInstanceCount", 1)),
                    weight=retained.get("DesiredWeight", variant["InitialVariantWeight"]),
                    start_limit=float(variant.get("ContainerStartupHealthCheckTimeoutInSeconds") or START_LIMIT),
                    serverless=variant.get("ServerlessConfig"),
                )
            )
        chance = random.Random(f"{name}/{config['EndpointConfigName']}")  # noqa: S311 - routes traffic, keeps no secret
        captured = capture.Capture(self._context, name, config, {variant.name: variant.credentials for variant in variants})
        return Fleet(self._context, name, config["EndpointConfigName"], variants, chance, captured)

    def _watch(self, deployment: dict[str, Any], fleet: Fleet) -> AlarmWatch:
        return AlarmWatch(self._context.cloud, fleet.variants[0].credentials, deployment)

    def _begin(self, deployment: dict[str, Any], fleet: Fleet) -> rollout.Rollout:
        serverless.check_deployment(deployment, fleet.variants[0].concurrency)
        smallest = min(variant.instances for variant in fleet.variants)
        try:
            return rollout.begin(deployment, smallest, self._context.cloud.clock.now().timestamp())
        except rollout.RolloutError as error:
            raise api.invalid(str(error)) from error

    def _find(self, name: str) -> Endpoint:
        if name not in self._endpoints:
            raise api.invalid(f'Could not find endpoint "{self._context.arn("endpoint", name)}".')
        return self._endpoints[name]

    def _idle(self, name: str) -> tuple[Endpoint, Fleet]:
        """An endpoint that may be updated, and its fleet. A Failed one can only be deleted (API_DescribeEndpoint)."""
        endpoint = self._find(name)
        if endpoint.record["EndpointStatus"] in BUSY:
            raise api.invalid(f'Cannot update in-progress endpoint "{endpoint.record["EndpointArn"]}".')
        if endpoint.current is None:
            raise api.invalid(f"Endpoint {endpoint.record['EndpointArn']} is Failed and can only be deleted.")
        return endpoint, endpoint.current


def _kept(fleet: Fleet, request: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What RetainAllVariantProperties carries over from the running variants, by variant name."""
    if not request.get("RetainAllVariantProperties"):
        return {}
    excluded = {each["VariantPropertyType"] for each in request.get("ExcludeRetainedVariantProperties") or ()}
    properties = _PROPERTIES - excluded
    return {
        variant.name: {
            key: value
            for key, value in (("DesiredInstanceCount", variant.instances), ("DesiredWeight", fleet.weights[variant.name]))
            if key in properties
        }
        for variant in fleet.variants
    }
