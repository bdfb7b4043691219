"""Deployments: an endpoint, the fleets behind it, and the threads that shift its traffic.

Each create, update and delete runs in a thread of its own. While an update runs, the endpoint's routes hold the old (blue) and the new
(green) fleet with their shares of the traffic; twin.sagemaker.rollout decides the shares. A retired fleet first loses its route, then
finishes its requests, then ends: no request is lost. After a rollback the endpoint is InService again with its old configuration.
"""

import logging
import random
import threading
from dataclasses import dataclass, field
from typing import Any

from twin.cloud import Credentials
from twin.sagemaker import rollout
from twin.sagemaker.alarmwatch import alarms_in_alarm
from twin.sagemaker.context import Context
from twin.sagemaker.endpoint_views import deployment_event, state_event
from twin.sagemaker.fleet import Fleet, Instance

log = logging.getLogger(__name__)

LOOK_EVERY = 0.1


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


class Deployments:
    """Does what the operations on endpoints begin. `closing` is set when the account goes away."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self.closing = threading.Event()

    def create(self, endpoint: Endpoint, fleet: Fleet) -> None:
        """Start the first fleet."""
        with endpoint.lock:
            endpoint.pending = fleet
        failure = fleet.start()
        with endpoint.lock:
            endpoint.pending = None
            if not failure:
                endpoint.routes = [(1.0, fleet)]
            self.set(endpoint, "Failed" if failure else "InService", FailureReason=failure or None)
        if failure:
            fleet.retire()

    def update(self, endpoint: Endpoint, green: Fleet, deployment: dict[str, Any], config: dict[str, Any]) -> None:
        """Shift the traffic to the green fleet, or back."""
        blues = [fleet for _, fleet in endpoint.routes]
        self._deploying(endpoint)
        failure = green.start()
        names = [alarm["AlarmName"] for alarm in (deployment.get("AutoRollbackConfiguration") or {}).get("Alarms") or ()]
        credentials = green.variants[0].credentials
        while endpoint.progress is not None and endpoint.progress.outcome == "InProgress":
            self._look(endpoint, green, blues, failure, self._in_alarm(credentials, names, endpoint.progress))
            if endpoint.progress.outcome == "InProgress" and self.closing.wait(LOOK_EVERY):
                return
        progress = endpoint.progress
        succeeded = progress is not None and progress.outcome == "Succeeded"
        retired = blues if succeeded else [green]
        if not succeeded:
            with endpoint.lock:
                self.set(endpoint, "RollingBack")
        for fleet in retired:
            fleet.retire()
        with endpoint.lock:
            endpoint.pending = endpoint.progress = None
            if succeeded:
                self.set(
                    endpoint,
                    "InService",
                    EndpointConfigName=green.config_name,
                    DataCaptureConfig=config.get("DataCaptureConfig"),
                    FailureReason=None,
                )
            else:
                self.set(endpoint, "InService" if blues else "Failed", FailureReason=failure or None)

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

    def run(self, work: Any, endpoint: Endpoint, *arguments: Any) -> None:
        """Do a long piece of work in a thread; what breaks in it fails the endpoint."""

        def guarded() -> None:
            try:
                work(endpoint, *arguments)
            except Exception as error:
                if self.closing.is_set():
                    return  # the account is going away under the deployment
                log.exception("endpoint %s broke", endpoint.record["EndpointName"])
                with endpoint.lock:
                    self.set(endpoint, "Failed", FailureReason=f"InternalServerError: the twin could not go on: {error!r}")

        threading.Thread(target=guarded, name=f"endpoint-{endpoint.record['EndpointName']}", daemon=True).start()

    def set(self, endpoint: Endpoint, status: str, **changes: Any) -> None:
        """Write a status and changes into the record (None removes), and publish it."""
        record = endpoint.record | changes | {"EndpointStatus": status, "LastModifiedTime": self._context.now()}
        endpoint.record = {key: value for key, value in record.items() if value is not None}
        self.announce(endpoint)

    def announce(self, endpoint: Endpoint) -> None:
        """Publish the endpoint's state."""
        detail = state_event(endpoint.record, [fleet for _, fleet in endpoint.routes], self._context.tags)
        self._context.publish("SageMaker Endpoint State Change", detail, [endpoint.record["EndpointArn"]])

    def _deploying(self, endpoint: Endpoint) -> None:
        with endpoint.lock:
            fleets = [fleet for _, fleet in endpoint.routes]
            detail = deployment_event(endpoint.record, fleets, endpoint.pending, endpoint.progress, self._context.tags)
        self._context.publish("SageMaker Endpoint Deployment State Change", detail, [endpoint.record["EndpointArn"]])
