"""serving in tidewheel.yaml: what the endpoint runs on, how a new version takes over, and what throws it back.

    serving: {mode: realtime, workers, rollout: {...}, alarms: {...}, instance_type, instance_count,
              max_instance_count, invocations_per_instance}
    serving: {mode: serverless, serverless: {memory_megabytes, max_concurrency}, rollout: {type: all_at_once}, alarms: {...}, workers}

The size of the mode that is not chosen is not looked at, so that environments can differ in their mode alone. What a serverless endpoint
cannot do is refused here, with the reason, before anything is deployed.
https://docs.aws.amazon.com/sagemaker/latest/dg/serverless-endpoints.html (feature exclusions)
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from contracts.instances import InstanceType

# InvokeEndpoint of a serverless endpoint takes 4 MB: https://docs.aws.amazon.com/sagemaker/latest/dg/serverless-endpoints-invoke.html
SERVERLESS_BODY_KILOBYTES = 4 * 1024


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RolloutType(StrEnum):
    """How traffic moves to a new fleet."""

    ALL_AT_ONCE = "all_at_once"
    CANARY = "canary"
    LINEAR = "linear"


class Rollout(_Section):
    """Blue/green traffic shifting. Percentages are of the fleet's capacity; SageMaker allows steps of at most 50."""

    type: RolloutType = RolloutType.CANARY
    step_percent: int = Field(default=10, ge=5, le=50)
    interval_seconds: int = Field(default=300, ge=60, le=3600)
    termination_wait_seconds: int = Field(default=120, ge=0, le=3600)


class RollbackAlarms(_Section):
    """What throws a new fleet back."""

    errors_per_minute: int = Field(default=1, ge=1, description="5xx answers in a minute")
    latency_milliseconds: int = Field(default=1000, ge=1, description="p95 model latency")


class ServingMode(StrEnum):
    """`realtime`: instances that always run; `serverless`: memory by the request, and a cold start after a pause."""

    REALTIME = "realtime"
    SERVERLESS = "serverless"


class Serverless(_Section):
    """A serverless endpoint's size: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ProductionVariantServerlessConfig.html."""

    memory_megabytes: Literal[1024, 2048, 3072, 4096, 5120, 6144] = 2048
    max_concurrency: int = Field(default=20, ge=1, le=200, description="requests at once; more are answered with 429")


class Serving(_Section):
    """The endpoint."""

    mode: ServingMode = ServingMode.REALTIME
    serverless: Serverless = Serverless()
    instance_type: InstanceType = "ml.m5.large"
    instance_count: int = Field(default=2, ge=1, le=100)
    max_instance_count: int = Field(default=4, ge=1, le=100)
    invocations_per_instance: int = Field(default=1000, ge=1, description="a minute, on average, before another instance is added")
    workers: int = Field(default=1, ge=1, le=64, description="processes of the model server, each with the model: at most one a processor")
    rollout: Rollout = Rollout()
    alarms: RollbackAlarms = RollbackAlarms()

    @property
    def is_serverless(self) -> bool:
        """Whether there are no instances."""
        return self.mode is ServingMode.SERVERLESS

    @model_validator(mode="after")
    def _fits_its_mode(self) -> Self:
        problems = list(self._serverless_problems() if self.is_serverless else self._capacity_problems())
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def _capacity_problems(self) -> Iterator[str]:
        if self.max_instance_count < self.instance_count:
            yield f"max_instance_count {self.max_instance_count} is below instance_count {self.instance_count}"
        # https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-blue-green-canary.html: a step is at most half of the fleet.
        if self.rollout.type is not RolloutType.ALL_AT_ONCE and self.instance_count < 2:
            yield f"a {self.rollout.type} rollout needs an instance_count of at least 2; use all_at_once for one instance"

    def _serverless_problems(self) -> Iterator[str]:
        if self.rollout.type is not RolloutType.ALL_AT_ONCE:
            step = f"a {self.rollout.type} rollout moves traffic by shares of a fleet's instances, and a serverless endpoint has none"
            yield f"{step}. Next: rollout: {{type: all_at_once}}"


def serverless_conflicts(*, capture_percent: int, model_monitor: bool, vpc: bool, body_kilobytes: int) -> Iterator[str]:
    """What of the other sections a serverless endpoint cannot do, each with its reason and the next step."""
    if capture_percent:
        yield (
            "serving.mode serverless: SageMaker captures nothing of a serverless endpoint, so its traffic is not watched and trains "
            "nothing. Next: monitoring: {capture_percent: 0}, or mode: realtime"
        )
    if model_monitor:
        yield "serving.mode serverless: Model Monitor does not watch serverless endpoints. Next: remove monitoring.backend"
    if vpc:
        yield "serving.mode serverless: a serverless endpoint has no VPC and no network isolation. Next: network: {mode: public}"
    if body_kilobytes > SERVERLESS_BODY_KILOBYTES:
        yield (
            f"serving.mode serverless: a serverless endpoint takes requests of {SERVERLESS_BODY_KILOBYTES} KB, and the API lets in "
            f"{body_kilobytes}. Next: api: {{maximum_body_kilobytes: {SERVERLESS_BODY_KILOBYTES}}}"
        )
