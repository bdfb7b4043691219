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

from twin.sagemaker import capture, rollout
from twin.sagemaker.alarmwatch import AlarmWatch
from twin.sagemaker.context import Context
from twin.sagemaker.endpoint_views import deployment_event, state_event
from twin.sagemaker.fleet import Fleet, Instance

log = logging.getLogger(__name__)

LOOK_EVERY = 0.1


@dataclass
class Endpoint:
    """An endpoint: its record, and which fleets get which share of its requests. Guarded by `lock`.

    `current` is the fleet of its configuration, `pending` the one that is being deployed.
    """

    record: dict[str, Any]
    chance: random.Random
    routes: list[tuple[float, Fleet]] = field(default_factory=list)
    current: Fleet | None = None
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
                endpoint.current, endpoint.routes = fleet, [(1.0, fleet)]
            self.set(endpoint, "Failed" if failure else "InService", FailureReason=failure or None)
        if failure:
            fleet.retire()

    def update(self, endpoint: Endpoint, blue: Fleet, green: Fleet, watch: AlarmWatch, config: dict[str, Any]) -> None:
        """Shift the traffic to the green fleet, or back."""
        self._deploying(endpoint)
        failure = green.start()
        while (progress := self._look(endpoint, blue, green, failure, watch)).outcome == "InProgress":
            if self.closing.wait(LOOK_EVERY):
                return
        if progress.outcome == "RolledBack":
            with endpoint.lock:
                self.set(endpoint, "RollingBack")
            self._finish(endpoint, kept=blue, retired=green, FailureReason=failure or None)
            return
        captured = capture.summary(config)
        self._finish(endpoint, kept=green, retired=blue, EndpointConfigName=green.config_name, DataCaptureConfig=captured)

    def _look(self, endpoint: Endpoint, blue: Fleet, green: Fleet, failure: str, watch: AlarmWatch) -> rollout.Rollout:
        """One look at a running deployment: move the shares as the state machine says."""
        alarms = watch.in_alarm()
        with endpoint.lock:
            before = endpoint.progress
            if before is None:
                raise RuntimeError(f"endpoint {green.endpoint} is not being deployed")
            now = self._context.cloud.clock.now().timestamp()
            after = endpoint.progress = rollout.step(before, now, ready=not failure, failure=failure, alarms=alarms)
            if after == before:
                return after
            share = float(after.share)
            endpoint.routes = [(weight, fleet) for weight, fleet in ((1.0 - share, blue), (share, green)) if weight]
            log.info("endpoint %s: %s at stage %d, share %s %s", green.endpoint, after.outcome, after.stage, after.share, after.reason)
        self._deploying(endpoint)
        return after

    def _finish(self, endpoint: Endpoint, *, kept: Fleet, retired: Fleet, **changes: Any) -> None:
        retired.retire()
        with endpoint.lock:
            endpoint.current, endpoint.pending, endpoint.progress = kept, None, None
            self.set(endpoint, "InService", **changes)

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
        detail = state_event(endpoint.record, endpoint.current, self._context.tags)
        self._context.publish("SageMaker Endpoint State Change", detail, [endpoint.record["EndpointArn"]])

    def _deploying(self, endpoint: Endpoint) -> None:
        with endpoint.lock:
            detail = deployment_event(endpoint.record, endpoint.current, endpoint.pending, endpoint.progress, self._context.tags)
        self._context.publish("SageMaker Endpoint Deployment State Change", detail, [endpoint.record["EndpointArn"]])
