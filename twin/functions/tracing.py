"""Active tracing: a function's requests as segments in X-Ray, sent under the function's role.

docs: https://docs.aws.amazon.com/lambda/latest/dg/services-xray.html: one request a second is traced, and 5% of the others; sending takes
xray:PutTraceSegments and xray:PutTelemetryRecords, and a role that may not send has no traces, and runs. Modelled: the 5% are left out, a
second is a real one, and a request is one segment.
"""

import json
import logging
import threading
import time
from typing import Any

from moto.xray.models import xray_backends

from twin.cloud import Cloud
from twin.iam import behalf
from twin.iam.errors import AccessDenied

log = logging.getLogger("twin.functions")

EVERY = 1.0


class Tracer:
    """Chooses the requests that are traced, and sends their segments."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._last: dict[str, float] = {}
        self._lock = threading.Lock()

    def trace(self, function: Any, request_id: str, seconds: float, *, failed: bool) -> None:
        """A request that has just been answered, after `seconds`."""
        if function.tracing_config.get("Mode") != "Active" or not self._is_chosen(function.function_arn):
            return
        end = self._cloud.clock.now().timestamp()
        digits = request_id.replace("-", "")
        segment = {
            "trace_id": f"1-{int(end):08x}-{digits[:24]}",
            "id": digits[:16],
            "name": function.function_name,
            "start_time": end - seconds,
            "end_time": end,
            "fault": failed,
        }
        try:
            credentials = self._cloud.assume(function.role, "lambda.amazonaws.com", function.function_name)
            for operation in ("xray:PutTraceSegments", "xray:PutTelemetryRecords"):
                behalf.require(self._cloud, credentials, operation, operation, "*")
        except AccessDenied as error:
            log.warning("a trace of %s is lost: %s", function.function_name, error)
            return
        xray_backends[self._cloud.account][self._cloud.region].process_segment(json.dumps(segment))

    def rests(self, arn: str) -> float:
        """Real seconds for which no request of a function is traced."""
        with self._lock:
            return max(0.0, self._last.get(arn, -EVERY) + EVERY - time.monotonic())

    def _is_chosen(self, arn: str) -> bool:
        now = time.monotonic()
        with self._lock:
            chosen = now - self._last.get(arn, -EVERY) >= EVERY
            if chosen:
                self._last[arn] = now
        return chosen
