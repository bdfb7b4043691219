"""How busy the instances of jobs and endpoints are, as SageMaker publishes it in the name of their role.

Source: https://docs.aws.amazon.com/sagemaker/latest/dg/monitoring-cloudwatch.html (namespaces /aws/sagemaker/..., dimensions). A role that
may not publish has no such metrics, and its job or endpoint runs. Modelled: CPUUtilization and MemoryUtilization alone, of the processes
that stand for the instance; a job's once, when its container has ended.
"""

import logging
import time
from collections.abc import Mapping, Sequence

import psutil

from twin.cloud import Cloud, Credentials
from twin.iam import behalf
from twin.iam.errors import AccessDenied

log = logging.getLogger(__name__)

LOOK_EVERY = 1.0


class Meter:
    """One container's use of the processor and of memory, looked at now and then."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._cpu: list[float] = []
        self._memory: list[float] = []

    def look(self) -> None:
        """Measure now; a process that has ended has nothing to measure."""
        try:
            process = psutil.Process(self._pid)
            lived = max(time.time() - process.create_time(), 0.01)
            times = process.cpu_times()
            self._cpu.append(100 * (times.user + times.system) / lived)
            self._memory.append(process.memory_percent())
        except psutil.Error:
            return

    def values(self) -> dict[str, float]:
        """The metrics: the processor since the start, the memory at its most. Nothing was seen: 0."""
        return {"CPUUtilization": self._cpu[-1] if self._cpu else 0.0, "MemoryUtilization": max(self._memory, default=0.0)}


def publish(cloud: Cloud, credentials: Credentials, namespace: str, dimensions: Mapping[str, str], meters: Sequence[Meter]) -> None:
    """Publish the sum over the containers, in percent."""
    try:
        context = {"cloudwatch:namespace": namespace}
        behalf.require(cloud, credentials, "publish utilisation", "cloudwatch:PutMetricData", "*", context)
    except AccessDenied as error:
        log.warning("metrics of %s are lost: %s", ", ".join(dimensions.values()), error)
        return
    for name in ("CPUUtilization", "MemoryUtilization"):
        total = sum(meter.values()[name] for meter in meters)
        cloud.measure(namespace, name, dimensions, total, unit="Percent")
