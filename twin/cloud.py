"""What every part of the twin is given: who and where the account is, its clock and folder, and the doors to the other parts."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import boto3
from botocore.config import Config

from twin.clock import Clock
from twin.processes import Processes

ADMIN_KEY = "TIDEWHEELADMIN"
ADMIN_SECRET = "tidewheel-admin-of-this-laptop-only"  # noqa: S105 - opens nothing but the twin, on loopback
# A boto3 session is not safe to share between threads; its clients are.
_SESSION_LOCK = threading.Lock()


@cache
def _session() -> Any:  # boto3-stubs know a client only by its literal name
    """The session of every twin in this process: it reads AWS's models, which takes a second, and knows nothing of an account."""
    return boto3.session.Session()


@dataclass(frozen=True)
class Credentials:
    """An access key, as STS hands it out. The administrator has no session token."""

    access_key: str
    secret_key: str
    session_token: str | None = None

    def environment(self) -> dict[str, str]:
        """The variables in which every AWS SDK looks for them."""
        variables = {"AWS_ACCESS_KEY_ID": self.access_key, "AWS_SECRET_ACCESS_KEY": self.secret_key}
        return variables | ({"AWS_SESSION_TOKEN": self.session_token} if self.session_token else {})


ADMIN = Credentials(ADMIN_KEY, ADMIN_SECRET)


class Publisher(Protocol):
    """Puts an event of an AWS service on the default bus (see twin.events)."""

    def __call__(self, source: str, detail_type: str, detail: Mapping[str, Any], resources: Sequence[str] = ()) -> None: ...


class RoleAssumer(Protocol):
    """Credentials of a role for a service, if the role's trust policy names it (see twin.iam). Raises twin.iam.AccessDenied."""

    def __call__(self, role_arn: str, service: str, session_name: str) -> Credentials: ...


class MetricSink(Protocol):
    """Takes one measurement of an AWS service (see twin.metrics); `time` is twin time, now by default."""

    def __call__(
        self, namespace: str, name: str, dimensions: Mapping[str, str], value: float, *, unit: str = "None", time: datetime | None = None
    ) -> None: ...


class FunctionInvoker(Protocol):
    """Invokes a Lambda function as a service does (see twin.functions): `source_arn` is checked against the function's resource policy.

    Synchronous: (payload, function error or None). Raises twin.iam.AccessDenied, or KeyError for an unknown function.
    """

    def __call__(self, function_arn: str, payload: bytes, principal: str, source_arn: str | None) -> tuple[bytes, str | None]: ...


class AsyncFunctionInvoker(Protocol):
    """Queues an asynchronous invocation, with Lambda's retries and on-failure destination (see twin.functions)."""

    def __call__(self, function_arn: str, payload: bytes, principal: str, source_arn: str | None) -> None: ...


class Unconnected:
    """A door whose part is not installed: using it is a mistake in twin.server, and says so."""

    def __init__(self, part: str) -> None:
        self.part = part

    def __call__(self, *_: Any, **__: Any) -> Any:
        raise RuntimeError(f"twin.{self.part} is not installed, so nothing answers here. Next: install it in twin/server.py.")


@dataclass
class Cloud:
    """The account, and the doors between its parts. A part's `install(cloud)` opens its doors."""

    account: str
    region: str
    port: int
    folder: Path
    assembly: Path
    clock: Clock
    processes: Processes
    publish: Publisher = field(default_factory=lambda: Unconnected("events"))
    assume: RoleAssumer = field(default_factory=lambda: Unconnected("iam"))
    measure: MetricSink = field(default_factory=lambda: Unconnected("metrics"))
    invoke: FunctionInvoker = field(default_factory=lambda: Unconnected("functions"))
    invoke_async: AsyncFunctionInvoker = field(default_factory=lambda: Unconnected("functions"))

    @property
    def url(self) -> str:
        """Where every AWS client finds this account."""
        return f"http://127.0.0.1:{self.port}"

    def client(self, service: str, credentials: Credentials = ADMIN, retries: int = 0) -> Any:
        """A boto3 client of this account, under the given credentials: the only way in which parts call AWS APIs."""
        with _SESSION_LOCK:
            return _session().client(
                service,
                endpoint_url=self.url,
                region_name=self.region,
                aws_access_key_id=credentials.access_key,
                aws_secret_access_key=credentials.secret_key,
                aws_session_token=credentials.session_token,
                config=Config(retries={"max_attempts": retries + 1, "mode": "standard"}, s3={"addressing_style": "path"}),
            )

    def environment(self, credentials: Credentials) -> dict[str, str]:
        """What a workload of this account finds in its environment: region, endpoint and credentials."""
        return credentials.environment() | {
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_EC2_METADATA_DISABLED": "true",
        }


class Part(Protocol):
    """What `install(cloud)` of every part returns."""

    def stop(self) -> None:
        """End the part's threads and processes."""
