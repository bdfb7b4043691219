"""Endpoints: fleets of model servers behind one name, and blue/green updates between two of them.

Each create, update and delete runs in a thread of its own. While an update runs, the endpoint's routes hold the old (blue) and the new
(green) fleet with their shares of the traffic; twin.sagemaker.rollout decides the shares. A retired fleet first loses its route, then
finishes its requests, then ends: no request is lost. After a rollback the endpoint is InService again with its old configuration.

Sources: API_UpdateEndpoint, API_DescribeEndpoint; developer guide, deployment-guardrails (alarms are read with the execution role, which
therefore needs cloudwatch:DescribeAlarms). Modelled: a green fleet that does not become healthy is rolled back, with the FailureReason;
a weight or capacity update takes effect at once, without more processes.
"""

import logging
import random
import threading
from dataclasses import dataclass, field
from typing import Any

from twin.cloud import Credentials
from twin.sagemaker import api, rollout
from twin.sagemaker.alarmwatch import alarms_in_alarm, check_alarms
from twin.sagemaker.context import Context
from twin.sagemaker.endpoint_views import deployment_event, describe, state_event
from twin.sagemaker.fleet import START_LIMIT, Fleet, Instance, Variant
from twin.sagemaker.models import Models
from twin.sagemaker.training import find_image

log = logging.getLogger(__name__)

LOOK_EVERY = 0.1
BUSY = frozenset({"Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting"})
_CREATE = ("EndpointName", "EndpointConfigName", "DeploymentConfig", "Tags")
_UPDATE = (*_CREATE, "RetainAllVariantProperties", "ExcludeRetainedVariantProperties", "RetainDeploymentConfig")
_PROPERTIES = {"DesiredInstanceCount", "DesiredWeight", "DataCaptureConfig"}


@dataclass
class Endpoint:
    """An endpoint: its record, and which fleets get which share of its requests. Guarded by `lock`."""

    record: dict[str, Any]
    chance: random.Random
    routes: list[tuple[float, Fleet]] = field(default_factory=list)
    pending: Fleet | None = None
    progress: rollout.Rollout | None = None
    lock: threading.RLock = field(default_factory=threading.RLock)

    def acquire(self, target: str | None) -> tuple[Fleet, str, Instance] | None:
        """(fleet, variant, instance) for one request, which is then in flight until `release`; None when nothing serves."""
        with self.lock:
            if not self.routes:
                return None
            fleet = self.chance.choices([each for _, each in self.routes], [share for share, _ in self.routes])[0]
            if target is not None and target not in fleet.instances:
                return None
            fleet.in_flight += 1
            return fleet, *fleet.choose(target)

    def release(self, fleet: Fleet) -> None:
        """The request has been answered."""
        with self.lock:
            fleet.in_flight -= 1


class Endpoints:
    """Endpoints by name."""

    def __init__(self, context: Context, models: Models) -> None:
        self._context = context
        self._models = models
        self._endpoints: dict[str, Endpoint] = {}
        self._closing = threading.Event()
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

    def find(self, name: str) -> Endpoint | None:
        """An endpoint by name."""
        return self._endpoints.get(name)

    def create(self, request: api.Request) -> api.Reply:
        """CreateEndpoint."""
        api.refuse_unknown(request, _CREATE, "CreateEndpoint")
        name, config = request["EndpointName"], self._models.config(request["EndpointConfigName"])
        arn, now = self._context.arn("endpoint", name), self._context.now()
        fleet = self._fleet(name, config, {})
        deployment = request.get("DeploymentConfig") or {}
        self._check(deployment, fleet)
        record = {
            "EndpointName": name,
            "EndpointArn": arn,
            "EndpointConfigName": config["EndpointConfigName"],
            "EndpointStatus": "Creating",
            "CreationTime": now,
            "LastModifiedTime": now,
            "DataCaptureConfig": config.get("DataCaptureConfig"),
            "LastDeploymentConfig": deployment or None,
        }
        with self._lock:
            if name in self._endpoints:
                raise api.invalid(f'Cannot create already existing endpoint "{arn}".')
            self._endpoints[name] = endpoint = Endpoint(record, random.Random(name))  # noqa: S311 - routes traffic, keeps no secret
        self._context.tag(arn, request.get("Tags"))
        self._announce(endpoint)
        self._run(self._create, endpoint, fleet)
        return {"EndpointArn": arn}

    def update(self, request: api.Request) -> api.Reply:
        """UpdateEndpoint: a blue/green deployment of another configuration."""
        api.refuse_unknown(request, _UPDATE, "UpdateEndpoint")
        endpoint = self._idle(request["EndpointName"])
        config = self._models.config(request["EndpointConfigName"])
        kept = _kept(endpoint, request)
        fleet = self._fleet(request["EndpointName"], config, kept)
        deployment = request.get("DeploymentConfig") or {}
        if request.get("RetainDeploymentConfig"):
            deployment = endpoint.record.get("LastDeploymentConfig") or {}
        with endpoint.lock:
            self._idle(request["EndpointName"])
            progress = self._check(deployment, fleet)
            endpoint.pending, endpoint.progress = fleet, progress
            self._set(endpoint, "Updating", LastDeploymentConfig=deployment or None, FailureReason=None)
        self._run(self._update, endpoint, fleet, deployment, config)
        return {"EndpointArn": endpoint.record["EndpointArn"]}

    def update_weights(self, request: api.Request) -> api.Reply:
        """UpdateEndpointWeightsAndCapacities."""
        endpoint = self._idle(request["EndpointName"])
        with endpoint.lock:
            _, fleet = endpoint.routes[0]
            for wanted in request["DesiredWeightsAndCapacities"]:
                if wanted["VariantName"] not in fleet.weights:
                    raise api.invalid(f"Variant {wanted['VariantName']} is not one of endpoint {request['EndpointName']}.")
                fleet.rescale(wanted["VariantName"], wanted.get("DesiredWeight"), wanted.get("DesiredInstanceCount"))
            self._set(endpoint, "Updating")
            self._set(endpoint, "InService")
        return {"EndpointArn": endpoint.record["EndpointArn"]}

    def describe(self, request: api.Request) -> api.Reply:
        """DescribeEndpoint."""
        endpoint = self._find(request["EndpointName"])
        with endpoint.lock:
            return describe(endpoint.record, [fleet for _, fleet in endpoint.routes], endpoint.pending, endpoint.progress)

    def delete(self, request: api.Request) -> api.Reply:
        """DeleteEndpoint."""
        endpoint = self._find(request["EndpointName"])
        with endpoint.lock:
            if endpoint.record["EndpointStatus"] in BUSY:
                raise api.invalid(f'Cannot update in-progress endpoint "{endpoint.record["EndpointArn"]}".')
            self._set(endpoint, "Deleting")
        self._run(self._delete, endpoint)
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
        self._closing.set()
        for endpoint in list(self._endpoints.values()):
            with endpoint.lock:
                fleets = {id(fleet): fleet for fleet in [*(each for _, each in endpoint.routes), endpoint.pending] if fleet is not None}
                endpoint.routes = []
            for fleet in fleets.values():
                fleet.retire(drain=False)

    def _create(self, endpoint: Endpoint, fleet: Fleet) -> None:
        with endpoint.lock:
            endpoint.pending = fleet
        failure = fleet.start()
        with endpoint.lock:
            endpoint.pending = None
            if not failure:
                endpoint.routes = [(1.0, fleet)]
            self._set(endpoint, "Failed" if failure else "InService", FailureReason=failure or None)
        if failure:
            fleet.retire()

    def _update(self, endpoint: Endpoint, green: Fleet, deployment: dict[str, Any], config: dict[str, Any]) -> None:
        blues = [fleet for _, fleet in endpoint.routes]
        self._deploying(endpoint)
        failure = green.start()
        names = [alarm["AlarmName"] for alarm in (deployment.get("AutoRollbackConfiguration") or {}).get("Alarms") or ()]
        credentials = green.variants[0].credentials
        while endpoint.progress is not None and endpoint.progress.outcome == "InProgress":
            self._look(endpoint, green, blues, failure, self._in_alarm(credentials, names, endpoint.progress))
            if endpoint.progress.outcome == "InProgress" and self._closing.wait(LOOK_EVERY):
                return
        progress = endpoint.progress
        succeeded = progress is not None and progress.outcome == "Succeeded"
        retired = blues if succeeded else [green]
        if not succeeded:
            with endpoint.lock:
                self._set(endpoint, "RollingBack")
        for fleet in retired:
            fleet.retire()
        with endpoint.lock:
            endpoint.pending = endpoint.progress = None
            if succeeded:
                self._set(
                    endpoint,
                    "InService",
                    EndpointConfigName=green.config_name,
                    DataCaptureConfig=config.get("DataCaptureConfig"),
                    FailureReason=None,
                )
            else:
                self._set(endpoint, "InService" if blues else "Failed", FailureReason=failure or None)

    def _look(self, endpoint: Endpoint, green: Fleet, blues: list[Fleet], failure: str, alarms: frozenset[str]) -> None:
        """One look at a running deployment: move the shares as the state machine says."""
        with endpoint.lock:
            before = endpoint.progress
            if before is None:
                return
            now = self._context.cloud.clock.now().timestamp()
            after = endpoint.progress = rollout.step(before, now, ready=not failure, failure=failure, alarms=alarms)
            if after == before:
                return
            share = float(after.share) if blues or after.outcome == "RolledBack" else 1.0
            endpoint.routes = [(1.0 - share, fleet) for fleet in blues if share < 1.0] + ([(share, green)] if share else [])
            log.info("endpoint %s: %s at stage %d, share %s %s", green.endpoint, after.outcome, after.stage, after.share, after.reason)
        self._deploying(endpoint)

    def _in_alarm(self, credentials: Credentials, names: list[str], progress: rollout.Rollout) -> frozenset[str]:
        if not names or progress.stage < 0:
            return frozenset()
        return alarms_in_alarm(self._context.cloud, credentials, names)

    def _delete(self, endpoint: Endpoint) -> None:
        with endpoint.lock:
            fleets, endpoint.routes = [fleet for _, fleet in endpoint.routes], []
        for fleet in fleets:
            fleet.retire()
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
                    instances=retained.get("DesiredInstanceCount", variant["InitialInstanceCount"]),
                    weight=retained.get("DesiredWeight", variant["InitialVariantWeight"]),
                    start_limit=float(variant.get("ContainerStartupHealthCheckTimeoutInSeconds") or START_LIMIT),
                )
            )
        chance = random.Random(f"{name}/{config['EndpointConfigName']}")  # noqa: S311 - routes traffic, keeps no secret
        return Fleet(self._context, name, config["EndpointConfigName"], variants, chance)

    def _check(self, deployment: dict[str, Any], fleet: Fleet) -> rollout.Rollout:
        """The rollout that was asked for; a configuration that cannot work, or an alarm that does not exist, is refused."""
        smallest = min(variant.instances for variant in fleet.variants)
        check_alarms(self._context.cloud, fleet.variants[0].credentials, deployment.get("AutoRollbackConfiguration") or {})
        try:
            return rollout.begin(deployment, smallest, self._context.cloud.clock.now().timestamp())
        except rollout.RolloutError as error:
            raise api.invalid(str(error)) from error

    def _run(self, work: Any, endpoint: Endpoint, *arguments: Any) -> None:
        def guarded() -> None:
            try:
                work(endpoint, *arguments)
            except Exception as error:
                if self._closing.is_set():
                    return  # the account is going away under the deployment
                log.exception("endpoint %s broke", endpoint.record["EndpointName"])
                with endpoint.lock:
                    self._set(endpoint, "Failed", FailureReason=f"InternalServerError: the twin could not go on: {error!r}")

        threading.Thread(target=guarded, name=f"endpoint-{endpoint.record['EndpointName']}", daemon=True).start()

    def _set(self, endpoint: Endpoint, status: str, **changes: Any) -> None:
        record = endpoint.record | changes | {"EndpointStatus": status, "LastModifiedTime": self._context.now()}
        endpoint.record = {key: value for key, value in record.items() if value is not None}
        self._announce(endpoint)

    def _announce(self, endpoint: Endpoint) -> None:
        detail = state_event(endpoint.record, [fleet for _, fleet in endpoint.routes], self._context.tags)
        self._context.publish("SageMaker Endpoint State Change", detail, [endpoint.record["EndpointArn"]])

    def _deploying(self, endpoint: Endpoint) -> None:
        with endpoint.lock:
            fleets = [fleet for _, fleet in endpoint.routes]
            detail = deployment_event(endpoint.record, fleets, endpoint.pending, endpoint.progress, self._context.tags)
        self._context.publish("SageMaker Endpoint Deployment State Change", detail, [endpoint.record["EndpointArn"]])

    def _find(self, name: str) -> Endpoint:
        if name not in self._endpoints:
            raise api.invalid(f'Could not find endpoint "{self._context.arn("endpoint", name)}".')
        return self._endpoints[name]

    def _idle(self, name: str) -> Endpoint:
        endpoint = self._find(name)
        if endpoint.record["EndpointStatus"] in BUSY:
            raise api.invalid(f'Cannot update in-progress endpoint "{endpoint.record["EndpointArn"]}".')
        return endpoint


def _kept(endpoint: Endpoint, request: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What RetainAllVariantProperties carries over from the running variants, by variant name."""
    if not request.get("RetainAllVariantProperties") or not endpoint.routes:
        return {}
    excluded = {each["VariantPropertyType"] for each in request.get("ExcludeRetainedVariantProperties") or ()}
    _, fleet = endpoint.routes[0]
    properties = _PROPERTIES - excluded
    return {
        variant.name: {
            key: value
            for key, value in (("DesiredInstanceCount", variant.instances), ("DesiredWeight", fleet.weights[variant.name]))
            if key in properties
        }
        for variant in fleet.variants
    }
