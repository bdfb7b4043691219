"""Writes every status of stacks and resources down, once: in the stack's events, and on the event bus.

Stack statuses are published as AWS publishes them; resource statuses are in the stack's events only (the project matches on stacks).
docs: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/eventbridge-events.html
"""

import json
import logging
import threading
from collections.abc import Mapping
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from twin.cloud import Cloud
from twin.cloudformation.stack import Event, Stack, Status

log = logging.getLogger(__name__)

STACK_TYPE = "AWS::CloudFormation::Stack"


class Journal:
    """Shared by all stacks; `lock` is the engine's."""

    def __init__(self, cloud: Cloud, lock: threading.RLock) -> None:
        self._cloud = cloud
        self._lock = lock

    def stack(self, stack: Stack, name: str, reason: str | None = None) -> None:
        """The stack's status from now on."""
        status = Status(name, reason, self._cloud.clock.now())
        with self._lock:
            stack.status = status
            if name == "DELETE_COMPLETE":
                stack.deleted = status.time
            self._note(stack, stack.name, stack.stack_id, STACK_TYPE, status, {})
            token = stack.token
        log.info("%s is %s%s", stack.name, name, f": {reason}" if reason else "")
        detail: dict[str, Any] = {"stack-id": stack.stack_id, "status-details": {"status": name, "status-reason": reason or ""}}
        if token:
            detail["client-request-token"] = token
        self._cloud.publish("aws.cloudformation", "CloudFormation Stack Status Change", detail, [stack.stack_id])

    def resource(
        self,
        stack: Stack,
        logical_id: str,
        kind: str,
        name: str,
        *,
        physical_id: str = "",
        reason: str | None = None,
        properties: Mapping[str, Any] | None = None,
    ) -> None:
        """A resource's status from now on."""
        status = Status(name, reason, self._cloud.clock.now())
        with self._lock:
            current = stack.made.get(logical_id)
            # The deletion of a replaced resource says nothing about the one that has its logical id now.
            if not (name.startswith("DELETE") and current is not None and current.physical_id != physical_id):
                stack.resource_statuses[logical_id] = (kind, physical_id, status)
            self._note(stack, logical_id, physical_id, kind, status, properties or {})

    def _note(self, stack: Stack, logical_id: str, physical_id: str, kind: str, status: Status, properties: Mapping[str, Any]) -> None:
        event_id = str(uuid5(NAMESPACE_URL, f"{stack.stack_id} {len(stack.events)}"))
        text = json.dumps(properties, default=str) if properties else ""
        stack.events.append(Event(event_id, logical_id, physical_id, kind, status, text, stack.token))
